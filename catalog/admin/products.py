"""Products, the tree of their groups, and the words for what shoppers do."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from catalog import services
from catalog.admin_links import list_url, row_link
from catalog.models import Category, EventType, Interaction, Product
from catalog.paging import BigTableAdmin


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin[Category]):
    list_display = ("path", "name_en", "name_zh_hans", "parent", "product_count", "is_sensitive")
    list_filter = ("is_sensitive", ("parent", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("parent",)
    search_fields = ("path", "name_en", "name_zh_hans")
    search_help_text = _("Path or name.")
    autocomplete_fields = ("parent",)
    ordering = ("path",)
    readonly_fields = ("effect",)
    fieldsets = (
        (None, {"fields": ("path", "parent", "name_en", "name_zh_hans")}),
        (_("What may be said"), {"fields": ("is_sensitive", "effect")}),
        (_("Generated pictures"), {"fields": ("glyph", "hue")}),
    )
    actions = ("mark_sensitive", "mark_nameable")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        return super().get_queryset(request).annotate(products_in=Count("products"))

    @admin.display(description=_("products"))
    def product_count(self, category: Category) -> str:
        count = category.products_in  # type: ignore[attr-defined]  # annotated above
        return format_html('<a href="{}">{}</a>', list_url(Product, category__id__exact=category.pk), count)

    @admin.display(description=_("effect"))
    def effect(self, category: Category) -> str:
        """What the switch does, counted."""
        if category._state.adding:
            return str(_("Nothing yet: the group holds no products."))
        below = Category.objects.filter(path__startswith=f"{category.path}/")
        products = Product.objects.filter(Q(category=category) | Q(category__in=below)).count()
        if category.is_sensitive:
            text = _(
                "Sensitive now: no reason names this group or anything below it "
                "(groups below: %(groups)d, products: %(products)d). What rested on them is not shown with such a "
                "reason. Switching this off lets them be named again at once."
            )
        else:
            text = _(
                "Switching this on hides, at once, on every page and in the API, each stored reason that names this "
                "group or anything below it (groups below: %(groups)d, products: %(products)d). "
                "The products stay in the shop and in training."
            )
        return text % {"groups": below.count(), "products": products}

    def save_model(self, request: HttpRequest, obj: Category, form: ModelForm[Category], change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "is_sensitive" in form.changed_data:
            self.message_user(request, self.effect(obj), messages.INFO)

    @admin.action(description=_("Never name the selected groups in a reason"), permissions=["change"])
    def mark_sensitive(self, request: HttpRequest, queryset: QuerySet[Category]) -> None:
        self._mark(request, queryset, is_sensitive=True)

    @admin.action(description=_("Let reasons name the selected groups"), permissions=["change"])
    def mark_nameable(self, request: HttpRequest, queryset: QuerySet[Category]) -> None:
        self._mark(request, queryset, is_sensitive=False)

    def _mark(self, request: HttpRequest, queryset: QuerySet[Category], *, is_sensitive: bool) -> None:
        categories = list(queryset)
        count = services.set_sensitive(categories=categories, is_sensitive=is_sensitive)
        for category in categories:
            self.log_change(request, category, [{"changed": {"fields": ["is_sensitive"]}}])
        text = (
            ngettext("%(count)d group is never named now.", "%(count)d groups are never named now.", count)
            if is_sensitive
            else ngettext("%(count)d group may be named now.", "%(count)d groups may be named now.", count)
        )
        self.message_user(request, text % {"count": count}, messages.SUCCESS)


@admin.register(Product)
class ProductAdmin(BigTableAdmin[Product]):
    large_from = 20_000
    list_display = (
        "external_id",
        "title",
        "group",
        "price_text",
        "is_active",
        "is_available",
        "launched_at",
        "history",
    )
    list_display_links = ("external_id", "title")
    list_filter = ("is_active", "is_available", "category")
    list_select_related = ("category",)
    search_fields = ("external_id__exact", "title", "title_zh_hans")
    search_help_text = _("The whole external id, or words of the title.")
    autocomplete_fields = ("category",)
    readonly_fields = ("created_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("external_id", "title", "title_zh_hans", "description")}),
        (_("Place in the shop"), {"fields": ("category", "brand", "price", "currency", "attributes")}),
        (_("Shown or not"), {"fields": ("is_active", "is_available", "launched_at", "created_at", "updated_at")}),
    )
    actions = ("activate", "deactivate")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # history points at it; inactive products are never shown

    @admin.display(description=_("category"), ordering="category__path")
    def group(self, product: Product) -> str:
        return row_link(product.category, product.category.name if product.category else None)

    @admin.display(description=_("price"), ordering="price")
    def price_text(self, product: Product) -> str:
        return "—" if product.price is None else f"{product.price:,.2f} {product.currency}"

    @admin.display(description=_("interactions"))
    def history(self, product: Product) -> str:
        return format_html(
            '<a href="{}">{}</a>', list_url(Interaction, product__id__exact=product.pk), _("Interactions")
        )

    @admin.action(description=_("Show the selected products again"), permissions=["change"])
    def activate(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        self._set_active(request, queryset, is_active=True)

    @admin.action(description=_("Never show the selected products"), permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Product]) -> None:
        self._set_active(request, queryset, is_active=False)

    def _set_active(self, request: HttpRequest, queryset: QuerySet[Product], *, is_active: bool) -> None:
        products = list(queryset)
        count = services.set_active(products=products, is_active=is_active)
        for product in products:
            self.log_change(request, product, [{"changed": {"fields": ["is_active"]}}])
        text = (
            ngettext("%(count)d product is shown again.", "%(count)d products are shown again.", count)
            if is_active
            else ngettext(
                "%(count)d product is not shown any more.", "%(count)d products are not shown any more.", count
            )
        )
        self.message_user(request, text % {"count": count}, messages.SUCCESS)


@admin.register(EventType)
class EventTypeAdmin(admin.ModelAdmin[EventType]):
    list_display = ("code", "verb_en", "verb_zh_hans", "strength", "polarity", "is_target", "history")
    list_filter = ("polarity", "is_target")
    search_fields = ("code", "verb_en", "verb_zh_hans")
    ordering = ("code",)

    @admin.display(description=_("interactions"))
    def history(self, event_type: EventType) -> str:
        url = list_url(Interaction, event_type__id__exact=event_type.pk)
        return format_html('<a href="{}">{}</a>', url, _("Interactions"))
