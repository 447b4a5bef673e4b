"""Rank the whole catalogue for many shoppers: for evaluation, calibration and serving alike."""

# B shoppers of a batch, I products, K ranks.
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recommendations.ml.batches import latest_history
from recommendations.ml.data import PERIOD, Histories, Ints
from recommendations.ml.model import Recommender


def period_of(moments: Tensor, start: int, periods: int) -> Tensor:
    """Row of the recent-popularity table that holds at each moment."""
    return ((moments - start) // PERIOD).clamp(0, periods - 1)


@torch.inference_mode()
def states(
    model: Recommender, histories: Histories, shoppers: Ints, *, now: int, batch: int = 256
) -> Iterator[tuple[Ints, Tensor]]:
    """(shoppers [B], their state at `now` [B, D]), batch after batch, longest histories last."""
    lengths = np.minimum(np.diff(histories.offsets)[shoppers], model.config.history)
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(shoppers), batch):
        chosen = order[start : start + batch]
        history, next_B, _ = latest_history(histories, shoppers[chosen], model.config, now=now)
        visible = (history.items_BL > 0).unsqueeze(1)
        moment = torch.full((len(chosen), 1), now)
        state = model.read_out(model.tokens_BLD(history), history, visible, next_B.unsqueeze(1), moment)
        yield chosen, state[:, 0]


def owned_mask(histories: Histories, shoppers: Ints, products: int) -> Tensor:
    """[B, I + 1]: True where the shopper has any interaction with the product, over the whole history."""
    counts = np.diff(histories.offsets)[shoppers]
    rows = np.repeat(np.arange(len(shoppers)), counts)
    first = np.repeat(histories.offsets[shoppers] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    lines = first + np.arange(len(rows))
    mask = np.zeros((len(shoppers), products + 1), bool)
    mask[rows, histories.items[lines]] = True
    return torch.from_numpy(mask)


def top(scores_BI: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Best first, ties by product number: `torch.topk` alone leaves their order open.

    Returns scores and products [B, count]; column 0 of the input is padding and never returned.
    """
    count = min(count, scores_BI.shape[1] - 1)
    reach = min(count + 32, scores_BI.shape[1])
    values, items = torch.topk(scores_BI, reach, dim=1)
    by_item = torch.argsort(items, dim=1, stable=True)
    values, items = values.gather(1, by_item), items.gather(1, by_item)
    by_value = torch.argsort(values, dim=1, descending=True, stable=True)[:, :count]
    return values.gather(1, by_value), items.gather(1, by_value)


@torch.inference_mode()
def rank(
    model: Recommender,
    histories: Histories,
    shoppers: Ints,
    *,
    now: int,
    popularity_I: Tensor | None,
    count: int,
    only: str = "all",
) -> NDArray[np.int64]:
    """[E, K] products, best first; 0 where nothing is left.

    `only`: "all", "new" (products that the shopper has not met) or "repeat" (only those it has).
    """
    products = model.bias.num_embeddings - 1
    everything = torch.arange(products + 1)
    ranked = np.zeros((len(shoppers), min(count, products)), np.int64)
    vectors, bias = model.products(everything), model.bias.weight.squeeze(-1)
    if popularity_I is not None:
        bias = bias + model.popularity_weight * popularity_I
    for chosen, state in states(model, histories, shoppers, now=now):
        scores = state @ vectors.T + bias
        scores[:, 0] = float("-inf")
        if only != "all":
            owned = owned_mask(histories, shoppers[chosen], products)
            scores = scores.masked_fill(owned if only == "new" else ~owned, float("-inf"))
        values, items = top(scores, count)
        ranked[chosen] = items.masked_fill(values == float("-inf"), 0).numpy()
    return ranked
