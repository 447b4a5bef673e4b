"""A score by product part: exact, because nothing non-linear comes after the sum of the parts."""

# B shoppers, K products, D width, P parts.
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recommendations.inference import Loaded

BIAS = "bias"
POPULARITY = "recent_popularity"


class SplitArrays(NamedTuple):
    """`parts_PBK` centred on their catalogue means, whose sum is `baseline_B`; float64."""

    names: tuple[str, ...]
    parts_PBK: NDArray[np.float64]
    baseline_B: NDArray[np.float64]


@torch.inference_mode()
def split(model: Loaded, state_BD: Tensor, items_BK: Tensor, offset_I: Tensor) -> SplitArrays:
    """s = baseline + Σ parts, with part = h · (its vector - its mean vector), and the two biases likewise."""
    vectors = model.bundle.model.products
    state = state_BD.double()
    baseline = torch.zeros(len(state), dtype=torch.float64)
    parts = []
    names = ("id", *vectors.names)
    everything = torch.arange(1, model.products + 1)
    for name in names:
        mean = vectors.part(name, everything).double().mean(0)
        own = vectors.part(name, items_BK).double()
        parts.append(((own - mean) * state.unsqueeze(1)).sum(-1))
        baseline = baseline + state @ mean
    popularity_I = (offset_I - model.bias_I).double()
    for column in (model.bias_I.double(), popularity_I):
        mean = column[1:].mean()
        parts.append(column[items_BK] - mean)
        baseline = baseline + mean
    return SplitArrays((*names, BIAS, POPULARITY), torch.stack(parts).numpy(), baseline.numpy())
