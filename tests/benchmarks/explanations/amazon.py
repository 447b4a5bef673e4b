"""A small model for a file of sequences (`shopper product product …`, oldest first), as many papers evaluate on.

Leave-one-out: the last product of each shopper is the test, the one before it validation. Explained is what the model
recommends to the history without the last.
"""

import hashlib
import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recommendations.ml.config import ModelConfig, TrainingConfig
from recommendations.ml.data import DAY, Catalogue, Histories, Ints, NextBaskets, Small
from recommendations.ml.kinds import Kinds
from recommendations.ml.loop import Cancelled, Epoch, TrainingData, build, train
from recommendations.ml.metrics import hits, per_shopper
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import rank
from tests.benchmarks.explanations.subjects import Subject, drawn

MODEL = ModelConfig(
    history=50,
    dropout=0.3,
    uses_types=False,
    uses_times=False,
    uses_popularity=False,
    uses_repeats=False,
    predicts_types=False,
)
TRAINING = TrainingConfig(epochs=20, patience=3, learning_rate=4e-3, negatives=1_024)
MINUTES = 12.0


def load(path: Path, *, cache: Path, minutes: float = MINUTES) -> Subject:
    sequences = [np.asarray(line.split()[1:], np.int32) for line in path.read_text().splitlines() if line.strip()]
    products = int(max(sequence.max() for sequence in sequences))
    catalogue = _catalogue(path, products)
    training = _data(sequences, catalogue)
    weights = _weights(training, cache / f"{path.stem}.pt", minutes)
    model = build(MODEL, catalogue, training.kinds)
    model.load_state_dict(torch.load(io.BytesIO(weights), weights_only=True))
    model.eval()
    known = histories_of([sequence[:-1] for sequence in sequences])
    now = training.validation.now
    with torch.no_grad():
        vectors, offset = model.products(torch.arange(products + 1)), model.bias.weight.squeeze(-1).clone()
    offset[0] = float("-inf")
    shown = torch.ones(products + 1, dtype=torch.bool)
    shown[0] = False
    shoppers, learners = drawn(model, known)
    return Subject(
        name=path.stem.lower(),
        model=model,
        histories=known,
        now=now,
        vectors_ID=vectors,
        offset_I=offset,
        shown_I=shown,
        shoppers=shoppers,
        learners=learners,
        facts={
            "shoppers": len(sequences),
            "products": products,
            "ndcg@10": round(_test(model, known, sequences, now), 4),
            "weights": hashlib.blake2b(weights, digest_size=8).hexdigest(),
        },
    )


def histories_of(sequences: list[Small]) -> Histories:
    """Every product is a basket of its own; the times are made up and not read."""
    lengths = np.asarray([len(sequence) for sequence in sequences], np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    items = np.concatenate(sequences)
    place = np.arange(len(items)) - np.repeat(offsets[:-1], lengths)
    return Histories(offsets=offsets, items=items, times=(place + 1) * DAY, types=np.ones(len(items), np.int32))


def _catalogue(path: Path, products: int) -> Catalogue:
    """With the attributes of `NAME_item2attributes.json`, where that file lies beside it."""
    file = path.with_name(f"{path.stem}_item2attributes.json")
    if not file.exists():
        return Catalogue(products=products, attributes={}, sizes={})
    values: dict[str, list[int]] = json.loads(file.read_text())
    table = np.zeros((products + 1, max(len(each) for each in values.values())), np.int32)
    for product, each in values.items():
        table[int(product), : len(each)] = each
    return Catalogue(products=products, attributes={"attribute": table}, sizes={"attribute": int(table.max())})


def _data(sequences: list[Small], catalogue: Catalogue) -> TrainingData:
    longest = max(len(sequence) for sequence in sequences)
    return TrainingData(
        histories=histories_of([sequence[:-2] for sequence in sequences]),
        catalogue=catalogue,
        kinds=Kinds.of([(1, 1.0, True)], {}),
        validation=_next(np.asarray([sequence[-2] for sequence in sequences]), now=(longest + 1) * DAY),
    )


def _next(items: Small, *, now: int) -> NextBaskets:
    rows: Ints = np.arange(len(items))
    return NextBaskets(shoppers=rows, offsets=np.arange(len(items) + 1), items=items, now=now)


def _weights(data: TrainingData, file: Path, minutes: float) -> bytes:
    """Those of the best epoch, from the cache or after at most so many minutes of training."""
    if file.exists():
        return file.read_bytes()
    checkpoints: list[bytes] = []
    began = time.monotonic()

    def check() -> None:
        if checkpoints and time.monotonic() - began > 60 * minutes:
            raise Cancelled

    def report(epoch: Epoch) -> None:
        sys.stdout.write(f"epoch {epoch.number}: NDCG@10 {epoch.ndcg:.4f} of validation, {epoch.seconds:.0f} s\n")
        sys.stdout.flush()

    try:
        model, _ = train(
            MODEL, TRAINING, data, save=lambda file: checkpoints.append(file.read()), report=report, check=check
        )
        best: dict[str, Any] = model.state_dict()
    except Cancelled:
        best = torch.load(io.BytesIO(checkpoints[-1]), weights_only=True)["best"]
    buffer = io.BytesIO()
    torch.save(best, buffer)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(buffer.getvalue())
    return buffer.getvalue()


def _test(model: Recommender, known: Histories, sequences: list[Small], now: int) -> float:
    """NDCG@10 of the last product, all others ranked."""
    targets = _next(np.asarray([sequence[-1] for sequence in sequences]), now=now)
    ranked = rank(model, known, targets.shoppers, now=now, popularity_I=None, count=10, only="new")
    products = model.bias.num_embeddings - 1
    found = per_shopper(hits(ranked, targets, products), np.diff(targets.offsets), at=10)
    return float(found["ndcg@10"].mean())
