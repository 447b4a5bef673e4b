"""What shoppers were shown, and what they left alone: written once a page, kept for half a year, named in no reason.

Shown is what came into view, as the page's script tells, or as a partner tells by an event of the type `shown`. An
answer of the API does not count: it is often fetched ahead.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import connection

from catalog.models import Impression, Shopper

SHOWN = "shown"  # the type of the event; no row among the event types, for it is nothing that a shopper did
KEPT = timedelta(days=180)
DAYS = 3  # shown on so many days …
WITHIN = timedelta(days=28)  # … of so many, and neither viewed nor put into a basket nor bought since the first of them
AT_ONCE = 10_000
NEVER = 2**62

Seen = tuple[int, date, int]  # shopper, day, product


@dataclass(frozen=True, kw_only=True, slots=True)
class Ignored:
    """A product that was shown again and again in vain: from `since` on, until the shopper took it up at `until`."""

    shopper_id: int
    product_id: int
    since: int  # seconds
    until: int  # NEVER, or when the shopper did something with it after all


def day_of(moment: datetime) -> date:
    return moment.astimezone(UTC).date()


def note_shown(seen: Iterable[Seen]) -> int:
    """Add to what these shoppers were shown, in one statement. Returns how many rows changed.

    Whoever has switched personalisation off is left out in the same statement: no race can put them in.
    """
    rows = list(seen)
    if not rows:
        return 0
    shoppers, days, products = (list(column) for column in zip(*rows, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO catalog_impression AS known (shopper_id, shown_date, product_ids)
            SELECT shopper.id, seen.day, array_agg(DISTINCT seen.product ORDER BY seen.product)
            FROM unnest(%s::bigint[], %s::date[], %s::bigint[]) AS seen (shopper, day, product)
            JOIN catalog_shopper shopper ON shopper.id = seen.shopper AND shopper.is_personalised
            GROUP BY shopper.id, seen.day
            ORDER BY shopper.id, seen.day
            ON CONFLICT (shopper_id, shown_date) DO UPDATE SET product_ids = (
                SELECT array_agg(DISTINCT product ORDER BY product)
                FROM unnest(known.product_ids || excluded.product_ids) AS product
            ) WHERE NOT known.product_ids @> excluded.product_ids
            """,
            [shoppers, days, products],
        )
        return int(cursor.rowcount)


def already_shown(seen: Iterable[Seen]) -> frozenset[Seen]:
    """Those that are noted."""
    rows = set(seen)
    known = Impression.objects.filter(
        shopper__in={shopper for shopper, _, _ in rows}, shown_date__in={day for _, day, _ in rows}
    )
    noted = {
        (shopper, day, product)
        for shopper, day, products in known.values_list("shopper_id", "shown_date", "product_ids")
        for product in products
    }
    return frozenset(rows & noted)


def forget(*, shopper: Shopper) -> int:
    """Everything that this shopper was shown. Returns how many days."""
    return Impression.objects.filter(shopper=shopper).delete()[0]


def forget_before(*, at: datetime) -> int:
    """What is older than half a year. Returns how many rows."""
    return Impression.objects.filter(shown_date__lt=day_of(at - KEPT)).delete()[0]


def ignored(*, until: datetime) -> Iterator[Ignored]:
    """What was shown in vain before a moment, in order of shopper and product; a row for each pair.

    1. The first day by which a product was shown on three days of 28. 2. What the shopper did with it since the first
    of these three, whatever it was: a view, a basket, a purchase, a wish against it. Read from a server-side cursor.
    """
    with connection.chunked_cursor() as cursor:
        cursor.execute(
            """
            WITH shown AS (
                SELECT impression.shopper_id, product_id, shown_date, lag(shown_date, %(before)s) OVER (
                    PARTITION BY impression.shopper_id, product_id ORDER BY shown_date
                ) AS first_date
                FROM catalog_impression impression
                JOIN catalog_shopper shopper ON shopper.id = impression.shopper_id AND shopper.is_personalised
                CROSS JOIN unnest(impression.product_ids) AS product_id
                WHERE shown_date < %(today)s
            ), pair AS (
                SELECT DISTINCT ON (shopper_id, product_id) shopper_id, product_id, first_date, shown_date
                FROM shown WHERE shown_date - first_date < %(within)s
                ORDER BY shopper_id, product_id, shown_date
            )
            SELECT pair.shopper_id, pair.product_id,
                extract(epoch FROM (pair.shown_date + 1)::timestamp)::bigint,
                (
                    SELECT extract(epoch FROM min(act.occurred_at))::bigint FROM catalog_interaction act
                    WHERE act.shopper_id = pair.shopper_id AND act.product_id = pair.product_id
                    AND act.occurred_at >= pair.first_date::timestamp AT TIME ZONE 'UTC'
                )
            FROM pair ORDER BY pair.shopper_id, pair.product_id
            """,
            {"before": DAYS - 1, "today": day_of(until), "within": WITHIN.days},
        )
        while rows := cursor.fetchmany(AT_ONCE):
            for shopper_id, product_id, since, acted in rows:
                yield Ignored(
                    shopper_id=shopper_id,
                    product_id=product_id,
                    since=since,
                    until=NEVER if acted is None else acted,
                )
