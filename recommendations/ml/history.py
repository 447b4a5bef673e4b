"""Histories as tensors, and how lags and gaps are bucketed."""

# B shoppers, L history lines. Product 0 is padding.
from typing import NamedTuple

import torch
from torch import Tensor

from recommendations.ml.config import GAP_BUCKETS, LAG_BUCKETS

HOUR = 3_600


def lag_bucket(lag: Tensor) -> Tensor:
    """How many baskets back: exact up to 32, then logarithmic."""
    beyond = 32 + torch.log2(lag.clamp(min=32) / 32) * 2
    return torch.where(lag < 32, lag.clamp(min=0), beyond.long()).clamp(max=LAG_BUCKETS - 1)


def gap_bucket(seconds: Tensor) -> Tensor:
    """Time gap, logarithmic from an hour to years."""
    hours = seconds.clamp(min=0).double() / HOUR
    return (torch.log2(1 + hours) * 1.4).long().clamp(max=GAP_BUCKETS - 1)


class History(NamedTuple):
    """Lines of B shoppers, oldest first, padded at the end with product 0."""

    items_BL: Tensor
    types_BL: Tensor
    times_BL: Tensor  # seconds
    baskets_BL: Tensor  # number of the basket, from 0, in the shopper's whole history
