"""Shapley values add up, and are captum's."""

import pytest
import torch
from captum.attr import FeatureAblation, ShapleyValues

from explanations.methods.joint import joint
from explanations.methods.leave_one_out import leave_one_out
from explanations.methods.occlusion import screen
from explanations.methods.pools import log_p
from explanations.methods.protocol import Question, competition
from explanations.methods.removal import states
from explanations.methods.shapley import orders, shapley
from recommendations.ml.data import DAY
from tests.explanations.methods.asking import ask, random_question
from tests.recommendations.ml.made import Line, random_model

BLOCKS = pytest.mark.parametrize("blocks", [1, 2])


class OfUnits:
    """log p [N] of one product, as a function of which units are there [N, U]."""

    def __init__(self, asked: Question, product: int):
        self.asked, self.product, self.pool = asked, product, competition(asked)

    def __call__(self, units_NU: torch.Tensor) -> torch.Tensor:
        asked = self.asked
        there_NU = units_NU > 0.5
        visible_1NL = there_NU[:, asked.cases.unit_BL[0].clamp(min=0)].unsqueeze(0) & asked.cases.real_BL.unsqueeze(1)
        state = states(asked.model, asked.cases, visible_1NL)
        return log_p(state, self.pool, asked.vectors_BKD, asked.offset_BK)[0, :, self.product]


def history(units: int) -> list[Line]:
    return [(day * DAY, day, 1) for day in range(1, units + 1)]


@BLOCKS
def test_left_out_one_by_one_is_captums_ablation(blocks: int) -> None:
    asked = ask(random_model(4, blocks=blocks), [history(5)])

    found = leave_one_out(asked)

    for product in range(3):
        theirs = FeatureAblation(OfUnits(asked, product)).attribute(torch.ones(1, 5))
        assert torch.allclose(found[0, :, product], theirs[0].float(), atol=1e-5)


@BLOCKS
def test_two_units_need_one_pair_of_orders(blocks: int) -> None:
    asked = ask(random_model(5, blocks=blocks), [history(2)])

    found = shapley(asked, pairs=1)

    for product in range(3):
        theirs = ShapleyValues(OfUnits(asked, product)).attribute(torch.ones(1, 2))
        assert torch.allclose(found[0, :, product], theirs[0].float(), atol=1e-5)


def test_more_units_come_near_captums_exact_values() -> None:
    asked = ask(random_model(6), [history(5)])

    found = shapley(asked, pairs=4_000)

    for product in range(3):
        theirs = ShapleyValues(OfUnits(asked, product)).attribute(torch.ones(1, 5))[0].float()
        assert (found[0, :, product] - theirs).abs().max() < 0.05 * theirs.abs().max()


@BLOCKS
def test_the_values_add_up_to_what_the_whole_history_changes(blocks: int) -> None:
    asked = random_question(7, blocks=blocks)
    real = asked.cases.real_BL.unsqueeze(1)

    found = shapley(asked, pairs=2)

    reached = states(asked.model, asked.cases, torch.cat([torch.zeros_like(real), real], 1))
    nothing, everything = log_p(reached, competition(asked), asked.vectors_BKD, asked.offset_BK).unbind(1)
    exists = asked.exists_BU.unsqueeze(-1)
    assert torch.allclose(found.masked_fill(~exists, 0.0).sum(1), everything - nothing, atol=1e-4)
    assert (found.masked_fill(exists, float("-inf")) == float("-inf")).all()


def test_every_order_has_its_reverse_and_depends_on_the_own_number_of_units_alone() -> None:
    asked = ask(random_model(1), [history(4), history(2)])

    made = orders(asked.cases, 3, seed=0)

    assert made[0, 0::2].tolist() == made[0, 1::2, ::-1].tolist()
    assert sorted(made[0, 0]) == [0, 1, 2, 3]
    assert (made[1, :, 2:] == [2, 3]).all()
    assert made[1].tolist() == [[*pair, 2, 3] for pair in orders(ask(random_model(1), [history(2)]).cases, 3, 0)[0]]


def test_ours_puts_the_chosen_reasons_first_and_leaves_the_rest() -> None:
    asked = random_question(8, baskets=6)
    screening = screen(asked.model, asked.cases, competition(asked), asked.vectors_BKD, asked.offset_BK)

    found = joint(asked)

    for row in range(found.shape[0]):
        for product in range(found.shape[2]):
            chosen = [unit for unit in screening.chosen_BK3[row, product].tolist() if unit >= 0]
            order = torch.argsort(found[row, :, product], descending=True).tolist()
            assert order[: len(chosen)] == chosen
            rest = [unit for unit in range(found.shape[1]) if unit not in chosen]
            assert torch.equal(found[row, rest, product], screening.delta_BUK[row, rest, product])
