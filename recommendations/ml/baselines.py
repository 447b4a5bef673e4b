"""What the transformer must beat on the same split: popular, recently popular, item-kNN, personal frequency."""

# E shoppers, I products.
import itertools
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recommendations.ml.batches import Baskets
from recommendations.ml.data import RECENT, Histories, Ints
from recommendations.ml.ranking import owned_mask, top

Scorer = Callable[[Ints], Tensor]  # shoppers [B] -> scores [B, I + 1]


def _counts(histories: Histories, products: int, *, since: int | None = None) -> NDArray[np.float32]:
    items = np.asarray(histories.items)
    if since is not None:
        items = items[np.asarray(histories.times) >= since]
    return np.bincount(items, minlength=products + 1).astype(np.float32)


def _user_item(histories: Histories, shoppers: Ints, products: int) -> Tensor:
    """[B, I + 1] how often each shopper met each product."""
    counts = np.diff(histories.offsets)[shoppers]
    rows = np.repeat(np.arange(len(shoppers)), counts)
    first = np.repeat(histories.offsets[shoppers] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    matrix = np.zeros((len(shoppers), products + 1), np.float32)
    np.add.at(matrix, (rows, histories.items[first + np.arange(len(rows))]), 1)
    return torch.from_numpy(matrix)


def popular(histories: Histories, products: int) -> Scorer:
    """Most bought before the cut-off."""
    row = torch.from_numpy(_counts(histories, products))
    return lambda shoppers: row.expand(len(shoppers), -1)


def recent_popular(histories: Histories, products: int, *, now: int) -> Scorer:
    """Most bought in the four weeks before the cut-off."""
    row = torch.from_numpy(_counts(histories, products, since=now - RECENT))
    return lambda shoppers: row.expand(len(shoppers), -1)


def personal_frequency(histories: Histories, products: int) -> Scorer:
    """What the shopper bought most often; ties, and what it never bought, by popularity."""
    tie = torch.from_numpy(_counts(histories, products))
    tie = tie / (tie.max() + 1)
    return lambda shoppers: _user_item(histories, shoppers, products) + tie


def co_occurrence(histories: Histories, products: int) -> NDArray[np.float32]:
    """[I + 1, I + 1] in how many baskets two products stand together; the diagonal counts baskets with the product."""
    baskets = Baskets.of(histories)
    basket = np.repeat(np.arange(len(baskets.time)), np.diff(baskets.first))
    together = np.zeros((products + 1, products + 1), np.float32)
    pairs = np.unique(basket * (products + 1) + histories.items)
    basket, item = np.divmod(pairs, products + 1)
    for rows in _stretches(basket, 2_000):
        start = basket[rows][0]
        block = np.zeros((basket[rows][-1] - start + 1, products + 1), np.float32)
        block[basket[rows] - start, item[rows]] = 1
        together += block.T @ block
    return together


def _stretches(sorted_groups: Ints, groups: int) -> Iterator[slice]:
    """Slices of a sorted array that hold about `groups` distinct values and split none."""
    if not len(sorted_groups):
        return
    bounds = np.searchsorted(sorted_groups, np.arange(sorted_groups[0], sorted_groups[-1] + groups + 1, groups))
    for first, last in itertools.pairwise(bounds):
        if last > first:
            yield slice(int(first), int(last))


def item_knn(histories: Histories, products: int, *, neighbours: int = 100, shrink: float = 10.0) -> Scorer:
    """Sum of cosine similarities (shrunk) over the shopper's products; similarity from shoppers, not baskets.

    Sarwar et al. 2001; shrinkage as in Bell & Koren 2007.
    """
    together = np.zeros((products + 1, products + 1), np.float32)
    for start in range(0, len(histories), 1_000):
        block = (_user_item(histories, np.arange(start, min(start + 1_000, len(histories))), products) > 0).numpy()
        block = block.astype(np.float32)
        together += block.T @ block
    size = np.sqrt(np.diag(together))
    similarity = torch.from_numpy(together / (np.outer(size, size) + shrink))
    similarity.fill_diagonal_(0)
    kept = torch.topk(similarity, min(neighbours, products), dim=1)
    similarity = torch.zeros_like(similarity).scatter_(1, kept.indices, kept.values)
    return lambda shoppers: (_user_item(histories, shoppers, products) > 0).float() @ similarity.T


def rank_with(
    scorer: Scorer, histories: Histories, shoppers: Ints, products: int, *, count: int, only: str, batch: int = 512
) -> NDArray[np.int64]:
    """[E, K] products, best first; see `ranking.rank` for `only`."""
    ranked = np.zeros((len(shoppers), min(count, products)), np.int64)
    for start in range(0, len(shoppers), batch):
        chosen = shoppers[start : start + batch]
        scores = scorer(chosen).clone()
        scores[:, 0] = float("-inf")
        if only != "all":
            owned = owned_mask(histories, chosen, products)
            scores = scores.masked_fill(owned if only == "new" else ~owned, float("-inf"))
        values, items = top(scores, count)
        ranked[start : start + batch] = items.masked_fill(values == float("-inf"), 0).numpy()
    return ranked
