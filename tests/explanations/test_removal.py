"""Removing is masking: exactly the model's own forward with the line invisible, whoever else is computed beside."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from explanations.methods.removal import Cases, cases, only, states, without
from recommendations.ml.batches import latest_history
from recommendations.ml.data import DAY
from recommendations.ml.history import History
from recommendations.ml.model import Recommender
from tests.recommendations.ml.made import NOW, Line, histories_of, random_model, random_shoppers

SEEDS = st.integers(0, 10_000)
BLOCKS = st.integers(1, 3)
few = settings(max_examples=12, deadline=None)


def cut(model: Recommender, shoppers: list[list[Line]], rows: list[int] | None = None) -> Cases:
    chosen = np.asarray(rows if rows is not None else range(len(shoppers)), np.int64)
    return cases(model, histories_of(shoppers), chosen, now=NOW)


def all_visible(found: Cases) -> Tensor:
    return found.real_BL.unsqueeze(1)


@torch.inference_mode()
def plain_state(model: Recommender, found: Cases, row: int, kept: list[int]) -> Tensor:
    """[D] one shopper alone, nothing but the kept lines in the arrays; their basket numbers and times stay."""
    history = History(*(column[row : row + 1, kept] for column in found.history))
    if not kept:  # one line of padding, which nothing sees
        history = History(*(torch.zeros(1, 1, dtype=torch.int64) for _ in range(4)))
    return model.read_out(
        model.tokens_BLD(history),
        history,
        (history.items_BL > 0).unsqueeze(1),
        found.next_basket_B[row].view(1, 1),
        torch.tensor([[NOW]]),
    )[0, 0]


def close(one: Tensor, other: Tensor) -> bool:
    return bool(torch.allclose(one, other, rtol=0, atol=1e-5))


@few
@given(SEEDS, BLOCKS)
def test_masking_a_unit_is_a_forward_in_which_its_lines_are_not_there(seed: int, blocks: int) -> None:
    model = random_model(seed, blocks=blocks)
    found = cut(model, random_shoppers(seed))
    batch, units = found.unit_item_BU.shape
    each = torch.arange(units).view(1, -1, 1).expand(batch, -1, -1)

    masked = states(model, found, without(found, each))
    alone = states(model, found, only(found, each))

    for row in range(batch):
        numbers = found.unit_BL[row].tolist()
        for unit in range(units):
            others = [place for place, number in enumerate(numbers) if number >= 0 and number != unit]
            own = [place for place, number in enumerate(numbers) if number == unit]
            assert close(masked[row, unit], plain_state(model, found, row, others))
            assert close(alone[row, unit], plain_state(model, found, row, own))


@few
@given(SEEDS, BLOCKS)
def test_masking_sets_of_units_is_a_forward_without_all_of_them(seed: int, blocks: int) -> None:
    model = random_model(seed, blocks=blocks)
    found = cut(model, random_shoppers(seed))
    batch, units = found.unit_item_BU.shape
    sets = torch.from_numpy(np.random.default_rng(seed).integers(-1, units, (batch, 4, 3)))

    masked = states(model, found, without(found, sets))

    for row in range(batch):
        for number in range(4):
            gone = set(sets[row, number].tolist()) - {-1}
            kept = [p for p, unit in enumerate(found.unit_BL[row].tolist()) if unit >= 0 and unit not in gone]
            assert close(masked[row, number], plain_state(model, found, row, kept))


def test_all_lines_with_one_product_are_one_unit() -> None:
    found = cut(random_model(1), [[(DAY, 7, 1), (DAY, 9, 1), (2 * DAY, 7, 1)], [(DAY, 3, 2)]])

    assert found.unit_BL.tolist() == [[0, 1, 0], [0, -1, -1]]
    assert found.unit_item_BU.tolist() == [[7, 9], [3, 0]]
    assert found.lines_BL.tolist() == [[0, 1, 2], [3, -1, -1]]
    assert without(found, torch.tensor([[[0]], [[0]]])).tolist() == [[[False, True, False]], [[False, False, False]]]
    assert only(found, torch.tensor([[[0]], [[-1]]])).tolist() == [[[True, False, True]], [[False, False, False]]]


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_the_lines_of_one_basket_do_not_see_each_other(blocks: int) -> None:
    model = random_model(5, blocks=blocks)
    one = cut(model, [[(DAY, 1, 1), (2 * DAY, 2, 1), (2 * DAY, 3, 1)]])
    other = cut(model, [[(DAY, 1, 1), (2 * DAY, 2, 1), (2 * DAY, 8, 2)]])

    with torch.inference_mode():
        tokens, changed = model.tokens_BLD(one.history)[0], model.tokens_BLD(other.history)[0]

    assert close(tokens[:2], changed[:2])
    assert not close(tokens[2], changed[2])


@few
@given(SEEDS, BLOCKS)
def test_the_order_within_a_basket_changes_nothing(seed: int, blocks: int) -> None:
    model = random_model(seed, blocks=blocks, history=20)  # all of it: else the first basket read may be cut
    shoppers = random_shoppers(seed, most=4)
    random = np.random.default_rng(seed)
    mixed = [sorted(lines, key=lambda line: (line[0], random.random())) for lines in shoppers]

    one, other = cut(model, shoppers), cut(model, mixed)

    assert close(states(model, one, all_visible(one)), states(model, other, all_visible(other)))
    assert one.unit_item_BU.tolist() == other.unit_item_BU.tolist()


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_an_emptied_basket_gives_way_to_the_one_before(blocks: int) -> None:
    model = random_model(6, blocks=blocks)
    found = cut(model, [[(DAY, 1, 1), (2 * DAY, 2, 1), (2 * DAY, 3, 1), (9 * DAY, 4, 1)]])
    last = int(found.unit_BL[0, 3])

    masked = states(model, found, without(found, torch.tensor([[[last]]])))[0, 0]

    history = History(*(column[:, :3] for column in found.history))
    with torch.inference_mode():
        before = model.read_out(
            model.tokens_BLD(history),
            history,
            torch.ones(1, 1, 3, dtype=torch.bool),
            torch.tensor([[3]]),  # the next basket is still the fourth
            torch.tensor([[NOW]]),
        )[0, 0]
    assert close(masked, before)


@few
@given(SEEDS, BLOCKS)
def test_with_nothing_left_everybody_is_the_same(seed: int, blocks: int) -> None:
    model = random_model(seed, blocks=blocks)
    found = cut(model, [*random_shoppers(seed), []])

    emptied = states(model, found, torch.zeros_like(all_visible(found)))[:, 0]

    assert all(close(state, emptied[-1]) for state in emptied)
    assert close(emptied[-1], states(model, found, all_visible(found))[-1, 0])


@few
@given(SEEDS, BLOCKS)
def test_whoever_is_computed_beside_changes_nothing(seed: int, blocks: int) -> None:
    model = random_model(seed, blocks=blocks)
    shoppers = random_shoppers(seed)
    together = cut(model, shoppers)

    states_BRD = states(model, together, all_visible(together))

    for row in range(len(shoppers)):
        alone = cut(model, shoppers, [row])
        assert close(states(model, alone, all_visible(alone))[0, 0], states_BRD[row, 0])


def test_only_the_most_recent_lines_are_read() -> None:
    model = random_model(2, history=3)
    shoppers = [[(day * DAY, day, 1) for day in range(1, 8)]]

    history, next_basket, lines = latest_history(histories_of(shoppers), np.asarray([0]), model.config, now=NOW)

    assert history.items_BL.tolist() == [[5, 6, 7]]
    assert history.baskets_BL.tolist() == [[0, 1, 2]]
    assert (next_basket.tolist(), lines.tolist()) == ([3], [[4, 5, 6]])


def test_two_times_of_one_second_are_one_basket() -> None:
    history, next_basket, _ = latest_history(
        histories_of([[(5, 1, 1), (5, 2, 1), (6, 3, 1)], []]), np.asarray([1, 0]), random_model(1).config, now=NOW
    )

    assert history.items_BL.tolist() == [[0, 0, 0], [1, 2, 3]]
    assert history.baskets_BL[1].tolist() == [0, 0, 1]
    assert next_basket.tolist() == [0, 2]
