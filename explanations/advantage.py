"""How much better than the latest things the reasons of a version are, and whether a successor keeps that.

DEL and INS depend on the model: one that forgives a missing purchase has a high DEL with the best of reasons, so that
the raw values of two versions say nothing of their explanations. What can be compared is how far the reasons of each
are ahead of a control on that same model. The advantage of a shopper is (recency - ours) / (recency + ours) of DEL@3,
and (ours - recency) / (ours + recency) of INS@3: 0 where reasons are no better than the three latest things, 1 where
they are everything; a factor that a model has in all its values drops out.

Two versions that differ by chance alone do not have the same advantage, so a successor must keep `KEPT` of the live
version's: it is stopped only where the whole interval, over the same shoppers, lies below that.
"""

# S shoppers.
from collections.abc import Mapping
from typing import Any

import numpy as np

from recommendations.ml.data import Ints
from recommendations.ml.metrics import Floats, paired_bootstrap

KEPT = 0.8
MEASURES = ("del@3", "ins@3")


def advantages(values: Mapping[str, Floats]) -> dict[str, Floats]:
    """Of each shopper, by measure; `values` are `ours_…` and `recency_…`."""
    found: dict[str, Floats] = {}
    for what in MEASURES:
        ours, recency = values[f"ours_{what}"], values[f"recency_{what}"]
        ahead = recency - ours if what == "del@3" else ours - recency
        found[what] = ahead / np.maximum(recency + ours, np.finfo(np.float64).tiny)
    return found


def against(
    ours: tuple[Ints, Mapping[str, Floats]], live: tuple[Ints, Mapping[str, Floats]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is measured of ours and of the live version, over the shoppers that both have (each by its id).

    Of the live one also `kept_…`: by how much our advantage exceeds what must be kept of theirs, with its interval.
    """
    _, mine, theirs = np.intersect1d(ours[0], live[0], return_indices=True)
    found: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    if not len(mine):
        return found
    sides = tuple({name: column[rows] for name, column in of[1].items()} for of, rows in ((ours, mine), (live, theirs)))
    for values, into in zip(sides, found, strict=True):
        into |= {name: round(float(column.mean()), 5) for name, column in values.items() if "@3" in name}
        into |= {f"advantage_{what}": round(float(column.mean()), 5) for what, column in advantages(values).items()}
    before, after = advantages(sides[1]), advantages(sides[0])
    for what in MEASURES:
        found[1][f"kept_{what}"] = [round(one, 5) for one in paired_bootstrap(after[what], KEPT * before[what])]
    found[1]["compared"] = len(mine)
    return found
