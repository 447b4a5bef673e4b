"""One prepared file for each data set: the same interactions, split, filter and order of ties for every contestant."""

# N interactions, S shoppers, I products, E shoppers that are asked.
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recommendations.ml.data import Catalogue, Histories, NextBaskets

COLUMNS = ("offsets", "items", "times", "types")
TARGETS = ("shoppers", "offsets", "items", "now")


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """`train` ends where validation begins, `context` where the test begins.

    `kinds`: which products a contestant is asked for: "new" to the shopper, "repeat" purchases, "all".
    `has_times` is False where interactions only have an order: their times are then their positions.
    """

    name: str
    train: Histories
    context: Histories
    validation: NextBaskets
    test: NextBaskets
    catalogue: Catalogue
    is_target: NDArray[np.bool_]  # [T + 1] event types that count as targets
    kinds: tuple[str, ...]
    has_times: bool

    def write(self, path: Path) -> None:
        stored: dict[str, Any] = {
            "name": self.name,
            "kinds": np.asarray(self.kinds),
            "has_times": self.has_times,
            "is_target": self.is_target,
            "products": self.catalogue.products,
        }
        for part in ("train", "context"):
            stored |= {f"{part}_{column}": getattr(getattr(self, part), column) for column in COLUMNS}
        for part in ("validation", "test"):
            stored |= {f"{part}_{column}": getattr(getattr(self, part), column) for column in TARGETS}
        stored |= {f"attribute_{name}": values for name, values in self.catalogue.attributes.items()}
        stored |= {f"size_{name}": size for name, size in self.catalogue.sizes.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            np.savez(file, **stored)

    @classmethod
    def read(cls, path: Path) -> Self:
        with np.load(path) as archive:
            stored = dict(archive)
        attributes = {name.removeprefix("attribute_"): v for name, v in stored.items() if name.startswith("attribute_")}
        return cls(
            name=str(stored["name"]),
            train=_histories(stored, "train"),
            context=_histories(stored, "context"),
            validation=_targets(stored, "validation"),
            test=_targets(stored, "test"),
            catalogue=Catalogue(
                products=int(stored["products"]),
                attributes=attributes,
                sizes={name: int(stored[f"size_{name}"]) for name in attributes},
            ),
            is_target=stored["is_target"],
            kinds=tuple(str(kind) for kind in stored["kinds"]),
            has_times=bool(stored["has_times"]),
        )


def _histories(stored: Mapping[str, Any], part: str) -> Histories:
    return Histories(**{column: stored[f"{part}_{column}"] for column in COLUMNS})


def _targets(stored: Mapping[str, Any], part: str) -> NextBaskets:
    columns = {column: stored[f"{part}_{column}"] for column in TARGETS}
    return NextBaskets(**columns | {"now": int(columns["now"])})
