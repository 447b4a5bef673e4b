"""Reads and prepares the demo shop: the product's own cleaned snapshot, cut in time, next basket."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from recommendations.ml.data import DAY, Catalogue, Histories, next_baskets
from recommendations.ml.evaluation import question
from recommendations.ml.kinds import Kinds
from tests.benchmarks.ranking.prepared import Prepared

PERIOD = 28 * DAY  # validation and test each, as the product splits
COLUMNS = {"shopper": np.int64, "item": np.int32, "time": np.int64, "type": np.int32}


class Shop(NamedTuple):
    histories: Histories
    catalogue: Catalogue
    kinds: Kinds


def read(folder: Path) -> Shop:
    """`folder`: what a training leaves under .local/snapshots. Attributes, cleaning and order of ties are its own."""
    shopper, item, time, kind = (np.fromfile(folder / name, dtype) for name, dtype in COLUMNS.items())
    with np.load(folder / "catalogue.npz") as archive:
        stored = dict(archive)
    attributes = {n.removeprefix("attribute_"): v for n, v in stored.items() if n.startswith("attribute_")}
    _, first = np.unique(shopper, return_index=True)
    return Shop(
        Histories(
            offsets=np.append(first, len(shopper)).astype(np.int64),
            items=item,
            times=time,
            types=kind,
            is_target=stored["is_target"],
        ),
        Catalogue(
            products=len(stored["product_ids"]) - 1,
            attributes=attributes,
            sizes={name: int(stored[f"size_{name}"]) for name in attributes},
            keys=tuple(stored["keys"].tolist()),
            labels={name: tuple(stored[f"label_{name}"].tolist()) for name in attributes},
        ),
        Kinds(**{name: stored[name] for name in ("event_type_ids", "lows", "strengths", "is_target")}),
    )


def prepare(folder: Path) -> Prepared:
    histories, catalogue, kinds = read(folder)
    targets = kinds.is_target[histories.types]
    end = int(histories.times[targets].max()) + 1
    test, validation = end - PERIOD, end - 2 * PERIOD
    train = histories.before(validation)
    baskets = next_baskets(histories, targets, start=validation, end=test)
    return Prepared(
        name="demo_shop",
        train=train,
        context=histories.before(test),
        validation=question(train, baskets, catalogue.products, None).by_kind["new"],  # as the product stops
        test=next_baskets(histories, targets, start=test, end=end),
        catalogue=catalogue,
        is_target=kinds.is_target,
        kinds=("new", "repeat", "all"),
        has_times=True,
    )
