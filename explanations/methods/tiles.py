"""Shapes that do not depend on who else is computed: then a shopper's numbers are the same bytes in any batch.

A matrix product of very few rows is computed by another kernel, whose sums differ in the last bits. From a tile on, a
row comes out the same however many rows there are and wherever it stands among them; so there are never fewer. Of
single numbers, processors take so many at once, and what is left over one by one, by another formula; so nothing is.
"""

import torch
from torch import Tensor

TILE = 8
STRIDE = 32
SHORTEST = 16  # lines
STEP = 8  # lines, and more for long histories: an eighth to a quarter of what is needed


def filled(x: Tensor, dim: int = 0) -> Tensor:
    """With rows of zeros (False) at the end, so that there are at least a tile's."""
    return _with(x, max(0, TILE - x.shape[dim]), dim)


def even(x: Tensor) -> Tensor:
    """With rows of zeros at the end, so that one number of each row makes whole strides."""
    return _with(x, -len(x) % STRIDE, 0)


def _with(x: Tensor, missing: int, dim: int) -> Tensor:
    if not missing:
        return x
    return torch.cat([x, x.new_zeros(*x.shape[:dim], missing, *x.shape[dim + 1 :])], dim=dim)


def padded_length(lines: int, most: int) -> int:
    """To how many lines a history is padded, given how many it has and how many the model reads."""
    step = max(STEP, 1 << max(0, lines.bit_length() - 3))
    return min(max(SHORTEST, -(-lines // step) * step), max(lines, most))
