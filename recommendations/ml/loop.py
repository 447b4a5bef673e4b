"""Training: epochs until the validation NDCG@10 stops rising, resumable from any epoch's end to the same bytes."""

# E shoppers, I products, P periods.
import itertools
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

import numpy as np
import torch
from torch import Tensor

from recommendations.ml import newcomers, precision
from recommendations.ml.batches import Batch, BatchMaker
from recommendations.ml.config import ModelConfig, TrainingConfig
from recommendations.ml.data import Catalogue, Histories, Ignored, NextBaskets, Unwanted, recent_popularity
from recommendations.ml.kinds import Kinds
from recommendations.ml.learner import Learner
from recommendations.ml.losses import next_basket_loss
from recommendations.ml.metrics import hits, per_shopper
from recommendations.ml.model import Recommender
from recommendations.ml.parallel import ALONE, Group
from recommendations.ml.ranking import period_of, rank


class Cancelled(Exception):
    """Somebody asked the training to stop."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingData:
    """Everything that training may see. `histories` ends where validation begins; so do the popularity counts.

    Weights to begin with may come from a model that learnt a part of the validation baskets. They choose the best epoch
    all the same; what nobody learnt is the test.
    """

    histories: Histories
    catalogue: Catalogue
    kinds: Kinds
    validation: NextBaskets
    validation_only: str = "new"  # which products count, see `ranking.rank`
    unwanted: Unwanted | None = None
    ignored: Ignored | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Epoch:
    number: int  # from 1
    loss: float
    ndcg: float
    seconds: float


@dataclass(kw_only=True, slots=True)
class State:
    """What a checkpoint holds."""

    epochs: list[Epoch] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_ndcg: float = -1.0
    is_finished: bool = False


def build(config: ModelConfig, catalogue: Catalogue, kinds: Kinds) -> Recommender:
    """An untrained model for this catalogue."""
    model = Recommender(
        config,
        products=catalogue.products,
        attributes={name: torch.from_numpy(np.asarray(values)) for name, values in catalogue.attributes.items()},
        sizes=catalogue.sizes,
        texts_IW=None if catalogue.texts is None else torch.from_numpy(catalogue.texts),
        event_types=len(kinds),
    )
    if model.repeats is not None:
        model.repeats.is_own.copy_(torch.from_numpy(kinds.is_target))
    return model


@contextmanager
def reproducible(seed: int) -> Iterator[None]:
    """Seeds torch and forbids operations whose result depends on chance."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def train(
    model_config: ModelConfig,
    config: TrainingConfig,
    data: TrainingData,
    *,
    device: str = "cpu",
    group: Group = ALONE,
    checkpoint: IO[bytes] | None = None,
    prepare: Callable[[Recommender], object] = lambda _: None,
    save: Callable[[IO[bytes]], None] | None = None,
    report: Callable[[Epoch], None] = lambda _: None,
    check: Callable[[], None] = lambda: None,
) -> tuple[Recommender, list[Epoch]]:
    """Train and return the weights of the best validation epoch.

    1. Each epoch seeds its random numbers from (seed, epoch) alone, so a resumed training repeats the same steps.
    2. Products without a history learn no id and no bias of their own; they are ranked by their content.
    3. After each epoch: full-ranking NDCG@10 on the validation baskets; `save` gets a checkpoint, `report` a row.
    4. Stop after `patience` epochs without a better one.
    With several processes each takes its share of a step's batches and of the validation shoppers, and all end with the
    same weights; only the leader is given `save` and `report`. `prepare` gets the untrained model, to begin with what
    an earlier one learnt. `check` is called every step; what it raises (`Cancelled`, a lost lease) ends the training.
    """
    with reproducible(config.seed):
        model = build(model_config, data.catalogue, data.kinds)
    newcomer_I = newcomers.newcomers(data.histories, data.catalogue.products)
    prepare(model)
    newcomers.forget(model, newcomer_I)  # also what an earlier model may have learnt of them since
    model.to(device)
    if config.is_compiled:
        for block in model.blocks:
            block.compile(dynamic=True)
    learner = Learner(model, config)
    state = State()
    if checkpoint is not None:
        state = _restore(checkpoint, learner)
        for epoch in state.epochs:  # the last one may have died between its checkpoint and its report
            report(epoch)
    batches = BatchMaker(data.histories, data.kinds, model_config, config, data.unwanted, data.ignored)
    popularity_PI, start = popularity_in(data.histories, data.catalogue.products, model_config, now=data.validation.now)
    while not state.is_finished:
        number = len(state.epochs) + 1
        began = time.monotonic()
        with reproducible(config.seed * 1_000_003 + number), newcomers.held(model, newcomer_I):
            loss = one_epoch(learner, batches, config, number, popularity_PI, start, check, group)
        newcomers.settle(learner.served, newcomer_I)
        ndcg = _validate(learner.served, data, popularity_PI, start, config.validated_shoppers, group)
        epoch = Epoch(number=number, loss=loss, ndcg=ndcg, seconds=time.monotonic() - began)
        state.epochs.append(epoch)
        if ndcg > state.best_ndcg:
            state.best_ndcg = ndcg
            state.best = {name: value.detach().clone() for name, value in learner.served.state_dict().items()}
        best_at = max(state.epochs, key=lambda e: (e.ndcg, -e.number)).number
        state.is_finished = number >= config.epochs or number - best_at >= config.patience
        if save is not None:
            with tempfile.TemporaryFile() as file:
                _dump(state, learner, file)
                save(file)
        report(epoch)
    model.load_state_dict(state.best)
    return model.eval().to("cpu"), state.epochs


