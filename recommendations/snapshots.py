"""Frozen training data: the only bridge from rows to arrays."""

# N usable interactions of known shoppers, S shoppers, I products, T event types.
import contextlib
import hashlib
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from catalog import impressions, quality
from catalog.models import Category, EventType, Product, QualityReport
from recommendations import texts
from recommendations.attributes import pairs_of
from recommendations.ml.data import Catalogue, Histories, Ignored, Ints, Unwanted
from recommendations.ml.kinds import Kinds, edges_of
from recommendations.models import Snapshot

EVALUATION = timedelta(days=28)  # validation and test each; a tenth of the history where that is shorter
FEWEST_BASKETS = 100
MICROSECOND = 1_000_000
CHUNK = 10_000
COLUMNS = {"shopper": np.int64, "item": np.int32, "time": np.int64, "type": np.int32}
CATEGORIES = frozenset({"group", "department"})  # attributes whose values are categories
IGNORED = {"shopper": np.int64, "item": np.int32, "since": np.int64, "until": np.int64}
TEXTS = "texts.npy"
UNWANTED = {"shopper": np.int64, "item": np.int32, "time": np.int64, "weight": np.float32}


class TooLittleData(Exception):
    """There is nothing yet to learn from; the message says what is missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrays:
    """A snapshot as training reads it. Number 0 is padding in `product_ids` and `category_ids`."""

    histories: Histories
    unwanted: Unwanted
    ignored: Ignored
    shopper_ids: Ints  # [S]
    catalogue: Catalogue
    product_ids: Ints  # [I + 1]
    category_ids: Ints  # [I + 1]
    kinds: Kinds


def freeze(*, at: datetime) -> Snapshot:
    """Clean what is known now, choose the split, and fix both. Raises TooLittleData or StillWriting."""
    report = quality.clean(cutoff_at=at)
    targets = set(EventType.objects.filter(is_target=True).values_list("pk", flat=True))
    first, last, baskets = None, None, 0
    values: dict[int, Counter[float]] = {}
    for rows in quality.stream_clean(report):
        _count_values(rows, values)
        asked = rows[np.isin(rows["event_type_id"], list(targets)) & (rows["shopper_id"] > 0)]
        if len(asked):
            times = asked["occurred_at"]
            first = int(times.min()) if first is None else min(first, int(times.min()))
            last = int(times.max()) if last is None else max(last, int(times.max()))
            baskets += 1 + int(np.count_nonzero((np.diff(times) != 0) | (np.diff(asked["shopper_id"]) != 0)))
    if first is None or last is None or baskets < FEWEST_BASKETS:
        raise TooLittleData(
            f"{baskets} usable baskets of known shoppers, {FEWEST_BASKETS} are needed. "
            "Remedy: import purchases that name their shopper, see the data-quality report."
        )
    end = datetime.fromtimestamp(last // MICROSECOND + 1, tz=at.tzinfo)
    window = min(EVALUATION, (end - datetime.fromtimestamp(first // MICROSECOND, tz=at.tzinfo)) / 10)
    return Snapshot.objects.create(
        cutoff_at=max(end, at),
        test_from=end - window,
        validation_from=end - 2 * window,
        report=report,
        counts={
            "rows": report.rows_usable,
            "levels": {str(pk): edges_of(counted) for pk, counted in sorted(values.items())},
        },
    )


def _count_values(rows: NDArray[np.void], values: dict[int, "Counter[float]"]) -> None:
    """How often each value (three digits) came with each event type."""
    valued = rows[~np.isnan(rows["value"])]
    for pk in np.unique(valued["event_type_id"]).tolist():
        found, counts = np.unique(valued["value"][valued["event_type_id"] == pk], return_counts=True)
        counted = values.setdefault(pk, Counter())
        for value, count in zip(found.tolist(), counts.tolist(), strict=True):
            counted[float(f"{value:.3g}")] += count


def build(snapshot: Snapshot) -> Arrays:
    """The snapshot's arrays, memory-mapped; built here if this node does not have them yet.

    Streams from the database, so memory does not grow with the data. The checksum makes sure that every node trains
    on the same bytes; a difference (somebody was erased since) is recorded as a new checksum.
    """
    folder = _folder(snapshot)
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{folder.name}.", dir=folder.parent) as building:
            _write(snapshot, Path(building))
            with contextlib.suppress(OSError):  # another worker of this node was first, with the same bytes
                Path(building).rename(folder)
            Path(building).mkdir(exist_ok=True)  # for the context manager to remove
    return _read(folder)


def forget(snapshot: Snapshot) -> None:
    """Delete this node's copy."""
    shutil.rmtree(_folder(snapshot), ignore_errors=True)


