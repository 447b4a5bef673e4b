"""Masking by degree, for methods that learn a mask: at the degrees 0 and 1 it is the one removal operator, exactly."""

# B shoppers, R rows (variants of one history), F = B × R, L lines, D width.
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from explanations.methods.embedded import attention_weights, hooked
from explanations.methods.removal import Cases
from recommendations.ml.history import History, gap_bucket
from recommendations.ml.model import Recommender

ALL = 1 - 1e-7  # of a line that is fully visible: its logarithm of being hidden stays finite


def soft_states(model: Recommender, cases: Cases, degree_BRL: Tensor) -> Tensor:
    """[B, R, D], differentiable in the degrees.

    1. Attention to a line is multiplied by its degree and renormalised, in every block: log degree on its logit.
    2. A line is part of the query by its degree times the degrees to which all later baskets are hidden; what is
       hidden to a degree gives way to the basket before by that degree.
    """
    rows = degree_BRL.shape[1]
    history = History(*(column.repeat_interleave(rows, 0) for column in cases.history))
    real_FL = cases.real_BL.repeat_interleave(rows, 0)
    degree_FL = degree_BRL.flatten(0, 1) * real_FL
    basket_F1 = cases.next_basket_B.repeat_interleave(rows, 0).unsqueeze(1)
    now_F1 = torch.full_like(basket_F1, cases.now)

    def fade(weight_FHQL: Tensor) -> Tensor:
        null, lines = weight_FHQL[..., :1], weight_FHQL[..., 1:] * degree_FL[:, None, None]
        return torch.cat([null, lines], -1) / (null + lines.sum(-1, keepdim=True))

    def replace_query(_block: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        _, tokens_FLD, *others = inputs
        return (_query(model, history, tokens_FLD, degree_FL, real_FL, now_F1), tokens_FLD, *others)

    with ExitStack() as stack:
        for weights in attention_weights(model):
            stack.enter_context(hooked(weights, fade))
        tokens_FLD = model.tokens_BLD(history)
        handle = model.blocks[-1].register_forward_pre_hook(replace_query)
        stack.callback(handle.remove)
        state_F1D = model.read_out(tokens_FLD, history, real_FL.unsqueeze(1), basket_F1, now_F1)
    return state_F1D.view(len(degree_BRL), rows, -1)


def _query(
    model: Recommender, history: History, tokens_FLD: Tensor, degree_FL: Tensor, real_FL: Tensor, now_F1: Tensor
) -> Tensor:
    """[F, 1, D]: the query of `Recommender.read_out`, with baskets that are there by degrees."""
    hidden_FL = torch.log1p(-degree_FL.clamp(max=ALL))
    later_FLL = (history.baskets_BL.unsqueeze(1) > history.baskets_BL.unsqueeze(2)) & real_FL.unsqueeze(1)
    part_FL = degree_FL * (later_FLL.to(hidden_FL.dtype) @ hidden_FL.unsqueeze(-1)).squeeze(-1).exp()
    lines_FLD = tokens_FLD
    if model.gaps is not None:
        lines_FLD = lines_FLD + model.gaps(gap_bucket(now_F1 - history.times_BL))
    nothing_F1 = hidden_FL.sum(-1, keepdim=True).exp()
    total_F1 = part_FL.sum(-1, keepdim=True) + nothing_F1
    query_FD = ((part_FL.unsqueeze(-1) * lines_FLD).sum(1) + nothing_F1 * model.empty) / total_F1
    return query_FD.unsqueeze(1)
