"""Softmax cross-entropy of target baskets: over the whole catalogue, or with negatives that the batch shares."""

# R query states that have targets, D width, I products, K negatives, T targets.
import torch
from torch import Tensor

from recommendations.ml.batches import Batch
from recommendations.ml.model import Recommender


def next_basket_loss(
    model: Recommender,
    batch: Batch,
    *,
    popularity_PI: Tensor | None,
    period_BQ: Tensor | None,
    negatives: int,
) -> tuple[Tensor, Tensor]:
    """Sum over targets of weight · -log p(target), and the sum of weights. log p is a softmax over all products,
    or an estimate of it from `negatives` products drawn uniformly (their logits are raised by log(I / K), the
    query's own targets are masked out of them).
    """
    history = batch.history
    state_BQD = model.read_out(
        model.tokens_BLD(history, batch.visible_BQL.any(1)), history, batch.visible_BQL, batch.basket_BQ, batch.now_BQ
    )
    rows, query_T = torch.unique(batch.query_T, return_inverse=True)
    state_RD = state_BQD.flatten(0, 1)[rows]
    period_R = None if period_BQ is None else period_BQ.flatten()[rows]
    products = model.bias.num_embeddings - 1
    if not negatives or negatives >= products:
        everything = torch.arange(1, products + 1, device=state_RD.device)
        popular = None if popularity_PI is None or period_R is None else popularity_PI[period_R][:, 1:]
        logits_RI = model.scores(state_RD, everything, popular)
        partition_R = torch.logsumexp(logits_RI, dim=1)
        target_T = logits_RI[query_T, batch.item_T - 1]
        log_p_T = target_T - partition_R[query_T]
    else:
        drawn_K = torch.randint(1, products + 1, (negatives,), device=state_RD.device)
        wanted, item_T = torch.unique(batch.item_T, return_inverse=True)
        columns = torch.cat([drawn_K, wanted])
        vectors = model.products(columns)
        bias = model.bias(columns).squeeze(-1)
        logits_RK = state_RD @ vectors[:negatives].T + bias[:negatives]
        target_T = (state_RD[query_T] * vectors[negatives:][item_T]).sum(-1) + bias[negatives:][item_T]
        if popularity_PI is not None and period_R is not None:
            logits_RK = logits_RK + model.popularity_weight * popularity_PI[period_R][:, drawn_K]
            target_T = target_T + model.popularity_weight * popularity_PI[period_R[query_T], batch.item_T]
        raised_RK = logits_RK + torch.log(torch.tensor(products / negatives))
        position = torch.full((products + 1,), -1, device=state_RD.device)
        position[wanted] = torch.arange(len(wanted), device=state_RD.device)
        own_RK = torch.zeros_like(raised_RK, dtype=torch.bool)
        hit_K = position[drawn_K]
        own = torch.zeros(len(rows), len(wanted), dtype=torch.bool, device=state_RD.device)
        own[query_T, item_T] = True
        known = torch.nonzero(hit_K >= 0).squeeze(1)
        own_RK[:, known] = own[:, hit_K[known]]
        partition_R = torch.logsumexp(raised_RK.masked_fill(own_RK, float("-inf")), dim=1)
        log_p_T = target_T - torch.logaddexp(target_T, partition_R[query_T])
    return -(batch.weight_T * log_p_T).sum(), batch.weight_T.sum()
