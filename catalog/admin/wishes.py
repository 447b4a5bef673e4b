"""What shoppers wish for: looked at, changed by themselves."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from catalog.admin_links import row_link
from catalog.batch_written import BatchWritten
from catalog.models import LessOfGroup
from catalog.paging import BigTableAdmin


@admin.register(LessOfGroup)
class LessOfGroupAdmin(BatchWritten[LessOfGroup], BigTableAdmin[LessOfGroup]):
    list_display = ("id", "shopper_link", "group_link", "created_at")
    list_filter = ("category",)
    list_select_related = ("shopper", "category")
    search_fields = ("shopper__external_id",)
    search_help_text = _("The whole external id of a shopper.")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[LessOfGroup], search_term: str
    ) -> tuple[QuerySet[LessOfGroup], bool]:
        term = search_term.strip()
        return (queryset.filter(shopper__external_id=term) if term else queryset), False

    @admin.display(description=_("shopper"))
    def shopper_link(self, wish: LessOfGroup) -> str:
        return row_link(wish.shopper)

    @admin.display(description=_("category"))
    def group_link(self, wish: LessOfGroup) -> str:
        return row_link(wish.category)
