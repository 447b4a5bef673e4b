"""Baskets of which a part is shown while training, and the rest asked for."""

# B windows, Q queries, L lines.
import numpy as np
import torch

from recommendations.ml.batches import Batch, BatchMaker
from recommendations.ml.config import TrainingConfig
from recommendations.ml.kinds import Kinds
from recommendations.ml.losses import next_basket_loss, queries
from tests.recommendations.ml.made import histories_of, random_model, random_shoppers

PRODUCTS = 12
BOTH = Kinds.of([(4, 1.0, True), (9, 1.0, True)], {})


def one_batch(*, completion: float, most: int = 6) -> Batch:
    histories = histories_of(random_shoppers(3, shoppers=30, most=most))
    config = TrainingConfig(batch_lines=5_000, masking=0, completion=completion)
    (batch,) = BatchMaker(histories, BOTH, random_model(2, uses_repeats=True).config, config).epoch(1)
    return batch


def of_own_basket(batch: Batch) -> torch.Tensor:
    """[B, Q, L]: lines of the very basket that a query asks for."""
    is_last_BQ = torch.ones_like(batch.basket_BQ, dtype=torch.bool)
    is_last_BQ[:, 1:] = batch.basket_BQ[:, 1:] > batch.basket_BQ[:, :-1]  # queries repeated as padding ask nothing
    own_BQL = batch.history.baskets_BL.unsqueeze(1) == batch.basket_BQ.unsqueeze(-1)
    return own_BQL & (batch.history.items_BL > 0).unsqueeze(1) & is_last_BQ.unsqueeze(-1)


def test_every_line_of_a_basket_is_either_shown_or_asked() -> None:
    batch = one_batch(completion=1.0)
    own_BQL = of_own_basket(batch)
    shown_BQL = own_BQL & batch.visible_BQL

    asked = torch.zeros(own_BQL.shape[0] * own_BQL.shape[1], PRODUCTS + 1, dtype=torch.long)
    asked.index_put_((batch.query_T, batch.item_T), torch.ones_like(batch.item_T), accumulate=True)
    lines = torch.zeros_like(asked)
    row, line = torch.nonzero((own_BQL & ~shown_BQL).flatten(0, 1), as_tuple=True)
    items_XL = batch.history.items_BL.repeat_interleave(own_BQL.shape[1], 0)
    lines.index_put_((row, items_XL[row, line]), torch.ones_like(row), accumulate=True)

    assert torch.equal(asked, lines)
    assert 0 < int(shown_BQL.sum()) < int(own_BQL.sum())
    assert not batch.visible_BQL[batch.history.baskets_BL.unsqueeze(1) > batch.basket_BQ.unsqueeze(-1)].any()


def test_a_basket_that_is_shown_in_part_is_asked_at_its_own_time() -> None:
    batch = one_batch(completion=1.0)
    shown_BQL = of_own_basket(batch) & batch.visible_BQL
    window, query, line = torch.nonzero(shown_BQL, as_tuple=True)
    assert torch.equal(batch.now_BQ[window, query], batch.history.times_BL[window, line])


def test_a_basket_of_one_line_is_never_shown() -> None:
    whole, in_part = one_batch(completion=0.0, most=1), one_batch(completion=1.0, most=1)
    assert not (of_own_basket(in_part) & in_part.visible_BQL).any()
    assert sorted(in_part.item_T.tolist()) == sorted(whole.item_T.tolist())


@torch.no_grad()
def test_what_is_in_the_basket_already_takes_no_part_in_the_softmax() -> None:
    model, batch = random_model(2, uses_repeats=True), one_batch(completion=1.0)
    found, _ = next_basket_loss(model, batch, popularity_PI=None, period_BQ=None, negatives=0)

    rows, query_T = torch.unique(batch.query_T, return_inverse=True)
    asked = queries(model, batch, rows, torch.zeros_like(rows), popularity_PI=None, period_BQ=None)
    everything = torch.arange(1, PRODUCTS + 1)
    scores = asked.grid(everything, model.products(everything)).double()
    shown = (of_own_basket(batch) & batch.visible_BQL).flatten(0, 1)[rows]
    row, line = torch.nonzero(shown, as_tuple=True)
    window = rows // batch.basket_BQ.shape[1]
    scores[row, batch.history.items_BL[window[row], line] - 1] = float("-inf")
    log_p = scores.log_softmax(1)[query_T, batch.item_T - 1]

    assert len(row) > 0
    np.testing.assert_allclose(float(found), float(-(batch.weight_T * log_p).sum()), rtol=1e-5)


@torch.no_grad()
def test_the_shown_part_says_nothing_of_repeats() -> None:
    """A query of a basket that holds a product is no shopper who met it before: R is of earlier baskets."""
    model, batch = random_model(2, uses_repeats=True), one_batch(completion=1.0)
    rows = torch.arange(batch.basket_BQ.numel())
    asked = queries(model, batch, rows, torch.zeros_like(rows), popularity_PI=None, period_BQ=None)
    is_met = asked.met_value_P > -1e8
    for row, item in zip(asked.met_row_P[is_met].tolist(), asked.met_item_P[is_met].tolist(), strict=True):
        window, query = divmod(row, batch.basket_BQ.shape[1])
        earlier = batch.history.baskets_BL[window] < batch.basket_BQ[window, query]
        assert item in batch.history.items_BL[window][earlier].tolist()
