"""The loss: what a query scores, what counts against it, and what a shopper does not want."""

import numpy as np
import pytest
import torch

from recommendations.ml.batches import Batch, BatchMaker
from recommendations.ml.config import ModelConfig, TrainingConfig
from recommendations.ml.data import DAY, Catalogue, Ignored, Unwanted, next_baskets
from recommendations.ml.kinds import Kinds
from recommendations.ml.loop import TrainingData, train
from recommendations.ml.losses import next_basket_loss, queries
from recommendations.ml.model import Recommender
from recommendations.ml.ranking import scored
from tests.recommendations.ml.made import NOW, histories_of, random_model, random_shoppers

PRODUCTS = 12
BOTH = Kinds.of([(4, 1.0, True), (9, 1.0, True)], {})


def unwanted_of(said: dict[int, list[tuple[int, float]]], shoppers: int) -> Unwanted:
    """Row of the shopper -> products and weights."""
    lines = [line for shopper in range(shoppers) for line in said.get(shopper, [])]
    return Unwanted(
        offsets=np.concatenate([[0], np.cumsum([len(said.get(row, [])) for row in range(shoppers)])]).astype(np.int64),
        items=np.asarray([item for item, _ in lines], np.int32),
        times=np.full(len(lines), 10 * DAY),
        weights=np.asarray([weight for _, weight in lines], np.float32),
    )


def ignored_of(shown: dict[int, list[int]], shoppers: int) -> Ignored:
    """Row of the shopper -> products shown in vain since day 10, and never taken up."""
    lines = [item for shopper in range(shoppers) for item in shown.get(shopper, [])]
    return Ignored(
        offsets=np.concatenate([[0], np.cumsum([len(shown.get(row, [])) for row in range(shoppers)])]).astype(np.int64),
        items=np.asarray(lines, np.int32),
        since=np.full(len(lines), 10 * DAY),
        until=np.full(len(lines), 2**62),
    )


def one_batch(
    unwanted: Unwanted | None = None, ignored: Ignored | None = None, *, seed: int = 2, weight: float = 20.0
) -> Batch:
    model = random_model(seed, uses_repeats=True)
    histories = histories_of(random_shoppers(seed, shoppers=8))
    config = TrainingConfig(batch_lines=5_000, masking=0, completion=0, unwanted=weight)
    (batch,) = BatchMaker(histories, BOTH, model.config, config, unwanted, ignored).epoch(1)
    return batch


@torch.no_grad()
def test_single_scores_are_those_of_the_grid_repeats_and_popularity_included() -> None:
    model, batch = random_model(2, uses_repeats=True), one_batch()
    rows = torch.unique(batch.query_T)
    kinds = torch.zeros_like(rows)
    popularity = torch.rand(3, PRODUCTS + 1)
    asked = queries(model, batch, rows, kinds, popularity_PI=popularity, period_BQ=torch.ones_like(batch.now_BQ))
    everything = torch.arange(1, PRODUCTS + 1)

    grid = asked.grid(everything, model.products(everything))
    row, column = torch.meshgrid(torch.arange(len(rows)), torch.arange(PRODUCTS), indexing="ij")
    single = asked.pairs(row.flatten(), column.flatten() + 1, model.products(column.flatten() + 1))

    assert len(asked.met_row_P) > 0
    torch.testing.assert_close(single.view_as(grid), grid)


@torch.no_grad()
def test_what_is_unwanted_stands_in_the_partition_as_often_as_its_weight_says() -> None:
    shoppers = 8
    batch = one_batch(unwanted_of({row: [(3, 1.0), (5, 0.5)] for row in range(shoppers)}, shoppers))
    model = random_model(2, uses_repeats=True)

    found, weight = next_basket_loss(model, batch, popularity_PI=None, period_BQ=None, negatives=0)

    rows, query_T = torch.unique(batch.query_T, return_inverse=True)
    asked = queries(model, batch, rows, torch.zeros_like(rows), popularity_PI=None, period_BQ=None)
    everything = torch.arange(1, PRODUCTS + 1)
    odds = asked.grid(everything, model.products(everything)).double().exp()
    bought = torch.zeros_like(odds, dtype=torch.bool)
    bought[query_T, batch.item_T - 1] = True
    times = torch.ones_like(odds)
    times[:, 2] += 20.0 * ~bought[:, 2]
    times[:, 4] += 10.0 * ~bought[:, 4]
    log_p = odds[query_T, batch.item_T - 1].log() - (odds * times).sum(1).log()[query_T]
    assert bought[:, 2].any()
    assert float(found) == pytest.approx(float(-(batch.weight_T * log_p).sum()), rel=1e-5)
    assert float(weight) == float(batch.weight_T.sum())


