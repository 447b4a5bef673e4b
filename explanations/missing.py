"""Whether a product that is shown without a verified reason has one: each purchase and each group is left out again.

Reasons that are stored are replayed elsewhere; here those are looked for that should be and are not. Whatever qualifies
would come first: before new, popular, or nothing.
"""

# I products.
import math
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from explanations.contract import FORMAT, LARGER_UNITS, Contract
from explanations.plain import Flags, Floats
from explanations.plainly import Replayed
from explanations.tally import TIE, Claim, Frame

GROUPS = 8  # of at least two things, those with most
BASKETS = 2  # of at least two things that were not bought later, the latest
SETS = 2  # of at least two things whose vectors nearly agree, the largest
ALIKE, EDGE = 0.9, 1e-5  # the cosine from which they do; nearer to it than that either may be right
CUT = math.log(1 / 0.9)  # a tenth of the probability is enough where the rank stays
# By how much a reason must exceed what is asked of it before it is missed. Which ones are replayed on all products is
# decided on a sample of these, so that a correct engine misses some by a little: in 1,500 lists of the demo shop 34 of
# 308 such lines, by 0.066 at most. Of the lines that a group carries there, nearly half exceed this.
CLEARLY = 0.2


class Left(NamedTuple):
    """What a product is without a part of the history."""

    name: str
    delta: float
    is_worse: bool


def claims(
    contracts: list[Contract], frame: Frame, replayed: Replayed, floor: float, *, written_in: int = FORMAT
) -> Iterator[tuple[int, Claim]]:
    """One for each line that has no verified reason. What is left out is computed once for all of them.

    Of what an earlier release wrote, in its format, only units that it knew are missed.
    """
    number_of = frame.model.number_of
    lines = [(rank, one) for rank, one in enumerate(contracts, start=1) if not one.verified_reasons]
    items = [number_of[one.product_id] for _, one in lines]
    best: dict[int, Left] = {}
    for name, kept in _parts(frame, replayed, written_in) if lines else ():
        for item, left in zip(items, _left(name, items, kept, replayed), strict=True):
            if _clearly(left, floor) and (item not in best or left.delta > best[item].delta):
                best[item] = left
    for (rank, one), item in zip(lines, items, strict=True):
        found = best.get(item)
        said = f"{one.cause.value}, {one.status.value}"
        yield rank, ("missing", found is None, said, f"{found.name}: Δ {found.delta:.5f}" if found else "nothing")


def _clearly(left: Left, floor: float) -> bool:
    return left.delta >= floor + CLEARLY and (left.is_worse or left.delta >= CUT + CLEARLY)


def _parts(frame: Frame, replayed: Replayed, written_in: int) -> Iterator[tuple[str, Flags]]:
    """What is left without each product of the history, and without each group of at least two."""
    past, everything = replayed.past, replayed.everything()
    items = sorted(set(past.items[everything].tolist()))
    bundle = frame.model.bundle
    for item in items:
        yield f"product {bundle.product_ids[item]}", replayed.without({item})
    group_of = {item: int(bundle.category_ids[item]) for item in items}
    counts = Counter(group for group in group_of.values() if group)
    for group, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:GROUPS]:
        if count > 1:
            yield f"group {group}", replayed.without({item for item in items if group_of[item] == group})
    if written_in < LARGER_UNITS:
        return
    last_of = {item: int(past.times[everything & (past.items == item)].max()) for item in items}
    at = Counter(last_of.values())
    for time in sorted((time for time, count in at.items() if count > 1), reverse=True)[:BASKETS]:
        yield f"basket {time}", replayed.without({item for item in items if last_of[item] == time})
    for alike in _alike(frame.plain.vectors_ID[items], items):
        yield f"alike {sorted(int(bundle.product_ids[item]) for item in alike)}", replayed.without(alike)


def _alike(vectors_UD: Floats, items: list[int]) -> Iterator[set[int]]:
    """The largest set around one product, then the largest of what is in no set yet; ties by product."""
    unit_UD = vectors_UD / np.maximum(np.linalg.norm(vectors_UD, axis=1, keepdims=True), 1e-12)
    cosine_UU = unit_UD @ unit_UD.T
    if (np.abs(cosine_UU - ALIKE) < EDGE).any():
        return
    near_UU = cosine_UU >= ALIKE
    for _ in range(SETS):
        anchor = int(near_UU.sum(1).argmax()) if items else 0
        chosen = np.flatnonzero(near_UU[anchor]) if items else np.empty(0, np.int64)
        if len(chosen) < 2:
            return
        yield {items[place] for place in chosen}
        near_UU[chosen] = near_UU[:, chosen] = False


def _left(name: str, items: list[int], kept: Flags, replayed: Replayed) -> Iterator[Left]:
    full = replayed.scores(replayed.everything())
    scores = replayed.scores_once(kept)
    full_total, total = _log_sum(full), _log_sum(scores)
    for item in items:
        delta = float(full[item] - full_total - scores[item] + total)
        stood = int((full >= full[item] - TIE).sum())
        yield Left(name, delta, int((scores > scores[item] + TIE).sum()) + 1 > stood)


def _log_sum(scores_I: Floats) -> float:
    most = float(scores_I.max())
    return most + math.log(float(np.exp(scores_I - most).sum()))
