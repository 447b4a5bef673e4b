"""Which recommendations shoppers were shown: looked at, never edited."""

from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from catalog.admin.by_shopper import ByShopper
from catalog.admin_links import row_link
from catalog.batch_written import BatchWritten
from catalog.models import Impression, Product


@admin.register(Impression)
class ImpressionAdmin(BatchWritten[Impression], ByShopper[Impression]):
    list_display = ("id", "shown_date", "shopper_link", "how_many")
    list_filter = ("shown_date",)
    list_select_related = ("shopper",)
    fields = ("shopper", "shown_date", "product_links")
    readonly_fields = ("product_links",)

    @admin.display(description=_("products"))
    def how_many(self, row: Impression) -> int:
        return len(row.product_ids)

    @admin.display(description=_("products"))
    def product_links(self, row: Impression) -> SafeString:
        """A product that is gone is called by its number."""
        known = Product.objects.in_bulk(row.product_ids)
        links = [row_link(known[pk], known[pk].name) if pk in known else f"#{pk}" for pk in row.product_ids]
        return format_html_join(", ", "{}", ((link,) for link in links))
