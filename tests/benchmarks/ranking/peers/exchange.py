"""What every contestant reads and writes, whichever environment it runs in. Needs numpy only."""

# N interactions, S shoppers, I products, E asked shoppers, K ranks. Product 0 is padding.
import argparse
import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

RANKS = 100
Array = np.ndarray[Any, Any]
Scorer = Callable[[Array], Array]  # rows [B] -> scores [B, I + 1]


class CapReached(Exception):
    """The training has used the CPU time it was given."""


@dataclass(kw_only=True)
class Timer:
    """Wall and CPU seconds of training and of ranking. Training is capped by CPU time, so that other programs on
    the machine take nothing from it."""

    cap: float
    began: tuple[float, float] = field(default_factory=lambda: (time.monotonic(), time.process_time()))
    spent: dict[str, float] = field(default_factory=dict)
    is_cut_off: bool = False

    def restart(self) -> None:
        self.began = time.monotonic(), time.process_time()

    def lap(self, name: str) -> None:
        wall, cpu = self.began
        self.spent |= {f"{name}_wall": time.monotonic() - wall, f"{name}_cpu": time.process_time() - cpu}
        self.restart()

    def used(self) -> float:
        return time.process_time() - self.began[1]

    def check(self) -> None:
        if self.used() > self.cap:
            self.is_cut_off = True
            raise CapReached


class Task:
    """The command line of a contestant: what to read, what to write, the seed and the cap."""

    def __init__(self) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("contestant")
        parser.add_argument("prepared", type=Path)
        parser.add_argument("answer", type=Path)
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument("--cap-seconds", type=float, default=1_440.0)
        given = parser.parse_args()
        self.contestant: str = given.contestant
        self.seed: int = given.seed
        self.answer: Path = given.answer
        self.prepared: Path = given.prepared
        with np.load(given.prepared) as archive:
            self.data = dict(archive)
        self.products = int(self.data["products"])
        self.kinds = [str(kind) for kind in self.data["kinds"]]
        self.timer = Timer(cap=given.cap_seconds)

    def histories(self, part: str) -> tuple[Array, Array, Array]:
        """(offsets [S + 1], products [N], times [N]) of "train" or "context"."""
        return self.data[f"{part}_offsets"], self.data[f"{part}_items"], self.data[f"{part}_times"]

    def rows(self, part: str) -> tuple[Array, Array, Array]:
        """(shopper, product, time), each [N]."""
        offsets, items, times = self.histories(part)
        return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)), items, times

    def targets(self, part: str) -> tuple[Array, Array]:
        """(shopper, product) of the "validation" or "test" baskets."""
        shoppers, offsets = self.data[f"{part}_shoppers"], self.data[f"{part}_offsets"]
        return np.repeat(shoppers, np.diff(offsets)), self.data[f"{part}_items"]

    def owned(self, shoppers: Array, part: str) -> Array:
        """[B, I + 1]: whether the shopper has met the product."""
        offsets, items, _ = self.histories(part)
        counts = np.diff(offsets)[shoppers]
        rows = np.repeat(np.arange(len(shoppers)), counts)
        first = np.repeat(offsets[shoppers] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts)
        mask = np.zeros((len(shoppers), self.products + 1), bool)
        mask[rows, items[first + np.arange(len(rows))]] = True
        return mask

    def rank(
        self, scorer: Scorer, rows: Array, part: str, kind: str, count: int = RANKS, shoppers: Array | None = None
    ) -> Array:
        """[E, K] products, best first, ties by number; 0 where nothing is left. `rows` is what the scorer is asked
        for; `shoppers` are their numbers in the file where these differ."""
        ranked = np.zeros((len(rows), min(count, self.products)), np.int32)
        for start in range(0, len(rows), 512):
            chosen = rows[start : start + 512]
            scores = np.array(scorer(chosen), np.float32)
            scores[:, 0] = -np.inf
            if kind != "all":
                owned = self.owned(chosen if shoppers is None else shoppers[start : start + 512], part)
                scores[owned if kind == "new" else ~owned] = -np.inf
            ranked[start : start + 512] = best(scores, ranked.shape[1])
        return ranked

    def validation_ndcg(self, ranked: Array) -> float:
        """Mean NDCG@10 over the validation baskets, the measure of early stopping for every contestant."""
        shoppers, offsets, items = (self.data[f"validation_{name}"] for name in ("shoppers", "offsets", "items"))
        sizes = np.diff(offsets)
        row = np.repeat(np.arange(len(shoppers)), sizes)
        wanted = np.sort(row * (self.products + 1) + items)
        asked = np.arange(len(shoppers))[:, None] * (self.products + 1) + ranked[:, :10]
        place = np.searchsorted(wanted, asked).clip(max=len(wanted) - 1)
        hit = (wanted[place] == asked) & (ranked[:, :10] > 0)
        discount = 1 / np.log2(np.arange(2, 12))
        return float((hit @ discount / np.cumsum(discount)[np.minimum(sizes, 10) - 1]).mean())

    def write(self, ranked: dict[str, Array], **about: Any) -> None:
        """The answer: ranks for each kind, and what is told about the training."""
        about |= {f"seconds_{name}": round(value, 2) for name, value in self.timer.spent.items()}
        about |= {"is_cut_off": self.timer.is_cut_off, "shoppers": len(self.data["test_shoppers"])}
        about["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        stored: dict[str, Any] = {f"ranked_{kind}": table.astype(np.int32) for kind, table in ranked.items()}
        with self.answer.open("wb") as file:
            np.savez(file, about=json.dumps(about), **stored)


def best(scores: Array, count: int) -> Array:
    """[B, K] columns of the highest scores, ties by number; 0 for -inf."""
    reach = min(count + 32, scores.shape[1])
    columns = np.sort(np.argpartition(-scores, reach - 1, axis=1)[:, :reach], axis=1)
    values = np.take_along_axis(scores, columns, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    columns = np.take_along_axis(columns, order, axis=1)
    return np.where(np.isneginf(np.take_along_axis(scores, columns, axis=1)), 0, columns)
