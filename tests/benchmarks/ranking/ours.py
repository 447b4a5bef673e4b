"""Because, through the functions that the product trains and ranks with.

python -m tests.benchmarks.ranking.ours ours|ours-ids|… PREPARED ANSWER
"""

# E shoppers, I products, P periods.
import io
import time
from dataclasses import asdict, dataclass, field
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from recommendations.ml import finishing
from recommendations.ml.catching_up import Newest, catch_up
from recommendations.ml.config import from_json
from recommendations.ml.data import Histories, next_baskets, recent_popularity
from recommendations.ml.evaluation import Question, question
from recommendations.ml.kinds import Kinds
from recommendations.ml.loop import Epoch, TrainingData, build, train
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import period_of, rank
from tests.benchmarks.ranking.causal import become_causal
from tests.benchmarks.ranking.configurations import configuration
from tests.benchmarks.ranking.peers.exchange import RANKS, CapReached, Task
from tests.benchmarks.ranking.prepared import Prepared


@dataclass(kw_only=True)
class Log:
    """What a training did: its epochs, its last checkpoint, and the CPU time of its steps without validation."""

    task: Task
    epochs: list[Epoch] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # when each epoch ended
    checkpoint: bytes = b""
    steps: int = 0
    first: float = 0.0
    last: float = 0.0
    stepping: float = 0.0  # CPU seconds from the first to the last step of each epoch
    counted: int = 0  # the steps between them

    def check(self) -> None:
        """Called before every step."""
        now = time.process_time()
        if self.steps == 0:
            self.first = now
        self.last, self.steps = now, self.steps + 1
        self.task.timer.check()

    def save(self, checkpoint: IO[bytes]) -> None:
        self.checkpoint = checkpoint.read()

    def report(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        self.cpu.append(round(self.task.timer.used(), 1))
        self.stepping += (self.last - self.first) * self.steps / max(self.steps - 1, 1)
        self.steps = 0
        print(epoch.number, round(epoch.loss, 4), round(epoch.ndcg, 5), self.cpu[-1], flush=True)


def popularity(histories: Histories, products: int, now: int) -> Tensor:
    """[I + 1] recent popularity at `now`, as the product computes it."""
    start = int(np.asarray(histories.times).min())
    table = recent_popularity(histories, products, start=start, end=now)
    return torch.from_numpy(table[int(period_of(torch.tensor(now), start, len(table)))])


def validation_of(prepared: Prepared, recent: Tensor | None) -> Question:
    """The next baskets between `train` and the test, products that were met before with them."""
    lines = prepared.is_target[np.asarray(prepared.context.types)]
    now = prepared.validation.now
    targets = next_baskets(prepared.context, lines, start=now, end=prepared.test.now)
    return question(prepared.train, targets, prepared.catalogue.products, recent)


def main() -> None:
    task = Task()
    torch.set_num_threads(1)
    prepared = Prepared.read(task.prepared)
    chosen = configuration(prepared.name, task.contestant, has_times=prepared.has_times)
    chosen["training"]["seed"] = task.seed
    model_config, config = from_json(chosen)
    flags = [bool(flag) for flag in prepared.is_target]
    data = TrainingData(
        histories=prepared.train,
        catalogue=prepared.catalogue,
        kinds=Kinds.of([(number, 1.0, flag) for number, flag in enumerate(flags) if number], {}),
        validation=prepared.validation,
        validation_only="new",
    )
    log = Log(task=task)
    task.timer.restart()
    model: Recommender
    prepare = become_causal if task.contestant == "ours-causal" else lambda _: None
    try:
        model, _ = train(model_config, config, data, prepare=prepare, save=log.save, report=log.report, check=log.check)
    except CapReached:
        model = build(model_config, prepared.catalogue, data.kinds)
        prepare(model)
        model.load_state_dict(torch.load(io.BytesIO(log.checkpoint), weights_only=True)["best"])
        model.eval()
    products = prepared.catalogue.products
    uses = model_config.uses_popularity
    recent = popularity(prepared.context, products, prepared.test.now) if uses else None
    if prepared.has_times:
        before = popularity(prepared.train, products, prepared.validation.now) if uses else None
        newest = Newest(histories=prepared.context, since=prepared.validation.now, now=prepared.test.now)
        as_chosen, model = model, catch_up(model, config, data.kinds, newest)  # before what is chosen is put in
        finish = finishing.choose(as_chosen, validation_of(prepared, before))
        finishing.carry_over(finish, model, prepared.context, recent)
    task.timer.lap("training")

    answers: dict[str, Any] = {}
    for kind in prepared.kinds:
        answers[kind] = rank(
            model,
            prepared.context,
            prepared.test.shoppers,
            now=prepared.test.now,
            popularity_I=recent,
            count=RANKS,
            only=kind,
        )
        if kind == prepared.kinds[0]:
            task.timer.lap("ranking")
    best = max(log.epochs, key=lambda epoch: (epoch.ndcg, -epoch.number)).number
    task.write(
        answers,
        versions={"torch": torch.__version__, "numpy": np.__version__},
        settings={"model": asdict(model_config), "training": asdict(config)},
        validation=[round(epoch.ndcg, 5) for epoch in log.epochs],
        validation_cpu=log.cpu,
        epochs=len(log.epochs),
        best_epoch=best,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        sequences_a_cpu_second=round(len(prepared.train) * len(log.epochs) / log.stepping, 1),
        tokens_a_cpu_second=round(len(prepared.train.items) * len(log.epochs) / log.stepping, 1),
        fitted_on="train+validation" if prepared.has_times and config.catching_up else "train",
    )


if __name__ == "__main__":
    main()
