"""Matches returns to what they cancel."""

from django.db.backends.utils import CursorWrapper

_TABLES = """
DROP TABLE IF EXISTS pg_temp.quality_returns, pg_temp.quality_sold;
CREATE TEMP TABLE quality_returns AS
    SELECT id, shopper_id, product_id, occurred_at, coalesce(quantity, 1)::bigint AS quantity, NULL::bigint AS sold_id
    FROM quality_lines WHERE verdict = 0 AND kind = 'return' AND shopper_id IS NOT NULL;
CREATE TEMP TABLE quality_sold AS
    SELECT l.id, shopper_id, product_id, l.occurred_at, coalesce(l.quantity, 1)::bigint AS quantity,
        0::bigint AS returned
    FROM quality_lines l
    JOIN (SELECT DISTINCT shopper_id, product_id FROM quality_returns) r USING (shopper_id, product_id)
    WHERE l.verdict = 0 AND l.kind = 'purchase';
CREATE INDEX ON quality_sold (shopper_id, product_id, occurred_at, id);
ANALYZE quality_returns, quality_sold
"""
_ROUND = """
WITH proposed AS (
    SELECT r.id, r.quantity, r.occurred_at, s.id AS sold_id, s.quantity - s.returned AS rest
    FROM quality_returns r CROSS JOIN LATERAL (
        SELECT * FROM quality_sold o
        WHERE o.shopper_id = r.shopper_id AND o.product_id = r.product_id AND o.occurred_at <= r.occurred_at
            AND o.quantity - o.returned >= r.quantity
        ORDER BY o.occurred_at DESC, o.id DESC LIMIT 1
    ) s WHERE r.sold_id IS NULL
), added AS (
    SELECT id, sold_id, quantity, rest, sum(quantity) OVER (PARTITION BY sold_id ORDER BY occurred_at, id) AS total
    FROM proposed
), accepted AS (
    UPDATE quality_returns r SET sold_id = a.sold_id FROM added a WHERE a.id = r.id AND a.total <= a.rest
    RETURNING r.sold_id, r.quantity
)
UPDATE quality_sold s SET returned = s.returned + a.quantity
FROM (SELECT sold_id, sum(quantity) AS quantity FROM accepted GROUP BY sold_id) a WHERE a.sold_id = s.id
"""


def match(cursor: CursorWrapper) -> None:
    """Fill `quality_returns.sold_id` and `quality_sold.returned`.

    1. Every return that has no purchase yet proposes to the nearest earlier one with enough left of it.
    2. A purchase takes its proposals in the order of their times for as long as enough is left.
    3. The others propose again, until nobody finds a purchase: each round at least one proposal is taken.
    """
    cursor.execute(_TABLES)
    cursor.execute(_ROUND)
    while cursor.rowcount:
        cursor.execute(_ROUND)
