"""Which recommendations shoppers were shown: looked at, never edited."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from catalog.admin_links import row_link
from catalog.batch_written import BatchWritten
from catalog.models import Impression, Product
from catalog.paging import BigTableAdmin


@admin.register(Impression)
class ImpressionAdmin(BatchWritten[Impression], BigTableAdmin[Impression]):
    list_display = ("id", "shown_date", "shopper_link", "how_many")
    list_filter = ("shown_date",)
    list_select_related = ("shopper",)
    search_fields = ("shopper__external_id",)
    search_help_text = _("The whole external id of a shopper.")
    fields = ("shopper", "shown_date", "product_links")
    readonly_fields = ("product_links",)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Impression], search_term: str
    ) -> tuple[QuerySet[Impression], bool]:
        term = search_term.strip()
        return (queryset.filter(shopper__external_id=term) if term else queryset), False

    @admin.display(description=_("shopper"))
    def shopper_link(self, row: Impression) -> str:
        return row_link(row.shopper)

    @admin.display(description=_("products"))
    def how_many(self, row: Impression) -> int:
        return len(row.product_ids)

    @admin.display(description=_("products"))
    def product_links(self, row: Impression) -> SafeString:
        """A product that is gone is called by its number."""
        known = Product.objects.in_bulk(row.product_ids)
        links = [row_link(known[pk], known[pk].name) if pk in known else f"#{pk}" for pk in row.product_ids]
        return format_html_join(", ", "{}", ((link,) for link in links))
