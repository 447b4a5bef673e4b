"""What really happens to a recommendation when lines go, by either of two operators, on the plain forward.

`mask`: the model no longer sees them, all others keep their places. `drop`: they are taken out and the gap is closed.
No method is judged by the first alone, which is the product's own.
"""

# R variants of one shopper's history, X questions of a product in a variant, L lines, I products.
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from explanations.methods.protocol import Question
from explanations.methods.removal import Cases, states
from recommendations.ml.history import History
from recommendations.ml.model import Recommender

Operator = Literal["mask", "drop"]
OPERATORS: tuple[Operator, ...] = ("mask", "drop")
ROWS = 512  # scored at once: bounds memory


class Effects(NamedTuple):
    """Over all candidates: log p, and the rank from 1, ties by product number."""

    log_p_X: Tensor
    rank_X: Tensor


def effects(asked: Question, visible_XL: Tensor, item_X: Tensor, operator: Operator) -> Effects:
    """For one shopper. Each distinct variant is computed once."""
    distinct, row = np.unique(visible_XL.numpy(), axis=0, return_inverse=True)
    row_X = torch.from_numpy(row.reshape(-1))
    state_RD = _states(asked.model, asked.cases, torch.from_numpy(distinct), operator)
    log_p, rank = torch.empty(len(row_X)), torch.empty(len(row_X), dtype=torch.int64)
    number_I = torch.arange(len(asked.offset_I))
    for first in range(0, len(state_RD), ROWS):
        scores_RI = state_RD[first : first + ROWS] @ asked.vectors_ID.T + asked.offset_I
        scores_RI = scores_RI.masked_fill(~asked.candidates_BI[:1], float("-inf"))
        partition_R = torch.logsumexp(scores_RI, 1)
        asking = torch.nonzero((row_X >= first) & (row_X < first + ROWS)).squeeze(1)
        for some in torch.split(asking, ROWS):
            own_X1 = scores_RI[row_X[some] - first].gather(1, item_X[some].unsqueeze(1))
            mine_XI = scores_RI[row_X[some] - first]
            tied_XI = (mine_XI == own_X1) & (number_I < item_X[some].unsqueeze(1))
            log_p[some] = own_X1.squeeze(1) - partition_R[row_X[some] - first]
            rank[some] = 1 + ((mine_XI > own_X1) | tied_XI).sum(1)
    return Effects(log_p, rank)


@torch.inference_mode()
def _states(model: Recommender, cases: Cases, visible_RL: Tensor, operator: Operator) -> Tensor:
    if operator == "mask":
        return states(model, cases, visible_RL.unsqueeze(0))[0]
    history, next_R = closed_up(cases, visible_RL)
    real_R1L = (history.items_BL > 0).unsqueeze(1)
    now_R1 = torch.full((len(next_R), 1), cases.now)
    return model.read_out(model.tokens_BLD(history), history, real_R1L, next_R.unsqueeze(1), now_R1)[:, 0]


def closed_up(cases: Cases, visible_RL: Tensor) -> tuple[History, Tensor]:
    """Only the visible lines of one shopper, one after the other, their baskets numbered anew; and the next basket's.

    A line keeps the time at which it happened. Nothing older than what the model read moves in.
    """
    order_RL = torch.argsort((~visible_RL).int(), dim=1, stable=True)
    kept_RL = visible_RL.gather(1, order_RL)
    items, types, times, baskets = (column[:1].expand_as(visible_RL).gather(1, order_RL) for column in cases.history)
    new_RL = torch.zeros_like(kept_RL)
    new_RL[:, 1:] = (baskets[:, 1:] != baskets[:, :-1]) & kept_RL[:, 1:]
    number_RL = torch.cumsum(new_RL, 1)
    next_R = torch.where(kept_RL.any(1), number_RL.amax(1) + 1, 0)
    history = History(
        items.masked_fill(~kept_RL, 0), types.masked_fill(~kept_RL, 0), times.where(kept_RL, cases.now), number_RL
    )
    return history, next_R
