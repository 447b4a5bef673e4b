"""What is known of one shopper, as the shopper sees it."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, Max, Q

from catalog.models import Category, EventType, Interaction, Product, Shopper
from catalog.services import NOT_INTERESTED

SHOWN = 200  # products; what is older counts too, but nobody scrolls there


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryLine:
    """All interactions with one product."""

    product: Product
    event_types: tuple[EventType, ...]
    times: int
    last_at: datetime
    is_used: bool  # False: left out at the shopper's wish
    is_gift: bool  # left out because it was for somebody else

    @property
    def is_bought(self) -> bool:
        """A gift is bought; what was only viewed is none."""
        return any(event_type.is_target for event_type in self.event_types)


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    lines: tuple[HistoryLine, ...]  # newest first
    hidden: tuple[Product, ...]  # "not interested", newest first
    less_of: tuple[Category, ...]  # groups that less is wished of, newest wish first
    has_more: bool


def history_of(*, shopper: Shopper) -> History:
    """Every product of the history, and those that the shopper does not want to see."""
    rows = Interaction.objects.visible().filter(shopper=shopper)
    grouped = list(
        rows.exclude(event_type__code=NOT_INTERESTED)
        .values("product_id")
        .annotate(
            times=Count("id"),
            used=Count("id", filter=Q(excluded_at=None)),
            gifts=Count("id", filter=Q(is_gift=True)),
            last_at=Max("occurred_at"),
            event_type_ids=ArrayAgg("event_type_id", distinct=True),
        )
        .order_by("-last_at", "-product_id")[: SHOWN + 1]
    )
    hidden_ids = list(
        rows.filter(event_type__code=NOT_INTERESTED, excluded_at=None)
        .values_list("product_id", flat=True)
        .order_by("-occurred_at", "-id")
    )
    products = Product.objects.in_bulk({row["product_id"] for row in grouped} | set(hidden_ids))
    event_types = EventType.objects.in_bulk()
    return History(
        lines=tuple(
            HistoryLine(
                product=products[row["product_id"]],
                event_types=tuple(event_types[pk] for pk in row["event_type_ids"]),
                times=row["times"],
                last_at=row["last_at"],
                is_used=row["used"] > 0,
                is_gift=row["used"] == 0 and row["gifts"] > 0,
            )
            for row in grouped[:SHOWN]
        ),
        hidden=tuple(products[pk] for pk in dict.fromkeys(hidden_ids)),
        less_of=tuple(
            wish.category for wish in shopper.less_of.select_related("category").order_by("-created_at", "-pk")
        ),
        has_more=len(grouped) > SHOWN,
    )
