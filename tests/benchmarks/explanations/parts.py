"""What is finished stays finished: every batch of every stage is a file in the cache."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from recommendations.ml.data import Ints
from tests.benchmarks.explanations.stages import Arrays


def kept(folder: Path, stage: str, rows: Ints, *, batch: int, compute: Callable[[Ints], Arrays]) -> Arrays:
    """All arrays of a stage, from files where they are there. A file is complete or not there."""
    folder.mkdir(parents=True, exist_ok=True)
    parts: list[Arrays] = []
    for start in range(0, len(rows), batch):
        file = folder / f"{stage}-{start:05}.npz"
        if not file.exists():
            unfinished = file.with_suffix(".unfinished.npz")
            np.savez_compressed(unfinished, allow_pickle=False, **compute(rows[start : start + batch]))
            unfinished.replace(file)
        with np.load(file) as stored:
            parts.append(dict(stored))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
