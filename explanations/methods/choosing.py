"""Which units are named together: what a product needs, and in part what is enough for it."""

# B shoppers, K recommended products, U units, G units that are tried, T sets that are tried, S units of a set, L lines.
from typing import NamedTuple

import torch
from torch import Tensor

from explanations.methods.own import Sight
from explanations.methods.pools import Pool, log_p
from explanations.methods.reading import Reading
from explanations.methods.removal import NOTHING, Cases, only, without
from explanations.methods.rows import distinct
from recommendations.ml.model import Recommender

REASONS = 3
TRIED = 8  # so many of the units that are worth most alone are tried together
SHORT = 12  # units: of a history that has no more all are tried, and earlier choices are reconsidered
# A little sufficiency goes far: what three units carry alone grows by a fifth, for a hundredth of what they cost when
# left out (chosen on other shoppers than those of the comparison, see tests/benchmarks/explanations).
SUFFICIENCY = 0.15


class Worth(NamedTuple):
    """What a set of units is worth to a product: log p lost without it, and `sufficiency` x what it gains over nothing.

    `full_BK`, `empty_BK`: log p with everything and with nothing.
    """

    model: Recommender
    cases: Cases
    pool: Pool
    vectors_BKD: Tensor
    offset_BK: Tensor
    shared: Reading | None
    sight: Sight | None
    full_BK: Tensor
    empty_BK: Tensor
    sufficiency: float

    def of_units(self, lost_BUK: Tensor) -> Tensor:
        """[B, U, K] of each unit alone, given what is lost without it; -inf where there is none."""
        if not self.sufficiency:
            return lost_BUK
        batch, units = self.cases.unit_item_BU.shape
        each_BU1 = torch.arange(units).view(1, -1, 1).expand(batch, -1, -1)
        rows = distinct(self.model, self.cases, only(self.cases, each_BU1), self.shared)
        reached = log_p(rows.state_BRD, self.pool, self.vectors_BKD, self.offset_BK, self.sight, rows.seen_BRU)
        place_BUK = rows.place_F[rows.row_BX].unsqueeze(-1).expand_as(lost_BUK)
        return lost_BUK + self.sufficiency * (reached.gather(1, place_BUK) - self.empty_BK.unsqueeze(1))

    def of_sets(self, sets_BKTS: Tensor) -> tuple[Tensor, Tensor]:
        """[B, K, T] each, of each product's own sets: what is lost without it, and what it is worth.

        A set that several ask about is computed once.
        """
        flat = sets_BKTS.flatten(1, 2)
        views = [without(self.cases, flat)] + ([only(self.cases, flat)] if self.sufficiency else [])
        rows = distinct(self.model, self.cases, torch.cat(views, dim=1), self.shared)
        reached = log_p(rows.state_BRD, self.pool, self.vectors_BKD, self.offset_BK, self.sight, rows.seen_BRU)
        place_BVKT = rows.place_F[rows.row_BX].unflatten(1, (len(views), *sets_BKTS.shape[1:3]))
        found = reached.transpose(1, 2).unsqueeze(1).expand(-1, len(views), -1, -1).gather(3, place_BVKT)
        lost = self.full_BK.unsqueeze(-1) - found[:, 0]
        if not self.sufficiency:
            return lost, lost
        return lost, lost + self.sufficiency * (found[:, 1] - self.empty_BK.unsqueeze(-1))


class Chosen(NamedTuple):
    """[B, K, 3] units each, -1 where there is none that adds anything: those that are named together, and those whose
    removal is tried when it is asked what would move a product away. Both begin with the same one.
    """

    named_BK3: Tensor
    removed_BK3: Tensor


