"""Products bought together: counts of shared baskets, smoothed towards what the transformer expects."""

# I products, R products of a block, N neighbours, M pairs of a product and a basket.
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recommendations.ml.batches import Baskets
from recommendations.ml.data import Histories, Ints
from recommendations.ml.history import History
from recommendations.ml.metrics import clustered_bootstrap
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import top
from recommendations.ml.together import in_baskets, people_together, rows_together

Floats = NDArray[np.float32]


class Companions(NamedTuple):
    items: Ints  # [I + 1, N], best first, 0 where there are no more
    log_p: Floats  # [I + 1, N]
    popularity_log_p: Floats  # [I + 1]
    by_count: Ints  # [I + 1, N] the control: shared baskets alone
    people: Ints  # [I + 1, N] how many different shoppers have both in one basket
    buyers: Ints  # [I + 1] how many different shoppers have the product in one


@torch.inference_mode()
def expected(model: Recommender, items: Tensor, *, gap: int) -> Tensor:
    """[R, I + 1]: what the model expects after a history of one product, as a distribution over products."""
    everything = torch.arange(model.bias.num_embeddings)
    zero = torch.zeros(len(items), 1, dtype=torch.int64)
    history = History(items.unsqueeze(1), zero + 1, zero, zero)
    visible = (items > 0).view(-1, 1, 1)
    state = model.read_out(model.tokens_BLD(history), history, visible, zero + 1, zero + gap)[:, 0]
    scores = torch.addmm(model.bias.weight.squeeze(-1), state, model.products(everything).T)
    scores[:, 0] = float("-inf")
    return torch.softmax(scores, dim=1)


def companions(histories: Histories, model: Recommender, *, strength: float, neighbours: int, gap: int) -> Companions:
    """P(j | i) = (baskets with both + strength · expected) / (baskets with i + strength): a Dirichlet prior."""
    products = model.bias.num_embeddings - 1
    targets = histories.targets()
    membership = in_baskets(targets, products)
    baskets = torch.from_numpy(np.asarray(membership.sum(0)).ravel())
    items: list[Tensor] = []
    log_p: list[Tensor] = []
    by_count: list[Tensor] = []
    people: list[Tensor] = []
    buyers: list[Tensor] = []
    for (part, counts), (_, met) in zip(rows_together(membership), people_together(targets, membership), strict=True):
        block, rows = torch.from_numpy(counts.toarray()), torch.arange(part.start, part.stop)
        block[torch.arange(len(rows)), rows] = 0
        chance = (block + strength * expected(model, rows, gap=gap)) / (baskets[rows].unsqueeze(1) + strength)
        chance[torch.arange(len(rows)), rows] = 0
        chance[rows == 0] = 0
        for scores, into in ((chance, items), (block, by_count)):
            scores[:, 0] = 0
            values, found = top(scores, neighbours)
            into.append(found.masked_fill(values <= 0, 0))
            if scores is chance:
                log_p.append(values.clamp(min=1e-12).log())
                both = torch.from_numpy(met.toarray()).long()
                people.append(both.gather(1, found).masked_fill(values <= 0, 0))
                buyers.append(both[torch.arange(len(rows)), rows])
    popularity = (baskets + 0.5) / (baskets.sum() + 0.5 * products)
    return Companions(
        items=torch.cat(items).numpy(),
        log_p=torch.cat(log_p).numpy(),
        popularity_log_p=popularity.log().numpy(),
        by_count=torch.cat(by_count).numpy(),
        people=torch.cat(people).numpy(),
        buyers=torch.cat(buyers).numpy(),
    )


class SameBasket(NamedTuple):
    """Pairs of a product and a basket of at least two: whose basket, and whether a companion is in it too."""

    shopper_M: Ints
    hit_M: NDArray[np.bool_]


def same_basket(ranked: Ints, histories: Histories, *, at: int = 10, most: int = 50_000) -> SameBasket:
    """Whether one of a product's first `at` companions `ranked` [I + 1, ≥ at] is in the same basket.

    At most `most` pairs, evenly taken.
    """
    baskets = Baskets.of(histories)
    owner = np.repeat(np.arange(len(histories)), np.diff(baskets.offsets))
    basket = np.repeat(np.arange(len(baskets.time)), np.diff(baskets.first))
    pairs = np.unique(np.stack([basket, np.asarray(histories.items)], 1), axis=0)
    asked = pairs[np.bincount(pairs[:, 0], minlength=1)[pairs[:, 0]] >= 2]
    asked = asked[np.linspace(0, len(asked) - 1, min(most, len(asked))).astype(np.int64)] if len(asked) else asked
    if not len(asked):
        return SameBasket(np.empty(0, np.int64), np.empty(0, bool))
    width = int(ranked.shape[0])
    keys = np.sort(pairs[:, 0] * width + pairs[:, 1])
    companions_MN = ranked[asked[:, 1], :at]
    wanted = asked[:, :1] * width + companions_MN
    found = keys[np.searchsorted(keys, wanted).clip(max=len(keys) - 1)] == wanted
    return SameBasket(owner[asked[:, 0]], np.asarray((found & (companions_MN > 0)).any(axis=1)))


def compare(found: Companions, later: Histories) -> Iterator[tuple[str, float]]:
    """Same-basket HR@10 of ours and of counts alone, and their difference with its 95 % interval over shoppers."""
    later = later.targets()
    ours, counts = same_basket(found.items, later), same_basket(found.by_count, later)
    if not len(ours.hit_M):
        return
    yield "same_basket_hr@10", float(ours.hit_M.mean())
    yield "co_occurrence_hr@10", float(counts.hit_M.mean())
    difference = np.bincount(ours.shopper_M, ours.hit_M.astype(np.float64) - counts.hit_M).astype(np.float64)
    pairs = np.bincount(ours.shopper_M).astype(np.float64)
    asked = pairs > 0
    yield from zip(("difference", "low", "high"), clustered_bootstrap(difference[asked], pairs[asked]), strict=True)
