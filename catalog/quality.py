"""Cleaning: what models learn from, and the report that says what was left out and why."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from catalog.cleaning import bands, bounds, horizon, report, rows
from catalog.cleaning.horizon import StillWriting
from catalog.models import QualityReport

__all__ = ["CLEAN_ROW", "StillWriting", "band_of", "clean", "price_bands", "stream_clean"]

# One usable interaction. Missing: shopper_id 0, quantity 0, unit_price and value NaN. Times are microseconds of UTC.
CLEAN_ROW = np.dtype(
    [
        ("interaction_id", "i8"),
        ("shopper_id", "i8"),
        ("product_id", "i8"),
        ("event_type_id", "i8"),
        ("occurred_at", "i8"),
        ("quantity", "i8"),
        ("unit_price", "f8"),
        ("value", "f8"),
    ]
)
CleanRows = NDArray[np.void]

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # signature, no flags, no extension
_TRAILER = b"\xff\xff"
# A row of binary COPY without NULLs: the number of fields, and each field after its length.
_WIRE = np.dtype(
    [("fields", ">i2")]
    + [
        part
        for name in CLEAN_ROW.names or ()
        for part in ((f"{name}_length", ">i4"), (name, f">{CLEAN_ROW[name].str[1:]}"))
    ]
)
_EPOCH_OF_POSTGRES = 946_684_800_000_000  # 2000-01-01 in microseconds since 1970
_STREAM = """
COPY (
    SELECT id, coalesce(shopper_id, 0), product_id, event_type_id, occurred_at, coalesce(quantity, 0)::bigint,
        coalesce(unit_price, 'NaN'), coalesce(value, 'NaN')
    FROM quality_rows WHERE verdict = 0 ORDER BY shopper_id NULLS FIRST, occurred_at, product_id, id
) TO STDOUT (FORMAT binary)
"""


def clean(*, cutoff_at: datetime) -> QualityReport:
    """Judge every interaction up to the cut-off that is known now, and store what was found.

    The report freezes the selection: `stream_clean` gives the same rows later and on another machine, whatever has
    arrived since. Only erasing or reverting what it selected can change it. Raises StillWriting.
    """
    horizon_at = horizon.settled()
    found = rows.judge(cutoff_at=cutoff_at, horizon_at=horizon_at)
    rows_read, rows_usable, entries = report.entries(quantity=found.quantity, price=found.price)
    edges, product_bands = bands.edges_and_bands(currency=found.frozen.currency, non_products=found.frozen.non_products)
    with transaction.atomic():
        stored = QualityReport.objects.create(
            cutoff_at=cutoff_at,
            rows_read=rows_read,
            rows_usable=rows_usable,
            rules=entries,
            bounds={
                "frozen": asdict(found.frozen),
                "quantity": _by_group(found.quantity),
                "price": _by_group(found.price),
                "price_edges": {str(group): values for group, values in edges.items()},
                "price_bands": bands.pack(product_bands),
            },
        )
        # The time of the report is the time up to which it looked, not when it was written down.
        QualityReport.objects.filter(pk=stored.pk).update(created_at=horizon_at)
    stored.created_at = horizon_at
    _remember(stored)
    return stored


def stream_clean(report: QualityReport, *, batch_size: int = 50_000) -> Iterator[CleanRows]:
    """The usable rows of a report as arrays of CLEAN_ROW, in bounded memory.

    Ordered by shopper (unknown ones first), time, product, id. The connection is busy until the last one is taken.
    """
    if not _is_remembered(report):
        frozen = rows.Frozen(**report.bounds["frozen"])
        rows.judge_again(cutoff_at=report.cutoff_at, horizon_at=report.created_at, frozen=frozen)
        _remember(report)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '64MB'")  # for the sort
        with cursor.copy(_STREAM) as copy:
            waiting: list[bytes] = []
            for block in copy:
                # The header comes with the first row, and the trailer alone.
                data = bytes(block).removeprefix(_HEADER)
                if not data or data == _TRAILER:
                    continue
                waiting.append(data)
                if len(waiting) == batch_size:
                    yield _rows(waiting)
                    waiting = []
            if waiting:
                yield _rows(waiting)


def price_bands(report: QualityReport) -> dict[int, int]:
    """Product id -> 1 (cheapest fifth of its group) to 5. Products whose price is not known are not in it."""
    return bands.unpack(report.bounds["price_bands"])


def band_of(report: QualityReport, *, category_id: int | None, price: float | None) -> int:
    """The band of a product that is newer than the report; 0 when its price is not known."""
    edges: dict[str, list[float]] = report.bounds["price_edges"]
    return bounds.band_of(price, edges.get(str(category_id or bounds.ALL)) or edges.get(str(bounds.ALL), []))


def _rows(blocks: list[bytes]) -> CleanRows:
    wire = np.frombuffer(b"".join(blocks), dtype=_WIRE)
    result = np.empty(len(wire), dtype=CLEAN_ROW)
    for name in CLEAN_ROW.names or ():
        result[name] = wire[name]
    result["occurred_at"] += _EPOCH_OF_POSTGRES
    return result


def _by_group(groups: dict[int, bounds.Bounds]) -> dict[str, Any]:
    return {
        str(group): {
            "median": its.median,
            "deviation": its.deviation,
            "low": round(its.low(), 6),
            "high": round(its.high(), 6),
        }
        for group, its in groups.items()
    }


def _remember(report: QualityReport) -> None:
    """The judged rows stay in this connection: cleaning and taking a snapshot follow each other."""
    with connection.cursor() as cursor:
        cursor.execute(f"COMMENT ON TABLE pg_temp.quality_rows IS 'report {report.pk:d}'")


def _is_remembered(report: QualityReport) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT obj_description(to_regclass('pg_temp.quality_rows'), 'pg_class')")
        return bool(cursor.fetchone()[0] == f"report {report.pk:d}")
