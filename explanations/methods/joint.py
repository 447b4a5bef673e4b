"""Greedy sets that are both needed and enough: what is lost without them, and in part what they carry alone."""

# B shoppers, R sets, S units of a set, U units, K products, G units that are tried.
import torch
from torch import Tensor

from explanations.methods.leave_one_out import in_order
from explanations.methods.occlusion import GREEDY, REASONS, Pool, log_p
from explanations.methods.protocol import Question, competition, only_units
from explanations.methods.removal import only, states, without

# A little sufficiency goes far: of what three units may carry alone a third more, for a hundredth of what they cost
# when left out (measured on the demo shop, see tests/benchmarks/explanations).
SUFFICIENCY = 0.15


@torch.no_grad()
def joint(asked: Question) -> Tensor:
    """1. Value each unit. 2. The best opens; the next is the one of the best six with which the set is worth most."""
    batch, units = asked.cases.unit_item_BU.shape
    pool = competition(asked)
    each = torch.arange(units).view(1, -1, 1).expand(batch, -1, -1)
    value_BUK = only_units(asked.cases, _value_BRK(asked, pool, each))
    best = torch.topk(value_BUK.transpose(1, 2), min(GREEDY, units), dim=-1)
    missing_BKG = best.values == float("-inf")
    chosen_BKS = best.indices[..., :1]
    for _ in range(min(REASONS, best.indices.shape[-1]) - 1):
        earlier = chosen_BKS.unsqueeze(2).expand(-1, -1, best.indices.shape[-1], -1)
        trial_BKGS = torch.cat([earlier, best.indices.unsqueeze(-1)], dim=-1)
        found = _value_BRK(asked, pool, trial_BKGS.flatten(1, 2)).unflatten(1, trial_BKGS.shape[1:3])
        own_BKG = found.diagonal(dim1=1, dim2=3).transpose(1, 2)
        repeated_BKG = (earlier == best.indices.unsqueeze(-1)).any(-1)
        next_BK1 = own_BKG.masked_fill(repeated_BKG | missing_BKG, float("-inf")).argmax(-1, keepdim=True)
        chosen_BKS = torch.cat([chosen_BKS, best.indices.gather(-1, next_BK1)], dim=-1)
    return only_units(asked.cases, in_order(value_BUK, chosen_BKS))


def _value_BRK(asked: Question, pool: Pool, sets_BRS: Tensor) -> Tensor:
    """log p lost without each set, plus a part of what it gains over an empty history."""
    real = asked.cases.real_BL.unsqueeze(1)
    ends = [real, torch.zeros_like(real)]
    visible = torch.cat([*ends, without(asked.cases, sets_BRS), only(asked.cases, sets_BRS)], dim=1)
    reached = log_p(states(asked.model, asked.cases, visible), pool, asked.vectors_BKD, asked.offset_BK)
    everything, nothing, left, kept = reached.tensor_split([1, 2, 2 + sets_BRS.shape[1]], dim=1)
    return (everything - left) + SUFFICIENCY * (kept - nothing)
