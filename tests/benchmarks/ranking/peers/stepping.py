"""Epochs with early stopping and the cap, for peers whose models are driven step by step."""

# B shoppers of a batch, E asked shoppers, I products, L lines.
import time
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import torch
from exchange import RANKS, Array, CapReached, Task

PATIENCE = 5
EPOCHS = 200


class Peer(Protocol):
    """A model of a peer library with its own loss and optimizer."""

    model: torch.nn.Module
    optimizer: torch.optim.Optimizer

    def batches(self, random: np.random.Generator) -> Iterator[Any]: ...

    def loss(self, batch: Any) -> torch.Tensor: ...

    def scores(self, part: str, shoppers: Array) -> Array: ...


def recent(task: Task, part: str, length: int, *, at_end: bool, padding: int = 0) -> Array:
    """[S, L] the most recent products of every shopper, padded before (`at_end`) or after them."""
    offsets, items, _ = task.histories(part)
    counts = np.minimum(np.diff(offsets), length)
    column = np.arange(length)
    position = column - (length - counts[:, None]) if at_end else np.broadcast_to(column, (len(counts), length))
    real = (position >= 0) & (position < counts[:, None])
    lines = np.where(real, (offsets[1:] - counts)[:, None] + position, 0)
    return np.where(real, items[lines], padding)


def run(task: Task, peer: Peer, *, versions: dict[str, str], settings: dict[str, Any]) -> None:
    """Train until the validation NDCG@10 stops rising or the cap is reached, then write the ranks."""
    validation: list[float] = []
    cpu: list[float] = []
    best: dict[str, torch.Tensor] = {}
    stepping, epochs = 0.0, 0.0
    kind = "new" if "new" in task.kinds else "all"
    asked = task.data["validation_shoppers"]
    task.timer.restart()
    while not task.timer.is_cut_off and len(validation) < EPOCHS:
        if validation and len(validation) - 1 - int(np.argmax(validation)) >= PATIENCE:
            break
        peer.model.train()
        made = list(peer.batches(np.random.default_rng((task.seed, len(validation)))))
        began, done = time.process_time(), 0
        for batch in made:
            try:
                task.timer.check()
            except CapReached:
                break
            loss = peer.loss(batch)
            peer.optimizer.zero_grad()
            torch.autograd.backward(loss)
            peer.optimizer.step()
            done += 1
        stepping += time.process_time() - began
        epochs += done / len(made)
        peer.model.eval()
        with torch.inference_mode():
            ranked = task.rank(lambda shoppers: peer.scores("train", shoppers), asked, "train", kind, 10)
        validation.append(task.validation_ndcg(ranked))
        cpu.append(round(task.timer.used(), 1))
        print(len(validation), round(validation[-1], 5), cpu[-1], flush=True)
        if validation[-1] == max(validation):
            best = {name: value.detach().clone() for name, value in peer.model.state_dict().items()}
    task.timer.lap("training")
    peer.model.load_state_dict(best)
    answers = {}
    for wanted in task.kinds:
        with torch.inference_mode():
            answers[wanted] = task.rank(
                lambda shoppers: peer.scores("context", shoppers), task.data["test_shoppers"], "context", wanted, RANKS
            )
        if wanted == task.kinds[0]:
            task.timer.lap("ranking")
    offsets, items, _ = task.histories("train")
    task.write(
        answers,
        versions=versions | {"torch": torch.__version__, "numpy": np.__version__},
        settings=settings,
        validation=[round(value, 5) for value in validation],
        validation_cpu=cpu,
        epochs=len(validation),
        best_epoch=int(np.argmax(validation)) + 1,
        parameters=sum(parameter.numel() for parameter in peer.model.parameters()),
        sequences_a_cpu_second=round((len(offsets) - 1) * epochs / stepping, 1),
        tokens_a_cpu_second=round(len(items) * epochs / stepping, 1),
        fitted_on="train",
    )
