"""Rank the whole catalogue for many shoppers: for evaluation, calibration and serving alike."""

# B shoppers of a batch, I products, K ranks, G groups of products.
import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from recommendations.ml.batches import latest_history
from recommendations.ml.data import PERIOD, Histories, Ints
from recommendations.ml.model import Recommender
from recommendations.ml.repeats import Own

TIED = 32  # so many more are looked at, for the last ones may tie
AT_ONCE = 16_000_000  # scores in memory: bounds it whatever the catalogue


def period_of(moments: Tensor, start: int, periods: int) -> Tensor:
    """Row of the recent-popularity table that holds at each moment."""
    return ((moments - start) // PERIOD).clamp(0, periods - 1)


def _read(
    model: Recommender, histories: Histories, shoppers: Ints, *, now: int, batch: int, wants_own: bool
) -> Iterator[tuple[Ints, Tensor, Own | None]]:
    """(shoppers [B], their states [B, D], their own products if these are wanted and have a term), longest histories
    last.
    """
    lengths = np.minimum(np.diff(histories.offsets)[shoppers], model.config.history)
    order = np.argsort(lengths, kind="stable")
    for start in range(0, len(shoppers), batch):
        chosen = order[start : start + batch]
        history, next_B, _ = latest_history(histories, shoppers[chosen], model.config, now=now)
        visible = (history.items_BL > 0).unsqueeze(1)
        moment = torch.full((len(chosen), 1), now)
        state = model.read_out(model.tokens_BLD(history), history, visible, next_B.unsqueeze(1), moment)
        term = model.repeats if wants_own else None
        yield chosen, state[:, 0], None if term is None else term.own(history, visible, moment)


@torch.inference_mode()
def scored(
    model: Recommender,
    histories: Histories,
    shoppers: Ints,
    *,
    now: int,
    popularity_I: Tensor | None,
    only: str = "all",
    kind: int = 0,
    batch: int = 256,
) -> Iterator[tuple[Ints, Tensor]]:
    """(shoppers [B], scores [B, I + 1]) batch after batch; -inf for padding and what `only` leaves out.

    `only`: "all", "new" (products that the shopper has not met) or "repeat" (only those it has). `kind`: 0 for what
    is ranked for, else a kind of line.
    """
    everything = torch.arange(model.bias.num_embeddings)
    vectors, bias = model.products(everything), model.bias.weight.squeeze(-1)
    if popularity_I is not None:
        bias = bias + model.popularity_weight * popularity_I
    batch = max(1, min(batch, AT_ONCE // len(everything)))
    for chosen, state, met in _read(model, histories, shoppers, now=now, batch=batch, wants_own=only != "new"):
        aimed = model.aimed(state, kind)
        scores = functional.linear(aimed, vectors, bias)
        if model.repeats is not None and met is not None:
            similar_P = (aimed[met.query_P] * vectors[met.item_P]).sum(-1)
            scores[met.query_P, met.item_P] += model.repeats(met, aimed) + model.repeats.doubted(similar_P)
        scores[:, 0] = float("-inf")
        if only == "new":
            scores[own_products(histories, shoppers[chosen])] = float("-inf")
        elif only == "repeat":
            owned = owned_mask(histories, shoppers[chosen], len(everything) - 1)
            scores.masked_fill_(~owned, float("-inf"))
        yield chosen, scores


def owned_mask(histories: Histories, shoppers: Ints, products: int) -> Tensor:
    """[B, I + 1]: True where the product is the shopper's own."""
    mask = torch.zeros((len(shoppers), products + 1), dtype=torch.bool)
    mask[own_products(histories, shoppers)] = True
    return mask


def own_products(histories: Histories, shoppers: Ints) -> tuple[Tensor, Tensor]:
    """(row, product) of what each shopper bought, not just viewed, over the whole history."""
    rows, lines = histories.lines_of(shoppers)
    if histories.is_target is not None:
        is_own = histories.is_target[histories.types[lines]]
        rows, lines = rows[is_own], lines[is_own]
    return torch.from_numpy(rows), torch.from_numpy(histories.items[lines].astype(np.int64))


def top(scores_BI: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Best first, ties by product number: `torch.topk` alone leaves their order open.

    Returns scores and products [B, count]; column 0 of the input is padding and never returned.
    """
    count = min(count, scores_BI.shape[1] - 1)
    reach = min(count + TIED, scores_BI.shape[1])
    return in_order(*largest(scores_BI, reach), count)


def largest(scores_BI: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest scores and their columns [B, count], in any order: exact, and faster than one `topk` over all.

    Columns j, j + G, j + 2G, … are a group. What belongs to the first `count` lies in the `count` groups with the
    largest maxima; with about √(I / count) columns a group, two short searches replace a long one.
    """
    products = scores_BI.shape[1]
    size = math.isqrt(products // max(count, 1))
    if size < 2:
        return torch.topk(scores_BI, count, dim=1, sorted=False)
    groups = products // size
    even = groups * size
    most_BG = scores_BI[:, :even].unflatten(1, (size, groups)).amax(1)
    chosen_BG = torch.topk(most_BG, count, dim=1, sorted=False).indices
    columns = (chosen_BG.unsqueeze(1) + groups * torch.arange(size).unsqueeze(1)).flatten(1)
    rest = torch.arange(even, products).expand(len(scores_BI), -1)
    columns = torch.cat([columns, rest], dim=1)
    values, place = torch.topk(scores_BI.gather(1, columns), count, dim=1, sorted=False)
    return values, columns.gather(1, place)


def in_order(values_BN: Tensor, items_BN: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The first `count` of what `topk` found, ties by product number."""
    values_BN, items_BN = values_BN[:, : count + TIED], items_BN[:, : count + TIED]
    by_item = torch.argsort(items_BN, dim=1, stable=True)
    values_BN, items_BN = values_BN.gather(1, by_item), items_BN.gather(1, by_item)
    by_value = torch.argsort(values_BN, dim=1, descending=True, stable=True)[:, :count]
    return values_BN.gather(1, by_value), items_BN.gather(1, by_value)


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
    """[E, K] products, best first; 0 where nothing is left. See `scored` for `only`."""
    ranked = np.zeros((len(shoppers), min(count, model.bias.num_embeddings - 1)), np.int64)
    for chosen, scores in scored(model, histories, shoppers, now=now, popularity_I=popularity_I, only=only):
        values, items = top(scores, count)
        ranked[chosen] = items.masked_fill(values == float("-inf"), 0).numpy()
    return ranked