def chosen(worth: Worth, lost_BUK: Tensor, *, tried: int, short: int) -> Chosen:
    """1. The unit without which most is lost opens, if anything is; the next is the one of the best `tried` with which
       the set is worth most; again. In the same way a set is chosen for what is lost without it alone.
    2. In a history of up to `short` units all are tried, and the second may still give way to a better one.
    """
    of_BKU, lost_BKU = worth.of_units(lost_BUK).transpose(1, 2), lost_BUK.transpose(1, 2)
    is_short_B11 = ((worth.cases.unit_item_BU > 0).sum(1) <= short).view(-1, 1, 1)
    is_any_short = bool(is_short_B11.any())  # else nothing is asked that nobody would hear
    at_most = max(tried, short) if is_any_short else tried
    value_BKG, best_BKG = (part[..., :at_most] for part in torch.sort(of_BKU, dim=-1, descending=True, stable=True))
    is_tried_BKG = value_BKG > float("-inf")
    is_tried_BKG &= is_short_B11 | (torch.arange(best_BKG.shape[-1]) < tried)
    opening = lost_BKU.max(-1, keepdim=True)
    is_open_BK1 = opening.values > 0
    first_BK1 = torch.where(is_open_BK1, opening.indices, NOTHING)

    def beside(kept_BKS: Tensor, asked_BKG: Tensor, by: Worth = worth) -> tuple[Tensor, Tensor]:
        """[B, K, G] each: what is lost without those that are kept and another, and what they are worth together."""
        trial_BKGS = torch.cat(
            [kept_BKS.unsqueeze(2).expand(-1, -1, asked_BKG.shape[-1], -1), best_BKG.unsqueeze(-1)], dim=-1
        )
        asked_BKG = asked_BKG & is_open_BK1 & ~(trial_BKGS[..., :-1] == trial_BKGS[..., -1:]).any(-1)
        trial_BKGS = trial_BKGS.masked_fill(~asked_BKG.unsqueeze(-1), NOTHING)  # all one row, which costs nothing
        lost, value = by.of_sets(trial_BKGS)
        return lost.masked_fill(~asked_BKG, float("-inf")), value.masked_fill(~asked_BKG, float("-inf"))

    def more(sets_BKS: Tensor, value_BK1: Tensor, found_BKG: Tensor) -> tuple[Tensor, Tensor]:
        """The set with the best of those, if that is better than without."""
        value, index = found_BKG.max(-1, keepdim=True)
        unit = torch.where(value > value_BK1, best_BKG.gather(-1, index), NOTHING)
        return torch.cat([sets_BKS, unit], dim=-1), torch.maximum(value, value_BK1)

    lost, value = beside(first_BK1, is_tried_BKG)
    named_BKS, value_BK1 = more(first_BK1, of_BKU.gather(-1, opening.indices), value)
    removed_BKS, lost_BK1 = more(first_BK1, opening.values, lost)
    lost, value = beside(named_BKS, is_tried_BKG)
    is_other_BK1 = removed_BKS[..., 1:] != named_BKS[..., 1:]
    if worth.sufficiency and bool(is_other_BK1.any()):
        apart, _ = beside(removed_BKS, is_tried_BKG & is_other_BK1, worth._replace(sufficiency=0.0))
        lost = torch.where(is_other_BK1, apart, lost)
    named_BKS, value_BK1 = more(named_BKS, value_BK1, value)
    removed_BKS, _ = more(removed_BKS, lost_BK1, lost)
    if is_any_short:
        kept_BKS = named_BKS[..., [0, 2]]
        changed_BKS, _ = more(kept_BKS, value_BK1, beside(kept_BKS, is_tried_BKG & is_short_B11)[1])
        named_BKS = torch.where(changed_BKS[..., 2:] != NOTHING, changed_BKS, named_BKS)
    return Chosen(named_BKS, removed_BKS)


def strongest_first(sets_BKS: Tensor, lost_BUK: Tensor) -> Tensor:
    """By what is lost without each alone, ties by number; what is missing stands last."""
    sets_BKS = sets_BKS.sort(-1).values
    lost_BKS = lost_BUK.transpose(1, 2).gather(2, sets_BKS.clamp(min=0))
    lost_BKS = lost_BKS.masked_fill(sets_BKS == NOTHING, float("-inf"))
    return sets_BKS.gather(-1, torch.argsort(lost_BKS, dim=-1, descending=True, stable=True))
