"""What staff see before a run goes live: what it would change, beside the run that is live."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from catalog.admin_cards import Alert, Figure
from catalog.admin_links import row_url
from catalog.models import Shopper
from explanations import publishing
from explanations.comparison import FIRST, Change, Changed, Comparison, compare
from explanations.models import VersionCheck
from recommendations import charts
from recommendations.charts import Bar
from recommendations.figures import KINDS, Table, label, placement_name
from recommendations.models import ModelVersion, Placement, Run

MEASURES = {  # code of a check: whether more of it is better
    "verified": True,
    "loses_place": True,
    "ours_del@3": None,  # of two models these say nothing: see `advantage`
    "recency_del@3": None,
    "advantage_del@3": True,
    "ours_ins@3": None,
    "recency_ins@3": None,
    "advantage_ins@3": True,
    "optimality@3": True,
    "stability_neutral_mask": True,
    "stability_one_more": True,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A list that changed much, with where to look at it."""

    shopper: str
    shopper_url: str
    placement: str
    kept: str
    otherwise: str
    before_url: str
    after_url: str
    versions_url: str  # empty where both runs are of one version


def contents(run: Run) -> dict[str, Any]:
    """What the page shows of a run that is not live."""
    live = Run.objects.live().select_related("version").first()
    found = compare(live, run) if live is not None else None
    is_shared = found is not None and bool(found.changes)
    charts_of_mix = list(_mix_charts(found)) if found is not None else []
    return {
        "live": live,
        "is_shared": is_shared,
        "has_shoppers": found is not None and any(change.shoppers for change in found.changes.values()),
        "alerts": _alerts(run),
        "figures": _figures(run, live, found) if live is not None and found is not None and is_shared else [],
        "charts": [charts_of_mix[start : start + 2] for start in range(0, len(charts_of_mix), 2)],
        "mix_tables": list(_mix_tables(found)) if found is not None and is_shared else [],
        "change_tables": [_change_table(found)] if found is not None and is_shared else [],
        "check_tables": _check_tables(run, live) if live is not None else [],
        "metric_tables": _metric_tables(run, live) if live is not None else [],
        "lists": _lists(found, run, live) if live is not None and found is not None else [],
        "every": found.every if found is not None else 1,
        "first": FIRST,
    }


def _alerts(run: Run) -> list[Alert]:
    found = [Alert(text=text, kind="alarm") for text in publishing.obstacles(run)]
    if not VersionCheck.objects.filter(version=run.version_id).exists():
        text = _("The faithfulness of this version was not measured.")
        found.append(Alert(text=text, url=row_url(run.version)))
    return found


def _figures(run: Run, live: Run, found: Comparison) -> list[Figure]:
    change = _total(found)
    before, after = _verified(found.before), _verified(found.after)
    return [
        Figure(
            name=_("Compared"),
            value=f"{change.slates:,}",
            note=_("lists that both runs have, %(same)s of them made of the same history")
            % {"same": f"{change.same_history:,}"},
        ),
        Figure(
            name=_("Products that stay"),
            value=charts.percent(change.kept / change.listed if change.listed else 0.0),
            note=_("of the first %(count)d of each list") % {"count": FIRST},
        ),
        Figure(
            name=_("Another first reason"),
            value=charts.percent(change.otherwise / change.kept if change.kept else 0.0),
            note=_("of the products that stay"),
        ),
        Figure(
            name=_("Verified reasons"),
            value=charts.percent(after),
            note=_("%(points)s percentage points from run %(run)d")
            % {"points": _points(after - before), "run": live.pk},
        ),
    ]


def _total(found: Comparison) -> Change:
    every = list(found.changes.values())
    return Change(
        slates=sum(change.slates for change in every),
        shoppers=max(change.shoppers for change in every),
        same_history=sum(change.same_history for change in every),
        listed=sum(change.listed for change in every),
        kept=sum(change.kept for change in every),
        otherwise=sum(change.otherwise for change in every),
    )


def _verified(mixes: Mapping[str, Any]) -> float:
    products = sum(mix.products for mix in mixes.values())
    return sum(mix.statuses["verified"] for mix in mixes.values()) / products if products else 0.0


def _placements(found: Comparison) -> list[str]:
    return [placement for placement in Placement.values if placement in found.changes]


def _causes(found: Comparison, placement: str) -> list[str]:
    before, after = found.before[placement], found.after[placement]
    return sorted(before.causes | after.causes, key=lambda cause: (-after.causes[cause], -before.causes[cause], cause))


def _mix_charts(found: Comparison) -> Iterator[tuple[str, SafeString]]:
    """By how many percentage points each cause gains or loses, a chart a placement."""
    for placement in _placements(found):
        before, after = found.before[placement], found.after[placement]
        title = _("How the causes change: %(placement)s") % {"placement": placement_name(placement)}
        bars = [
            Bar(
                label=label(cause),
                value=round(100 * (after.share(cause) - before.share(cause)), 2),
                note=f"({100 * before.share(cause):.1f} → {100 * after.share(cause):.1f} %)",
            )
            for cause in _causes(found, placement)
        ]
        unit = _("percentage points of the explained products")
        yield title, charts.signed_bars(title=title, bars=bars, unit=unit)


def _mix_tables(found: Comparison) -> Iterator[Table]:
    for placement in _placements(found):
        before, after = found.before[placement], found.after[placement]
        rows = [
            (
                label(cause),
                f"{before.causes[cause]:,}",
                charts.percent(before.share(cause)),
                f"{after.causes[cause]:,}",
                charts.percent(after.share(cause)),
                _points(after.share(cause) - before.share(cause)),
            )
            for cause in _causes(found, placement)
        ]
        verified = (
            _("with a verified reason"),
            f"{before.statuses['verified']:,}",
            charts.percent(before.verified),
            f"{after.statuses['verified']:,}",
            charts.percent(after.verified),
            _points(after.verified - before.verified),
        )
        yield Table(
            title=placement_name(placement),
            columns=(_("live"), _("share"), _("this run"), _("share"), _("difference, percentage points")),
            rows=(*rows, verified),
        )


