"""Attention weights, as other recommenders show them: a control here, never a reason."""

# B shoppers, H heads, Q queries, L lines, U units, K products.
from contextlib import ExitStack

import torch
from torch import Tensor

from explanations.methods.embedded import attention_weights, hooked
from explanations.methods.protocol import Question, per_unit
from explanations.methods.removal import Cases, states
from recommendations.ml.model import Recommender


@torch.no_grad()
def weights(model: Recommender, cases: Cases) -> list[Tensor]:
    """[B, Q, L] of each block, the mean over heads; in the last one the only query is the read-out.

    They are read where they pass through dropout. What the null key takes is left out, so rows add up to less than 1.
    """
    seen: list[Tensor] = []
    with ExitStack() as stack:
        for module in attention_weights(model):
            stack.enter_context(hooked(module, seen.append))
        states(model, cases, cases.real_BL.unsqueeze(1))
    return [weight_BHQL.mean(1)[..., 1:] for weight_BHQL in seen]


def attention(asked: Question) -> Tensor:
    """What the read-out looks at, the same for every product."""
    products = asked.items_BK.shape[1]
    return per_unit(asked.cases, weights(asked.model, asked.cases)[-1].expand(-1, products, -1))
