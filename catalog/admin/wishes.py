"""What shoppers wish for: looked at, changed by themselves."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from catalog.admin.by_shopper import ByShopper
from catalog.admin_links import row_link
from catalog.batch_written import BatchWritten
from catalog.models import LessOfGroup


@admin.register(LessOfGroup)
class LessOfGroupAdmin(BatchWritten[LessOfGroup], ByShopper[LessOfGroup]):
    list_display = ("id", "shopper_link", "group_link", "created_at")
    list_filter = ("category",)
    list_select_related = ("shopper", "category")

    @admin.display(description=_("category"))
    def group_link(self, wish: LessOfGroup) -> str:
        return row_link(wish.category)