def _change_table(found: Comparison) -> Table:
    rows = []
    for placement in _placements(found):
        change = found.changes[placement]
        rows.append(
            (
                placement_name(placement),
                f"{change.slates:,}",
                f"{change.shoppers:,}",
                charts.percent(change.kept / change.listed if change.listed else 0.0),
                charts.percent(change.otherwise / change.kept if change.kept else 0.0),
            )
        )
    columns = (_("lists"), _("shoppers"), _("products that stay"), _("of these, another cause or first reason"))
    return Table(title="", columns=columns, rows=tuple(rows))


def _check_tables(run: Run, live: Run) -> list[Table]:
    """The checks of both versions; what was measured of the live one on the same shoppers is taken from there."""
    checks = {check.version_id: check for check in VersionCheck.objects.filter(version__in=[run.version, live.version])}
    ours, theirs = checks.get(run.version_id), checks.get(live.version_id)
    if ours is None or theirs is None:
        return []
    again = ours.measures.get("live") or {}
    known, own = dict(theirs.measures), dict(ours.measures)
    if again.get("version") == live.version_id:
        known |= {code: again[code] for code in MEASURES if code in again}
        own |= again.get("beside", {})
    names = {
        "verified": _("verified reasons, of the first ten"),
        "loses_place": _("up to three things or one group decide its place"),
        "ours_del@3": _("DEL@3 of our reasons (lower is better)"),
        "recency_del@3": _("DEL@3 of the latest things, for comparison"),
        "advantage_del@3": _("DEL@3: how far our reasons are ahead of the latest things, 0 to 1"),
        "ours_ins@3": _("INS@3 of our reasons (higher is better)"),
        "recency_ins@3": _("INS@3 of the latest things, for comparison"),
        "advantage_ins@3": _("INS@3: how far our reasons are ahead of the latest things, 0 to 1"),
        "optimality@3": _("how near to the best three: optimality@3"),
        "stability_neutral_mask": _("same reasons without something that does not matter"),
        "stability_one_more": _("same reasons with one more thing"),
    }
    rows = [(names[code], *_sides(known.get(code), own.get(code), MEASURES[code])) for code in MEASURES]
    return [Table(title="", columns=_columns(run, live), rows=tuple(rows))]


def _metric_tables(run: Run, live_run: Run) -> list[Table]:
    """Of the transformer of both, each on the test days of its own snapshot; then the calibration."""
    version, live, columns = run.version, live_run.version, _columns(run, live_run)
    found = []
    for kind, name in KINDS.items():
        before = live.metrics.get(kind, {}).get("transformer", {})
        after = version.metrics.get(kind, {}).get("transformer", {})
        rows = tuple((code.upper(), *_sides(before.get(code), after.get(code), True)) for code in before | after)
        if rows:
            found.append(Table(title=str(name), columns=columns, rows=rows))
    errors = [
        (
            placement_name(placement),
            *_sides(_error(live, placement), _error(version, placement), False),
        )
        for placement in live.calibration | version.calibration
    ]
    if errors:
        found.append(Table(title=_("Expected calibration error"), columns=columns, rows=tuple(errors)))
    return found


def _error(version: ModelVersion, placement: str) -> float | None:
    entry = version.calibration.get(placement)
    return entry.get("ece") if isinstance(entry, Mapping) else None


def _columns(run: Run, live: Run) -> tuple[str, ...]:
    return _("%(version)s (live)") % {"version": live.version}, str(run.version), _("difference")


def _sides(before: float | None, after: float | None, is_more_better: bool | None) -> tuple[str, str, str]:
    """Both values and the difference, in words where it is not better."""
    texts = tuple("—" if value is None else f"{value:.4f}" for value in (before, after))
    if before is None or after is None:
        return texts[0], texts[1], ""
    difference = after - before
    said = f"{difference:+.4f}".replace("-", "−")
    if is_more_better is None or abs(difference) < 5e-5:
        return texts[0], texts[1], said
    is_better = (difference > 0) == is_more_better
    words = _("%(difference)s (better)") if is_better else _("%(difference)s (worse)")
    return texts[0], texts[1], words % {"difference": said}


def _points(share: float) -> str:
    return charts.signed(round(100 * share, 2))


def _lists(found: Comparison, run: Run, live: Run) -> list[tuple[str, list[Row]]]:
    """Which lists change most, titled."""
    shoppers = Shopper.objects.in_bulk({one.shopper_id for one in (*found.products, *found.reasons)})
    titled = (
        (_("Lists that lose most products"), found.products),
        (_("Lists whose reasons change most"), found.reasons),
    )
    return [
        (title, [_row(one, shoppers[one.shopper_id], run, live) for one in changed if one.shopper_id in shoppers])
        for title, changed in titled
        if changed
    ]


def _row(changed: Changed, shopper: Shopper, run: Run, live: Run) -> Row:
    inspector = reverse("admin:explanations_inspector")
    versions = reverse("admin:explanations_versions", args=[changed.before_id])
    return Row(
        shopper=shopper.external_id,
        shopper_url=row_url(shopper),
        placement=placement_name(changed.placement),
        kept=f"{changed.kept} / {changed.listed}",
        otherwise=f"{changed.otherwise} / {changed.kept}",
        before_url=f"{inspector}?slate={changed.before_id}",
        after_url=f"{inspector}?slate={changed.after_id}",
        versions_url=f"{versions}?version={run.version_id}" if run.version_id != live.version_id else "",
    )
