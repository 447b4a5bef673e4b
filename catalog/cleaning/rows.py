"""The temporary table of judged rows. Everything in it follows from the cut-off, the horizon and the frozen facts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from catalog.cleaning import bounds, returns
from catalog.cleaning.rules import Verdict
from catalog.models import Category

NON_PRODUCT = "non-product"

_LINES = """
CREATE TEMP TABLE quality_lines AS
SELECT i.id, i.shopper_id, i.product_id, p.category_id, i.event_type_id, e.code AS kind, i.occurred_at,
    CASE WHEN e.code = 'return' THEN abs(i.quantity) ELSE i.quantity END AS quantity,
    CASE WHEN i.currency IN ('', %(currency)s) THEN i.unit_price::float8 END AS unit_price, i.value,
    CASE WHEN i.shopper_id IS NOT NULL THEN '' WHEN i.basket = '' THEN i.id::text ELSE i.basket END AS group_of_unknown,
    CASE WHEN i.occurred_at > %(cutoff_at)s THEN 1
        WHEN i.occurred_at > i.received_at + interval '5 minutes' THEN 2
        WHEN i.excluded_at <= %(horizon_at)s THEN 3
        WHEN n.id IS NOT NULL THEN 4
        WHEN i.quantity = 0 OR i.quantity < 0 AND e.code <> 'return' THEN 5
        WHEN i.unit_price <= 0 THEN 6
        ELSE 0 END::smallint AS verdict
FROM catalog_interaction i
JOIN catalog_product p ON p.id = i.product_id
JOIN catalog_eventtype e ON e.id = i.event_type_id
LEFT JOIN catalog_import s ON s.id = i.source_id
LEFT JOIN unnest(%(non_products)s::bigint[]) n (id) ON n.id = i.product_id
WHERE i.received_at <= %(horizon_at)s
    AND (i.source_id IS NULL OR s.state = 'finished' AND s.finished_at <= %(horizon_at)s);
ANALYZE quality_lines
"""
_CURRENCY = """
SELECT currency FROM catalog_interaction WHERE currency <> '' AND received_at <= %s GROUP BY 1
ORDER BY count(*) DESC, currency LIMIT 1
"""
_NON_PRODUCTS = """
SELECT p.id FROM catalog_product p JOIN catalog_category c ON c.id = p.category_id
WHERE c.path = %s OR c.path LIKE %s ORDER BY 1
"""
_HISTOGRAM = """
SELECT category_id, {column}::float8, count(*) FROM quality_lines
WHERE verdict = 0 AND {column} > 0 AND kind <> 'return' GROUP BY 1, 2 ORDER BY 1, 2
"""
_OUTSIDE = """
SELECT l.id FROM quality_lines l
JOIN unnest(%s::bigint[], %s::float8[], %s::float8[]) b (category_id, low, high)
    ON b.category_id = coalesce(l.category_id, 0)
WHERE l.verdict = 0 AND l.{column} IS NOT NULL AND (l.{column} < b.low OR l.{column} > b.high) ORDER BY 1
"""
_JUDGE = "UPDATE quality_lines SET verdict = %s WHERE id = ANY(%s) AND verdict = 0"
_DUPLICATES = """
UPDATE quality_lines l SET verdict = 7 FROM (
    SELECT id, row_number() OVER (
        PARTITION BY shopper_id, occurred_at, product_id, event_type_id, quantity, unit_price, group_of_unknown
        ORDER BY id
    ) AS number FROM quality_lines WHERE verdict = 0
) d WHERE d.id = l.id AND d.number > 1
"""
_VOLUMES = """
CREATE TEMP TABLE quality_volumes AS
SELECT l.shopper_id, count(*) AS lines, count(DISTINCT l.occurred_at) AS visits,
    coalesce(sum(l.quantity - coalesce(o.returned, 0)), 0) AS pieces
FROM quality_lines l LEFT JOIN quality_sold o ON o.id = l.id
WHERE l.verdict = 0 AND l.kind <> 'return' AND l.shopper_id IS NOT NULL AND coalesce(o.returned < o.quantity, true)
GROUP BY 1;
ANALYZE quality_volumes
"""
_ROWS = """
CREATE TEMP TABLE quality_rows AS
SELECT l.id, l.shopper_id, l.product_id, l.category_id, l.event_type_id, l.kind, l.occurred_at,
    (l.quantity - coalesce(o.returned, 0))::integer AS quantity, l.unit_price, l.value,
    coalesce(o.returned, 0) AS returned,
    CASE WHEN l.verdict <> 0 THEN l.verdict
        WHEN l.kind = 'return' THEN CASE WHEN r.sold_id IS NULL THEN 9 ELSE 8 END
        WHEN o.returned = o.quantity THEN 8
        WHEN b.shopper_id IS NOT NULL THEN 10
        ELSE 0 END::smallint AS verdict
