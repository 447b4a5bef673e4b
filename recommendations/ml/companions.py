"""Products bought together: counts of shared baskets, smoothed towards what the transformer expects."""

# I products, N neighbours, M pairs.
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from recommendations.ml.baselines import co_occurrence
from recommendations.ml.data import Histories, Ints
from recommendations.ml.history import History
from recommendations.ml.model import Recommender

Floats = NDArray[np.float32]


class Companions(NamedTuple):
    items: Ints  # [I + 1, N], best first, 0 where there are no more
    log_p: Floats  # [I + 1, N]
    popularity_log_p: Floats  # [I + 1]


@torch.inference_mode()
def expected(model: Recommender, *, basket_gap: int) -> Floats:
    """[I + 1, I + 1]: what the model expects after a history of one product, as a distribution over products."""
    products = model.bias.num_embeddings - 1
    everything = torch.arange(products + 1)
    vectors, bias = model.products(everything), model.bias.weight.squeeze(-1)
    rows = []
    for items in everything.split(512):
        zero = torch.zeros(len(items), 1, dtype=torch.int64)
        history = History(items.unsqueeze(1), zero + 1, zero, zero)
        visible = (items > 0).view(-1, 1, 1)
        state = model.read_out(model.tokens_BLD(history), history, visible, zero + 1, zero + basket_gap)[:, 0]
        scores = (state @ vectors.T + bias).index_fill(1, torch.tensor([0]), float("-inf"))
        rows.append(torch.softmax(scores, dim=1))
    return torch.cat(rows).numpy()


def blend(together: Floats, expectation: Floats, strength: float) -> Floats:
    """P(j | i) = (baskets with both + strength · expected) / (baskets with i + strength): a Dirichlet prior."""
    counts = together.copy()
    baskets = np.diag(together).copy()
    np.fill_diagonal(counts, 0)
    return np.asarray((counts + strength * expectation) / (baskets[:, None] + strength), np.float32)


def companions(histories: Histories, model: Recommender, *, strength: float, neighbours: int, gap: int) -> Companions:
    products = model.bias.num_embeddings - 1
    together = co_occurrence(histories, products)
    chance = blend(together, expected(model, basket_gap=gap), strength)
    np.fill_diagonal(chance, 0)
    chance[:, 0] = chance[0] = 0
    order = np.argsort(-chance, axis=1, kind="stable")[:, :neighbours]
    values = np.take_along_axis(chance, order, axis=1)
    baskets = np.diag(together)
    popularity = (baskets + 0.5) / (baskets.sum() + 0.5 * products)
    return Companions(
        items=np.where(values > 0, order, 0),
        log_p=np.log(np.maximum(values, 1e-12)).astype(np.float32),
        popularity_log_p=np.log(popularity).astype(np.float32),
    )


def same_basket_hit_rate(ranked: Ints, histories: Histories, *, at: int = 10, most: int = 50_000) -> float:
    """Share of (product, basket) pairs where one of the product's first `at` companions is in the same basket.

    `ranked` [I + 1, >= at]. Baskets of at least two products; at most `most` pairs, evenly taken.
    """
    shopper = np.repeat(np.arange(len(histories)), np.diff(histories.offsets))
    times, items = np.asarray(histories.times), np.asarray(histories.items)
    basket = np.unique(np.stack([shopper, times], 1), axis=0, return_inverse=True)[1].reshape(-1)
    pairs = np.unique(np.stack([basket, items], 1), axis=0)
    size = np.bincount(pairs[:, 0])[pairs[:, 0]]
    asked = pairs[size >= 2]
    asked = asked[np.linspace(0, len(asked) - 1, min(most, len(asked))).astype(np.int64)] if len(asked) else asked
    width = int(ranked.shape[0])
    keys = np.sort(pairs[:, 0] * width + pairs[:, 1])
    wanted = asked[:, :1] * width + ranked[asked[:, 1], :at]
    found = keys[np.searchsorted(keys, wanted).clip(max=len(keys) - 1)] == wanted
    return float((found & (ranked[asked[:, 1], :at] > 0)).any(axis=1).mean()) if len(asked) else 0.0
