"""How explanations are doing: coverage, faithfulness beside controls, cost, and what needs a hand."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from catalog.admin_cards import Alert, Figure
from catalog.admin_links import row_url
from explanations import alerts, refreshing
from explanations.models import VersionCheck
from explanations.weights import weights_in
from recommendations import charts
from recommendations.charts import Bar, Series
from recommendations.figures import cause_chart, coverage, label, verified_share
from recommendations.models import Run

RUNS = 12
LEAST_VERIFIED = 0.85  # of home, the goal of the house
MOST_WITHHELD = 0.05
CONTROLS = ("recency", "random")


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    title: str
    drawing: SafeString
    caption: str


def contents(*, at: datetime) -> dict[str, Any]:
    """What the page shows at that time."""
    run = Run.objects.live().select_related("version").first()
    runs = [one for one in Run.objects.exclude(summary={}).order_by("-pk")[:RUNS] if one.summary.get("statuses")]
    checks = list(VersionCheck.objects.select_related("version").order_by("-version")[:RUNS])
    check = next((one for one in checks if run is not None and one.version_id == run.version_id), None)
    rejected = alerts.rejections(at=at)
    drawn = [*_coverage(run), *_faithfulness(checks), *_over_runs(runs), *_rewriting(rejected)]
    return {
        "alerts": sorted(
            [*_alerts(run, check), *alerts.audits(run, at=at), *alerts.refusals(run), *alerts.of_rewriting(rejected)],
            key=lambda alert: alert.kind != "alarm",
        ),
        "figures": [*_figures(run, check), *alerts.last_audit(run)],
        "charts": [drawn[start : start + 2] for start in range(0, len(drawn), 2)],
        "table": [table] if run is not None and (table := coverage(run)) is not None else [],
    }


def _figures(run: Run | None, check: VersionCheck | None) -> list[Figure]:
    if run is None:
        return [Figure(name=_("Live run"), value=_("none"))]
    statuses, rate = run.summary.get("statuses") or {}, _rate(run)
    total = sum(statuses.values()) or 1
    found = [
        Figure(
            name=_("Verified reasons"),
            value=_percent(verified_share(run) or 0.0),
            note=_("of the recommendations of New for you"),
            url=row_url(run),
        ),
        Figure(
            name=_("Withheld"),
            value=_percent(statuses.get("withheld", 0) / total),
            note=_("ranked, not shown: nothing may be said"),
        ),
    ]
    if rate is not None:
        found.append(
            Figure(name=_("Cost"), value=f"{rate:,.0f}", note=_("slates a second and worker, scored and explained"))
        )
    if check is not None:
        note = _("Δ log p that a reason must reach")
        found.append(Figure(name=_("Placebo floor"), value=f"{check.placebo_floor:.4f}", note=note, url=row_url(check)))
    weights = weights_in(run.summary)
    if weights is not None:
        found.append(
            Figure(name=_("From the history"), value=_percent(weights.history), note=_("of what moves the scores"))
        )
    return found


def _coverage(run: Run | None) -> list[Chart]:
    if run is None or not (causes := cause_chart(run)):
        return []
    statuses = run.summary.get("statuses") or {}
    total = sum(statuses.values()) or 1
    drawing = charts.bars(
        title=_("Recommendations by status"),
        bars=[
            Bar(label=label(status), value=count, note=f"({count / total:.0%})")
            for status, count in sorted(statuses.items(), key=lambda pair: -pair[1])
        ],
        unit=_("recommendations"),
    )
    of_run = _("Of run %(run)d, which is live.") % {"run": run.pk}
    return [
        Chart(title=_("Coverage by cause"), drawing=causes, caption=of_run),
        Chart(title=_("Coverage by status"), drawing=drawing, caption=of_run),
    ]


def _faithfulness(checks: list[VersionCheck]) -> list[Chart]:
    """Deletion and insertion with three pieces of evidence, by version, beside recency and chance."""
    if not any("ours_del@3" in check.measures for check in checks):
        return []

    def series(measure: str) -> list[Series]:
        return [
            Series(
                name=name,
                kind="for" if code == "ours" else "soft",
                points=[
                    (check.version_id, check.measures[f"{code}_{measure}"])
                    for check in reversed(checks)
                    if f"{code}_{measure}" in check.measures
                ],
            )
            for code, name in (("ours", _("ours")), ("recency", _("recency")), ("random", _("random")))
        ]

    return [
        Chart(
            title=_("Faithfulness: what is left without the reasons"),
            drawing=charts.lines(
                title=_("DEL@3 by version"), series=series("del@3"), across=_("model version"), up="DEL@3"
            ),
            caption=_("Chance without the three reasons, as a share of the chance with all. Lower is better."),
        ),
        Chart(
            title=_("Faithfulness: what the reasons alone give"),
            drawing=charts.lines(
                title=_("INS@3 by version"), series=series("ins@3"), across=_("model version"), up="INS@3"
            ),
            caption=_(
                "Chance with nothing but the three reasons, as a share of the chance with all. Higher is better."
            ),
        ),
    ]


def _over_runs(runs: list[Run]) -> list[Chart]:
    if not runs:
        return []
    ordered = runs[::-1]
    rates = [(float(run.pk), rate) for run in ordered if (rate := _rate(run)) is not None]
    shares = [(float(run.pk), share * 100) for run in ordered if (share := verified_share(run)) is not None]

    def over(title: str, series: Series, up: str, caption: str) -> Chart:
        return Chart(
            title=title,
            drawing=charts.lines(title=title, series=[series], across=_("run"), up=up),
            caption=caption,
        )

    return [
        over(
            _("Verified reasons over runs"),
            Series(name=_("verified"), points=shares, kind="for"),
            _("% of explained recommendations"),
            _("The rest carries another true cause, or is withheld."),
        ),
        over(
            _("Cost over runs"),
            Series(name=_("slates/s"), points=rates, kind="for"),
            _("slates a second and worker"),
            _("Scoring, explaining and checking together."),
        ),
    ]


def _rewriting(rejected: alerts.Rejections) -> list[Chart]:
    if not rejected.asked:
        return []
    title = _("Rewritings that were not used, by cause")
    drawing = charts.bars(
        title=title,
        bars=[Bar(label=alerts.cause_of(code), value=count) for code, count in rejected.causes],
        unit=_("lines"),
    )
    caption = _("Of %(asked)s lines that a language model reworded in the last seven days, %(used)s are used.")
    slots = {"asked": f"{rejected.asked:,}", "used": f"{rejected.asked - rejected.rejected:,}"}
    return [Chart(title=title, drawing=drawing, caption=caption % slots)]


def _alerts(run: Run | None, check: VersionCheck | None) -> list[Alert]:
    if run is None:
        return [Alert(text=_("No run is live: nothing is explained to anybody."), kind="alarm")]
    found = []
    statuses = run.summary.get("statuses") or {}
    total = sum(statuses.values())
    share = verified_share(run)
    if share is not None and share < LEAST_VERIFIED:
        text = _("Only %(share)s of New for you has a verified reason; the goal is %(goal)s.")
        slots = {"share": _percent(share), "goal": _percent(LEAST_VERIFIED)}
        found.append(Alert(text=text % slots, mend=_("See which causes stand for the rest."), url=row_url(run)))
    if total and statuses.get("withheld", 0) / total > MOST_WITHHELD:
        text = _("%(share)s of what was ranked is withheld.") % {"share": _percent(statuses["withheld"] / total)}
        found.append(Alert(text=text, mend=_("Look at the placebo floor, and at sensitive groups."), url=row_url(run)))
    if check is None:
        found.append(Alert(text=_("The faithfulness of the live version was not measured."), url=row_url(run.version)))
    else:
        found += [
            Alert(
                text=_("By %(measure)s our reasons are not surely better than %(control)s.")
                % {"measure": measure, "control": label(control)},
                mend=_("The interval of the difference touches zero."),
                url=row_url(check),
                kind="alarm",
            )
            for control in CONTROLS
            for measure, sign in (("DEL@3", -1), ("INS@3", 1))
            if _touches_zero(check.measures.get(f"ours_minus_{control}_{measure.lower()}"), sign)
        ]
    stale = refreshing.stale(run)[: refreshing.MOST_STALE].count()
    if stale > refreshing.SHOPPERS_AT_ONCE:
        text = _("%(count)d shoppers wait for newer reasons.") % {"count": stale}
        found.append(Alert(text=text, mend=_("Is a worker taking the queue realtime?"), url=reverse("admin:index")))
    return found


def _touches_zero(interval: list[float] | None, sign: int) -> bool:
    """`interval`: mean, low, high of ours minus the control's; better is below zero for -1, above for 1."""
    if not interval:
        return False
    _mean, low, high = interval
    return low <= 0 if sign > 0 else high >= 0


def _rate(run: Run) -> float | None:
    seconds, slates = run.summary.get("seconds"), run.summary.get("slates")
    return slates / seconds if seconds and slates else None


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
