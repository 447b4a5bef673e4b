"""Softmax cross-entropy of target baskets: over the whole catalogue, or with negatives that the batch shares."""

# R states that are asked (a query for one kind of line), D width, I products, J columns, K negatives, T targets,
# P pairs of a query and a product.
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from recommendations.ml.batches import Batch
from recommendations.ml.history import History
from recommendations.ml.model import Recommender
from recommendations.ml.partition import Partition, Scored

NOTHING = -1e9  # a logarithm of as good as 0 that can still be multiplied by 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Queries:
    """The states that a batch asks of, and what products score with them."""

    model: Recommender
    state_RD: Tensor
    popularity_PI: Tensor | None
    period_R: Tensor | None
    query_R: Tensor  # flat indices into B × Q, ascending
    met_row_P: Tensor  # what the history itself adds: pairs in ascending order of row and product
    met_item_P: Tensor
    met_value_P: Tensor

    def grid(self, columns_J: Tensor, vectors_JD: Tensor) -> Tensor:
        """[R, J] scores of distinct products."""
        scores_RJ = torch.addmm(self.model.bias(columns_J).squeeze(-1), self.state_RD, vectors_JD.T)
        if self.popularity_PI is not None and self.period_R is not None:
            popularity_RJ = self.popularity_PI[:, columns_J][self.period_R]
            scores_RJ = torch.addcmul(scores_RJ, self.model.popularity_weight, popularity_RJ)
        if len(self.met_row_P):
            position_I = torch.full((self.model.bias.num_embeddings,), -1, device=columns_J.device)
            position_I[columns_J] = torch.arange(len(columns_J), device=columns_J.device)
            column_P = position_I[self.met_item_P]
            inside = column_P >= 0
            scores_RJ = scores_RJ.index_put(
                (self.met_row_P[inside], column_P[inside]), self.met_value_P[inside], accumulate=True
            )
        return scores_RJ

    def pairs(self, row_T: Tensor, item_T: Tensor, vectors_TD: Tensor) -> Tensor:
        """[T] scores of single products."""
        scores_T = (self.state_RD[row_T] * vectors_TD).sum(-1) + self.model.bias(item_T).squeeze(-1)
        if self.popularity_PI is not None and self.period_R is not None:
            scores_T = scores_T + self.model.popularity_weight * self.popularity_PI[self.period_R[row_T], item_T]
        if len(self.met_row_P):
            width = self.model.bias.num_embeddings
            key_P, key_T = self.met_row_P * width + self.met_item_P, row_T * width + item_T
            found_T = torch.searchsorted(key_P, key_T).clamp(max=len(key_P) - 1)
            scores_T = scores_T + self.met_value_P[found_T].where(key_P[found_T] == key_T, 0.0)
        return scores_T


def queries(
    model: Recommender,
    batch: Batch,
    query_R: Tensor,
    kind_R: Tensor,
    *,
    popularity_PI: Tensor | None,
    period_BQ: Tensor | None,
) -> Queries:
    """Read out the states of `query_R` (flat indices into B × Q, ascending), each for the kind that is asked."""
    history, width = batch.history, model.bias.num_embeddings
    state_BQD = model.read_out(
        model.tokens_BLD(history, batch.visible_BQL.any(1)), history, batch.visible_BQL, batch.basket_BQ, batch.now_BQ
    )
    state_RD = model.aimed(state_BQD.flatten(0, 1)[query_R], kind_R)
    nothing = torch.empty(0, dtype=torch.int64, device=query_R.device)
    row_P, item_P, value_P = nothing, nothing, nothing.float()
    earlier_BQL = batch.visible_BQL & (history.baskets_BL.unsqueeze(1) < batch.basket_BQ.unsqueeze(-1))
    if model.repeats is not None:
        met = model.repeats.own(history, earlier_BQL, batch.now_BQ)
        row_P, pair_P = rows_asking(query_R, met.query_P)
        item_P = met.item_P[pair_P]
        order = torch.argsort(row_P * width + item_P)
        row_P, item_P, pair_P = row_P[order], item_P[order], pair_P[order]
        value_P = model.repeats(met.of(row_P, pair_P), state_RD)
    given_BQL = batch.visible_BQL & ~earlier_BQL
    if bool(given_BQL.any()):
        key_P, value_P = _closed(row_P * width + item_P, value_P, _given(history, given_BQL, query_R, width))
        row_P, item_P = key_P // width, key_P % width
    return Queries(
        model=model,
        state_RD=state_RD,
        query_R=query_R,
        popularity_PI=popularity_PI,
        period_R=None if period_BQ is None else period_BQ.flatten()[query_R],
        met_row_P=row_P,
        met_item_P=item_P,
        met_value_P=value_P,
    )


def _given(history: History, given_BQL: Tensor, query_R: Tensor, width: int) -> Tensor:
    """[G] row · width + product of what each row was shown of its own basket, ascending, each once."""
    shopper_P, place_P, line_P = torch.nonzero(given_BQL, as_tuple=True)
    row_P, pair_P = rows_asking(query_R, shopper_P * given_BQL.shape[1] + place_P)
    return torch.unique(row_P * width + history.items_BL[shopper_P, line_P][pair_P])


