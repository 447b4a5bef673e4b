"""Stored facts (metrics, summaries) as tables and charts, whatever their depth."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recommendations import charts
from recommendations.models import ModelVersion, Placement, Run

LABELS = {  # codes that metrics, summaries and contracts use
    "transformer": gettext_lazy("transformer"),
    "popular": gettext_lazy("popular"),
    "recent_popular": gettext_lazy("popular lately"),
    "item_knn": gettext_lazy("item k-nearest neighbours"),
    "personal_frequency": gettext_lazy("personal frequency"),
    "history": gettext_lazy("one thing in the history"),
    "history_group": gettext_lazy("several things together"),
    "viewed_product": gettext_lazy("the product on the page"),
    "buy_again": gettext_lazy("repeat purchases"),
    "new": gettext_lazy("new in the shop"),
    "not_personal": gettext_lazy("the same for everybody"),
    "companions": gettext_lazy("products that go together"),
    "shards": gettext_lazy("shards"),
    "slates": gettext_lazy("slates"),
    "seconds": gettext_lazy("seconds of workers"),
    "left_out": gettext_lazy("left out: the shopper is gone or switched personalisation off"),
    "statuses": gettext_lazy("statuses"),
    "verified": gettext_lazy("verified"),
    "fallback": gettext_lazy("fallback"),
    "withheld": gettext_lazy("withheld"),
    "interaction": gettext_lazy("one thing"),
    "basket": gettext_lazy("one basket"),
    "alike": gettext_lazy("things that are alike"),
    "category": gettext_lazy("one group"),
    "context_product": gettext_lazy("the product on the page"),
    "repeat": gettext_lazy("repeat purchase"),
    "loses_place": gettext_lazy("loses its place"),
    "leaves_list": gettext_lazy("leaves the list"),
    "low": gettext_lazy("low"),
    "fair": gettext_lazy("fair"),
    "high": gettext_lazy("high"),
    "taken_over": gettext_lazy("taken over from the version it began with"),
    "products": gettext_lazy("products"),
    "attribute_values": gettext_lazy("values of attributes"),
    "kinds": gettext_lazy("kinds of events"),
    "tensors": gettext_lazy("tables of weights"),
    "text_projections": gettext_lazy("projections of texts"),
    "shop": gettext_lazy("shop"),
    "version": gettext_lazy("model version"),
    "trained": gettext_lazy("trained"),
    "data_until": gettext_lazy("data until"),
    "code_revision": gettext_lazy("code revision"),
    "file": gettext_lazy("file"),
    "encoder": gettext_lazy("encoder of texts"),
}

KINDS = {  # of purchases that a version is measured on
    "new": gettext_lazy("Products new to the shopper"),
    "repeat": gettext_lazy("Repeat purchases"),
    "all": gettext_lazy("All purchases"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of figures under a title; each row begins with its name."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(facts: Mapping[str, Any], title: str = "") -> Iterator[Table]:
    """A nested mapping as tables: scalars side by side are rows, mappings of scalars are rows with columns."""
    scalars = {name: value for name, value in facts.items() if not isinstance(value, Mapping)}
    flat = {name: value for name, value in facts.items() if isinstance(value, Mapping) and _is_flat(value)}
    if scalars:
        yield Table(title=title, columns=(), rows=tuple((label(name), _text(value)) for name, value in scalars.items()))
    if flat:
        columns = tuple(dict.fromkeys(name for row in flat.values() for name in row))
        yield Table(
            title=title,
            columns=tuple(label(name) for name in columns),
            rows=tuple(
                (label(name), *(_text(row[column]) if column in row else "" for column in columns))
                for name, row in flat.items()
            ),
        )
    for name, value in facts.items():
        if isinstance(value, Mapping) and not _is_flat(value):
            yield from tables(value, f"{title} · {label(name)}" if title else label(name))


def _is_flat(facts: Mapping[str, Any]) -> bool:
    return not any(isinstance(value, Mapping) for value in facts.values())


def _words(name: str) -> str:
    return str(name).replace("_", " ")


def _text(value: object) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}" if 0.0001 <= abs(value) < 10 else charts.number(value)
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value[:12]) + ("…" if len(value) > 12 else "")
    return "—" if value is None else str(value)


def label(name: str) -> str:
    """A stored code in the reader's language."""
    return str(LABELS[name]) if name in LABELS else _words(name)


