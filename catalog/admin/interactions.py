"""What shoppers did: looked at, searched by exact id, never edited."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from catalog.admin_links import row_link
from catalog.batch_written import BatchWritten
from catalog.models import Interaction, Product, Shopper
from catalog.paging import BigTableAdmin


@admin.register(Interaction)
class InteractionAdmin(BatchWritten[Interaction], BigTableAdmin[Interaction]):
    list_display = (
        "id",
        "occurred_at",
        "shopper_link",
        "event_type",
        "product_link",
        "quantity",
        "price",
        "partner",
        "is_used",
    )
    list_filter = ("event_type", ("excluded_at", admin.EmptyFieldListFilter), "partner")
    list_select_related = ("shopper", "product", "event_type", "partner")
    search_fields = ("event_id",)
    search_help_text = _("The whole external id of a shopper or product, or the whole event id.")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Interaction], search_term: str
    ) -> tuple[QuerySet[Interaction], bool]:
        """Ids are resolved first: a condition across three tables would read the whole big one."""
        term = search_term.strip()
        if not term:
            return queryset, False
        if shoppers := list(Shopper.objects.filter(external_id=term).values_list("pk", flat=True)):
            return queryset.filter(shopper__in=shoppers), False
        if products := list(Product.objects.filter(external_id=term).values_list("pk", flat=True)):
            return queryset.filter(product__in=products), False
        return queryset.filter(event_id=term), False

    @admin.display(description=_("shopper"))
    def shopper_link(self, row: Interaction) -> str:
        return row_link(row.shopper)

    @admin.display(description=_("product"))
    def product_link(self, row: Interaction) -> str:
        return row_link(row.product, row.product.name)

    @admin.display(description=_("unit price"))
    def price(self, row: Interaction) -> str:
        return "—" if row.unit_price is None else f"{row.unit_price:,.2f} {row.currency}"

    @admin.display(description=_("used"), boolean=True)
    def is_used(self, row: Interaction) -> bool:
        return row.excluded_at is None
