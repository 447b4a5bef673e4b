"""Products that nobody has had yet are ranked by what they are; training teaches nothing about them."""

import numpy as np
import torch

from recommendations.ml import newcomers
from recommendations.ml.batches import BatchMaker
from recommendations.ml.config import ModelConfig, TrainingConfig
from recommendations.ml.data import DAY, Catalogue, next_baskets
from recommendations.ml.evaluation import Question, measured, question
from recommendations.ml.kinds import Kinds
from recommendations.ml.loop import TrainingData, build, train
from recommendations.ml.losses import next_basket_loss
from recommendations.ml.model import Recommender
from tests.recommendations.ml.made import histories_of, random_model, random_shoppers, texts_of

PRODUCTS = 12
MET = 10  # the last two are newcomers
KINDS = Kinds.of([(4, 1.0, True), (9, 1.0, True)], {})
SHOPPERS = random_shoppers(1, shoppers=30, products=MET)


def test_newcomers_are_products_without_any_line() -> None:
    histories = histories_of([[(DAY, 1, 1), (DAY, 3, 1)], [(DAY, 1, 2)]])

    assert newcomers.newcomers(histories, 4).tolist() == [False, False, True, False, True]


def test_a_loss_does_not_depend_on_them_and_teaches_them_nothing() -> None:
    model = random_model(2, products=PRODUCTS, has_texts=True)
    histories = histories_of(SHOPPERS)
    maker = BatchMaker(histories, KINDS, model.config, TrainingConfig(masking=0, completion=0, batch_lines=1_000))
    batch = next(iter(maker.epoch(1)))
    newcomer_I = newcomers.newcomers(histories, PRODUCTS)
    assert newcomer_I.tolist() == [False] * 11 + [True] * 2
    losses = []

    for negatives in (0, 5):
        for content in (0.0, 3.0):
            torch.manual_seed(1)
            with torch.no_grad():
                model.products.ids.weight[newcomer_I] = content
            model.zero_grad()
            with newcomers.held(model, newcomer_I):
                loss, _ = next_basket_loss(model, batch, popularity_PI=None, period_BQ=None, negatives=negatives)
                torch.autograd.backward(loss)
            losses.append(loss.item())
            for table in (model.products.ids, model.bias):
                assert table.weight.grad is not None
                assert not table.weight.grad[newcomer_I].any()
                assert table.weight.grad[1 : MET + 1].any()

    assert losses[0] == losses[1]
    assert losses[2] == losses[3]


def test_after_a_training_they_have_no_id_and_the_mean_bias_of_the_others() -> None:
    histories = histories_of(SHOPPERS)
    data = TrainingData(
        histories=histories.before(300 * DAY),
        catalogue=Catalogue(
            products=PRODUCTS,
            attributes={"group": np.asarray([[0], *([1 + n % 3] for n in range(PRODUCTS))], np.int32)},
            sizes={"group": 3},
            texts=texts_of(PRODUCTS),
        ),
        kinds=KINDS,
        validation=next_baskets(histories, np.ones(len(histories.items), bool), start=300 * DAY, end=400 * DAY),
    )
    config = TrainingConfig(epochs=2, batch_lines=100)

    model, _ = train(ModelConfig(width=8, heads=2, history=16), config, data)

    assert not model.products.ids.weight[11:].any()
    assert model.products.ids.weight[1:11].any()
    mean = model.bias.weight[1:11].mean().item()
    assert mean != 0
    assert torch.allclose(model.bias.weight[11:], torch.full((2, 1), mean), rtol=0, atol=1e-6)
    assert model.products(torch.tensor([11])).any()  # what it is, is known


def test_an_earlier_model_may_have_learnt_them_since_and_is_not_asked() -> None:
    histories = histories_of(SHOPPERS)
    data = TrainingData(
        histories=histories.before(300 * DAY),
        catalogue=Catalogue(products=PRODUCTS, attributes={}, sizes={}),
        kinds=KINDS,
        validation=next_baskets(histories, np.ones(len(histories.items), bool), start=300 * DAY, end=400 * DAY),
    )

    def prepare(model: Recommender) -> None:
        with torch.no_grad():
            model.products.ids.weight[1:] = 0.5

    config = TrainingConfig(epochs=1, batch_lines=100)
    model, _ = train(ModelConfig(width=8, heads=2, history=16), config, data, prepare=prepare)

    assert not model.products.ids.weight[11:].any()
    assert model.products.ids.weight[1:11].mean() > 0.3


def asked(bought: int) -> Question:
    """Twenty shoppers had products 1 to 10; then each buys `bought`, 11 or 12 being newcomers."""
    histories = histories_of(
        [[*((day * DAY, 1 + (day + row) % MET, 1) for day in range(1, 4)), (10 * DAY, bought, 1)] for row in range(20)]
    )
    targets = next_baskets(histories, np.ones(len(histories.items), bool), start=10 * DAY, end=11 * DAY)
    return question(histories.before(10 * DAY), targets, PRODUCTS, None)


def test_they_are_raised_to_where_the_newest_baskets_are_met_best() -> None:
    model = random_model(3, products=PRODUCTS)
    with torch.no_grad():
        model.products.ids.weight[11:] = 0.0
        model.bias.weight[11:] = -1.8
    before, question = model.bias.weight.clone(), asked(11)
    newcomer_I = newcomers.newcomers(question.histories, PRODUCTS)
    begun = newcomers.foretold(model, newcomer_I, before.squeeze(1)).unsqueeze(1)

    level = newcomers.place(model, question)

    assert level is not None
    assert torch.equal(model.bias.weight[:11], before[:11])
    assert torch.allclose(model.bias.weight[11:], begun + level, rtol=0, atol=1e-6)
    found = {}
    for other in newcomers.LEVELS:  # the whole catalogue ranked at each level
        with torch.no_grad():
            model.bias.weight[11:] = begun + other
        found[other] = measured(model, question, kinds=("new",))["new"]["ndcg@10"]
    assert len(set(found.values())) > 1
    assert level == max(newcomers.LEVELS, key=lambda other: found[other]) > 0


def test_they_begin_with_what_products_like_them_have() -> None:
    """Products of the first group have a high bias: a newcomer of that group begins higher than one of the other."""
    group = np.asarray([[0], *([1 + n % 2] for n in range(PRODUCTS))], np.int32)
    catalogue = Catalogue(products=PRODUCTS, attributes={"group": group}, sizes={"group": 2})
    torch.manual_seed(0)
    model = build(ModelConfig(width=8, heads=2), catalogue, KINDS).eval()
    newcomer_I = torch.arange(PRODUCTS + 1) > MET
    groups = model.products.attributes["group"]
    assert isinstance(groups, torch.nn.Embedding)
    with torch.no_grad():
        groups.weight[1:] *= 100  # so long that the ridge hardly shortens anything
    value_I = torch.tensor(group[:, 0] == 1) * 2.0 - 0.5

    begun = newcomers.foretold(model, newcomer_I, value_I)

    assert torch.allclose(begun, torch.tensor([1.5, -0.5]), rtol=0, atol=0.15)


def test_where_nobody_bought_a_newcomer_nothing_is_changed() -> None:
    model = random_model(3, products=PRODUCTS)
    before = model.bias.weight.clone()

    assert newcomers.place(model, asked(5)) is None
    assert torch.equal(model.bias.weight, before)