def _folder(snapshot: Snapshot) -> Path:
    """Named by the moment too: the first snapshot of a new database is not that of an old one."""
    moment = f"{snapshot.created_at:%Y%m%d%H%M%S%f}"
    return Path(settings.LOCAL_DIR) / "snapshots" / f"{snapshot.pk}-{moment}"


def _write(snapshot: Snapshot, folder: Path) -> None:
    product_ids, category_ids, catalogue = _catalogue(snapshot.report)
    encoder = ""
    if settings.TEXT_ENCODER:
        encoder = texts.write_vectors(settings.TEXT_ENCODER, product_ids, folder / TEXTS)
    types = list(EventType.objects.filter(polarity__gte=0).exclude(code="return").order_by("pk"))
    against = list(EventType.objects.filter(polarity=-1).exclude(code="return").order_by("pk"))
    against_ids = np.asarray([0, *(event_type.pk for event_type in against)], np.int64)
    strengths = np.asarray([0.0, *(event_type.strength for event_type in against)], np.float32)
    kinds = _kinds(snapshot, types)
    counts = np.zeros(len(kinds) + 1, np.int64)
    files = {name: (folder / name).open("wb") for name in COLUMNS}
    unwanted_files = {name: (folder / f"unwanted_{name}").open("wb") for name in UNWANTED}
    unwanted = 0
    previous = np.zeros(4, np.int64)
    digest = hashlib.sha256()
    try:
        for rows in quality.stream_clean(snapshot.report):
            item = _numbers(product_ids, rows["product_id"])
            kind = kinds.numbers(rows["event_type_id"], rows["value"])
            wish = _numbers(against_ids, rows["event_type_id"])
            said = (rows["shopper_id"] > 0) & (item > 0) & (wish > 0)
            columns: tuple[NDArray[Any], ...] = (
                rows["shopper_id"],
                item,
                rows["occurred_at"] // MICROSECOND,
                strengths[wish],
            )
            for (name, dtype), column in zip(UNWANTED.items(), columns, strict=True):
                unwanted_files[name].write(np.ascontiguousarray(column[said], dtype).tobytes())
            unwanted += int(said.sum())
            kept = (rows["shopper_id"] > 0) & (item > 0) & (kind > 0)
            table = np.stack([rows["shopper_id"], rows["occurred_at"] // MICROSECOND, item, kind], axis=1)[kept]
            table = table[np.lexsort(table[:, ::-1].T)]  # seconds may tie where microseconds did not
            new = np.any(np.diff(table, axis=0, prepend=previous[None]) != 0, axis=1)
            table = table[new]
            if not len(table):
                continue
            previous = table[-1]
            counts += np.bincount(table[:, 3], minlength=len(counts))
            digest.update(table.tobytes())
            for name, column in zip(("shopper", "time", "item", "type"), table.T, strict=True):
                files[name].write(np.ascontiguousarray(column, COLUMNS[name]).tobytes())
    finally:
        for file in (*files.values(), *unwanted_files.values()):
            file.close()
    stored: dict[str, Any] = {
        "product_ids": product_ids,
        "category_ids": category_ids,
        "event_type_ids": kinds.event_type_ids,
        "lows": kinds.lows,
        "strengths": kinds.strengths,
        "is_target": kinds.is_target,
    }
    stored |= {f"attribute_{name}": values for name, values in catalogue.attributes.items()}
    stored |= {f"label_{name}": np.asarray(labels) for name, labels in catalogue.labels.items()}
    stored["keys"] = np.asarray(catalogue.keys)
    stored["encoder"] = np.asarray(encoder)
    stored |= {f"size_{name}": np.asarray(size) for name, size in catalogue.sizes.items()}
    np.savez(folder / "catalogue.npz", **stored)
    snapshot.checksum = digest.hexdigest()
    snapshot.counts = {
        "rows": snapshot.report.rows_usable,
        "lines": int(counts.sum()),
        "products": catalogue.products,
        "encoder": encoder,
        "levels": snapshot.counts.get("levels", {}),
        "event_types": {
            event_type.code: int(counts[kinds.event_type_ids == event_type.pk].sum()) for event_type in types
        },
        "unwanted": unwanted,
        "ignored": _write_ignored(snapshot, folder, product_ids),
    }
    snapshot.save(update_fields=["checksum", "counts"])


def _write_ignored(snapshot: Snapshot, folder: Path, product_ids: Ints) -> int:
    """What shoppers were shown in vain; how many pairs."""
    count = 0
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context((folder / f"ignored_{name}").open("wb")) for name in IGNORED}
        pairs = impressions.ignored(until=snapshot.cutoff_at)
        while part := list(islice(pairs, CHUNK)):
            table = np.asarray([(x.shopper_id, x.product_id, x.since, x.until) for x in part], np.int64)
            table[:, 1] = _numbers(product_ids, table[:, 1])
            table = table[table[:, 1] > 0]
            count += len(table)
            for column, (name, dtype) in zip(table.T, IGNORED.items(), strict=True):
                files[name].write(np.ascontiguousarray(column, dtype).tobytes())
    return count


def _read(folder: Path) -> Arrays:
    column = {name: _mapped(folder / name, dtype) for name, dtype in COLUMNS.items()}
    with np.load(folder / "catalogue.npz") as stored:
        arrays = dict(stored)
    shopper_ids, first = np.unique(column["shopper"], return_index=True)
    unwanted = {name: _mapped(folder / f"unwanted_{name}", dtype) for name, dtype in UNWANTED.items()}
    ignored = {name: _mapped(folder / f"ignored_{name}", dtype) for name, dtype in IGNORED.items()}
    attributes = {n.removeprefix("attribute_"): v for n, v in arrays.items() if n.startswith("attribute_")}
    return Arrays(
        histories=Histories(
            offsets=np.append(first, len(column["shopper"])).astype(np.int64),
            items=column["item"],
            times=column["time"],
            types=column["type"],
            is_target=arrays["is_target"],
        ),
        unwanted=_unwanted(unwanted, shopper_ids),
        ignored=_ignored(ignored, shopper_ids),
        shopper_ids=shopper_ids.astype(np.int64),
        catalogue=Catalogue(
            products=len(arrays["product_ids"]) - 1,
            attributes=attributes,
            sizes={name: int(arrays[f"size_{name}"]) for name in attributes},
            keys=tuple(arrays["keys"].tolist()),
            labels={name: tuple(arrays[f"label_{name}"].tolist()) for name in attributes},
            texts=_texts(folder / TEXTS),
            encoder=str(arrays.get("encoder", "")),
        ),
        product_ids=arrays["product_ids"],
        category_ids=arrays["category_ids"],
        kinds=Kinds(
            event_type_ids=arrays["event_type_ids"],
            lows=arrays["lows"],
            strengths=arrays["strengths"],
            is_target=arrays["is_target"],
        ),
    )


def _kinds(snapshot: Snapshot, types: list[EventType]) -> Kinds:
    """Neutral event types are read in histories and not predicted."""
    return Kinds.of(
        [(t.pk, t.strength if t.polarity > 0 or t.is_target else 0.0, t.is_target) for t in types],
        {int(pk): edges for pk, edges in snapshot.counts.get("levels", {}).items()},
    )


def _unwanted(column: dict[str, NDArray[Any]], shopper_ids: Ints) -> Unwanted:
    known, offsets = _by_row(column["shopper"], shopper_ids)
    return Unwanted(
        offsets=offsets,
        items=column["item"][known],
        times=column["time"][known],
        weights=column["weight"][known],
    )


def _ignored(column: dict[str, NDArray[Any]], shopper_ids: Ints) -> Ignored:
    known, offsets = _by_row(column["shopper"], shopper_ids)
    return Ignored(
        offsets=offsets,
        items=column["item"][known],
        since=column["since"][known],
        until=column["until"][known],
    )


def _by_row(shopper: NDArray[Any], shopper_ids: Ints) -> tuple[NDArray[np.bool_], Ints]:
    """Which lines are of shoppers in the histories (others teach nothing), and their offsets by these rows."""
    row = _numbers(np.append(0, shopper_ids), np.asarray(shopper)) - 1
    known = row >= 0  # rows ascend, as the shoppers did
    counts = np.bincount(row[known], minlength=len(shopper_ids))
    return known, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _texts(path: Path) -> NDArray[np.float16] | None:
    """Memory-mapped; copies are made of what is written to, which nobody does."""
    return np.load(path, mmap_mode="c") if path.exists() else None


def _mapped(path: Path, dtype: type) -> NDArray[Any]:
    """An empty file cannot be mapped, and a folder of an earlier release lacks what came later."""
    return np.memmap(path, dtype, mode="r") if path.exists() and path.stat().st_size else np.empty(0, dtype)


def _numbers(ids: Ints, wanted: Ints) -> Ints:
    """Position of each wanted id in the ascending `ids`, 0 where it is not there."""
    position = np.searchsorted(ids, wanted).clip(max=len(ids) - 1)
    return np.where(ids[position] == wanted, position, 0)


def _catalogue(report: QualityReport) -> tuple[Ints, Ints, Catalogue]:
    """Products that may be recommended or were, with all that the shop says of them."""
    parents = dict(Category.objects.values_list("pk", "parent_id"))
    left_out = set(report.bounds["frozen"]["non_products"])
    rows = [
        row
        for row in Product.objects.order_by("pk")
        .values_list("pk", "category_id", "brand", "external_id")
        .iterator(chunk_size=10_000)
        if row[0] not in left_out
    ]
    bands = quality.price_bands(report)

    def root(category: int | None) -> int | None:
        while category is not None and parents.get(category) is not None:
            category = parents[category]
        return category

    categories = [category for _, category, _, _ in rows]
    paths = dict(Category.objects.values_list("pk", "path"))
    columns: dict[str, list[Any]] = {
        "group": categories,
        "department": [root(category) for category in categories],
        "price_band": [bands.get(pk) for pk, _, _, _ in rows],
        "brand": [brand or None for _, _, brand, _ in rows],
    }
    attributes: dict[str, NDArray[np.int32]] = {}
    sizes: dict[str, int] = {}
    labels: dict[str, tuple[str, ...]] = {}
    for name, values in columns.items():
        known = sorted({value for value in values if value is not None}, key=str)
        if not known:
            continue
        number = {value: position for position, value in enumerate(known, start=1)}
        attributes[name] = np.asarray([[0], *([number.get(value, 0)] for value in values)], np.int32)
        sizes[name] = len(known)
        labels[name] = tuple(paths.get(value, "") if name in CATEGORIES else str(value) for value in known)
    product_ids = np.asarray([0, *(pk for pk, _, _, _ in rows)], np.int64)
    pairs, names = pairs_of(product_ids)
    if names:
        attributes["other"], sizes["other"], labels["other"] = pairs, len(names), names
    category_ids = np.asarray([0, *(category or 0 for category in categories)], np.int64)
    return (
        product_ids,
        category_ids,
        Catalogue(
            products=len(rows),
            attributes=attributes,
            sizes=sizes,
            keys=tuple(external_id for _, _, _, external_id in rows),
            labels=labels,
        ),
    )
