"""Stored facts (metrics, summaries) as tables and charts, whatever their depth."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from recommendations import charts
from recommendations.models import ModelVersion, Run


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
        yield Table(
            title=title, columns=(), rows=tuple((_words(name), _text(value)) for name, value in scalars.items())
        )
    if flat:
        columns = tuple(dict.fromkeys(name for row in flat.values() for name in row))
        yield Table(
            title=title,
            columns=tuple(_words(name) for name in columns),
            rows=tuple(
                (_words(name), *(_text(row[column]) if column in row else "" for column in columns))
                for name, row in flat.items()
            ),
        )
    for name, value in facts.items():
        if isinstance(value, Mapping) and not _is_flat(value):
            yield from tables(value, f"{title} · {_words(name)}" if title else _words(name))


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


def headline(version: ModelVersion) -> float | None:
    """NDCG@10 on the test split, products new to the shopper."""
    value: Any = version.metrics
    for name in ("test", "ndcg@10"):
        value = value.get(name) if isinstance(value, dict) else None
    return float(value) if isinstance(value, int | float) else None


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


def calibration_chart(version: ModelVersion) -> SafeString | None:
    """The reliability diagram of the stored curve."""
    points = [
        charts.Point(predicted=entry["predicted"], observed=entry["observed"], count=entry["count"])
        for entry in version.calibration.get("curve", ())
    ]
    if not points:
        return None
    return charts.calibration(
        title=_("Stated chance against what happened"),
        points=points,
        across=_("stated chance that the product is in the next basket"),
        up=_("share that really was"),
    )


def cause_chart(run: Run) -> SafeString | None:
    """How many recommendations of the run stand on each cause."""
    causes = run.summary.get("causes") or {}
    total = sum(causes.values())
    if not total:
        return None
    return charts.bars(
        title=_("Recommendations by cause"),
        bars=[
            charts.Bar(label=_words(cause), value=count, note=f"({count / total:.0%})")
            for cause, count in sorted(causes.items(), key=lambda pair: -pair[1])
        ],
        unit=_("recommendations"),
    )