def headline(version: ModelVersion) -> float | None:
    """NDCG@10 on the test period, products new to the shopper."""
    measured = version.metrics.get("new", {}).get("transformer", {}).get("ndcg@10")
    return float(measured) if measured is not None else None


def contest(version: ModelVersion) -> list[Table]:
    """The transformer beside every baseline, a table a kind of purchase, with the paired difference in NDCG@10."""
    found = []
    for kind, name in KINDS.items():
        measured = version.metrics.get(kind)
        if not measured:
            continue
        against = measured.get("against", {})
        contestants = [name for name, value in measured.items() if isinstance(value, Mapping) and name != "against"]
        contestants.sort(key=lambda name: (name != "transformer", -measured[name].get("ndcg@10", 0.0)))
        measures = sorted({name for contestant in contestants for name in measured[contestant]}, key=_measure_order)
        title = _("%(kind)s, %(count)s shoppers") % {"kind": name, "count": f"{measured.get('shoppers', 0):,}"}
        found.append(
            Table(
                title=title,
                columns=(*measures, _("difference in NDCG@10, 95 % interval")),
                rows=tuple(
                    (
                        label(name),
                        *(_text(measured[name].get(measure)) for measure in measures),
                        _interval(against.get(name)),
                    )
                    for name in contestants
                ),
            )
        )
    return found


def seeds(version: ModelVersion) -> Table | None:
    """The versions that differ in their seed alone, beside their mean and standard deviation; None for a single one."""
    measured = list(same_but_for_the_seed(version))
    if len(measured) < 2:
        return None
    kinds = [kind for kind in KINDS if all(kind in other.metrics for other in measured)]
    columns = {kind: [float(other.metrics[kind]["transformer"]["ndcg@10"]) for other in measured] for kind in kinds}
    return Table(
        title=_("NDCG@10 of %(count)d seeds on one snapshot") % {"count": len(measured)},
        columns=tuple(str(KINDS[kind]) for kind in kinds),
        rows=(
            *(
                (_("seed %(seed)d") % {"seed": other.seed}, *(f"{columns[kind][place]:.4f}" for kind in kinds))
                for place, other in enumerate(measured)
            ),
            (_("mean"), *(f"{fmean(columns[kind]):.4f}" for kind in kinds)),
            (_("standard deviation"), *(f"{stdev(columns[kind]):.4f}" for kind in kinds)),
        ),
    )


def of_seeds(version: ModelVersion) -> list[str]:
    """`seeds` for a terminal."""
    table = seeds(version)
    if table is None:
        return []
    return [f"{table.title}: {', '.join(table.columns)}", *("  " + "  ".join(row) for row in table.rows)]


def same_but_for_the_seed(version: ModelVersion) -> Iterator[ModelVersion]:
    """Trained and measured on the same snapshot, in order of their seeds."""
    wanted = _without_seed(version.config)
    trained = ModelVersion.objects.trained().filter(snapshot=version.snapshot_id).order_by("seed", "pk")
    return (other for other in trained if other.metrics and _without_seed(other.config) == wanted)


def _without_seed(config: Mapping[str, Any]) -> dict[str, Any]:
    training = {name: value for name, value in config.get("training", {}).items() if name != "seed"}
    return {**config, "training": training}


def other_metrics(version: ModelVersion) -> list[Table]:
    """What is measured beside the contest, such as the products that go together."""
    return list(tables({name: value for name, value in version.metrics.items() if name not in KINDS}, _("Others")))


def _measure_order(name: str) -> tuple[int, str]:
    return next((at for at, start in enumerate(("ndcg", "hr", "mrr", "recall")) if name.startswith(start)), 9), name


def _interval(difference: Mapping[str, float] | None) -> str:
    if difference is None:
        return ""
    return f"{difference['difference']:+.4f} ({difference['low']:+.4f} … {difference['high']:+.4f})".replace("-", "−")


