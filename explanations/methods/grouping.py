"""Groups of evidence units: two near-identical purchases each look useless alone, together they may carry it."""

# B shoppers, G groups, K recommended products, L lines, D width.
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from explanations.methods.own import Sight, seen_units
from explanations.methods.pools import Pool, least_rank, log_p
from explanations.methods.reading import Reading
from explanations.methods.removal import Cases, states
from explanations.methods.tiles import filled
from recommendations.ml.data import Ints
from recommendations.ml.model import Recommender

MOST = 8


class Groups(NamedTuple):
    """Up to eight categories with at least two units in a history: their ids [B, G] (0: none) and lines [B, G, L]."""

    category_BG: Tensor
    lines_BGL: Tensor


class StrongestGroup(NamedTuple):
    """For each product the group whose removal costs it most: category id [B, K], 0 where none supports it."""

    category_BK: Tensor
    lines_BKL: Tensor
    rank_BGK: Tensor  # at least, without each group


def groups(cases: Cases, category_ids: Ints) -> Groups:
    """The categories with most units, ties by id."""
    unit_item = cases.unit_item_BU.numpy()
    known, code = np.unique(category_ids, return_inverse=True)
    code_BU = code.reshape(-1)[unit_item]
    counted = (unit_item > 0) & (known[code_BU] > 0)
    counts = np.zeros((len(unit_item), len(known)), np.int64)
    rows, columns = np.nonzero(counted)
    np.add.at(counts, (rows, code_BU[rows, columns]), 1)
    order = np.argsort(-counts, axis=1, kind="stable")[:, :MOST]
    category = np.where(np.take_along_axis(counts, order, axis=1) >= 2, known[order], 0)
    line_category = torch.from_numpy(category_ids)[cases.history.items_BL]
    category_BG = torch.from_numpy(category)
    lines = (line_category.unsqueeze(1) == category_BG.unsqueeze(-1)) & (category_BG > 0).unsqueeze(-1)
    return Groups(category_BG, lines & cases.real_BL.unsqueeze(1))


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
    state_BRD, each = states(model, cases, visible, shared), slice(1, 1 + found.category_BG.shape[1])
    reached = log_p(state_BRD, pool, vectors_BKD, offset_BK, sight, seen)
    rank = least_rank(state_BRD, pool, vectors_BKD, offset_BK, sight, seen)
    delta_BKG = (reached[:, :1] - reached[:, each]).transpose(1, 2)
    delta_BKG = delta_BKG.masked_fill((found.category_BG == 0).unsqueeze(1), float("-inf"))
    value, index = delta_BKG.max(-1)
    category = found.category_BG.gather(1, index).masked_fill(value <= 0, 0)
    lines = found.lines_BGL.gather(1, index.unsqueeze(-1).expand(-1, -1, found.lines_BGL.shape[-1]))
    return StrongestGroup(category, lines & (category > 0).unsqueeze(-1), rank[:, each])
