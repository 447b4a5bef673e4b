"""What the rules found in the judged rows."""

from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet

from catalog.cleaning.bounds import UNUSUAL, Bounds
from catalog.cleaning.rules import RULES, Rule, Verdict
from catalog.models import Import, ImportRejection

SAMPLES = 5

# What holds for rows that stay and are only counted.
_KEPT = {
    "partly_cancelled": "r.returned > 0",
    "missing_shopper": "r.shopper_id IS NULL",
    "unusual_quantity": "(r.quantity < q.low OR r.quantity > q.high)",
    "unusual_price": "(r.unit_price < q.price_low OR r.unit_price > q.price_high)",
}
_GROUPS = (
    " FROM quality_rows r LEFT JOIN unnest(%(groups)s::bigint[], %(low)s::float8[], %(high)s::float8[],"
    " %(price_low)s::float8[], %(price_high)s::float8[]) q (id, low, high, price_low, price_high)"
    " ON q.id = coalesce(r.category_id, 0)"
)
_SAMPLES = (
    "SELECT i.id, i.event_id, i.occurred_at, i.quantity, i.unit_price, r.product_id" + _GROUPS + " JOIN"
    " catalog_interaction i ON i.id = r.id WHERE {} ORDER BY r.id LIMIT %(samples)s"
)

Entry = dict[str, Any]  # what a JSON field holds


def entries(*, quantity: Mapping[int, Bounds], price: Mapping[int, Bounds]) -> tuple[int, int, list[Entry]]:
    """Rows read, rows usable, and one entry for every rule."""
    groups = sorted(quantity.keys() & price.keys()) or sorted(quantity.keys() | price.keys())
    parameters: Entry = {
        "groups": groups,
        "low": [quantity[group].low(UNUSUAL) if group in quantity else None for group in groups],
        "high": [quantity[group].high(UNUSUAL) if group in quantity else None for group in groups],
        "price_low": [price[group].low(UNUSUAL) if group in price else None for group in groups],
        "price_high": [price[group].high(UNUSUAL) if group in price else None for group in groups],
        "samples": SAMPLES,
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT verdict, count(*) FROM quality_rows GROUP BY 1")
        by_verdict: dict[int, int] = dict(cursor.fetchall())
        counts = ", ".join(f"count(*) FILTER (WHERE {condition})" for condition in _KEPT.values())
        cursor.execute(f"SELECT {counts}{_GROUPS} WHERE r.verdict = 0", parameters)
        kept = dict(zip(_KEPT, cursor.fetchone(), strict=True))
        read = sum(by_verdict.values())
        return (
            read,
            by_verdict.get(Verdict.USABLE, 0),
            [_entry(cursor, rule, read, _count(rule, by_verdict, kept), parameters) for rule in RULES],
        )


def _count(rule: Rule, by_verdict: Mapping[int, int], kept: Mapping[str, int]) -> int:
    if rule.verdict:
        return by_verdict.get(rule.verdict, 0)
    if rule.code in kept:
        return kept[rule.code]
    return sum(counts.get(rule.code, 0) for counts in _finished().values_list("rejection_counts", flat=True))


def _finished() -> QuerySet[Import]:
    return Import.objects.filter(kind=Import.Kind.INTERACTIONS, state=Import.State.FINISHED)


def _rejected(rule: Rule) -> list[Entry]:
    """Samples of rows that were never taken in: only their imports know them."""
    rejections = ImportRejection.objects.filter(source__in=_finished(), code=rule.code).order_by("source", "row", "pk")
    return [
        {"import": source, "row": row, "value": value}
        for source, row, value in rejections.values_list("source", "row", "value")[:SAMPLES]
    ]


def _entry(cursor: CursorWrapper, rule: Rule, read: int, count: int, parameters: Entry) -> Entry:
    condition = f"r.verdict = {rule.verdict:d}" + (f" AND {_KEPT[rule.code]}" if rule.code in _KEPT else "")
    is_of_rows = bool(rule.verdict) or rule.code in _KEPT
    samples: list[Entry] = [] if is_of_rows else _rejected(rule)
    if count and is_of_rows:
        cursor.execute(_SAMPLES.format(condition), parameters)
        samples = [
            {
                "interaction": pk,
                "event_id": event_id,
                "occurred_at": occurred_at.isoformat(),
                "quantity": quantity,
                "unit_price": None if unit_price is None else str(unit_price),
                "product": product,
            }
            for pk, event_id, occurred_at, quantity, unit_price, product in cursor.fetchall()
        ]
    return {
        "code": rule.code,
        "title": rule.title,
        "description": rule.description,
        "is_left_out": bool(rule.verdict),
        "count": count,
        "share": round(count / read, 6) if read else 0.0,
        "samples": samples,
        "because": "" if count else rule.zero,
    }
