"""A shop of one product and one shopper, and what cleaning makes of what they did."""

from datetime import UTC, datetime, timedelta
from typing import Any

from catalog import quality
from catalog.models import Interaction, Product, QualityReport, Shopper
from tests.factories import (
    EventTypeFactory,
    InteractionFactory,
)

CUTOFF = datetime(2011, 12, 1, tzinfo=UTC)
MONDAY = datetime(2011, 10, 3, 9, 30, tzinfo=UTC)


def buy(
    shopper: Shopper | None, product: Product, *, days: float = 0, kind: str = "purchase", **values: Any
) -> Interaction:
    return InteractionFactory(
        shopper=shopper,
        product=product,
        event_type=EventTypeFactory(code=kind),
        occurred_at=MONDAY + timedelta(days=days),
        **values,
    )


def give_back(shopper: Shopper | None, product: Product, *, days: float, quantity: int, **values: Any) -> Interaction:
    return buy(shopper, product, days=days, kind="return", quantity=quantity, **values)


def counts(report: QualityReport) -> dict[str, int]:
    """The rules that found something."""
    return {rule["code"]: rule["count"] for rule in report.rules if rule["count"]}


def usable(report: QualityReport) -> list[tuple[int, int]]:
    """Interaction and quantity of what is streamed."""
    batches = quality.stream_clean(report)
    return [(int(row["interaction_id"]), int(row["quantity"])) for batch in batches for row in batch]


def clean() -> QualityReport:
    return quality.clean(cutoff_at=CUTOFF)
