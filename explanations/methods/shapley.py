"""Shapley values over evidence units by paired permutations: each order is also walked backwards."""

# B shoppers, R rows, U units, K products, P permutations, L lines, N rows at once.
import numpy as np
import torch
from torch import Tensor

from explanations.methods.pools import log_p
from explanations.methods.protocol import Question, competition, only_units
from explanations.methods.removal import Cases, states
from recommendations.ml.data import Ints

PAIRS = 32  # 64 permutations
ROWS = 2_048  # histories in memory at once


def orders(cases: Cases, pairs: int, seed: int) -> Ints:
    """[B, P, U]: units in random orders and in their reverses; units that a shopper does not have stand last.

    A shopper's orders depend on the seed and on its own number of units alone.
    """
    counts = (cases.unit_item_BU > 0).sum(1).tolist()
    width = cases.unit_item_BU.shape[1]
    made = np.tile(np.arange(width), (len(counts), 2 * pairs, 1))
    for row, count in enumerate(counts):
        random = np.random.default_rng((seed, count))
        there = np.argsort(random.random((pairs, count)), axis=1)
        made[row, :, :count] = np.stack([there, there[:, ::-1]], axis=1).reshape(2 * pairs, count)
    return made


def shapley(asked: Question, *, pairs: int = PAIRS, seed: int = 0) -> Tensor:
    """Mean gain in log p when a unit joins those before it; the values add up to log p(all) - log p(nothing)."""
    cases, pool = asked.cases, competition(asked)
    order_BPU = torch.from_numpy(orders(cases, pairs, seed))
    batch, permutations, units = order_BPU.shape
    joins_BPU = torch.argsort(order_BPU, dim=-1)  # at which step each unit joins
    line_BPL = joins_BPU.gather(2, cases.unit_BL.clamp(min=0).unsqueeze(1).expand(-1, permutations, -1))
    step = torch.arange(units + 1).view(1, 1, -1, 1)
    value = torch.zeros(batch, units, asked.items_BK.shape[1])
    at_once = max(1, ROWS // (batch * (units + 1)))
    for first in range(0, permutations, at_once):
        part = slice(first, first + at_once)
        visible = (line_BPL[:, part].unsqueeze(2) < step) & cases.real_BL[:, None, None]
        reached = log_p(states(asked.model, cases, visible.flatten(1, 2)), pool, asked.vectors_BKD, asked.offset_BK)
        gain_BPUK = reached.unflatten(1, (-1, units + 1)).diff(dim=2)
        place = order_BPU[:, part].unsqueeze(-1).expand_as(gain_BPUK)
        value.scatter_add_(1, place.flatten(1, 2), gain_BPUK.flatten(1, 2))
    return only_units(cases, value / permutations)
