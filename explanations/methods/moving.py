"""What is left out to move a product from its place: one unit if one suffices, else one category, each the smallest."""

# B shoppers, K recommended products, U units, G groups, L lines.
from typing import NamedTuple

import torch
from torch import Tensor

from explanations.methods.grouping import Groups, Kind
from explanations.methods.removal import NOTHING, Cases

MANY = 1 << 20  # lines: more than any history has


class Moving(NamedTuple):
    """`unit_BK`: -1 where the unit that comes first moves it already, or no single one does. `category_BK`: 0 where
    one unit suffices, or no category does; `lines_BKL` are the category's.
    """

    unit_BK: Tensor
    category_BK: Tensor
    lines_BKL: Tensor


def smallest(cases: Cases, groups: Groups, first_BK: Tensor, rank_BUK: Tensor, rank_BGK: Tensor) -> Moving:
    """By the lines that go, ties by unit and by group. The ranks are at least what is given (see `pools.least_rank`):
    what moves there does so among all candidates.
    """
    place_K = torch.arange(1, rank_BUK.shape[-1] + 1)
    real_BL = cases.real_BL
    lines_BU = torch.zeros(cases.unit_item_BU.shape, dtype=torch.int64)
    lines_BU = lines_BU.scatter_add(1, cases.unit_BL.clamp(min=0), real_BL.long())
    first_BK = first_BK.clamp(min=0)
    suffices_BK = rank_BUK.gather(1, first_BK.unsqueeze(1)).squeeze(1) > place_K
    unit_BK = _fewest(lines_BU, (rank_BUK > place_K) & (lines_BU > 0).unsqueeze(-1))
    unit_BK = unit_BK.masked_fill(suffices_BK, NOTHING)
    is_category_BG = groups.kind_BG == Kind.CATEGORY
    group_BK = _fewest(groups.lines_BGL.sum(-1), (rank_BGK > place_K) & is_category_BG.unsqueeze(-1))
    group_BK = group_BK.masked_fill(suffices_BK | (unit_BK != NOTHING), NOTHING)
    category_BK = groups.key_BG.gather(1, group_BK.clamp(min=0)).masked_fill(group_BK == NOTHING, 0)
    at_BKL = group_BK.clamp(min=0).unsqueeze(-1).expand(-1, -1, real_BL.shape[1])
    lines_BKL = groups.lines_BGL.gather(1, at_BKL) & (category_BK > 0).unsqueeze(-1)
    return Moving(unit_BK, category_BK, lines_BKL)


def _fewest(lines_BN: Tensor, moves_BNK: Tensor) -> Tensor:
    """[B, K] which of N moves each product with the fewest lines; -1 where none does."""
    count = lines_BN.shape[1]
    key_BN = lines_BN * count + torch.arange(count)
    least_BK = torch.where(moves_BNK, key_BN.unsqueeze(-1), MANY * count).amin(1)
    return torch.where(least_BK < MANY * count, least_BK % count, NOTHING)
