"""The product's own method behind the protocol: each unit left out, and the sets that were chosen greedily."""

# B shoppers, U units, K products.
import torch
from torch import Tensor

from explanations.methods.occlusion import Screening, screen
from explanations.methods.protocol import Question, competition
from explanations.methods.removal import NOTHING


def _screened(asked: Question) -> Screening:
    return screen(asked.model, asked.cases, competition(asked), asked.vectors_BKD, asked.offset_BK)


def leave_one_out(asked: Question) -> Tensor:
    """Δ log p when the unit is masked."""
    return _screened(asked).delta_BUK


@torch.no_grad()
def greedy(asked: Question) -> Tensor:
    """Δ log p, with the units that are shown as reasons first, in their order.

    What stands first was not necessarily strongest alone: the set was chosen for what it carries together.
    """
    screening = _screened(asked)
    return in_order(screening.delta_BUK, screening.chosen_BK3)


def in_order(value_BUK: Tensor, chosen_BKS: Tensor) -> Tensor:
    """The values with those of the chosen units raised above all others, in the order in which they were chosen."""
    value_BUK = value_BUK.clone()
    top_BK = value_BUK.amax(1).clamp(min=0)
    for place in range(chosen_BKS.shape[-1]):
        unit_B1K = chosen_BKS[..., place].unsqueeze(1)
        lifted = (top_BK + (chosen_BKS.shape[-1] - place)).unsqueeze(1)
        current = value_BUK.gather(1, unit_B1K.clamp(min=0))
        value_BUK.scatter_(1, unit_B1K.clamp(min=0), lifted.where(unit_B1K != NOTHING, current))
    return value_BUK
