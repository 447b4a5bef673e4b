"""Screening: which evidence units carry which recommendation, by leaving each out and then greedily more."""

# B shoppers, K recommended products, U units, R rows, J products of the pool, D width.
from typing import NamedTuple

import torch
from torch import Tensor

from explanations.methods.removal import NOTHING, Cases, states, without
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


def pool(scores_BI: Tensor, vectors_ID: Tensor, offset_I: Tensor, size: int) -> Pool:
    values, items = torch.topk(scores_BI, min(size, scores_BI.shape[1]), dim=1)
    offset = offset_I[items].masked_fill(values == float("-inf"), float("-inf"))
    return Pool(vectors_ID[items], offset)


def log_p(state_BRD: Tensor, candidates: Pool, vectors_BKD: Tensor, offset_BK: Tensor) -> Tensor:
    """[B, R, K] log-softmax of K products over the pool."""
    partition = torch.logsumexp(state_BRD @ candidates.vectors_BJD.mT + candidates.offset_BJ.unsqueeze(1), dim=-1)
    return state_BRD @ vectors_BKD.mT + offset_BK.unsqueeze(1) - partition.unsqueeze(-1)


@torch.inference_mode()
def screen(model: Recommender, cases: Cases, candidates: Pool, vectors_BKD: Tensor, offset_BK: Tensor) -> Screening:
    """1. Leave out each unit; one pass answers for all K products, which enter only by the last dot product.
    2. The strongest unit opens; the next is the one of the best `GREEDY` whose joint removal costs most; again.
    A unit is chosen only while it makes the joint loss larger.
    """
    batch, units = cases.unit_item_BU.shape
    exists_BU = cases.unit_item_BU > 0
    each_BU1 = torch.arange(units).view(1, -1, 1).expand(batch, -1, -1)
    nothing = torch.full((batch, 1, 1), NOTHING)
    rows = torch.cat([nothing, each_BU1], dim=1)
    reached = log_p(states(model, cases, without(cases, rows)), candidates, vectors_BKD, offset_BK)
    delta_BUK = (reached[:, :1] - reached[:, 1:]).masked_fill(~exists_BU.unsqueeze(-1), float("-inf"))

    best = torch.topk(delta_BUK.transpose(1, 2), min(GREEDY, units), dim=-1)
    first = torch.where(best.values[..., :1] > 0, best.indices[..., :1], NOTHING)
    chosen, joint = first, best.values[..., :1].clamp(min=0)
    for _ in range(REASONS - 1):
        trial = torch.cat(
            [chosen.unsqueeze(2).expand(-1, -1, best.indices.shape[-1], -1), best.indices.unsqueeze(-1)], dim=-1
        )  # B K G S
        repeated = (trial[..., :-1] == trial[..., -1:]).any(-1) | (best.values == float("-inf"))
        flat = trial.flatten(1, 2)
        state = states(model, cases, without(cases, flat))
        state_BKGD = state.unflatten(1, trial.shape[1:3])
        partition = torch.logsumexp(
            state @ candidates.vectors_BJD.mT + candidates.offset_BJ.unsqueeze(1), dim=-1
        ).unflatten(1, trial.shape[1:3])
        log_p_BKG = torch.einsum("bkgd,bkd->bkg", state_BKGD, vectors_BKD) + offset_BK.unsqueeze(-1) - partition
        lost = (reached[:, 0].unsqueeze(-1) - log_p_BKG).masked_fill(repeated, float("-inf"))
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
