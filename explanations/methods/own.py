"""What a product's own place in the history adds to its score, unit by unit: it goes when the unit is masked."""

# B shoppers, R rows, U units, K recommended products, J products of the pool, C columns (products that are ranked),
# L lines, X rows of many shoppers.
from typing import NamedTuple

import torch
from torch import Tensor

from explanations.methods.removal import Cases
from explanations.methods.tiles import even
from recommendations.ml.model import Recommender
from recommendations.ml.repeats import Repeats


class Own(NamedTuple):
    """`base_BU` depends on the unit's own lines alone; `column_BU` is where its product stands among those ranked, 0
    where it does not.
    """

    term: Repeats
    exists_BU: Tensor
    base_BU: Tensor
    column_BU: Tensor

    def added(self, state_XD: Tensor, owner_X: Tensor, seen_XU: Tensor) -> Tensor:
        """[X, U] what is added to the product of each unit that a row sees, before doubt."""
        opened_X, shift_X = (part[: len(state_XD)] for part in self.term.inclined(even(state_XD)))
        return (opened_X.unsqueeze(1) * self.base_BU[owner_X] + shift_X.unsqueeze(1)) * seen_XU

    def part(self, added_BRU: Tensor, seen_BRU: Tensor, similar_BRK: Tensor, unit_BK: Tensor) -> Tensor:
        """[B, R, K] what products get that are these units (-1: none), doubt included; `similar_BRK` is their h·v."""
        unit_BRK = unit_BK.unsqueeze(1).clamp(min=0).expand_as(similar_BRK)
        got_BRK = added_BRU.gather(2, unit_BRK) + self.term.doubted(similar_BRK) * seen_BRU.gather(2, unit_BRK)
        return got_BRK * (unit_BK.unsqueeze(1) >= 0)


class Sight(NamedTuple):
    """Which products of a pool, and which of the recommended ones, are units of the shopper; -1: not one."""

    own: Own
    pool_BU: Tensor  # place in the pool
    shown_BK: Tensor  # unit


@torch.inference_mode()
def own(model: Recommender, cases: Cases, number_C: Tensor | None = None) -> Own | None:
    """`number_C`: the product of each column, ascending; every product, in its own column, where it is not given."""
    if model.repeats is None:
        return None
    now_B1 = torch.full((len(cases.unit_BL), 1), cases.now)
    pairs = model.repeats.own(cases.history, cases.real_BL.unsqueeze(1), now_B1)
    exists_BU = cases.unit_item_BU > 0
    unit_P = (cases.unit_item_BU[pairs.query_P] == pairs.item_P.unsqueeze(1)).int().argmax(1)
    base_BU = torch.zeros(exists_BU.shape)
    base_BU[pairs.query_P, unit_P] = model.repeats.base(pairs)
    is_own_BU = torch.zeros_like(exists_BU)
    is_own_BU[pairs.query_P, unit_P] = True
    item_BU = cases.unit_item_BU.masked_fill(~is_own_BU, 0)  # what was only viewed is no product of the shopper
    if number_C is None:
        return Own(model.repeats, exists_BU, base_BU, item_BU)
    column_BU = torch.searchsorted(number_C, item_BU).clamp(max=len(number_C) - 1)
    return Own(model.repeats, exists_BU, base_BU, column_BU.where((number_C[column_BU] == item_BU) & is_own_BU, 0))


def seen_units(cases: Cases, visible_BRL: Tensor) -> Tensor:
    """[B, R, U]: which units a row sees."""
    count_BRU = torch.zeros(*visible_BRL.shape[:2], cases.unit_item_BU.shape[1])
    place_BRL = cases.unit_BL.clamp(min=0).unsqueeze(1).expand_as(visible_BRL)
    return count_BRU.scatter_add_(2, place_BRL, (visible_BRL & cases.real_BL.unsqueeze(1)).float()) > 0


def shown_units(found: Own, column_BK: Tensor) -> Tensor:
    """[B, K] the unit that each product is, -1: none."""
    is_unit_BKU = (column_BK.unsqueeze(2) == found.column_BU.unsqueeze(1)) & (found.column_BU > 0).unsqueeze(1)
    return is_unit_BKU.int().argmax(2).masked_fill(~is_unit_BKU.any(2), -1)


def sight(found: Own | None, pool_BJ: Tensor, column_BK: Tensor) -> Sight | None:
    """Columns of the pool's products and of the recommended ones."""
    if found is None:
        return None
    in_pool_BUJ = (found.column_BU.unsqueeze(2) == pool_BJ.unsqueeze(1)) & (found.column_BU > 0).unsqueeze(2)
    pool_BU = in_pool_BUJ.int().argmax(2).masked_fill(~in_pool_BUJ.any(2), -1)
    return Sight(found, pool_BU, shown_units(found, column_BK))
