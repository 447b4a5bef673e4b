"""What the maskable read-out is compared with: the usual causal self-attention over lines, on the same parameters."""

# B shoppers, Q queries, L history lines, D width.
import torch
from torch import Tensor

from recommendations.ml.history import History, gap_bucket, lag_bucket
from recommendations.ml.model import Recommender


class CausalRecommender(Recommender):
    """Every line sees itself and the lines before it, those of its own basket too, in the order of the file; a
    shopper's state is that of the last line before the moment asked.

    Blocks, product vectors, biases over distance and time, and everything after the state are the product's own, and
    the time since the last line is told as it is there. What is lost: a line cannot be taken out of a state without
    computing all later ones anew, and what it put into them stays in the query.
    """

    def tokens_BLD(self, history: History, visible_BL: Tensor | None = None) -> Tensor:  # noqa: N802, shape suffix
        x_BLD: Tensor = self.products(history.items_BL)
        if self.types is not None:
            x_BLD = x_BLD + self.types(history.types_BL)
        x_BLD = self.dropout(x_BLD)
        position_L = torch.arange(history.items_BL.shape[1], device=x_BLD.device)
        distance_LL = position_L.unsqueeze(1) - position_L.unsqueeze(0)
        near_LL = (distance_LL >= 0) & (distance_LL < self.config.history)
        visible_BLL = near_LL & (history.items_BL > 0).unsqueeze(1)
        lag_BLL = lag_bucket(distance_LL.clamp(min=0)).expand(len(x_BLD), -1, -1)
        gap_BLL = gap_bucket(history.times_BL.unsqueeze(2) - history.times_BL.unsqueeze(1))
        for block in self.blocks:
            x_BLD = block(x_BLD, x_BLD, visible_BLL, lag_BLL, gap_BLL)
        return x_BLD

    def read_out(
        self, tokens_BLD: Tensor, history: History, visible_BQL: Tensor, basket_BQ: Tensor, now_BQ: Tensor
    ) -> Tensor:
        position_L = torch.arange(visible_BQL.shape[-1], device=tokens_BLD.device)
        last_BQ = torch.where(visible_BQL, position_L, -1).amax(-1)
        place_BQ = last_BQ.clamp(min=0)
        state_BQD = tokens_BLD.gather(1, place_BQ.unsqueeze(-1).expand(-1, -1, tokens_BLD.shape[-1]))
        if self.gaps is not None:
            state_BQD = state_BQD + self.gaps(gap_bucket(now_BQ - history.times_BL.gather(1, place_BQ)))
        read_BQD: Tensor = self.norm(torch.where((last_BQ >= 0).unsqueeze(-1), state_BQD, self.empty))
        return read_BQD


def become_causal(model: Recommender) -> None:
    """The parameters are the same; only the way in which they are read differs."""
    model.__class__ = CausalRecommender
