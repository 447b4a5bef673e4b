"""The running mean of the weights: what it is, and that a checkpoint keeps it."""

import io
from typing import IO

import numpy as np
import torch

from recommendations.ml.config import ModelConfig, TrainingConfig
from recommendations.ml.data import DAY, Catalogue, next_baskets
from recommendations.ml.kinds import Kinds
from recommendations.ml.learner import Learner
from recommendations.ml.loop import TrainingData, train
from tests.recommendations.ml.made import histories_of, random_model, random_shoppers


def moved(averaging: float) -> tuple[Learner, list[torch.Tensor]]:
    """A learner after three steps along gradients of 1, and one of its tables after each."""
    learner = Learner(random_model(1), TrainingConfig(averaging=averaging))
    tables = []
    for _ in range(3):
        learner.begin()
        for parameter in learner.model.parameters():
            parameter.grad = torch.ones_like(parameter)
        learner.step()
        tables.append(learner.model.bias.weight.detach().clone())
    return learner, tables


def test_what_is_served_is_the_running_mean_of_the_weights_since_the_first_step() -> None:
    learner, (first, second, third) = moved(0.2)

    mean = 2 / 11 * first + 9 / 11 * second  # the first steps are soon forgotten
    mean = 0.2 * mean + 0.8 * third
    torch.testing.assert_close(learner.served.bias.weight.detach(), mean)
    assert not torch.equal(mean, third)


def test_without_averaging_the_weights_themselves_are_served() -> None:
    learner, (_, _, third) = moved(0.0)

    assert learner.served is learner.model
    assert torch.equal(learner.served.bias.weight, third)


def test_a_training_that_goes_on_from_its_checkpoint_ends_with_the_same_mean() -> None:
    histories = histories_of(random_shoppers(1, shoppers=30))
    data = TrainingData(
        histories=histories.before(300 * DAY),
        catalogue=Catalogue(products=12, attributes={}, sizes={}),
        kinds=Kinds.of([(4, 1.0, True), (9, 1.0, True)], {}),
        validation=next_baskets(histories, np.ones(len(histories.items), bool), start=300 * DAY, end=400 * DAY),
    )
    config = TrainingConfig(epochs=3, patience=3, batch_lines=60, averaging=0.9)
    saved: list[bytes] = []

    def keep(file: IO[bytes]) -> None:
        saved.append(file.read())

    whole, _ = train(ModelConfig(width=8, history=8), config, data, save=keep)
    resumed, epochs = train(ModelConfig(width=8, history=8), config, data, checkpoint=io.BytesIO(saved[0]))

    assert len(saved) == len(epochs) == 3
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in whole.state_dict().items())

    of_earlier = torch.load(io.BytesIO(saved[0]), weights_only=True)  # a release whose model had fewer weights
    del of_earlier["learner"]["model"]["repeats.rise"]
    file = io.BytesIO()
    torch.save(of_earlier, file)
    file.seek(0)
    anew, epochs = train(ModelConfig(width=8, history=8), config, data, checkpoint=file)
    assert len(epochs) == 3
    assert all(torch.equal(value, anew.state_dict()[name]) for name, value in whole.state_dict().items())
