"""Reads and prepares the demo shop: the product's own cleaned snapshot."""

from pathlib import Path

import numpy as np

from recommendations.ml.data import Catalogue, Histories
from recommendations.ml.kinds import Kinds
from tests.benchmarks.ranking import temporal
from tests.benchmarks.ranking.prepared import Prepared

COLUMNS = {"shopper": np.int64, "item": np.int32, "time": np.int64, "type": np.int32}


def read(folder: Path) -> temporal.Shop:
    """`folder`: what a training leaves under .local/snapshots. Attributes, cleaning and order of ties are its own."""
    shopper, item, time, kind = (np.fromfile(folder / name, dtype) for name, dtype in COLUMNS.items())
    with np.load(folder / "catalogue.npz") as archive:
        stored = dict(archive)
    attributes = {n.removeprefix("attribute_"): v for n, v in stored.items() if n.startswith("attribute_")}
    _, first = np.unique(shopper, return_index=True)
    return temporal.Shop(
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
    return temporal.prepare("demo_shop", read(folder))
