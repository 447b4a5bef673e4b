"""What the transformer must beat on the same split: popular, recently popular, item-kNN, personal frequency."""

# E shoppers, I products.
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from torch import Tensor

from recommendations.ml.data import RECENT, Histories, Ints
from recommendations.ml.ranking import owned_mask, top
from recommendations.ml.together import met, rows_together

Scorer = Callable[[Ints], Tensor]  # shoppers [B] -> scores [B, I + 1]


def _counts(histories: Histories, products: int, *, since: int | None = None) -> NDArray[np.float32]:
    histories = histories.targets()
    items = np.asarray(histories.items)
    if since is not None:
        items = items[np.asarray(histories.times) >= since]
    return np.bincount(items, minlength=products + 1).astype(np.float32)


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
    histories = histories.targets()
    tie = tie / (tie.max() + 1)
    return lambda shoppers: torch.from_numpy(met(histories, shoppers, products).toarray()) + tie


def item_knn(histories: Histories, products: int, *, neighbours: int = 100, shrink: float = 10.0) -> Scorer:
    """Sum of cosine similarities (shrunk) over the shopper's products; similarity from shoppers, not baskets.

    Sarwar et al. 2001; shrinkage as in Bell & Koren 2007. Each product keeps its nearest neighbours only.
    """
    everybody = met(histories, np.arange(len(histories)), products)
    everybody.data[:] = 1
    size = np.sqrt(np.asarray(everybody.sum(0)).ravel())
    kept = []
    for part, counts in rows_together(everybody):
        block = torch.from_numpy(counts.toarray() / (size[part, None] * size + shrink)).float()
        rows = torch.arange(len(block))
        block[rows, rows + part.start] = 0
        nearest = torch.topk(block, min(neighbours, products), dim=1)
        columns = nearest.indices.flatten().numpy()
        row = np.repeat(np.arange(len(block)), nearest.indices.shape[1])
        kept.append(csr_matrix((nearest.values.flatten().numpy(), (row, columns)), shape=(len(block), products + 1)))
    similarity = vstack(kept).T.tocsr()

    def score(shoppers: Ints) -> Tensor:
        own = met(histories, shoppers, products)
        own.data[:] = 1
        return torch.from_numpy((own @ similarity).toarray())

    return score


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
