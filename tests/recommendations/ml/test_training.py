"""The same seed is the same loss, a sample is close to the whole, and a bundle is its bytes."""

import io

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from recommendations.ml import bundle as bundles
from recommendations.ml.batches import BatchMaker
from recommendations.ml.calibration import Calibration
from recommendations.ml.config import ModelConfig, TrainingConfig
from recommendations.ml.data import DAY, Catalogue, next_baskets
from recommendations.ml.kinds import Kinds
from recommendations.ml.loop import Epoch, TrainingData, train
from recommendations.ml.losses import next_basket_loss
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import scored
from recommendations.ml.shapes import LATER
from tests.recommendations.ml.made import NOW, histories_of, random_model, random_shoppers, texts_of

PRODUCTS = 12
BOTH = Kinds.of([(4, 1.0, True), (9, 1.0, True)], {})


def catalogue() -> Catalogue:
    values = np.asarray([[0], *([1 + number % 3] for number in range(PRODUCTS))], np.int32)
    return Catalogue(products=PRODUCTS, attributes={"group": values}, sizes={"group": 3})


def losses(seed: int) -> tuple[list[float], dict[str, torch.Tensor]]:
    histories = histories_of(random_shoppers(1, shoppers=30))
    data = TrainingData(
        histories=histories.before(300 * DAY),
        catalogue=catalogue(),
        kinds=BOTH,
        validation=next_baskets(histories, np.ones(len(histories.items), bool), start=300 * DAY, end=400 * DAY),
    )
    epochs: list[Epoch] = []
    config = TrainingConfig(epochs=2, batch_lines=60, seed=seed)
    model, _ = train(ModelConfig(width=8, history=8), config, data, report=epochs.append)
    return [epoch.loss for epoch in epochs], model.state_dict()


def test_the_same_seed_is_the_same_loss_and_the_same_weights() -> None:
    (one, weights), (other, others), (third, _) = losses(5), losses(5), losses(6)

    assert one == other != third
    assert len(one) == 2
    assert all(torch.equal(value, others[name]) for name, value in weights.items())


def test_many_shared_negatives_come_close_to_the_whole_softmax() -> None:
    model = random_model(2, products=2_000)
    histories = histories_of(random_shoppers(2, shoppers=20, products=2_000))
    maker = BatchMaker(histories, BOTH, model.config, TrainingConfig(batch_lines=5_000, masking=0, completion=0))
    (batch,) = maker.epoch(1)

    def loss(negatives: int) -> float:
        with torch.no_grad():
            total, weight = next_basket_loss(model, batch, popularity_PI=None, period_BQ=None, negatives=negatives)
        return float(total / weight)

    with torch.random.fork_rng():
        torch.manual_seed(1)
        sampled = float(np.mean([loss(1_999) for _ in range(20)]))
    assert sampled == pytest.approx(loss(0), rel=0.02)
    assert loss(2_000) == loss(0)


def bundle_of(model: Recommender, texts: NDArray[np.float16] | None = None) -> bundles.Bundle:
    return bundles.Bundle(
        model=model,
        catalogue=Catalogue(
            products=PRODUCTS,
            attributes={"group": model.products.get_buffer("values_group").numpy().astype(np.int32)},
            sizes={"group": 3},
            texts=texts,
            encoder="" if texts is None else "of this test",
        ),
        product_ids=np.asarray([0, *range(101, 113)], np.int64),
        category_ids=np.asarray([0, *range(201, 213)], np.int64),
        kinds=Kinds.of([(4, 0.7, False), (9, 1.0, True)], {}),
        companions=np.ones((13, 2), np.int64),
        companion_log_p=np.full((13, 2), -1.5, np.float32),
        popularity_log_p=np.full(13, -2.5, np.float32),
        repeat_buyers=np.arange(13),
        calibrations={"home": Calibration(knots=(-9.0, -1.0), chances=(0.1, 0.4))},
    )


@pytest.mark.parametrize("has_texts", [False, True])
def test_a_bundle_is_loaded_as_it_was_and_dumped_to_the_same_bytes(has_texts: bool) -> None:
    model = random_model(3, has_texts=has_texts)
    made = bundle_of(model, texts_of(PRODUCTS) if has_texts else None)

    data = bundles.dump(made)
    loaded = bundles.load(data)

    assert bundles.dump(made) == data == bundles.dump(loaded)
    items = torch.arange(13)
    assert torch.equal(loaded.model.products(items), model.products(items))
    assert loaded.calibrations == made.calibrations
    assert loaded.event_type_ids.tolist() == [0, 4, 9]
    assert np.array_equal(loaded.kinds.lows, made.kinds.lows, equal_nan=True)
    assert loaded.number_of() == {100 + number: number for number in range(1, 13)}
    assert loaded.model.training is False
    assert loaded.catalogue.encoder == made.catalogue.encoder


def test_a_bundle_written_before_there_were_texts_is_read_as_one_without() -> None:
    model = random_model(3)
    stored = torch.load(io.BytesIO(bundles.dump(bundle_of(model))), weights_only=True)
    del stored["texts"], stored["encoder"], stored["config"]["uses_texts"]
    second = io.BytesIO()
    torch.save({**stored, "format": 2}, second)
    stored["arrays"]["event_type_ids"] = stored["kinds"]["event_type_ids"]
    weights = {name: value for name, value in stored["weights"].items() if name != "aims"}
    config = {name: value for name, value in stored["config"].items() if name not in {"uses_repeats", "predicts_types"}}
    first = io.BytesIO()
    torch.save(
        {**{key: stored[key] for key in stored if key != "kinds"}, "format": 1, "weights": weights, "config": config},
        first,
    )

    for written in (first, second):
        loaded = bundles.load(written.getvalue())
        assert (loaded.catalogue.texts, loaded.catalogue.encoder) == (None, "")
        assert loaded.model.products.names == ["group"]
        assert torch.equal(loaded.model.products(torch.arange(13)), model.products(torch.arange(13)))


def test_weights_written_before_lines_faded_say_what_they_said() -> None:
    model = random_model(3, uses_repeats=True)
    assert model.repeats is not None
    stored = torch.load(io.BytesIO(bundles.dump(bundle_of(model))), weights_only=True)
    stored["weights"] = {name: value for name, value in stored["weights"].items() if name not in LATER}
    earlier = io.BytesIO()
    torch.save(stored, earlier)
    with torch.no_grad():
        model.repeats.rise.zero_()
        model.repeats.trust.fill_(1.0)
    histories = histories_of([[(DAY, 4, 1), (2 * DAY, 1, 1), (3 * DAY, 4, 1)]])

    loaded = bundles.load(earlier.getvalue()).model

    ((_, expected),) = scored(model, histories, np.arange(1), now=NOW, popularity_I=None)
    ((_, found),) = scored(loaded, histories, np.arange(1), now=NOW, popularity_I=None)
    assert torch.equal(found, expected)


def test_another_format_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recommendations.ml.bundle.torch.load", lambda *_, **__: {"format": 99})

    with pytest.raises(bundles.UnknownFormat, match="99"):
        bundles.load(b"")
