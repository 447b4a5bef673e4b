"""Attention rollout (Abnar & Zuidema 2020): attention followed through all blocks, residuals as half of the way."""

# B shoppers, L lines, K products.
import torch
from torch import Tensor

from explanations.methods.attention import weights
from explanations.methods.protocol import Question, per_unit
from explanations.methods.removal import Cases


def recent_BL(cases: Cases) -> Tensor:
    """How the query is made: equal parts of the most recent basket, which is the residual of the read-out."""
    baskets = cases.history.baskets_BL.masked_fill(~cases.real_BL, -1)
    recent = (cases.real_BL & (baskets == baskets.amax(1, keepdim=True))).float()
    return recent / recent.sum(1, keepdim=True).clamp(min=1)


@torch.no_grad()
def rollout(asked: Question) -> Tensor:
    *earlier, last_B1L = weights(asked.model, asked.cases)
    flow_B1L = 0.5 * last_B1L + 0.5 * recent_BL(asked.cases).unsqueeze(1)
    for weight_BLL in reversed(earlier):
        flow_B1L = 0.5 * flow_B1L @ weight_BLL + 0.5 * flow_B1L
    return per_unit(asked.cases, flow_B1L.expand(-1, asked.items_BK.shape[1], -1))
