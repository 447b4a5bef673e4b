"""What needs no library: popularity, ItemKNN, EASE, personal frequency.

python -m tests.benchmarks.ranking.classics popular|… PREPARED ANSWER
"""

# E shoppers, I products.
from typing import Any

import numpy as np
import torch

from recommendations.ml import baselines
from recommendations.ml.baselines import Scorer, rank_with
from recommendations.ml.data import DAY, Histories
from tests.benchmarks.ranking.peers.exchange import RANKS, Task
from tests.benchmarks.ranking.prepared import Prepared

EASE_PENALTY = 500.0  # the middle of the range that Steck reports; not tuned
EASE_PRODUCTS = 15_000  # the inverse is cubic: beyond it, the most sold ones only


class NotApplicable(Exception):
    """The data set lacks what the contestant needs."""


def ease(histories: Histories, products: int, *, penalty: float = EASE_PENALTY) -> Scorer:
    """Steck, Embarrassingly Shallow Autoencoders for Sparse Data, 2019."""
    counts = np.bincount(histories.items, minlength=products + 1)
    kept = np.sort(np.argsort(-counts, kind="stable")[:EASE_PRODUCTS])
    kept = kept[counts[kept] > 0]
    gram = np.zeros((len(kept), len(kept)), np.float32)
    for start in range(0, len(histories), 1_000):
        shoppers = np.arange(start, min(start + 1_000, len(histories)))
        block = (_met(histories, shoppers, products)[:, kept]).astype(np.float32)
        gram += block.T @ block
    gram[np.diag_indices_from(gram)] += penalty
    inverse = np.linalg.inv(gram)
    del gram
    inverse /= -np.diag(inverse).copy()
    weights = torch.from_numpy(inverse)
    weights.fill_diagonal_(0)
    columns = torch.from_numpy(kept)

    def scores(shoppers: np.ndarray) -> torch.Tensor:
        met = torch.from_numpy(_met(histories, shoppers, products)[:, kept].astype(np.float32))
        result = torch.full((len(shoppers), products + 1), -1e9)  # products that nobody bought come last
        result[:, columns] = met @ weights
        return result

    return scores


def ease_settings(prepared: Prepared) -> dict[str, Any]:
    """With what it was cut down to, where it was."""
    sold = len(np.unique(prepared.context.items))
    cut = {"only_the_most_sold": EASE_PRODUCTS, "of_products_sold": sold} if sold > EASE_PRODUCTS else {}
    return {"penalty": EASE_PENALTY, **cut}


def _met(histories: Histories, shoppers: np.ndarray, products: int) -> np.ndarray:
    counts = np.diff(histories.offsets)[shoppers]
    rows = np.repeat(np.arange(len(shoppers)), counts)
    first = np.repeat(histories.offsets[shoppers] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
    met = np.zeros((len(shoppers), products + 1), bool)
    met[rows, histories.items[first + np.arange(len(rows))]] = True
    return met


def popular_lately(histories: Histories, products: int, *, now: int) -> Scorer:
    """Most bought in the seven days before the cut-off; ties by all-time popularity."""
    recent = np.asarray(histories.times) >= now - 7 * DAY
    ever = np.bincount(histories.items, minlength=products + 1)
    row = np.bincount(np.asarray(histories.items)[recent], minlength=products + 1) + ever / (ever.max() + 1)
    scores = torch.from_numpy(row.astype(np.float32))
    return lambda shoppers: scores.expand(len(shoppers), -1)


def scorer(name: str, prepared: Prepared) -> Scorer:
    """Counted on everything before the test: these have nothing to stop early."""
    histories, products = prepared.context, prepared.catalogue.products
    match name:
        case "popular":
            return baselines.popular(histories, products)
        case "popular-7-days":
            if not prepared.has_times:
                raise NotApplicable(f"{prepared.name} has no times. Remedy: leave popular-7-days out.")
            return popular_lately(histories, products, now=prepared.test.now)
        case "item-knn":
            return baselines.item_knn(histories, products)
        case "personal-frequency":
            return baselines.personal_frequency(histories, products)
        case "ease":
            return ease(histories, products)
    raise NotApplicable(f"there is no contestant {name}")


def main() -> None:
    task = Task()
    torch.set_num_threads(1)
    prepared = Prepared.read(task.prepared)
    task.timer.restart()
    made = scorer(task.contestant, prepared)
    task.timer.lap("training")
    answers = {}
    for kind in prepared.kinds:
        answers[kind] = rank_with(
            made, prepared.context, prepared.test.shoppers, prepared.catalogue.products, count=RANKS, only=kind
        )
        if kind == prepared.kinds[0]:
            task.timer.lap("ranking")
    settings = {"item-knn": {"neighbours": 100, "shrink": 10}, "ease": ease_settings(prepared)}
    task.write(
        answers,
        versions={"torch": torch.__version__, "numpy": np.__version__},
        settings=settings.get(task.contestant, {}),
        fitted_on="train and validation",
    )


if __name__ == "__main__":
    main()