def popularity_in(histories: Histories, products: int, config: ModelConfig, *, now: int) -> tuple[Tensor | None, int]:
    """[P, I + 1] recent popularity in each period up to `now`, if the model uses it, and when the periods start."""
    times = np.asarray(histories.times)
    start = int(times.min()) if len(times) else now
    if not config.uses_popularity:
        return None, start
    return torch.from_numpy(recent_popularity(histories, products, start=start, end=now)), start


def one_epoch(
    learner: Learner,
    batches: BatchMaker,
    config: TrainingConfig,
    number: int,
    popularity_PI: Tensor | None,
    start: int,
    check: Callable[[], None],
    group: Group,
) -> float:
    """Steps of `accumulate` batches each; a batch's random numbers are its own, whichever process it falls to."""
    model = learner.model.train()
    device = model.empty.device
    popularity = None if popularity_PI is None else popularity_PI.to(device)
    total, weights = 0.0, 0.0
    for step in _steps(batches.epoch(number), config.accumulate):
        check()
        learner.begin()
        step_loss, step_weight = 0.0, 0.0
        for place, made in step[group.rank :: group.size]:
            torch.manual_seed((config.seed * 1_000_003 + number) * 1_000_003 + place)
            loss, weight = _loss(model, made.to(device), config, popularity, start)
            loss.backward()
            step_loss, step_weight = step_loss + loss.item(), step_weight + weight.item()
        group.sum_gradients(model.parameters())
        step_loss, step_weight = group.total(step_loss), group.total(step_weight)
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad /= step_weight
        learner.step()
        total, weights = total + step_loss, weights + step_weight
    return total / max(weights, 1e-9)


def _steps(batches: Iterable[Batch], size: int) -> Iterator[list[tuple[int, Batch]]]:
    """Numbered batches, so many at a time."""
    numbered = enumerate(batches)
    while step := list(itertools.islice(numbered, size)):
        yield step


def _loss(
    model: Recommender, batch: Batch, config: TrainingConfig, popularity: Tensor | None, start: int
) -> tuple[Tensor, Tensor]:
    period = None if popularity is None else period_of(batch.now_BQ, start, len(popularity))
    device = batch.now_BQ.device.type
    with precision.autocast(config.precision, device):
        return next_basket_loss(
            model,
            batch,
            popularity_PI=popularity,
            period_BQ=period,
            negatives=config.negatives,
            low=precision.of_products(config.precision, device),
        )


def _validate(
    model: Recommender, data: TrainingData, popularity_PI: Tensor | None, start: int, most: int, group: Group
) -> float:
    """Mean over all shoppers asked, of whom this process asks every `size`-th."""
    model.eval()
    whole = data.validation.some(most)
    targets = whole.every(group.size, group.rank)
    popularity = None
    if popularity_PI is not None:
        popularity = popularity_PI[period_of(torch.tensor(targets.now), start, len(popularity_PI))]
    ranked = rank(
        model,
        data.histories,
        targets.shoppers,
        now=targets.now,
        popularity_I=popularity,
        count=10,
        only=data.validation_only,
    )
    found = hits(ranked, targets, data.catalogue.products)
    ndcg = per_shopper(found, np.diff(targets.offsets), at=10)["ndcg@10"]
    return group.total(float(ndcg.sum())) / max(len(whole.shoppers), 1)


def _dump(state: State, learner: Learner, file: IO[bytes]) -> None:
    torch.save(
        {
            "epochs": [(e.number, e.loss, e.ndcg, e.seconds) for e in state.epochs],
            "best": state.best,
            "best_ndcg": state.best_ndcg,
            "is_finished": state.is_finished,
            "learner": learner.state_dict(),
        },
        file,
    )
    file.seek(0)


def _restore(checkpoint: IO[bytes], learner: Learner) -> State:
    """Begins anew where an earlier release, whose model had other weights, wrote the checkpoint."""
    stored = torch.load(checkpoint, weights_only=True)
    if stored["learner"]["model"].keys() != learner.model.state_dict().keys():
        return State()
    learner.load_state_dict(stored["learner"])
    return State(
        epochs=[Epoch(number=n, loss=loss, ndcg=ndcg, seconds=s) for n, loss, ndcg, s in stored["epochs"]],
        best=stored["best"],
        best_ndcg=stored["best_ndcg"],
        is_finished=stored["is_finished"],
    )
