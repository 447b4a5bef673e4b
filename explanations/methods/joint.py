"""The product's own method behind the protocol: sets that are needed and, in part, enough."""

import torch
from torch import Tensor

from explanations.methods.leave_one_out import in_order
from explanations.methods.occlusion import screen
from explanations.methods.protocol import Question, competition


@torch.no_grad()
def joint(asked: Question) -> Tensor:
    """Δ log p, with the units that are named as reasons first, in their order."""
    screening = screen(asked.model, asked.cases, competition(asked), asked.vectors_BKD, asked.offset_BK)
    return in_order(screening.delta_BUK, screening.chosen_BK3)
