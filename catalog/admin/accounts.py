"""Accounts, partners with their keys, and shoppers."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from catalog import services
from catalog.admin_links import list_url, row_link
from catalog.models import Interaction, Partner, PartnerKey, Scope, Shopper, User
from catalog.paging import BigTableAdmin


@admin.register(User)
class AccountAdmin(UserAdmin):  # type: ignore[type-arg]  # not generic at run time
    list_display = ("username", "email", "is_staff", "is_active", "last_login")
    list_filter = ("is_staff", "is_superuser", "is_active", "groups")
    search_help_text = _("Name or e-mail.")


@admin.register(Partner)
class PartnerAdmin(admin.ModelAdmin[Partner]):
    list_display = ("name", "slug", "is_active", "created_at", "keys_link", "shoppers_link")
    list_filter = ("is_active",)
    search_fields = ("name", "slug")
    ordering = ("name", "id")
    readonly_fields = ("created_at",)
    prepopulated_fields = {"slug": ("name",)}

    @admin.display(description=_("keys"))
    def keys_link(self, partner: Partner) -> str:
        return format_html('<a href="{}">{}</a>', list_url(PartnerKey, partner__id__exact=partner.pk), _("Keys"))

    @admin.display(description=_("shoppers"))
    def shoppers_link(self, partner: Partner) -> str:
        return format_html('<a href="{}">{}</a>', list_url(Shopper, partner__id__exact=partner.pk), _("Shoppers"))


class PartnerKeyForm(forms.ModelForm[PartnerKey]):
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("What the key may do."),
    )

    class Meta:
        model = PartnerKey
        fields = ("partner", "name", "scopes", "sees_all_shoppers", "expires_at")


@admin.register(PartnerKey)
class PartnerKeyAdmin(admin.ModelAdmin[PartnerKey]):
    """Keys are issued and revoked; what a key may do never changes under its holder."""

    form = PartnerKeyForm
    list_display = ("prefix", "name", "partner", "may", "sees_all_shoppers", "state", "last_used_at", "expires_at")
    list_filter = ("partner", ("revoked_at", admin.EmptyFieldListFilter), "sees_all_shoppers")
    list_select_related = ("partner",)
    search_fields = ("prefix", "name", "partner__name")
    ordering = ("-id",)
    search_help_text = _("Prefix, name or partner.")
    autocomplete_fields = ("partner",)
    actions = ("revoke",)

    def has_change_permission(self, request: HttpRequest, obj: PartnerKey | None = None) -> bool:
        # The list needs the permission for its action; a single key is only looked at.
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: PartnerKey | None = None) -> bool:
        return False  # a revoked key stays, so that its traces keep a name

    def get_fields(self, request: HttpRequest, obj: PartnerKey | None = None) -> Any:
        if obj is None:
            return PartnerKeyForm.Meta.fields
        return ("partner", "name", "prefix", "may", "sees_all_shoppers", *self._times)

    _times = ("created_at", "expires_at", "last_used_at", "revoked_at")

    def get_readonly_fields(self, request: HttpRequest, obj: PartnerKey | None = None) -> Any:
        return () if obj is None else self.get_fields(request, obj)

    @admin.display(description=_("may"))
    def may(self, key: PartnerKey) -> str:
        labels = dict(Scope.choices)
        return ", ".join(str(labels.get(scope, scope)) for scope in key.scopes)

    @admin.display(description=_("works"), boolean=True)
    def state(self, key: PartnerKey) -> bool:
        expired = key.expires_at is not None and key.expires_at <= timezone.now()
        return key.revoked_at is None and not expired and key.partner.is_active

    def save_model(self, request: HttpRequest, obj: PartnerKey, form: ModelForm[PartnerKey], change: bool) -> None:
        """Issue the key; its secret lives for this one response."""
        key, secret = services.issue_key(
            partner=obj.partner,
            name=obj.name,
            scopes=[Scope(scope) for scope in obj.scopes],
            sees_all_shoppers=obj.sees_all_shoppers,
            expires_at=obj.expires_at,
        )
        obj.__dict__.update(key.__dict__)
        request.issued_secret = secret  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: PartnerKey, post_url_continue: str | None = None) -> HttpResponse:
        """The secret, once: it is in no message, no cookie and no address."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Key issued"),
            "key": obj,
            "secret": request.issued_secret,  # type: ignore[attr-defined]
        }
        return TemplateResponse(request, "admin/catalog/partnerkey/issued.html", context)

    @admin.action(description=_("Revoke selected keys"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[PartnerKey]) -> None:
        keys = list(queryset)
        count = services.revoke_keys(keys=keys, at=timezone.now())
        for key in keys:
            self.log_change(request, key, [{"changed": {"fields": ["revoked_at"]}}])
        self.message_user(
            request,
            ngettext("%(count)d key revoked.", "%(count)d keys revoked.", count) % {"count": count},
            messages.SUCCESS,
        )


@admin.register(Shopper)
class ShopperAdmin(BigTableAdmin[Shopper]):
    large_from = 20_000
    list_display = ("external_id", "partner", "account", "is_personalised", "changed_at", "created_at", "history")
    list_filter = ("is_personalised", "partner")
    list_select_related = ("partner", "user")
    search_fields = ("external_id",)
    search_help_text = _("The whole external id, or its beginning.")
    autocomplete_fields = ("partner", "user")
    fields = ("partner", "external_id", "user", "is_personalised", "changed_at", "created_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Shopper | None = None) -> Any:
        return ("changed_at", "created_at") if obj is None else ("partner", "external_id", "changed_at", "created_at")

    def has_delete_permission(self, request: HttpRequest, obj: Shopper | None = None) -> bool:
        return False  # a shopper goes by erasure, with everything that is known of them

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Shopper], search_term: str
    ) -> tuple[QuerySet[Shopper], bool]:
        term = search_term.strip()
        return (queryset.filter(external_id__startswith=term) if term else queryset), False

    @admin.display(description=_("account"))
    def account(self, shopper: Shopper) -> str:
        return row_link(shopper.user)

    @admin.display(description=_("history"))
    def history(self, shopper: Shopper) -> str:
        return format_html('<a href="{}">{}</a>', list_url(Interaction, shopper__id__exact=shopper.pk), _("History"))

    def save_model(self, request: HttpRequest, obj: Shopper, form: ModelForm[Shopper], change: bool) -> None:
        super().save_model(request, obj, form, change)
        if change and "is_personalised" in form.changed_data:  # pages obey at once, the slate is refreshed
            services.set_personalised(shopper=obj, is_personalised=obj.is_personalised, at=timezone.now())
