"""Two runs side by side, on the slates that both have: what they stand on, and whose lists and reasons changed."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from recommendations.models import Run, Slate

FIRST = 10  # products of a list that are compared
MOST_SLATES = 5_000  # of the live run, about; of more, a sample that is the same each time
MOST_CHANGED = 10  # lists that are named

# The slates of one run, a sample of them. Those of two runs are matched in Python: nothing is known yet of a run that
# was just written, and the plan that the database makes of a join may take minutes.
SLATES = """
SELECT id, placement, shopper_id, context_product_id, history_hash FROM recommendations_slate
WHERE run_id = %(run)s AND superseded_at IS NULL AND (shopper_id IS NOT NULL OR context_product_id IS NOT NULL)
    AND mod(hashint8(coalesce(shopper_id, context_product_id))::bigint & 2147483647, %(every)s) = 0
"""
# 1. What is said of each product of the pairs: the cause, and the strongest verified reason, which the line under the
# product begins with. 2. How many of the first products both lists have, and how many of these stand there for another
# cause or first reason.
COMPARE = """
WITH pairs AS MATERIALIZED (
    SELECT * FROM unnest(%(before)s::bigint[], %(after)s::bigint[], %(placements)s::text[], %(shoppers)s::bigint[],
        %(same)s::boolean[]) AS p(before_id, after_id, placement, shopper_id, is_same)
), said AS MATERIALIZED (
    SELECT p.before_id, p.placement, side.is_after, made.place, (made.said->>'p')::bigint AS product_id,
        CASE WHEN made.said->>'st' = 'withheld' THEN 'withheld' ELSE made.said->>'c' END AS cause,
        made.said->>'st' AS status,
        CASE WHEN made.place <= %(first)s THEN (
            SELECT (reason->>'t') || (
                SELECT coalesce(string_agg(unit->>0, ',' ORDER BY unit->>0), '')
                FROM jsonb_array_elements(reason->'e') unit
            )
            FROM jsonb_array_elements(made.said->'r') reason
            WHERE (reason->>'v')::boolean ORDER BY (reason->>'d')::float8 DESC LIMIT 1
        ) END AS reason
    FROM pairs p
    CROSS JOIN LATERAL (VALUES (false, p.before_id), (true, p.after_id)) side(is_after, slate_id)
    JOIN explanations_explanation e ON e.slate_id = side.slate_id
    CROSS JOIN LATERAL jsonb_array_elements(e.contracts->'contracts') WITH ORDINALITY made(said, place)
), kept AS (
    SELECT before_id, count(*) AS kept,
        count(*) FILTER (WHERE (a.cause, a.reason) IS DISTINCT FROM (b.cause, b.reason)) AS otherwise
    FROM (SELECT * FROM said WHERE NOT is_after AND place <= %(first)s) a
    JOIN (SELECT * FROM said WHERE is_after AND place <= %(first)s) b USING (before_id, product_id)
    GROUP BY before_id
), changes AS MATERIALIZED (
    SELECT p.*, listed.listed, coalesce(k.kept, 0) AS kept, coalesce(k.otherwise, 0) AS otherwise
    FROM pairs p
    JOIN (
        SELECT before_id, count(*) AS listed FROM said WHERE NOT is_after AND place <= %(first)s GROUP BY before_id
    ) listed USING (before_id)
    LEFT JOIN kept k USING (before_id)
)
SELECT jsonb_build_object(
    'mix', (SELECT jsonb_agg(jsonb_build_array(placement, is_after, cause, status, products)) FROM (
        SELECT placement, is_after, cause, status, count(*) AS products FROM said GROUP BY 1, 2, 3, 4
    ) mixed),
    'changes', (SELECT jsonb_object_agg(placement, counts) FROM (
        SELECT placement, jsonb_build_array(count(*), count(DISTINCT shopper_id), sum(is_same::int), sum(listed),
            sum(kept), sum(otherwise)) AS counts
        FROM changes GROUP BY placement
    ) counted),
    'products', (SELECT jsonb_agg(to_jsonb(most) ORDER BY listed - kept DESC, otherwise DESC, shopper_id, placement)
        FROM (
            SELECT * FROM changes WHERE shopper_id IS NOT NULL AND listed > kept
            ORDER BY listed - kept DESC, otherwise DESC, shopper_id, placement LIMIT %(most)s
        ) most),
    'reasons', (SELECT jsonb_agg(to_jsonb(most) ORDER BY otherwise DESC, shopper_id, placement)
        FROM (
            SELECT * FROM changes WHERE shopper_id IS NOT NULL AND otherwise > 0
            ORDER BY otherwise DESC, shopper_id, placement LIMIT %(most)s
        ) most)
)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Mix:
    """What the explained products of one placement stand on, in one run."""

    causes: Counter[str]  # what is withheld counts as such
    statuses: Counter[str]

    @property
    def products(self) -> int:
        return self.causes.total()

    def share(self, cause: str) -> float:
        return self.causes[cause] / self.products if self.products else 0.0

    @property
    def verified(self) -> float:
        return self.statuses["verified"] / self.products if self.products else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Between the first products of the lists of one placement, or of all."""

    slates: int
    shoppers: int
    same_history: int  # slates made of the same history
    listed: int  # first products before
    kept: int  # of these, still among the first
    otherwise: int  # of the kept, those that stand there for another cause or first reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Changed:
    """One list that changed much."""

    shopper_id: int
    placement: str
    before_id: int
    after_id: int
    listed: int
    kept: int
    otherwise: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    before: Mapping[str, Mix]  # by placement
    after: Mapping[str, Mix]
    changes: Mapping[str, Change]
    products: tuple[Changed, ...]  # the lists of shoppers that lose most products, most first
    reasons: tuple[Changed, ...]  # those of which most products stay for another cause or first reason
    every: int  # 1: all slates; else about one of so many shoppers and products


def compare(before: Run, after: Run) -> Comparison:
    """What changes when `after` takes the place of `before`; three statements, bounded by MOST_SLATES."""
    slates = Slate.objects.filter(run=before, superseded_at=None).count()
    every = max(1, -(-slates // MOST_SLATES))
    with connection.cursor() as cursor:
        pairs = _pairs(_slates(cursor, before, every), _slates(cursor, after, every))
        cursor.execute(COMPARE, {**pairs, "first": FIRST, "most": MOST_CHANGED})
        (answer,) = cursor.fetchone()
    found: dict[str, Any] = json.loads(answer) if isinstance(answer, str) else answer
    changes = {name: Change(**dict(zip(_CHANGE, row, strict=True))) for name, row in (found["changes"] or {}).items()}
    return Comparison(
        before=_mixes(found["mix"] or [], is_after=False),
        after=_mixes(found["mix"] or [], is_after=True),
        changes=changes,
        products=_changed(found["products"]),
        reasons=_changed(found["reasons"]),
        every=every,
    )


Slates = dict[tuple[str, int | None, int | None], tuple[int, str]]  # placement, shopper, product -> id, history


def _slates(cursor: CursorWrapper, run: Run, every: int) -> Slates:
    cursor.execute(SLATES, {"run": run.pk, "every": every})
    return {
        (placement, shopper, product): (pk, digest) for pk, placement, shopper, product, digest in cursor.fetchall()
    }


def _pairs(before: Slates, after: Slates) -> dict[str, list[Any]]:
    """Slates of both for the same shopper, or the same product, in the same placement, as columns."""
    shared = [key for key in before if key in after]
    return {
        "before": [before[key][0] for key in shared],
        "after": [after[key][0] for key in shared],
        "placements": [placement for placement, _, _ in shared],
        "shoppers": [shopper for _, shopper, _ in shared],
        "same": [before[key][1] == after[key][1] for key in shared],
    }


_CHANGE = ("slates", "shoppers", "same_history", "listed", "kept", "otherwise")
_CHANGED = ("shopper_id", "placement", "before_id", "after_id", "listed", "kept", "otherwise")


def _changed(rows: list[dict[str, Any]] | None) -> tuple[Changed, ...]:
    return tuple(Changed(**{name: row[name] for name in _CHANGED}) for row in rows or [])


def _mixes(rows: list[tuple[str, bool, str, str, int]], *, is_after: bool) -> dict[str, Mix]:
    found: dict[str, Mix] = {}
    for placement, side, cause, status, products in rows:
        if side == is_after:
            mix = found.setdefault(placement, Mix(causes=Counter(), statuses=Counter()))
            mix.causes[cause] += products
            mix.statuses[status] += products
    return found
