"""Full-ranking measures, one value a shopper, so that intervals can be drawn over shoppers."""

# E shoppers, K ranks.
import numpy as np
from numpy.typing import NDArray

from recommendations.ml.data import Ints, NextBaskets

Floats = NDArray[np.float64]


def hits(ranked_EK: Ints, targets: NextBaskets, products: int) -> NDArray[np.bool_]:
    """[E, K]: whether the product at each rank is in the shopper's target basket."""
    row = np.repeat(np.arange(len(targets.shoppers)), np.diff(targets.offsets))
    keys = np.sort(row * (products + 1) + targets.items)
    asked = np.arange(len(ranked_EK))[:, None] * (products + 1) + ranked_EK
    found = np.searchsorted(keys, asked).clip(max=len(keys) - 1)
    return np.asarray((keys[found] == asked) & (ranked_EK > 0))


def per_shopper(hits_EK: NDArray[np.bool_], sizes_E: Ints, *, at: int) -> dict[str, Floats]:
    """NDCG (ideal: min(basket, K) hits on top), hit rate, reciprocal rank, recall, each [E], at a cut-off."""
    hit = hits_EK[:, :at].astype(np.float64)
    discount = 1 / np.log2(np.arange(2, hit.shape[1] + 2))
    ideal = np.concatenate([[0.0], np.cumsum(discount)])[np.minimum(sizes_E, hit.shape[1])]
    first = np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, 0)
    return {
        f"ndcg@{at}": hit @ discount / np.maximum(ideal, discount[0]),
        f"hr@{at}": hit.any(axis=1).astype(np.float64),
        f"mrr@{at}": np.divide(1.0, first, out=np.zeros(len(first)), where=first > 0),
        f"recall@{at}": hit.sum(axis=1) / np.maximum(sizes_E, 1),
    }


def coverage(ranked_EK: Ints, products: int, *, at: int) -> float:
    """Share of the catalogue that stands in at least one shopper's first `at`."""
    shown = np.unique(ranked_EK[:, :at])
    return float((shown > 0).sum() / products)


def paired_bootstrap(ours: Floats, theirs: Floats, *, draws: int = 2_000, seed: int = 0) -> tuple[float, float, float]:
    """Mean difference over shoppers and its 95 % interval, resampling shoppers (percentile bootstrap)."""
    difference = ours - theirs
    random = np.random.default_rng(seed)
    means = np.empty(draws)
    for draw in range(draws):
        means[draw] = difference[random.integers(0, len(difference), len(difference))].mean()
    low, high = np.percentile(means, [2.5, 97.5])
    return float(difference.mean()), float(low), float(high)


def clustered_bootstrap(
    sums: Floats, counts: Floats, *, draws: int = 2_000, seed: int = 0
) -> tuple[float, float, float]:
    """A mean over things that belong to shoppers, and its 95 % interval, resampling shoppers with all that is theirs.

    `sums` and `counts` [E]: each shopper's total and number of things.
    """
    random = np.random.default_rng(seed)
    means = np.empty(draws)
    for draw in range(draws):
        chosen = random.integers(0, len(sums), len(sums))
        means[draw] = sums[chosen].sum() / counts[chosen].sum()
    low, high = np.percentile(means, [2.5, 97.5])
    return float(sums.sum() / counts.sum()), float(low), float(high)
