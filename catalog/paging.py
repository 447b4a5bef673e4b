"""Admin lists over tables of any size: keyset pages and estimated counts, never a COUNT or an OFFSET.

A page is a range of ids: the rows below `before`, newest first, or the rows above `after`. Both cost the
same on the first page and on the millionth. The number of rows is the planner's estimate unless the page
itself shows that there are no others.
"""

import json
from typing import Any, TypeVar

from django.contrib import admin, messages
from django.contrib.admin import ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Page, Paginator
from django.db import DatabaseError, OperationalError, connection, models, transaction
from django.db.models.expressions import Combinable
from django.http import HttpRequest
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

M = TypeVar("M", bound=models.Model)
BEFORE, AFTER = "before", "after"
PATIENCE = 5_000  # milliseconds that one list may keep the database busy


COUNTED_BELOW = 10_000  # so few rows are counted as quickly as guessed


def estimated_rows(queryset: "models.QuerySet[M]") -> int:
    """How many rows the planner expects, from the table's size and statistics; counted where they are few."""
    estimate = int(json.loads(queryset.order_by().explain(format="json"))[0]["Plan"]["Plan Rows"])
    return estimate if estimate >= COUNTED_BELOW or queryset.query.where else queryset.count()


class LookaheadPaginator(Paginator[M]):
    """Knows whether there is a next page, not how many: for autocompletes over big tables."""

    def page(self, number: int | str) -> Page[M]:
        position = max(1, int(number))
        start = (position - 1) * self.per_page
        rows = list(self.object_list[start : start + self.per_page + 1])
        self.has_more = len(rows) > self.per_page
        return LookaheadPage(rows[: self.per_page], position, self)


class LookaheadPage(Page[M]):
    """A page that learnt by looking one row ahead whether another follows."""

    paginator: LookaheadPaginator[M]

    def has_next(self) -> bool:
        return self.paginator.has_more

    def has_other_pages(self) -> bool:
        return self.has_next() or self.has_previous()


class KeysetChangeList(ChangeList):
    """A change list in order of id, newest first, paged by id."""

    is_keyset = True

    @property
    def is_narrowed(self) -> bool:
        return bool(self.queryset.query.where)

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.before, self.after = (self._position(request, name) for name in (BEFORE, AFTER))
        super().__init__(request, *args, **kwargs)

    @staticmethod
    def _position(request: HttpRequest, name: str) -> int | None:
        value = request.GET.get(name, "")
        return int(value) if value.isdecimal() and len(value) <= 18 else None

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> "models.QuerySet[Any]":
        for name in (BEFORE, AFTER):  # a position is no filter, and another filter starts at the first page
            self.params.pop(name, None)
            self.filter_params.pop(name, None)
        return super().get_queryset(request, exclude_parameters)

    def get_ordering(self, request: HttpRequest, queryset: "models.QuerySet[Any]") -> list[str | Combinable]:
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        size = self.list_per_page
        if self.after is not None:
            rows = list(self.queryset.filter(pk__gt=self.after).order_by("pk")[: size + 1])
            has_newer, has_older = len(rows) > size, True
            rows = rows[:size][::-1]
        else:
            page = self.queryset if self.before is None else self.queryset.filter(pk__lt=self.before)
            rows = list(page[: size + 1])
            has_newer, has_older = self.before is not None, len(rows) > size
            rows = rows[:size]
        is_whole = not has_newer and not has_older
        self.paginator = Paginator(rows, size)
        self.result_list = rows
        self.result_count = len(rows) if is_whole else max(len(rows), estimated_rows(self.queryset))
        self.is_estimate = not is_whole and (self.result_count >= COUNTED_BELOW or self.is_narrowed)
        self.full_result_count = self.result_count  # the list says nothing of a total that nobody counted
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = self.multi_page = False
        self.newest_url = self.get_query_string() if has_newer else None
        self.newer_url = self.get_query_string({AFTER: rows[0].pk}) if has_newer and rows else None
        self.older_url = self.get_query_string({BEFORE: rows[-1].pk}) if has_older and rows else None


class BigTableAdmin(admin.ModelAdmin[M]):
    """A ModelAdmin for a table that may hold a hundred million rows."""

    large_from = 0  # below so many rows the stock list, with its sorting and page numbers, is kinder
    paginator = LookaheadPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER  # a facet is a count a filter
    list_per_page = 50
    ordering = ("-pk",)

    def is_large(self) -> bool:
        return self.large_from == 0 or estimated_rows(self.model._base_manager.all()) >= self.large_from

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetChangeList if self.is_large() else ChangeList

    def get_sortable_by(self, request: HttpRequest) -> Any:
        return () if self.is_large() else super().get_sortable_by(request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The list, or a request to narrow it where the filters would keep the database busy for too long."""
        if request.method != "GET":
            return super().changelist_view(request, extra_context)
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(PATIENCE)])
                response = super().changelist_view(request, extra_context)
                if isinstance(response, TemplateResponse):
                    response.render()  # the rows are read while rendering
                return response
        except OperationalError as error:
            if not _is_timeout(error):
                raise
        messages.warning(request, _("That selection would read too much of a big table. Please narrow it."))
        return redirect(request.path)


def _is_timeout(error: DatabaseError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) == "57014"