FROM quality_lines l
LEFT JOIN quality_returns r ON r.id = l.id
LEFT JOIN quality_sold o ON o.id = l.id
LEFT JOIN quality_volumes b ON b.shopper_id = l.shopper_id AND (b.lines > %s OR b.visits > %s OR b.pieces > %s);
DROP TABLE quality_lines, quality_returns, quality_sold, quality_volumes;
ANALYZE quality_rows
"""
_VOLUME_COLUMNS = ("lines", "visits", "pieces")


@dataclass(frozen=True, kw_only=True, slots=True)
class Frozen:
    """What the selection depends on besides the rows themselves: kept with the report, so that later changes of
    products and groups do not change what an old report selected."""

    currency: str
    non_products: list[int]
    impossible_quantities: list[int]
    impossible_prices: list[int]
    most: dict[str, float | None]  # of lines, visits and pieces: above, a shopper is a bulk buyer


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a first judgement found, to be frozen."""

    frozen: Frozen
    quantity: dict[int, bounds.Bounds]
    price: dict[int, bounds.Bounds]


@transaction.atomic
def judge(*, cutoff_at: datetime, horizon_at: datetime) -> Found:
    """Build `quality_rows` for the first time."""
    with connection.cursor() as cursor:
        _begin(cursor)
        cursor.execute(_CURRENCY, [horizon_at])
        currency = str(next(iter(cursor.fetchone() or [""])))
        cursor.execute(_NON_PRODUCTS, [NON_PRODUCT, NON_PRODUCT + "/%"])
        non_products = [row[0] for row in cursor.fetchall()]
        _lines(cursor, cutoff_at, horizon_at, currency, non_products)
        parents = dict(Category.objects.values_list("pk", "parent_id"))
        quantity = bounds.by_group(_histogram(cursor, "quantity"), parents)
        price = bounds.by_group(_histogram(cursor, "unit_price"), parents)
        impossible_quantities = _outside(cursor, "quantity", quantity)
        cursor.execute(_JUDGE, [Verdict.IMPOSSIBLE_QUANTITY, impossible_quantities])
        impossible_prices = _outside(cursor, "unit_price", price)
        cursor.execute(_JUDGE, [Verdict.IMPOSSIBLE_PRICE, impossible_prices])
        _duplicates_and_returns(cursor)
        most = {column: _most(cursor, column) for column in _VOLUME_COLUMNS}
        _rows(cursor, most)
    frozen = Frozen(
        currency=currency,
        non_products=non_products,
        impossible_quantities=impossible_quantities,
        impossible_prices=impossible_prices,
        most=most,
    )
    return Found(frozen=frozen, quantity=quantity, price=price)


@transaction.atomic
def judge_again(*, cutoff_at: datetime, horizon_at: datetime, frozen: Frozen) -> None:
    """Build the same `quality_rows` as `judge` did."""
    with connection.cursor() as cursor:
        _begin(cursor)
        _lines(cursor, cutoff_at, horizon_at, frozen.currency, frozen.non_products)
        cursor.execute(_JUDGE, [Verdict.IMPOSSIBLE_QUANTITY, frozen.impossible_quantities])
        cursor.execute(_JUDGE, [Verdict.IMPOSSIBLE_PRICE, frozen.impossible_prices])
        _duplicates_and_returns(cursor)
        _rows(cursor, frozen.most)


def _begin(cursor: CursorWrapper) -> None:
    cursor.execute("SET LOCAL work_mem = '64MB'")
    cursor.execute(
        "DROP TABLE IF EXISTS pg_temp.quality_rows, pg_temp.quality_lines, pg_temp.quality_volumes,"
        " pg_temp.quality_returns, pg_temp.quality_sold"
    )


def _lines(
    cursor: CursorWrapper, cutoff_at: datetime, horizon_at: datetime, currency: str, non_products: Sequence[int]
) -> None:
    cursor.execute(
        _LINES,
        {"cutoff_at": cutoff_at, "horizon_at": horizon_at, "currency": currency, "non_products": list(non_products)},
    )


def _histogram(cursor: CursorWrapper, column: str) -> list[tuple[int | None, float, int]]:
    cursor.execute(sql.SQL(_HISTOGRAM).format(column=sql.Identifier(column)))
    return list(cursor.fetchall())


def _outside(cursor: CursorWrapper, column: str, groups: dict[int, bounds.Bounds]) -> list[int]:
    cursor.execute(
        sql.SQL(_OUTSIDE).format(column=sql.Identifier(column)),
        [list(groups), [group.low() for group in groups.values()], [group.high() for group in groups.values()]],
    )
    return [row[0] for row in cursor.fetchall()]


def _duplicates_and_returns(cursor: CursorWrapper) -> None:
    cursor.execute(_DUPLICATES)
    returns.match(cursor)
    cursor.execute(_VOLUMES)


def _most(cursor: CursorWrapper, column: str) -> float | None:
    cursor.execute(
        sql.SQL("SELECT {c}::float8, count(*) FROM quality_volumes WHERE {c} > 0 GROUP BY 1 ORDER BY 1").format(
            c=sql.Identifier(column)
        )
    )
    pairs: list[tuple[float, int]] = cursor.fetchall()
    return bounds.most_of_a_shopper([value for value, _ in pairs], [count for _, count in pairs])


def _rows(cursor: CursorWrapper, most: dict[str, float | None]) -> None:
    limits = [most[column] for column in _VOLUME_COLUMNS]
    cursor.execute(_ROWS, [math.inf if limit is None else limit for limit in limits])
