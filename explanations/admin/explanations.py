"""Stored explanations, and the inspector that shows what stands behind one recommendation."""

import json
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.admin_links import row_link, row_url
from catalog.batch_written import BatchWritten
from catalog.models import Product, Shopper
from catalog.paging import BigTableAdmin
from explanations import absences, charts, dashboard, inspection, promotion, replaying
from explanations.models import Explanation
from explanations.phrasing.absences import cause_of, details_of
from explanations.phrasing.parts import bars_of
from recommendations.admin import slates
from recommendations.models import ModelVersion, Placement, Run, Slate


@admin.register(Explanation)
class ExplanationAdmin(BatchWritten[Explanation], BigTableAdmin[Explanation]):
    list_display = (
        "id",
        "slate_link",
        "subject",
        "is_personal",
        "explained",
        "verified",
        "fallback",
        "withheld",
        "look",
    )
    list_filter = ("is_personal", "slate__placement", "slate__run")
    list_select_related = ("slate__shopper", "slate__context_product", "slate__run")
    search_fields = ("slate__shopper__external_id",)
    search_help_text = gettext_lazy("The whole external id of a shopper or of a context product.")
    change_form_template = "admin/explanations/explanation/facts.html"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("inspector/", wrap(self.inspector), name="explanations_inspector"),
            path("inspector/<int:slate_id>-<int:rank>/", wrap(self.inspected), name="explanations_inspected"),
            path("inspector/<int:slate_id>/versions/", wrap(self.versions), name="explanations_versions"),
            path("dashboard/", wrap(self.dashboard), name="explanations_dashboard"),
            path("promotion/<int:run_id>/", wrap(self.promotion), name="explanations_promotion"),
            *super().get_urls(),
        ]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Explanation], search_term: str
    ) -> tuple[QuerySet[Explanation], bool]:
        return slates.about(queryset, search_term, slate="slate__"), False

    @admin.display(description=gettext_lazy("slate"))
    def slate_link(self, explanation: Explanation) -> str:
        return row_link(explanation.slate)

    @admin.display(description=gettext_lazy("for"))
    def subject(self, explanation: Explanation) -> str:
        return slates.subject_of(explanation.slate)

    @admin.display(description=gettext_lazy("inspector"))
    def look(self, explanation: Explanation) -> str:
        url = reverse("admin:explanations_inspector")
        return format_html('<a href="{}?slate={}">{}</a>', url, explanation.slate_id, _("Inspect"))

    def inspector(self, request: HttpRequest) -> HttpResponse:
        """Shopper × placement, a slate, or a run: the products with cause, status, score and chance."""
        self._demand_view(request)
        asked = _Asked(request)
        slates = asked.slates()
        slate = asked.slate(slates)
        rows = inspection.inspect(slate) if slate is not None else []
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Inspector"),
            "asked": asked,
            "placements": Placement.choices,
            "runs": Run.objects.select_related("version").order_by("-pk")[:20],
            "slates": slates,
            "slate": slate,
            "rows": [(row, row.phrased()) for row in rows if asked.product in {None, row.product}],
            "why_not": asked.why_not(rows),
        }
        return TemplateResponse(request, "admin/explanations/explanation/inspector.html", context)

    def inspected(self, request: HttpRequest, slate_id: int, rank: int) -> HttpResponse:
        """One recommendation: sentences, charts, verification, provenance, the contract itself."""
        self._demand_view(request)
        slate = Slate.objects.select_related("run__version", "shopper", "context_product").filter(pk=slate_id).first()
        rows = inspection.inspect(slate) if slate is not None else []
        if not 1 <= rank <= len(rows):
            raise Http404
        row = rows[rank - 1]
        split, shares = row.contract.split, row.contract.shares
        replayed = replaying.replayed(row) if "replay" in request.GET else None
        opinion = replaying.second_opinion(row) if "opinion" in request.GET else None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": row.title,
            "row": row,
            "slate": slate,
            "languages": [(code, row.phrased(code)) for code in inspection.LANGUAGES],
            "by_part": charts.by_product_part(row),
            "by_history": charts.by_history(row),
            "part_sum": split and split.baseline + sum(split.parts.values()) + split.residual,
            "history_sum": shares and shares.nothing + shares.rest + sum(shares.reasons),
            "leave_one_out": charts.leave_one_out(row),
            "reasons": [(reason, row.evidence(reason)) for reason in (*row.contract.reasons, *row.contract.opposing)],
            "replayed": replayed,
            "opinion": opinion,
            "opinion_chart": opinion and charts.second_opinion(opinion),
            "stored": json.dumps(row.stored, indent=2, ensure_ascii=False),
            "previous": rank - 1 if rank > 1 else None,
            "following": rank + 1 if rank < len(rows) else None,
        }
        return TemplateResponse(request, "admin/explanations/explanation/inspected.html", context)

    def versions(self, request: HttpRequest, slate_id: int) -> HttpResponse:
        """The slate beside what another version would make of the same history at the same moment."""
        self._demand_view(request)
        slate = Slate.objects.select_related("run__version", "shopper", "context_product").filter(pk=slate_id).first()
        if slate is None:
            raise Http404
        able = [ModelVersion.State.PASSED, ModelVersion.State.REJECTED]
        others = list(
            ModelVersion.objects.filter(state__in=able)
            .exclude(pk=slate.run.version_id)
            .exclude(weights="")
            .order_by("-pk")[:20]
        )
        wanted = request.GET.get("version", "")
        version = next((other for other in others if str(other.pk) == wanted), None)
        rows = inspection.inspect(slate)
        compared = replaying.compared(slate, rows, version) if version is not None else None
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Two versions of one list"),
            "slate": slate,
            "others": others,
            "version": version,
            "compared": compared,
            "common": sum(bool(pair.one and pair.other) for pair in compared.pairs) if compared is not None else 0,
        }
        return TemplateResponse(request, "admin/explanations/explanation/versions.html", context)

    def dashboard(self, request: HttpRequest) -> HttpResponse:
        """How explanations are doing: coverage, faithfulness, cost, and what needs a hand."""
        self._demand_view(request)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("How explanations are doing"),
            **dashboard.contents(at=timezone.now()),
        }
        return TemplateResponse(request, "admin/explanations/explanation/dashboard.html", context)

    def promotion(self, request: HttpRequest, run_id: int) -> HttpResponse:
        """A run beside the live one: what publishing it would change, and the button that does."""
        may_publish = request.user.has_perm("recommendations.publish_run")
        if not (may_publish or request.user.has_perm("recommendations.view_run")):
            raise PermissionDenied
        run = get_object_or_404(Run.objects.select_related("version"), pk=run_id)
        is_complete = run.state in {Run.State.READY, Run.State.RETIRED}
        context = {
            **self.admin_site.each_context(request),
            "opts": Run._meta,
            "title": _("What publishing run %(number)d would change") % {"number": run.pk},
            "run": run,
            "run_url": row_url(run),
            "is_complete": is_complete,
            "may_publish": may_publish and is_complete,
            **(promotion.contents(run) if is_complete else {}),
        }
        return TemplateResponse(request, "admin/explanations/promotion.html", context)

    def _demand_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied


class _Asked:
    """What the inspector's address asks for."""

    def __init__(self, request: HttpRequest) -> None:
        self.term = request.GET.get("q", "").strip()
        self.placement = request.GET.get("placement", "")
        self._numbers = {name: self._number(request, name) for name in ("shopper", "slate", "run")}
        self.run_id = self._numbers["run"]
        self.shopper = self._shopper()
        self.product_term = request.GET.get("product", "").strip()
        self.product = Product.objects.filter(external_id=self.product_term).first() if self.product_term else None

    @staticmethod
    def _number(request: HttpRequest, name: str) -> int | None:
        value = request.GET.get(name, "")
        return int(value) if value.isdecimal() and len(value) <= 18 else None

    def _shopper(self) -> Shopper | None:
        if (pk := self._numbers["shopper"]) is not None:
            return Shopper.objects.filter(pk=pk).first()
        return Shopper.objects.filter(external_id=self.term).order_by("pk").first() if self.term else None

    def why_not(self, rows: list[inspection.Inspected]) -> dict[str, Any] | None:
        """Of a product that is not in the list: why, in the words and with the bars that the shopper would see."""
        if self.shopper is None or self.product is None or any(row.product == self.product for row in rows):
            return None
        why = absences.why_not(shopper=self.shopper, product=self.product)
        said = [cause_of(why), *details_of(why)]
        return {"sentences": said, "parts": bars_of(why.ranked), "is_pending": why.is_pending}

    @property
    def is_unknown(self) -> bool:
        return bool(self.term) and self.shopper is None

    def slates(self) -> list[Slate]:
        """At most 20, of the shopper or else of the run."""
        if self.shopper is not None:
            found: Any = inspection.slates_of(self.shopper)
        elif self.run_id is not None:
            found = Slate.objects.select_related("run", "shopper", "context_product").order_by("pk")
        else:
            return []
        if self.run_id is not None:
            found = found.filter(run=self.run_id)
        if self.placement:
            found = found.filter(placement=self.placement)
        return list(found[:20])

    def slate(self, slates: list[Slate]) -> Slate | None:
        """The one asked for by number, else the shopper's first."""
        if (pk := self._numbers["slate"]) is not None:
            return Slate.objects.select_related("run", "shopper", "context_product").filter(pk=pk).first()
        return slates[0] if slates and self.shopper is not None else None
