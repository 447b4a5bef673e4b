"""The denominator of the softmax over many candidates, and places among them, in passes that stay in the cache."""

# R rows, I candidates, A answers wanted, each of a product in a row.
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

CACHED = 1 << 18  # numbers at once: a megabyte, the share of one core
GRID = 1.5 * 2.0**20  # near it, float64 holds multiples of 2^-32

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]


def log_partition(scores: Tensor) -> Tensor:
    """[..., I] -> [...]: log Σ exp; the scores are used up, unless somebody wants their gradient."""
    if scores.requires_grad:
        return torch.logsumexp(scores, dim=-1)
    rows = scores.reshape(-1, scores.shape[-1]).numpy()
    result = np.empty(len(rows), np.float32)
    step = max(1, CACHED // max(1, rows.shape[1]))
    for first in range(0, len(rows), step):
        part = slice(first, first + step)
        result[part] = exhausted(rows[part])
    return torch.from_numpy(result).view(scores.shape[:-1])


def exhausted(scores_RI: Floats) -> Floats:
    """[R] log Σ exp in place: numpy's exponential takes half the time of torch's.

    What is summed is rounded to multiples of 2^-32, so the sum is exact: it is the same in whatever order candidates
    stand, and whoever else's stand among them with nothing to add.
    """
    most_R1 = scores_RI.max(axis=1, keepdims=True)
    most_R1[np.isneginf(most_R1)] = 0  # nothing to sum
    np.subtract(scores_RI, most_R1, out=scores_RI)
    np.exp(scores_RI, out=scores_RI)
    exact_RI = scores_RI.astype(np.float64)
    exact_RI += GRID
    exact_RI -= GRID
    with np.errstate(divide="ignore"):
        total_R: Floats = (np.log(exact_RI.sum(axis=1)) + most_R1[:, 0]).astype(np.float32)
    return total_R


def ranks(scores_RI: Floats, row_A: Numbers, item_A: Numbers) -> Numbers:
    """[A] the place of each product in its row, from 1; of equal ones the lower number stands first."""
    rows = scores_RI[row_A]
    own_A1 = np.take_along_axis(rows, item_A[:, None], axis=1)
    ahead_A = _count(rows > own_A1)
    for tied in np.flatnonzero(_count(rows >= own_A1) - ahead_A > 1):  # rare, so looked at one by one
        ahead_A[tied] += np.count_nonzero(rows[tied, : item_A[tied]] == own_A1[tied])
    return ahead_A + 1


def holders(scores_RI: Floats, leaders_RN: Numbers, row_A: Numbers, place_A: Numbers) -> Numbers:
    """[A] the product at a place (from 1) of a row, 0 where it has no so many.

    `leaders_RN` are some products of each row that stand far in front, more of them than any place that is asked for
    unless the row has no more: what scores less than the last of them that counts needs no sorting.
    """
    rows, deepest = scores_RI[row_A], int(place_A.max())
    leading_AN = np.take_along_axis(rows, leaders_RN[row_A], axis=1)
    at = max(0, leading_AN.shape[1] - deepest)
    least_A = np.maximum(np.partition(leading_AN, at, axis=1)[:, at], np.finfo(np.float32).min)
    asking, item = np.divmod(np.flatnonzero(rows >= least_A[:, None]), rows.shape[1])
    order = np.lexsort((item, -rows[asking, item], asking))
    item, counts = item[order], np.bincount(asking, minlength=len(row_A))
    start = np.cumsum(counts) - counts
    found = item[np.minimum(start + place_A - 1, max(0, len(item) - 1))] if len(item) else np.zeros_like(place_A)
    return np.where(place_A <= counts, found, 0)


def _count(hits_AI: NDArray[np.bool_]) -> Numbers:
    narrow = np.uint16 if hits_AI.shape[1] < 1 << 16 else np.uint32  # the narrower, the more at once
    return hits_AI.view(np.uint8).sum(axis=1, dtype=narrow).astype(np.int64)