def _closed(key_P: Tensor, value_P: Tensor, closed_G: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs of a row and a product with those added, or changed, that are in the basket already: they take no part."""
    kept_P = ~torch.isin(key_P, closed_G)
    keys = torch.cat([key_P[kept_P], closed_G])
    values = torch.cat([value_P[kept_P], value_P.new_full((len(closed_G),), NOTHING)])
    order = torch.argsort(keys)
    return keys[order], values[order]


def rows_asking(query_R: Tensor, query_P: Tensor) -> tuple[Tensor, Tensor]:
    """Every row that asks the query of a pair: (row, pair), for ascending `query_R`."""
    first_P = torch.searchsorted(query_R, query_P)
    count_P = torch.searchsorted(query_R, query_P, right=True) - first_P
    pair = torch.repeat_interleave(torch.arange(len(query_P), device=query_P.device), count_P)
    start_P = torch.cumsum(count_P, 0) - count_P
    return first_P[pair] + torch.arange(len(pair), device=query_P.device) - start_P[pair], pair


def next_basket_loss(
    model: Recommender,
    batch: Batch,
    *,
    popularity_PI: Tensor | None,
    period_BQ: Tensor | None,
    negatives: int,
    low: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    """Sum over targets of weight · -log p(target), and the sum of weights. log p is a softmax over all products,
    or an estimate of it from `negatives` products drawn uniformly (their logits are raised by log(I / K), the
    query's own targets are masked out of them). What the shopper does not want, or was shown in vain, stands among the
    negatives as often as its weight says: it is pushed down for this state, and so for states and products like them.
    """
    kinds = 1 if model.aims is None else len(model.aims)
    rows, row_T = torch.unique(batch.query_T * kinds + batch.kind_T, return_inverse=True)
    query_R, kind_R = rows // kinds, rows % kinds
    asked = queries(model, batch, query_R, kind_R, popularity_PI=popularity_PI, period_BQ=period_BQ)
    products = model.bias.num_embeddings - 1
    pushed_R = _pushed(asked, batch, row_T) if len(batch.unwanted_query_P) else None
    if not negatives or negatives >= products:
        everything = torch.arange(1, products + 1, device=rows.device)
        vectors_ID = model.products(everything)
        score_T = asked.pairs(row_T, batch.item_T, vectors_ID[batch.item_T - 1])
        weight_R = torch.zeros(len(rows), device=rows.device).index_add(0, row_T, batch.weight_T)
        partition = _whole(asked, vectors_ID, weight_R, pushed_R, low)
    else:
        score_T, partition_T = _sampled(asked, row_T, batch.item_T, negatives, products)
        if pushed_R is not None:
            partition_T = torch.logaddexp(partition_T, pushed_R[row_T])
        partition = (batch.weight_T * partition_T).sum()
    return partition - (batch.weight_T * score_T).sum(), batch.weight_T.sum()


def _whole(asked: Queries, vectors_ID: Tensor, weight_R: Tensor, pushed_R: Tensor | None, low: torch.dtype) -> Tensor:
    """Σ weight · log-partition over the whole catalogue."""
    scored = Scored(
        weight_R=weight_R,
        popularity_TI=asked.popularity_PI[:, 1:] if asked.popularity_PI is not None else None,
        period_R=asked.period_R,
        row_P=asked.met_row_P,
        column_P=asked.met_item_P - 1,
    )
    with torch.autocast(vectors_ID.device.type, enabled=False):
        found: Tensor = Partition.apply(
            asked.state_RD.float(),
            vectors_ID,
            asked.model.bias.weight[1:, 0],
            asked.model.popularity_weight,
            asked.met_value_P.float(),
            pushed_R,
            scored,
            low,
        )
    return found


def _pushed(asked: Queries, batch: Batch, row_T: Tensor) -> Tensor:
    """[R] log Σ weight · exp(score) over what each query's shopper does not want or was shown in vain, or NOTHING.

    What the query's basket holds all the same is left out.
    """
    width = asked.model.bias.num_embeddings
    row_P, pair_P = rows_asking(asked.query_R, batch.unwanted_query_P)
    item_P, weight_P = batch.unwanted_item_P[pair_P], batch.unwanted_weight_P[pair_P]
    kept = ~torch.isin(row_P * width + item_P, row_T * width + batch.item_T)
    row_P, item_P, weight_P = row_P[kept], item_P[kept], weight_P[kept]
    score_P = asked.pairs(row_P, item_P, asked.model.products(item_P))
    raised_P = score_P + torch.log(weight_P)
    most_R = torch.full((len(asked.query_R),), float("-inf"), device=row_P.device)
    most_R = most_R.scatter_reduce(0, row_P, raised_P.detach(), "amax")
    sum_R = torch.zeros_like(most_R).scatter_add(0, row_P, (raised_P - most_R[row_P]).exp())
    found_R = most_R + torch.log(sum_R.clamp(min=torch.finfo(sum_R.dtype).tiny))
    return found_R.clamp(min=NOTHING)


def _sampled(asked: Queries, row_T: Tensor, target_T: Tensor, negatives: int, products: int) -> tuple[Tensor, Tensor]:
    """[T] scores of the targets, and estimates of the log-partitions: of the negatives and the target itself."""
    device = row_T.device
    drawn_K = torch.unique(torch.randint(1, products + 1, (negatives,), device=device))
    wanted, item_T = torch.unique(target_T, return_inverse=True)
    vectors = asked.model.products(torch.cat([drawn_K, wanted]))
    count = len(drawn_K)
    logits_RK = asked.grid(drawn_K, vectors[:count]) + math.log(products / count)
    position_I = torch.full((products + 1,), -1, device=device)
    position_I[drawn_K] = torch.arange(count, device=device)
    column_T = position_I[target_T]
    drawn = column_T >= 0
    is_target_RK = torch.zeros_like(logits_RK, dtype=torch.bool)
    is_target_RK[row_T[drawn], column_T[drawn]] = True
    partition_R = torch.logsumexp(logits_RK.masked_fill(is_target_RK, float("-inf")), dim=1)
    score_T = asked.pairs(row_T, target_T, vectors[count:][item_T])
    return score_T, torch.logaddexp(score_T, partition_R[row_T])
