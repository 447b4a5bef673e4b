"""Screening: which evidence units carry which recommendation, by leaving each out and then greedily more."""

# B shoppers, K recommended products, U units, R rows, J products of the pool, G units that are tried, D width.
from typing import NamedTuple

import torch
from torch import Tensor

from explanations.methods.own import Sight, seen_units
from explanations.methods.partition import log_partition
from explanations.methods.reading import Reading
from explanations.methods.removal import NOTHING, Cases, states, without
from explanations.methods.rows import distinct
from recommendations.ml.model import Recommender

POOL = 256  # the strongest candidates stand for all of them while screening
GREEDY = 6  # how many of the best single units are tried together
REASONS = 3


class Screening(NamedTuple):
    """`delta_BUK`: log p lost when a unit is left out, against the pool; -inf where there is no unit.

    `chosen_BK3`: units chosen greedily, strongest first, -1 where none helps.
    `opposing_BK2`: units whose removal helps the product most, -1 where there is none.
    """

    delta_BUK: Tensor
    chosen_BK3: Tensor
    opposing_BK2: Tensor


class Pool(NamedTuple):
    """The strongest candidates of each shopper, the recommended ones first."""

    vectors_BJD: Tensor
    offset_BJ: Tensor  # bias and popularity: what does not depend on the history; -inf where there are fewer


def strongest(scores_BI: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """[B, J] scores and numbers, best first."""
    found: tuple[Tensor, Tensor] = torch.topk(scores_BI, min(size, scores_BI.shape[1]), dim=1)
    return found


def pool_of(values_BJ: Tensor, items_BJ: Tensor, vectors_ID: Tensor, offset_I: Tensor) -> Pool:
    offset = offset_I[items_BJ].masked_fill(values_BJ == float("-inf"), float("-inf"))
    return Pool(vectors_ID[items_BJ], offset)


def pool(scores_BI: Tensor, vectors_ID: Tensor, offset_I: Tensor, size: int) -> Pool:
    return pool_of(*strongest(scores_BI, size), vectors_ID, offset_I)


def log_p(
    state_BRD: Tensor,
    candidates: Pool,
    vectors_BKD: Tensor,
    offset_BK: Tensor,
    sight: Sight | None = None,
    seen_BRU: Tensor | None = None,
) -> Tensor:
    """[B, R, K] log-softmax of K products over the pool; with what their own units add, in rows that see them."""
    logits_BRJ = state_BRD @ candidates.vectors_BJD.mT + candidates.offset_BJ.unsqueeze(1)
    scores_BRK = state_BRD @ vectors_BKD.mT + offset_BK.unsqueeze(1)
    if sight is not None and seen_BRU is not None:
        owner_X = torch.arange(len(state_BRD)).repeat_interleave(state_BRD.shape[1])
        added = sight.own.added(state_BRD.flatten(0, 1), owner_X, seen_BRU.flatten(0, 1)).view(seen_BRU.shape)
        place, unit = sight.pool_BU.unsqueeze(1), sight.shown_BK.unsqueeze(1)
        logits_BRJ = logits_BRJ.scatter_add(2, place.clamp(min=0).expand_as(added), added * (place >= 0))
        scores_BRK = scores_BRK + added.gather(2, unit.clamp(min=0).expand_as(scores_BRK)) * (unit >= 0)
    return scores_BRK - log_partition(logits_BRJ).unsqueeze(-1)


@torch.inference_mode()
def leave_one_out(
    model: Recommender,
    cases: Cases,
    candidates: Pool,
    vectors_BKD: Tensor,
    offset_BK: Tensor,
    shared: Reading | None = None,
    sight: Sight | None = None,
) -> tuple[Tensor, Tensor]:
    """log p [B, K] with everything, and [B, U, K] what of it is lost when a unit is left out, -inf where there is none.

    One pass answers for all K products, which enter only by the last dot product.
    """
    batch, units = cases.unit_item_BU.shape
    each_BU1 = torch.arange(units).view(1, -1, 1).expand(batch, -1, -1)
    visible = without(cases, torch.cat([torch.full((batch, 1, 1), NOTHING), each_BU1], dim=1))
    seen = None if sight is None else seen_units(cases, visible)
    reached = log_p(states(model, cases, visible, shared), candidates, vectors_BKD, offset_BK, sight, seen)
    lost = (reached[:, :1] - reached[:, 1:]).masked_fill((cases.unit_item_BU == 0).unsqueeze(-1), float("-inf"))
    return reached[:, 0], lost


@torch.inference_mode()
def screen(
    model: Recommender,
    cases: Cases,
    candidates: Pool,
    vectors_BKD: Tensor,
    offset_BK: Tensor,
    shared: Reading | None = None,
    sight: Sight | None = None,
) -> Screening:
    """1. Leave out each unit.
    2. The strongest unit opens; the next is the one of the best `GREEDY` whose joint removal costs most; again.
    A unit is chosen only while it makes the joint loss larger.
    """
    units, exists_BU = cases.unit_item_BU.shape[1], cases.unit_item_BU > 0
    full_BK, delta_BUK = leave_one_out(model, cases, candidates, vectors_BKD, offset_BK, shared, sight)
    best = torch.topk(delta_BUK.transpose(1, 2), min(GREEDY, units), dim=-1)
    first = torch.where(best.values[..., :1] > 0, best.indices[..., :1], NOTHING)
    chosen, joint = first, best.values[..., :1].clamp(min=0)
    for _ in range(REASONS - 1):
        trial = torch.cat(
            [chosen.unsqueeze(2).expand(-1, -1, best.indices.shape[-1], -1), best.indices.unsqueeze(-1)], dim=-1
        )  # B K G S
        repeated = (trial[..., :-1] == trial[..., -1:]).any(-1) | (best.values == float("-inf"))
        rows = distinct(model, cases, without(cases, trial.flatten(1, 2)), shared)
        place_BKG = rows.place_F[rows.row_BX].view(repeated.shape)
        reached_BKR = log_p(rows.state_BRD, candidates, vectors_BKD, offset_BK, sight, rows.seen_BRU).transpose(1, 2)
        lost = full_BK.unsqueeze(-1) - reached_BKR.gather(2, place_BKG)
        lost = lost.masked_fill(repeated, float("-inf"))
        value, index = lost.max(-1, keepdim=True)
        better = (value > joint) & (chosen[..., :1] != NOTHING)
        unit = best.indices.gather(-1, index)
        chosen = torch.cat([chosen, torch.where(better, unit, NOTHING)], dim=-1)
        joint = torch.where(better, value, joint)
    if chosen.shape[-1] < REASONS:
        chosen = torch.nn.functional.pad(chosen, (0, REASONS - chosen.shape[-1]), value=NOTHING)
    against = torch.topk(
        delta_BUK.masked_fill(~exists_BU.unsqueeze(-1), float("inf")).transpose(1, 2),
        min(2, units),
        dim=-1,
        largest=False,
    )
    opposing = torch.where(against.values < 0, against.indices, NOTHING)
    opposing = torch.nn.functional.pad(opposing, (0, 2 - opposing.shape[-1]), value=NOTHING)
    return Screening(delta_BUK, chosen, opposing)