@pytest.mark.parametrize(("low", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
@pytest.mark.parametrize("rows", [1, 3, 1_000])
def test_the_whole_softmax_in_stretches_has_the_value_and_the_gradient_of_the_whole(
    monkeypatch: pytest.MonkeyPatch, low: torch.dtype, tolerance: float, rows: int
) -> None:
    model, batch = random_model(2, uses_repeats=True), one_batch(unwanted_of({0: [(3, 1.0)], 4: [(5, 1.0)]}, 8))
    chance = torch.Generator().manual_seed(1)
    popularity, period = torch.rand(3, PRODUCTS + 1, generator=chance), torch.ones_like(batch.now_BQ)
    monkeypatch.setattr("recommendations.ml.partition.SCORES", rows * PRODUCTS)
    monkeypatch.setattr("recommendations.ml.partition.ROWS", 1)

    loss, _ = next_basket_loss(model, batch, popularity_PI=popularity, period_BQ=period, negatives=0, low=low)
    found = slopes(model, loss)
    plain = plain_loss(model, batch, popularity, period)

    torch.testing.assert_close(loss.detach(), plain.detach(), rtol=tolerance, atol=0)
    for name, expected in slopes(model, plain).items():
        size = float(expected.norm())
        assert float((found[name] - expected).norm()) <= tolerance * size + 1e-5, name
    with torch.no_grad():
        assert float(found_without_learning(model, batch, popularity)) == pytest.approx(float(plain), rel=1e-5)


def slopes(model: Recommender, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]  # torch's own
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def plain_loss(model: Recommender, batch: Batch, popularity: torch.Tensor, period: torch.Tensor) -> torch.Tensor:
    """Every score at once, and torch's own gradient: a row and a product that is not wanted counts 1 + its weight."""
    rows, query_T = torch.unique(batch.query_T, return_inverse=True)
    asked = queries(model, batch, rows, torch.zeros_like(rows), popularity_PI=popularity, period_BQ=period)
    everything = torch.arange(1, PRODUCTS + 1)
    scores = asked.grid(everything, model.products(everything))
    times = torch.ones_like(scores)
    place = {int(row): at for at, row in enumerate(rows)}
    for query, item, weight in zip(
        batch.unwanted_query_P.tolist(), batch.unwanted_item_P.tolist(), batch.unwanted_weight_P.tolist(), strict=True
    ):
        if query in place and not bool((batch.item_T[batch.query_T == query] == item).any()):
            times[place[query], item - 1] += weight
    partition = torch.logsumexp(scores + times.log(), dim=1)
    return (batch.weight_T * (partition[query_T] - scores[query_T, batch.item_T - 1])).sum()


def found_without_learning(model: Recommender, batch: Batch, popularity: torch.Tensor) -> torch.Tensor:
    period = torch.ones_like(batch.now_BQ)
    return next_basket_loss(model, batch, popularity_PI=popularity, period_BQ=period, negatives=0)[0]


def test_a_model_without_popularity_learns_too() -> None:
    model, batch = random_model(2), one_batch()
    model.popularity_weight.requires_grad_(False)

    loss, _ = next_basket_loss(model, batch, popularity_PI=None, period_BQ=None, negatives=0)
    loss.backward()  # type: ignore[no-untyped-call]  # torch's own

    assert model.bias.weight.grad is not None
    assert model.popularity_weight.grad is None


def test_nothing_unwanted_is_the_same_loss_and_has_a_gradient_everywhere() -> None:
    model = random_model(2, uses_repeats=True).train()
    said, shown = unwanted_of({0: [(3, 1.0)]}, 8), ignored_of({1: [4]}, 8)
    nobody, without = one_batch(), one_batch(said, ignored_of({}, 8), weight=0)

    def loss(batch: Batch, negatives: int) -> torch.Tensor:
        torch.manual_seed(1)
        total, weight = next_basket_loss(model, batch, popularity_PI=None, period_BQ=None, negatives=negatives)
        return total / weight

    with torch.random.fork_rng():
        assert torch.equal(loss(nobody, 0), loss(without, 0))
        for negatives in (0, 4):
            model.zero_grad()
            loss(one_batch(said, shown), negatives).backward()  # type: ignore[no-untyped-call]  # torch's own
            assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_what_was_shown_in_vain_counts_for_the_last_query_of_its_shopper_alone() -> None:
    batch = one_batch(ignored=ignored_of({0: [7], 5: [3, 9]}, 8))
    baskets = batch.basket_BQ.numpy()
    lines = (batch.history.items_BL > 0).sum(1).tolist()
    histories = histories_of(random_shoppers(2, shoppers=8))
    wanted = {0: [7], 5: [3, 9]}

    expected = []
    for row, length in enumerate(lines):
        (shopper,) = [
            number
            for number in range(8)
            if np.array_equal(
                histories.items[histories.offsets[number] : histories.offsets[number + 1]],
                batch.history.items_BL[row, :length].numpy(),
            )
        ]
        last = int(baskets[row].argmax())  # padded queries repeat the last one: the first of them is it
        expected += [(row * baskets.shape[1] + last, item) for item in wanted.get(shopper, [])]

    found = zip(batch.unwanted_query_P.tolist(), batch.unwanted_item_P.tolist(), strict=True)
    assert sorted(found) == sorted(expected)
    assert batch.unwanted_weight_P.tolist() == [TrainingConfig().ignored] * 3


def test_what_was_taken_up_after_all_or_is_known_later_is_not_ignored() -> None:
    ignored = Ignored(
        offsets=np.asarray([0, 2, 3]),
        items=np.asarray([4, 5, 6], np.int32),
        since=np.asarray([10, 10, 20]),
        until=np.asarray([15, 2**62, 2**62]),
    )

    early, between, late = ignored.before(10), ignored.before(15), ignored.before(21)

    assert len(early.items) == 0
    assert (between.items.tolist(), between.offsets.tolist()) == ([4, 5], [0, 2, 2])  # as it was known then
    assert (late.items.tolist(), late.offsets.tolist()) == ([5, 6], [0, 1, 2])


def score_of_nine(*, unwanted: Unwanted | None = None, ignored: Ignored | None = None) -> float:
    """log p of product 9, which goes with what all of forty like shoppers buy, for those who left no word of it."""
    shoppers = [[(day * DAY, 1 + (day + row) % 3, 1) for day in range(1, 12)] for row in range(40)]
    for row in range(0, 40, 4):
        shoppers[row] += [(13 * DAY, 9, 1)]
    for row in range(40):
        shoppers[row] += [(20 * DAY, 1 + row % 3, 1)]  # what validation asks for
    histories = histories_of(shoppers)
    data = TrainingData(
        histories=histories.before(20 * DAY),
        catalogue=Catalogue(products=PRODUCTS, attributes={}, sizes={}),
        kinds=Kinds.of([(4, 1.0, True)], {}),
        validation=next_baskets(histories, np.ones(len(histories.items), bool), start=20 * DAY, end=NOW),
        validation_only="all",
        unwanted=unwanted,
        ignored=ignored,
    )
    config = TrainingConfig(epochs=1, learning_rate=0.03, batch_lines=24, masking=0, completion=0)
    model, _ = train(ModelConfig(width=8, history=16, dropout=0.0), config, data)
    ((chosen, found),) = scored(model, histories, np.arange(40), now=21 * DAY, popularity_I=None)
    log_p = torch.log_softmax(found, 1)[:, 9]
    return float(log_p[np.argsort(chosen)][2::4].mean())


def test_training_learns_to_rank_lower_what_shoppers_do_not_want() -> None:
    said = unwanted_of({row: [(9, 1.0)] for row in range(1, 40, 2)}, 40)

    assert score_of_nine(unwanted=said) < score_of_nine() - 0.5


def test_what_was_shown_in_vain_is_pushed_down_less_than_what_is_not_wanted() -> None:
    """Simulated: no real set here tells what was shown."""
    model = random_model(2, uses_repeats=True)

    def slope(batch: Batch) -> float:
        """How fast training lowers the bias of product 9."""
        model.zero_grad()
        loss, _ = next_basket_loss(model, batch, popularity_PI=None, period_BQ=None, negatives=0)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        assert model.bias.weight.grad is not None
        return float(model.bias.weight.grad[9])

    everybody = range(8)
    silent, nobody = slope(one_batch()), slope(one_batch(ignored=ignored_of({}, 8)))
    shown = slope(one_batch(ignored=ignored_of({row: [9] for row in everybody}, 8)))
    said = slope(one_batch(unwanted_of({row: [(9, 1.0)] for row in everybody}, 8)))

    assert nobody == silent  # nothing shown is the same training, to the bit
    assert silent < shown < said
