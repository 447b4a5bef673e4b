"""The same question to the transformer and to every baseline, answered on one split by full ranking."""

# E shoppers.
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recommendations.ml import baselines
from recommendations.ml.calibration import Bools, Calibration, Floats, curve, expected_calibration_error, fit
from recommendations.ml.data import Histories, Ints, NextBaskets
from recommendations.ml.metrics import coverage, hits, paired_bootstrap, per_shopper
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import owned_mask, rank, scored, top

AT = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Histories before `targets.now`, and the next baskets; `by_kind`: all, new to the shopper, repeat purchases."""

    histories: Histories
    products: int
    popularity_I: Tensor | None
    by_kind: dict[str, NextBaskets]

    @property
    def now(self) -> int:
        return self.by_kind["all"].now


def question(histories: Histories, targets: NextBaskets, products: int, popularity_I: Tensor | None) -> Question:
    """Split the target baskets into products new to the shopper and repeat purchases."""
    row = np.repeat(np.arange(len(targets.shoppers)), np.diff(targets.offsets))
    owned = np.empty(len(row), bool)
    for start in range(0, len(targets.shoppers), 1_000):
        part = slice(start, start + 1_000)
        inside = (row >= start) & (row < start + 1_000)
        mask = owned_mask(histories, targets.shoppers[part], products).numpy()
        owned[inside] = mask[row[inside] - start, targets.items[inside]]
    kinds = {"all": np.ones(len(row), bool), "new": ~owned, "repeat": owned}
    return Question(
        histories=histories,
        products=products,
        popularity_I=popularity_I,
        by_kind={kind: _kept(targets, row, kept) for kind, kept in kinds.items()},
    )


def _kept(targets: NextBaskets, row: Ints, kept: Bools) -> NextBaskets:
    counts = np.bincount(row[kept], minlength=len(targets.shoppers))
    some = counts > 0
    return NextBaskets(
        shoppers=targets.shoppers[some],
        offsets=np.concatenate([[0], np.cumsum(counts[some])]).astype(np.int64),
        items=targets.items[kept],
        now=targets.now,
    )


def renumbered(asked: Question, *, products_I: Ints, types_T: Ints, products: int, is_target: Bools) -> Question:
    """The same question for a model with other numbers: `products_I` [I + 1] and `types_T` [T + 1] say which, 0 for
    what it does not know. Unknown lines are masked, unknown targets cannot be hit; who is asked for what stays.
    """
    histories = replace(
        asked.histories,
        items=products_I[asked.histories.items].astype(np.int32),
        types=types_T[asked.histories.types].astype(np.int32),
        is_target=is_target,
    )
    popularity_I = None
    if asked.popularity_I is not None:
        popularity_I = torch.zeros(products + 1)
        popularity_I[torch.from_numpy(products_I)] = asked.popularity_I
        popularity_I[0] = 0.0
    by_kind = {
        kind: replace(targets, items=products_I[targets.items].astype(np.int32))
        for kind, targets in asked.by_kind.items()
    }
    return Question(histories=histories, products=products, popularity_I=popularity_I, by_kind=by_kind)


def measure(ranked: Ints, targets: NextBaskets, products: int) -> tuple[dict[str, float], dict[str, Floats]]:
    """Means over shoppers with coverage, and the values of each shopper."""
    values = per_shopper(hits(ranked, targets, products), np.diff(targets.offsets), at=AT)
    means = {name: round(float(column.mean()), 5) for name, column in values.items()}
    return means | {f"coverage@{AT}": round(coverage(ranked, products, at=AT), 5)}, values


def measured(
    model: Recommender, asked: Question, *, kinds: Sequence[str] = ("all", "new", "repeat")
) -> dict[str, dict[str, float]]:
    """For each kind, the measures of the model alone."""
    return {kind: _ours(model, asked, kind)[0] for kind in kinds if len(asked.by_kind[kind].shoppers)}


def _ours(model: Recommender, asked: Question, kind: str) -> tuple[dict[str, float], dict[str, Floats]]:
    targets = asked.by_kind[kind]
    ranked = rank(
        model,
        asked.histories,
        targets.shoppers,
        now=asked.now,
        popularity_I=asked.popularity_I,
        count=AT,
        only=kind,
    )
    return measure(ranked, targets, asked.products)


def compare(model: Recommender, asked: Question) -> dict[str, Any]:
    """For each kind: shoppers, the measures of the transformer and of each baseline, and the paired difference in
    NDCG@10 with its 95 % bootstrap interval over shoppers."""
    scorers = {
        "popular": baselines.popular(asked.histories, asked.products),
        "recent_popular": baselines.recent_popular(asked.histories, asked.products, now=asked.now),
        "item_knn": baselines.item_knn(asked.histories, asked.products),
        "personal_frequency": baselines.personal_frequency(asked.histories, asked.products),
    }
    result: dict[str, Any] = {}
    for kind, targets in asked.by_kind.items():
        if not len(targets.shoppers):
            continue
        means, ours = _ours(model, asked, kind)
        entry: dict[str, Any] = {"shoppers": len(targets.shoppers), "transformer": means, "against": {}}
        for name, scorer in scorers.items():
            theirs = baselines.rank_with(scorer, asked.histories, targets.shoppers, asked.products, count=AT, only=kind)
            entry[name], values = measure(theirs, targets, asked.products)
            difference, low, high = paired_bootstrap(ours[f"ndcg@{AT}"], values[f"ndcg@{AT}"])
            entry["against"][name] = {
                "difference": round(difference, 5),
                "low": round(low, 5),
                "high": round(high, 5),
            }
        result[kind] = entry
    return result


@torch.inference_mode()
def strongest_candidates(
    model: Recommender, asked: Question, *, kind: str, count: int, aims: Sequence[int] = (0,)
) -> tuple[Floats, Bools]:
    """log p (softmax over the candidates of that kind) of each shopper's first `count`, and whether each was bought.

    `aims`: what is predicted of them, 0 for what is ranked for, else kinds of line: of several, their mean.
    """
    targets = asked.by_kind["all"]
    log_p = np.full((len(targets.shoppers), min(count, asked.products)), -np.inf)
    ranked = np.zeros(log_p.shape, np.int64)
    now, popularity = asked.now, asked.popularity_I
    answers = [
        scored(model, asked.histories, targets.shoppers, now=now, popularity_I=popularity, only=kind, kind=aim)
        for aim in aims
    ]
    for parts in zip(*answers, strict=True):  # the same shoppers in the same order
        several = torch.stack([torch.log_softmax(scores, dim=1) for _, scores in parts])
        values, items = top(torch.logsumexp(several, dim=0) - np.log(len(parts)), count)
        chosen = parts[0][0]
        log_p[chosen], ranked[chosen] = values.numpy(), items.numpy()
    happened = hits(ranked, targets, asked.products)
    real = np.isfinite(log_p)
    return log_p[real], happened[real]


def calibrate(model: Recommender, asked: Question, *, kind: str, aims: Sequence[int] = (0,)) -> Calibration:
    """Fitted on the hundred strongest candidates of each shopper who bought something in the period."""
    return fit(*strongest_candidates(model, asked, kind=kind, count=100, aims=aims))


def check_calibration(
    model: Recommender,
    asked: Question,
    calibration: Calibration,
    *,
    kind: str,
    count: int = 20,
    aims: Sequence[int] = (0,),
) -> dict[str, Any]:
    """Expected calibration error and the curve, of products that would be shown."""
    log_p, happened = strongest_candidates(model, asked, kind=kind, count=count, aims=aims)
    points = curve(calibration(log_p), happened)
    return {"ece": round(expected_calibration_error(points), 5), "pairs": len(log_p), "curve": points}
