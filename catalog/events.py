"""Events that partners send become interactions, each exactly once; those of the type `shown` become impressions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import connection, transaction

from catalog.impressions import SHOWN, Seen, already_shown, day_of, note_shown
from catalog.models import EventType, Partner, Product, Shopper
from catalog.services import shoppers_changed

CLOCK_SKEW = timedelta(minutes=5)  # how far ahead a sender's clock may be


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One thing that happened, in a partner's own ids."""

    event_id: str
    shopper: str | None  # None where the sender does not know who it was
    product: str
    type: str
    occurred_at: datetime
    quantity: int | None = None
    unit_price: Decimal | None = None
    currency: str = ""
    value: float | None = None
    basket: str = ""
    recommendation: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """An event that was not taken, and the field to mend."""

    row: int
    event_id: str
    field: str
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    accepted: int
    known: int  # sent before, or twice in this batch; the first one stands
    rejected: tuple[Rejection, ...]


@transaction.atomic
def record_events(*, partner: Partner, events: Mapping[int, Event], at: datetime) -> Recorded:
    """Write the events, by their row numbers, that are new; a bad one does not stop the others.

    A dozen queries for any number of events. Batches that overlap wait for each other in one order (shoppers by
    external id, shoppers by key, events by id), so that they cannot lock each other out.
    """
    types = dict(EventType.objects.filter(code__in={event.type for event in events.values()}).values_list("code", "pk"))
    products = dict(
        Product.objects.filter(external_id__in={event.product for event in events.values()}).values_list(
            "external_id", "pk"
        )
    )
    off = _switched_off(partner, {event.shopper for event in events.values() if event.type == SHOWN and event.shopper})
    rejected: list[Rejection] = []
    taken: dict[str, Event] = {}
    repeated = 0
    for row, event in events.items():
        fault = (
            ("type", "unknown_event_type")
            if event.type not in types and event.type != SHOWN
            else ("shopper", "shopper_missing")
            if event.type == SHOWN and event.shopper is None
            else ("shopper", "not_personalised")
            if event.type == SHOWN and event.shopper in off
            else ("product", "unknown_product")
            if event.product not in products
            else ("occurred_at", "future")
            if event.occurred_at > at + CLOCK_SKEW
            else ("event_id", "repeated")
            if taken.get(event.event_id, event) != event
            else None
        )
        if fault is not None:
            rejected.append(Rejection(row=row, event_id=event.event_id, field=fault[0], code=fault[1]))
        elif event.event_id in taken:
            repeated += 1
        else:
            taken[event.event_id] = event
    shoppers = _shoppers(partner, {event.shopper for event in taken.values() if event.shopper is not None})
    acts = [event for event in taken.values() if event.type != SHOWN]
    written = _insert(
        partner=partner,
        events=sorted(acts, key=lambda event: event.event_id),
        types=types,
        products=products,
        shoppers=shoppers,
        at=at,
    )
    shoppers_changed(shopper_ids=(shopper for _, shopper in written if shopper is not None), at=at)
    seen = [
        (shoppers[event.shopper], day_of(event.occurred_at), products[event.product])
        for event in taken.values()
        if event.type == SHOWN and event.shopper is not None
    ]
    new = len(written) + _note(seen)
    return Recorded(accepted=new, known=repeated + len(taken) - new, rejected=tuple(rejected))


def _note(seen: list[Seen]) -> int:
    """How many of these were not noted before. One product a day counts once, whatever the ids of its events."""
    if not seen:
        return 0
    new = set(seen) - already_shown(seen)
    note_shown(new)
    return len(new)


def _switched_off(partner: Partner, external_ids: set[str]) -> frozenset[str]:
    """Whose showings are not noted."""
    if not external_ids:
        return frozenset()
    shoppers = Shopper.objects.filter(partner=partner, external_id__in=external_ids, is_personalised=False)
    return frozenset(shoppers.values_list("external_id", flat=True))


def _shoppers(partner: Partner, external_ids: set[str]) -> dict[str, int]:
    """Their keys; missing ones are created. They stay locked: none is erased before its events are written."""
    found: dict[str, int] = {}
    while missing := sorted(external_ids - found.keys()):
        rows = Shopper.objects.filter(partner=partner, external_id__in=missing)
        found |= rows.select_for_update(no_key=True).order_by("pk").values_list("external_id", "pk")
        Shopper.objects.bulk_create(
            [Shopper(partner=partner, external_id=new) for new in missing if new not in found],
            ignore_conflicts=True,  # another batch may have just created them, and another request erased them again
        )
    return found


def _insert(
    *,
    partner: Partner,
    events: list[Event],
    types: Mapping[str, int],
    products: Mapping[str, int],
    shoppers: Mapping[str, int],
    at: datetime,
) -> list[tuple[str, int | None]]:
    """Event id and shopper of those that were new: the database alone knows, so it is asked in the same statement."""
    if not events:
        return []
    columns = (
        [event.event_id for event in events],
        [shoppers[event.shopper] if event.shopper is not None else None for event in events],
        [products[event.product] for event in events],
        [types[event.type] for event in events],
        [event.occurred_at for event in events],
        [event.quantity for event in events],
        [event.unit_price for event in events],
        [event.currency for event in events],
        [event.value for event in events],
        [event.basket for event in events],
        [event.recommendation for event in events],
    )
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO catalog_interaction (
                partner_id, received_at, event_id, shopper_id, product_id, event_type_id, occurred_at,
                quantity, unit_price, currency, value, basket, recommendation
            )
            SELECT %s, %s, * FROM unnest(
                %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[],
                %s::integer[], %s::numeric[], %s::text[], %s::double precision[], %s::text[], %s::text[]
            )
            ON CONFLICT (partner_id, event_id) DO NOTHING
            RETURNING event_id, shopper_id
            """,
            [partner.pk, at, *columns],
        )
        return list(cursor.fetchall())