def contest_chart(version: ModelVersion) -> SafeString | None:
    """NDCG@10 on products new to the shopper: ours and the baselines."""
    measured = version.metrics.get("new") or {}
    values = {
        name: value["ndcg@10"] for name, value in measured.items() if isinstance(value, Mapping) and "ndcg@10" in value
    }
    if not values:
        return None
    return charts.bars(
        title=_("NDCG@10 on products new to the shopper"),
        bars=[
            charts.Bar(label=label(name), value=value, is_quiet=name != "transformer")
            for name, value in sorted(values.items(), key=lambda pair: -pair[1])
        ],
        unit=_("NDCG@10, all products ranked"),
    )


def epoch_charts(version: ModelVersion) -> list[tuple[str, SafeString]]:
    """Loss and validation NDCG@10 over the epochs, titled: one idea a chart."""
    epochs = list(version.epochs.order_by("number"))
    if not epochs:
        return []
    best = max(epochs, key=lambda epoch: epoch.validation_ndcg)
    loss, ndcg = _("Training loss"), _("Validation NDCG@10")
    return [
        (
            loss,
            charts.curve(
                title=loss,
                points=[(epoch.number, epoch.loss) for epoch in epochs],
                across=_("epoch"),
                up=_("loss (nats)"),
            ),
        ),
        (
            ndcg,
            charts.curve(
                title=ndcg,
                points=[(epoch.number, epoch.validation_ndcg) for epoch in epochs],
                across=_("epoch"),
                up=_("NDCG@10, all products ranked; the large dot is kept"),
                best=best.number,
            ),
        ),
    ]


def calibration_charts(version: ModelVersion) -> list[tuple[str, float, SafeString]]:
    """For each placement: its name, its expected calibration error, and its reliability diagram."""
    return [
        (
            placement_name(placement),
            entry["ece"],
            charts.calibration(
                title=_("Stated chance against what happened: %(placement)s")
                % {"placement": placement_name(placement)},
                points=[
                    charts.Point(predicted=point["chance"], observed=point["rate"], count=int(point["count"]))
                    for point in entry["curve"]
                ],
                across=_("stated chance of being in the next basket"),
                up=_("share that really was"),
            ),
        )
        for placement, entry in version.calibration.items()
        if isinstance(entry, Mapping) and entry.get("curve")
    ]


def placement_name(value: str) -> str:
    return str(Placement(value).label) if value in Placement.values else value


def verified_share(run: Run) -> float | None:
    """Of the recommendations of `home`, those with a verified reason."""
    home = (run.summary.get("placements") or {}).get(Placement.HOME.value, {})
    statuses = home.get("statuses") or run.summary.get("statuses") or {}  # runs of old counted all placements together
    total = sum(statuses.values())
    return statuses.get("verified", 0) / total if total else None


def cause_chart(run: Run) -> SafeString | None:
    """How many recommendations of the run stand on each cause."""
    causes = run.summary.get("causes") or {}
    total = sum(causes.values())
    if not total:
        return None
    return charts.bars(
        title=_("Recommendations by cause"),
        bars=[
            charts.Bar(label=label(cause), value=count, note=f"({count / total:.0%})")
            for cause, count in sorted(causes.items(), key=lambda pair: -pair[1])
        ],
        unit=_("recommendations"),
    )


def coverage(run: Run) -> Table | None:
    """Slates and causes of each placement."""
    placements = run.summary.get("placements") or {}
    causes = sorted({cause for placement in placements.values() for cause in placement.get("causes", {})})
    if not placements:
        return None
    return Table(
        title=_("By placement"),
        columns=(_("slates"), *(label(cause) for cause in causes)),
        rows=tuple(
            (
                placement_name(name),
                _text(placement.get("slates", 0)),
                *(_text(placement.get("causes", {}).get(cause, 0)) for cause in causes),
            )
            for name, placement in placements.items()
        ),
    )


def other_summary(run: Run) -> list[Table]:
    return list(tables({name: value for name, value in run.summary.items() if name not in {"causes", "placements"}}))
