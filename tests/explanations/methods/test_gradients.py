"""Our gradients are those of captum, on the model's own forward."""

import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients

from explanations.methods.embedded import LogProbability, embed
from explanations.methods.gradient_input import gradient_input
from explanations.methods.integrated_gradients import integrated_gradients
from explanations.methods.pools import log_p
from explanations.methods.protocol import Question, competition, per_unit
from explanations.methods.removal import states
from tests.explanations.methods.asking import random_question

BLOCKS = pytest.mark.parametrize("blocks", [1, 2, 3])


def summed(asked: Question, lines_FLD: torch.Tensor) -> torch.Tensor:
    batch, products = asked.items_BK.shape
    return per_unit(asked.cases, lines_FLD.detach().sum(-1).view(batch, products, -1))


def same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool(torch.allclose(one, other, rtol=1e-4, atol=1e-5))


@BLOCKS
def test_the_function_of_the_embedded_lines_is_the_model(blocks: int) -> None:
    asked = random_question(1, blocks=blocks)
    function = LogProbability(asked)

    with torch.no_grad():
        value = function(function.inputs_FLD()).view(asked.items_BK.shape)

    state = states(asked.model, asked.cases, asked.cases.real_BL.unsqueeze(1))
    assert same(value, log_p(state, competition(asked), asked.vectors_BKD, asked.offset_BK)[:, 0])


def test_lines_are_embedded_with_their_event_type() -> None:
    asked = random_question(2)
    history = asked.cases.history

    lines = embed(asked.model, history)

    assert asked.model.types is not None
    assert same(lines, asked.vectors_ID[history.items_BL] + asked.model.types(history.types_BL))


@BLOCKS
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_gradient_times_input_is_captums(blocks: int, seed: int) -> None:
    asked = random_question(seed, blocks=blocks)
    function = LogProbability(asked)

    theirs = InputXGradient(function).attribute(function.inputs_FLD().requires_grad_())

    assert same(gradient_input(asked), summed(asked, theirs))


@BLOCKS
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_integrated_gradients_are_captums(blocks: int, seed: int) -> None:
    asked = random_question(seed, blocks=blocks)
    function = LogProbability(asked)

    inputs = function.inputs_FLD().requires_grad_()
    theirs = IntegratedGradients(function).attribute(
        inputs, n_steps=16, method="riemann_middle", internal_batch_size=len(inputs)
    )

    assert same(integrated_gradients(asked, steps=16), summed(asked, theirs))


def test_hooks_do_not_stay() -> None:
    asked = random_question(1)

    gradient_input(asked)

    assert not asked.model.dropout._forward_hooks
