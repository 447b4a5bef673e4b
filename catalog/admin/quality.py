"""The data-quality report as a page: every rule with its count, share, samples, or why it found nothing."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from catalog.admin_links import list_url
from catalog.batch_written import BatchWritten
from catalog.models import Category, Import, Interaction, Product, QualityReport

ALL_GROUPS = "0"
# JSON keeps no order.
COLUMNS = ("import", "row", "value", "interaction", "event_id", "occurred_at", "product", "quantity", "unit_price")


@admin.register(QualityReport)
class QualityReportAdmin(BatchWritten[QualityReport]):
    list_display = ("id", "cutoff_at", "rows_read", "rows_usable", "usable_share", "created_at")
    list_display_links = ("id", "cutoff_at")
    list_filter = ("cutoff_at",)
    search_fields = ("=id",)
    search_help_text = _("The number of a report.")
    ordering = ("-id",)
    fields = ("cutoff_at", "created_at", "rows_read", "rows_usable")
    change_form_template = "admin/catalog/qualityreport/report.html"

    @admin.display(description=_("usable"))
    def usable_share(self, report: QualityReport) -> str:
        return _percent(report.rows_usable, report.rows_read) or "—"

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        report: QualityReport = context["original"]
        rules = [_rule(rule, report.rows_read) for rule in report.rules]
        context |= {
            "title": gettext("Data quality up to %(date)s") % {"date": f"{report.cutoff_at:%Y-%m-%d}"},
            "subtitle": None,
            "rules": rules,
            "finding": sum(1 for rule in rules if rule["count"]),
            "usable": self.usable_share(report),
            "bounds": _bounds(report.bounds),
            "interactions_url": list_url(Interaction),
        }
        return super().render_change_form(request, context, *args, **kwargs)


def _rule(stored: Mapping[str, Any], rows_read: int) -> dict[str, Any]:
    """One stored rule as the page shows it, in the reader's language."""
    count = stored["count"]
    samples = stored.get("samples") or []
    found = dict.fromkeys(name for sample in samples for name in sample)
    columns = sorted(found, key=lambda name: COLUMNS.index(name) if name in COLUMNS else len(COLUMNS))
    title, description, because = (stored.get(name) or "" for name in ("title", "description", "because"))
    return {
        "title": gettext(title) if title else stored["code"].replace("_", " "),
        "description": gettext(description) if description else "",
        "because": gettext(because) if because and not count else "",
        "is_left_out": stored.get("is_left_out", True),
        "count": count,
        "share": _percent(count, rows_read),
        "width": max(round(100 * count / rows_read, 1), 0.5) if count and rows_read else 0,
        "columns": [column.replace("_", " ") for column in columns],
        "samples": [[_cell(column, sample.get(column)) for column in columns] for sample in samples],
    }


def _cell(column: str, value: object) -> SafeString | str:
    """Ids lead to what they name."""
    if value is None:
        return "—"
    model = {"import": Import, "interaction": Interaction, "product": Product}.get(column)
    if model is None:
        return str(value)
    return format_html('<a href="{}">{}</a>', list_url(model, id__exact=value), value)


def _percent(part: int, whole: int) -> str:
    if not part or not whole:
        return ""
    return f"{100 * part / whole:.1f} %" if part / whole >= 0.001 else "< 0.1 %"


def _bounds(stored: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is possible in each group, and where its price bands end."""
    quantity, price, edges = (stored.get(name) or {} for name in ("quantity", "price", "price_edges"))
    names = {str(category.pk): category.name for category in Category.objects.all()}
    groups = sorted({*quantity, *price, *edges}, key=lambda group: (group != ALL_GROUPS, names.get(group, group)))
    return [
        {
            "name": gettext("all products") if group == ALL_GROUPS else names.get(group, f"#{group}"),
            "url": list_url(Product) if group == ALL_GROUPS else list_url(Product, category__id__exact=group),
            "quantity": quantity.get(group),
            "price": price.get(group),
            "edges": " · ".join(f"{edge:,.2f}" for edge in edges.get(group, ())),
        }
        for group in groups
    ]
