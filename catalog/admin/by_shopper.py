"""Big tables of which each row is a shopper's."""

from typing import Protocol, TypeVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from catalog.admin_links import row_link
from catalog.models import Shopper
from catalog.paging import BigTableAdmin

M = TypeVar("M", bound=Model)


class OfShopper(Protocol):
    @property
    def shopper(self) -> Shopper: ...


class ByShopper(BigTableAdmin[M]):
    """Found by the whole external id of the shopper, whom each row links to."""

    search_fields = ("shopper__external_id",)
    search_help_text = _("The whole external id of a shopper.")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[M], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        term = search_term.strip()
        return (queryset.filter(shopper__external_id=term) if term else queryset), False

    @admin.display(description=_("shopper"))
    def shopper_link(self, row: OfShopper) -> str:
        return row_link(row.shopper)
