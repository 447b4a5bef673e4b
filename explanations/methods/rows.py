"""Many variants of the same histories, each distinct one computed once."""

# B shoppers, X variants of a shopper's history, F distinct ones, R a shopper's most, L lines, U units,
# D width.
from typing import NamedTuple

import torch
from torch import Tensor

from explanations.methods.own import seen_units
from explanations.methods.reading import Reading
from explanations.methods.removal import Cases, states
from explanations.methods.tiles import TILE
from recommendations.ml.model import Recommender


class Rows(NamedTuple):
    """The distinct histories, shopper after shopper: whose, which of that shopper's, and what they leave visible.

    `row_BX`: which row each variant is; `seen_BRU`: which units are seen, where the model asks for it.
    """

    owner_F: Tensor
    place_F: Tensor
    visible_FL: Tensor
    state_BRD: Tensor
    row_BX: Tensor
    seen_BRU: Tensor | None


@torch.inference_mode()
def distinct(model: Recommender, cases: Cases, visible_BXL: Tensor, shared: Reading | None = None) -> Rows:
    """Masked forwards, each distinct variant of a shopper's history once."""
    batch, count, length = visible_BXL.shape
    bits = 63 - batch.bit_length()  # of a hash; above them the shopper's number, so that rows ascend by shopper
    salt = torch.randint(-(2**62), 2**62, (length,), generator=torch.Generator().manual_seed(7))
    key = (visible_BXL.long() * salt).sum(-1) >> (64 - bits) & (1 << bits) - 1
    key = key | torch.arange(batch).view(-1, 1) << bits
    _, row = torch.unique(key.reshape(-1), return_inverse=True)
    first = torch.full((int(row.max()) + 1,), len(row)).scatter_reduce(0, row, torch.arange(len(row)), "amin")
    owner = first // count
    place = rectangle(owner, batch)
    visible_FL = visible_BXL.reshape(-1, length)[first]
    visible_BRL = torch.zeros(batch, max(TILE, int(place.max()) + 1), length, dtype=torch.bool)
    visible_BRL[owner, place] = visible_FL
    seen_BRU = None if model.repeats is None else seen_units(cases, visible_BRL)
    state_BRD = states(model, cases, visible_BRL, shared)
    return Rows(owner, place, visible_FL, state_BRD, row.view(batch, count), seen_BRU)


def rectangle(owner_F: Tensor, batch: int) -> Tensor:
    """[F] a place for each row among those of its owner, so that [owner, place] is a rectangle; owners ascend."""
    sizes = torch.bincount(owner_F, minlength=batch)
    return torch.arange(len(owner_F)) - (torch.cumsum(sizes, 0) - sizes)[owner_F]
