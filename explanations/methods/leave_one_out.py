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
    value_BUK = screening.delta_BUK.clone()
    top_BK = value_BUK.amax(1).clamp(min=0)
    reasons = screening.chosen_BK3.shape[-1]
    for place in range(reasons):
        unit_BK = screening.chosen_BK3[..., place]
        lifted = (top_BK + (reasons - place)).unsqueeze(1)
        current = value_BUK.gather(1, unit_BK.clamp(min=0).unsqueeze(1))
        chosen = (unit_BK != NOTHING).unsqueeze(1)
        value_BUK.scatter_(1, unit_BK.clamp(min=0).unsqueeze(1), lifted.where(chosen, current))
    return value_BUK
