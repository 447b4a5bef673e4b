"""Shapes that do not depend on who else is computed: then a shopper's numbers are the same bytes in any batch.

A matrix product of very few rows is computed by another kernel, whose sums differ in the last bits. From a tile on, a
row comes out the same however many rows there are and wherever it stands among them; so there are never fewer.
"""

import torch
from torch import Tensor

TILE = 8
SHORTEST = 16  # lines
STEP = 8  # lines, and more for long histories: an eighth to a quarter of what is needed


def filled(x: Tensor, dim: int = 0) -> Tensor:
    """With rows of zeros (False) at the end, so that there are at least a tile's."""
    missing = TILE - x.shape[dim]
    if missing <= 0:
        return x
    return torch.cat([x, x.new_zeros(*x.shape[:dim], missing, *x.shape[dim + 1 :])], dim=dim)


def padded_length(lines: int, most: int) -> int:
    """To how many lines a history is padded, given how many it has and how many the model reads."""
    step = max(STEP, 1 << max(0, lines.bit_length() - 3))
    return min(max(SHORTEST, -(-lines // step) * step), max(lines, most))
