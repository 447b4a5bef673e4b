"""Slates: millions of rows, looked at one by one."""

from typing import TypeVar

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from catalog.admin_links import row_link
from catalog.batch_written import BatchWritten
from catalog.models import Product, Shopper
from catalog.paging import BigTableAdmin
from recommendations.models import Slate

M = TypeVar("M", bound=Model)


def about(queryset: QuerySet[M], term: str, *, slate: str = "") -> QuerySet[M]:
    """Rows of a shopper or else of a context product with that external id; all without one. `slate`: the way to it.

    Ids are resolved first: a condition across tables would read the whole big one.
    """
    term = term.strip()
    if not term:
        return queryset
    if shoppers := list(Shopper.objects.filter(external_id=term).values_list("pk", flat=True)):
        return queryset.filter(**{f"{slate}shopper__in": shoppers})
    products = list(Product.objects.filter(external_id=term).values_list("pk", flat=True))
    return queryset.filter(**{f"{slate}context_product__in": products})


def subject_of(slate: Slate) -> str:
    """Whom it is for, or beside which product."""
    if slate.shopper is not None:
        return row_link(slate.shopper)
    if slate.context_product is not None:
        return row_link(slate.context_product, slate.context_product.name)
    return str(_("everybody"))


@admin.register(Slate)
class SlateAdmin(BatchWritten[Slate], BigTableAdmin[Slate]):
    list_display = ("id", "run_link", "placement", "subject", "products", "computed_at", "is_explained", "is_current")
    list_filter = ("placement", "run", ("superseded_at", admin.EmptyFieldListFilter))
    list_select_related = ("run", "shopper", "context_product")
    search_fields = ("shopper__external_id",)
    search_help_text = _("The whole external id of a shopper or of a context product.")
    change_form_template = "admin/recommendations/slate/facts.html"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Slate], search_term: str
    ) -> tuple[QuerySet[Slate], bool]:
        return about(queryset, search_term), False

    @admin.display(description=_("run"))
    def run_link(self, slate: Slate) -> str:
        return row_link(slate.run)

    @admin.display(description=_("for"))
    def subject(self, slate: Slate) -> str:
        return subject_of(slate)

    @admin.display(description=_("products"))
    def products(self, slate: Slate) -> int:
        return len(slate.product_ids)

    @admin.display(description=_("explained"), boolean=True)
    def is_explained(self, slate: Slate) -> bool:
        return slate.explained_at is not None

    @admin.display(description=_("current"), boolean=True)
    def is_current(self, slate: Slate) -> bool:
        return slate.superseded_at is None
