"""What was known of a shopper at a moment, read for audits by code of their own.

What slates are made from is read by `recommendations.inference.shopper_lines`; a mistake there is seen here.
"""

# L lines of the window, I products.
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from catalog.models import Import, Interaction
from explanations.plain import Flags, Past
from recommendations.inference import Loaded

NAMES = (
    "occurred_at",
    "product_id",
    "event_type_id",
    "event_type__code",
    "event_type__polarity",
    "event_type__is_target",
    "quantity",
    "unit_price",
    "value",
    "excluded_at",
    "received_at",
    "source__state",
    "source__finished_at",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """A history as the model reads it, and which products were bought or hidden."""

    past: Past
    next_basket: int
    owned_I: Flags
    bought_I: Flags
    hidden_I: Flags
    digest: str


def nothing(model: Loaded, *, moment: datetime) -> Known:
    return _known(model, [], moment=moment, excluded_by=moment)


def readings(model: Loaded, shopper_id: int, *, moment: datetime, then: datetime, now: datetime) -> Iterator[Known]:
    """What happened before `moment`: as known `now`; with what was excluded by `then`; with what had arrived by then.

    The first is what a slate should be made from; the others are what one that was written `then` can be made from.
    """
    rows = list(Interaction.objects.filter(shopper=shopper_id, occurred_at__lte=moment).values(*NAMES))
    visible = [row for row in rows if row["source__state"] in (None, Import.State.FINISHED)]
    yield _known(model, visible, moment=moment, excluded_by=now)
    yield _known(model, visible, moment=moment, excluded_by=then)
    arrived = [row for row in rows if row["received_at"] <= then and _had_ended(row, then)]
    yield _known(model, arrived, moment=moment, excluded_by=then)


def _had_ended(row: dict[str, Any], then: datetime) -> bool:
    ended_at = row["source__finished_at"]
    return row["source__state"] is None or (ended_at is not None and ended_at <= then)


def _known(model: Loaded, rows: list[dict[str, Any]], *, moment: datetime, excluded_by: datetime) -> Known:
    used = [row for row in rows if row["excluded_at"] is None or row["excluded_at"] > excluded_by]
    returns = [row for row in used if row["event_type__code"] == "return" and row["occurred_at"] < moment]
    kinds = model.bundle.kinds
    lines: dict[tuple[int, int, int], bool] = {}  # (second, product, kind) -> whether any of it is used
    for row in rows:
        number = model.number_of.get(row["product_id"], 0)
        is_read = row["occurred_at"] < moment and row["event_type_id"] in kinds.event_type_ids[1:]
        if number and is_read and _counts(row) and not any(_takes_back(back, row) for back in returns):
            value = np.asarray([np.nan if row["value"] is None else row["value"]])
            kind = int(kinds.numbers(np.asarray([row["event_type_id"]]), value)[0])
            key = (int(row["occurred_at"].timestamp()), number, kind)
            is_used = row["excluded_at"] is None or row["excluded_at"] > excluded_by
            lines[key] = lines.get(key, False) or is_used
    ordered = sorted(lines)
    owned = {number for (_, number, kind), is_used in lines.items() if is_used and kinds.is_target[kind]}
    window = ordered[-model.bundle.model.config.history :]
    columns = np.asarray([(lines[key] * key[1], key[2], key[0]) for key in window], np.int64).reshape(-1, 3)
    items, types, times = columns.T
    baskets = np.cumsum(np.diff(times, prepend=times[:1]) != 0)
    read = np.stack([column[items > 0] for column in (items, types, times)])
    return Known(
        past=Past(items=items, types=types, times=times, baskets=baskets, now=int(moment.timestamp())),
        next_basket=int(baskets.max()) + 1 if len(baskets) else 0,
        owned_I=_mask(model, owned),
        bought_I=_products(model, [row for row in rows if _is_purchase(row) and row["occurred_at"] < moment]),
        hidden_I=_products(model, [row for row in used if row["event_type__code"] == "not_interested"]),
        digest=hashlib.blake2b(read.tobytes(), digest_size=16).hexdigest(),
    )


def _counts(row: dict[str, Any]) -> bool:
    """No wish against the product, no return, nothing without quantity or price."""
    amounts = [row[name] for name in ("quantity", "unit_price") if row[name] is not None]
    return bool(row["event_type__polarity"] >= 0 and all(amount > 0 for amount in amounts))


def _is_purchase(row: dict[str, Any]) -> bool:
    return bool(row["event_type__is_target"])


def _takes_back(back: dict[str, Any], row: dict[str, Any]) -> bool:
    is_later = back["product_id"] == row["product_id"] and back["occurred_at"] >= row["occurred_at"]
    return bool(is_later and None not in (back["quantity"], row["quantity"]) and back["quantity"] >= row["quantity"])


def _products(model: Loaded, rows: list[dict[str, Any]]) -> Flags:
    return _mask(model, {model.number_of.get(row["product_id"], 0) for row in rows})


def _mask(model: Loaded, numbers: set[int]) -> Flags:
    mask: Flags = np.zeros(model.products + 1, bool)
    mask[list(numbers)] = True
    mask[0] = False
    return mask
