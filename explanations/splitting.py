"""A score by product part: exact, because nothing non-linear comes after the sum of the parts."""

# B shoppers, K products, D width, P parts.
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explanations.methods.pools import CLEARLY
from recommendations.inference import Loaded

BIAS = "bias"
POPULARITY = "recent_popularity"
REPEAT = "repeat"  # what the product's own place in the history adds; 0 for a product that is not in it


class SplitArrays(NamedTuple):
    """`parts_PBK` centred on their catalogue means, whose sum is `baseline_B`; float64."""

    names: tuple[str, ...]
    parts_PBK: NDArray[np.float64]
    baseline_B: NDArray[np.float64]

    def part(self, name: str) -> NDArray[np.float64]:
        found: NDArray[np.float64] = self.parts_PBK[self.names.index(name)]
        return found


@torch.inference_mode()
def means(model: Loaded) -> dict[str, Tensor]:
    """[D] the mean over the catalogue of each part of the product vectors."""
    vectors, everything = model.bundle.model.products, torch.arange(1, model.products + 1)
    return {name: vectors.part(name, everything).double().mean(0) for name in ("id", *vectors.names)}


@torch.inference_mode()
def split(
    model: Loaded,
    means: Mapping[str, Tensor],
    state_BD: Tensor,
    items_BK: Tensor,
    offset_I: Tensor,
    repeat_BK: Tensor | None = None,
) -> SplitArrays:
    """s = baseline + Σ parts, with part = h · (its vector - its mean vector), and the two biases likewise.

    `repeat_BK`: what products get for being in the history, where the model has that term. For them part = h · (trust ·
    its vector - its mean vector), and what trust takes is no part of the repeat (see `recommendations.ml.repeats`).
    """
    vectors, repeats = model.bundle.model.products, model.bundle.model.repeats
    state = state_BD.double()
    trust_BK, similar_BK = torch.ones(items_BK.shape, dtype=torch.float64), torch.zeros(items_BK.shape).double()
    if repeats is not None and repeat_BK is not None:
        trust_BK[repeat_BK.abs() > CLEARLY] = float(repeats.trust)
    baseline = torch.zeros(len(state), dtype=torch.float64)
    parts = []
    for name, mean in means.items():
        own = vectors.part(name, items_BK).double()
        parts.append(((trust_BK.unsqueeze(-1) * own - mean) * state.unsqueeze(1)).sum(-1))
        similar_BK += (own * state.unsqueeze(1)).sum(-1)
        baseline = baseline + (state * mean).sum(-1)  # each row for itself: see `tiles`
    popularity_I = (offset_I - model.bias_I).double()
    for column in (model.bias_I.double(), popularity_I):
        mean = column[1:].mean()
        parts.append(column[items_BK] - mean)
        baseline = baseline + mean
    names = (*means, BIAS, POPULARITY)
    if repeat_BK is not None:
        names, parts = (*names, REPEAT), [*parts, repeat_BK.double() + (1 - trust_BK) * similar_BK]
    return SplitArrays(names, torch.stack(parts).numpy(), baseline.numpy())
