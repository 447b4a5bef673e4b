"""Groups of evidence units: two near-identical purchases each look useless alone, together they may carry it."""

# B shoppers, G groups, K recommended products, L lines, U units, D width, I products.
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from explanations.methods.own import Sight, seen_units
from explanations.methods.pools import Pool, least_rank, log_p
from explanations.methods.reading import Reading
from explanations.methods.removal import NOTHING, Cases, states
from explanations.methods.tiles import filled
from recommendations.ml.data import Ints
from recommendations.ml.model import Recommender

CATEGORIES, BASKETS, SETS = 8, 2, 2
ALIKE = 0.9  # cosine of the product vectors from which the model holds two products to be nearly the same


class Kind(IntEnum):
    NONE = 0
    CATEGORY = 1  # everything from one category; its key is the category's id
    BASKET = 2  # what was bought last at one moment; its key is that time
    ALIKE = 3  # one product and those that are nearly the same to the model; its key is that product


class Groups(NamedTuple):
    """Groups of at least two units: up to eight categories, the two latest baskets, two sets of things that are alike.

    `kind_BG`, `key_BG`, and the lines of each, `lines_BGL`.
    """

    kind_BG: Tensor
    key_BG: Tensor
    lines_BGL: Tensor


class StrongestGroup(NamedTuple):
    """For each product the group whose removal costs it most: `group_BK`, -1 where none supports it."""

    group_BK: Tensor
    lines_BKL: Tensor
    rank_BGK: Tensor  # at least, without each group


def groups(cases: Cases, category_ids: Ints, vectors_ID: Tensor) -> Groups:
    """`category_ids` [I + 1]; `vectors_ID` are the products' own."""
    found = [_categories(cases, category_ids), _baskets(cases), _alike(cases, vectors_ID)]
    return Groups(*(torch.cat(parts, dim=1) for parts in zip(*found, strict=True)))


def _categories(cases: Cases, category_ids: Ints) -> Groups:
    """The categories with most units, ties by id."""
    unit_item = cases.unit_item_BU.numpy()
    known, code = np.unique(category_ids, return_inverse=True)
    code_BU = code.reshape(-1)[unit_item]
    counted = (unit_item > 0) & (known[code_BU] > 0)
    counts = np.zeros((len(unit_item), max(len(known), CATEGORIES)), np.int64)
    rows, columns = np.nonzero(counted)
    np.add.at(counts, (rows, code_BU[rows, columns]), 1)
    order = np.argsort(-counts, axis=1, kind="stable")[:, :CATEGORIES]
    is_group = np.take_along_axis(counts, order, axis=1) >= 2
    key = np.where(is_group, known[np.minimum(order, len(known) - 1)], 0)
    line_category = torch.from_numpy(category_ids)[cases.history.items_BL]
    return _of(cases, Kind.CATEGORY, key, line_category.unsqueeze(1) == torch.from_numpy(key).unsqueeze(-1))


def _baskets(cases: Cases) -> Groups:
    """The two latest moments that are the last one of at least two units. A unit goes whole, so each is in one basket
    alone, and what was bought again later is of that later one."""
    times_BL, unit_BL = cases.history.times_BL, cases.unit_BL.clamp(min=0)
    real_BU = cases.unit_item_BU > 0
    last_BU = torch.zeros_like(cases.unit_item_BU)
    last_BU = last_BU.scatter_reduce(1, unit_BL, times_BL.where(cases.real_BL, 0), "amax")
    together_BUU = (last_BU.unsqueeze(1) == last_BU.unsqueeze(2)) & real_BU.unsqueeze(1)
    open_BU = (together_BUU.sum(-1) >= 2) & real_BU
    keys, lines = [], []
    for _ in range(BASKETS):
        time_B1 = last_BU.where(open_BU, 0).amax(-1, keepdim=True)
        chosen_BU = open_BU & (last_BU == time_B1)
        keys.append(time_B1)
        lines.append(chosen_BU.gather(1, unit_BL))
        open_BU = open_BU & ~chosen_BU
    return _of(cases, Kind.BASKET, torch.cat(keys, dim=1).numpy(), torch.stack(lines, dim=1))


def _alike(cases: Cases, vectors_ID: Tensor) -> Groups:
    """The largest set around one product, then the largest of what is in no set yet; ties by unit.

    In float64, so that who else is in the batch cannot move a cosine over the threshold.
    """
    item_BU = cases.unit_item_BU
    vectors_BUD = torch.nn.functional.normalize(vectors_ID[item_BU].double(), dim=-1)
    real_BU = item_BU > 0
    alike_BUU = (vectors_BUD @ vectors_BUD.transpose(1, 2) >= ALIKE) & real_BU.unsqueeze(1) & real_BU.unsqueeze(2)
    free_BU, keys, lines, count = real_BU, [], [], item_BU.shape[1]
    for _ in range(SETS):
        set_BUU = alike_BUU & free_BU.unsqueeze(1) & free_BU.unsqueeze(2)
        size_BU = set_BUU.sum(-1)
        order_BU = size_BU * count - torch.arange(count)  # no ties: the first of the largest
        anchor_B1 = order_BU.argmax(-1, keepdim=True)
        is_set_B1 = size_BU.gather(1, anchor_B1) >= 2
        chosen_BU = set_BUU.gather(1, anchor_B1.unsqueeze(-1).expand(-1, 1, count)).squeeze(1) & is_set_B1
        keys.append(item_BU.gather(1, anchor_B1) * is_set_B1)
        lines.append(chosen_BU.gather(1, cases.unit_BL.clamp(min=0)))
        free_BU = free_BU & ~chosen_BU
    return _of(cases, Kind.ALIKE, torch.cat(keys, dim=1).numpy(), torch.stack(lines, dim=1))


def _of(cases: Cases, kind: Kind, key_BG: NDArray[np.int64], lines_BGL: Tensor) -> Groups:
    key = torch.from_numpy(key_BG)
    is_group = key != 0
    lines = lines_BGL & is_group.unsqueeze(-1) & cases.real_BL.unsqueeze(1)  # padding belongs to none
    return Groups(is_group.long() * int(kind), key, lines)


@torch.inference_mode()
def strongest(
    model: Recommender,
    cases: Cases,
    found: Groups,
    pool: Pool,
    vectors_BKD: Tensor,
    offset_BK: Tensor,
    shared: Reading | None = None,
    sight: Sight | None = None,
) -> StrongestGroup:
    """Leave out each group as a whole; see `occlusion.screen`."""
    real_BL = cases.real_BL.unsqueeze(1)
    visible = filled(torch.cat([real_BL, real_BL & ~found.lines_BGL], dim=1), 1)
    seen = None if sight is None else seen_units(cases, visible)
    state_BRD, each = states(model, cases, visible, shared), slice(1, 1 + found.kind_BG.shape[1])
    reached = log_p(state_BRD, pool, vectors_BKD, offset_BK, sight, seen)
    rank = least_rank(state_BRD, pool, vectors_BKD, offset_BK, sight, seen)
    delta_BKG = (reached[:, :1] - reached[:, each]).transpose(1, 2)
    delta_BKG = delta_BKG.masked_fill((found.kind_BG == 0).unsqueeze(1), float("-inf"))
    value, index = delta_BKG.max(-1)
    group = index.masked_fill(value <= 0, NOTHING)
    lines = found.lines_BGL.gather(1, index.unsqueeze(-1).expand(-1, -1, found.lines_BGL.shape[-1]))
    return StrongestGroup(group, lines & (group != NOTHING).unsqueeze(-1), rank[:, each])
