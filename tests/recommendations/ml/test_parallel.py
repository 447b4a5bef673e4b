"""Two processes find what one finds: same losses, same NDCG, same weights."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = """
import sys
import numpy as np
import torch
from recommendations.ml import parallel
from recommendations.ml.catching_up import Newest, catch_up
from recommendations.ml.config import ModelConfig, TrainingConfig
from recommendations.ml.data import DAY, Catalogue, next_baskets
from recommendations.ml.kinds import Kinds
from recommendations.ml.loop import TrainingData, train
from tests.recommendations.ml.made import histories_of, random_shoppers

rank, size, port, path = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
group = parallel.join(rank=rank, size=size, port=port, device="cpu")
histories = histories_of(random_shoppers(1, shoppers=60))
data = TrainingData(
    histories=histories.before(300 * DAY),
    catalogue=Catalogue(products=12, attributes={}, sizes={}),
    kinds=Kinds.of([(4, 1.0, True), (9, 0.5, False)], {}),
    validation=next_baskets(histories, np.ones(len(histories.items), bool), start=300 * DAY, end=400 * DAY),
    validation_only="all",
)
config = TrainingConfig(epochs=3, patience=3, batch_lines=40, accumulate=2)
model, epochs = train(ModelConfig(width=8, history=8, uses_repeats=True), config, data, group=group)
newest = Newest(histories=histories, since=300 * DAY, now=400 * DAY)
model = catch_up(model, config, data.kinds, newest, group=group)
torch.save({"weights": model.state_dict(), "epochs": [(e.loss, e.ndcg) for e in epochs]}, path)
parallel.leave()
"""


def trained(size: int, folder: Path) -> list[dict[str, object]]:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
    files = [folder / f"{size}-{rank}" for rank in range(size)]
    processes = [
        subprocess.Popen([sys.executable, "-c", SCRIPT, str(rank), str(size), str(port), str(file)])
        for rank, file in enumerate(files)
    ]
    assert [process.wait(timeout=120) for process in processes] == [0] * size
    return [torch.load(file, weights_only=True) for file in files]


def test_two_processes_train_the_model_that_one_trains(tmp_path: Path) -> None:
    (alone,), (first, second) = trained(1, tmp_path), trained(2, tmp_path)

    for found in (first, second):
        assert found["epochs"] == [
            (pytest.approx(loss, rel=1e-4), pytest.approx(ndcg, rel=1e-3))
            for loss, ndcg in alone["epochs"]  # type: ignore[attr-defined]
        ]
        torch.testing.assert_close(found["weights"], alone["weights"], rtol=1e-3, atol=1e-4)
    assert all(torch.equal(first["weights"][name], value) for name, value in second["weights"].items())  # type: ignore[index, attr-defined]
