"""Each unit left out, and sets chosen greedily for what their removal costs alone."""

# B shoppers, U units, K products, S units of a set.
import torch
from torch import Tensor

from explanations.methods.occlusion import Screening, screen
from explanations.methods.protocol import Question, competition
from explanations.methods.removal import NOTHING

GREEDY = 6  # how many of the best single units are tried together


def leave_one_out(asked: Question) -> Tensor:
    """Δ log p when the unit is masked."""
    return greedily(asked).delta_BUK


def greedily(asked: Question) -> Screening:
    return screen(
        asked.model,
        asked.cases,
        competition(asked),
        asked.vectors_BKD,
        asked.offset_BK,
        sufficiency=0.0,
        tried=GREEDY,
        short=0,
    )


@torch.no_grad()
def greedy(asked: Question) -> Tensor:
    """Δ log p, with a set first that was chosen for what it carries together."""
    screening = greedily(asked)
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
