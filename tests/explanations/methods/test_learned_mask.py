"""A mask by degree is at its ends the one removal operator; a network learns where to put it."""

import pytest
import torch

from explanations.methods import learned_mask
from explanations.methods.protocol import competition
from explanations.methods.removal import states
from explanations.methods.soft_removal import soft_states
from tests.explanations.methods.asking import random_question


@pytest.mark.parametrize("blocks", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_degrees_of_zero_and_one_are_hidden_and_visible(blocks: int, seed: int) -> None:
    asked = random_question(seed, blocks=blocks)
    real = asked.cases.real_BL
    random = torch.Generator().manual_seed(seed)
    visible = (torch.rand(real.shape[0], 6, real.shape[1], generator=random) < 0.5) & real.unsqueeze(1)
    visible[:, 0], visible[:, 1] = real, False

    with torch.no_grad():
        soft = soft_states(asked.model, asked.cases, visible.float())

    assert torch.allclose(soft, states(asked.model, asked.cases, visible), atol=2e-5)


def test_a_mask_by_degree_has_gradients_everywhere() -> None:
    asked = random_question(2, blocks=2)
    degree = torch.full((asked.cases.real_BL.shape[0], 1, asked.cases.real_BL.shape[1]), 0.5, requires_grad=True)

    (gradient,) = torch.autograd.grad(soft_states(asked.model, asked.cases, degree).square().sum(), degree)

    assert bool((gradient[:, 0][asked.cases.real_BL] != 0).all())
    assert bool(torch.isfinite(gradient).all())


def test_training_lowers_the_loss_and_repeats_itself() -> None:
    examples = [random_question(seed) for seed in range(3)]

    first, trained, again = (learned_mask.train(examples, epochs=epochs) for epochs in (0, 30, 30))

    with torch.no_grad():
        before, after = (
            sum(float(learned_mask.loss(mask, asked, competition(asked))) for asked in examples)
            for mask in (first, trained)
        )
    assert after < before - 0.1
    assert all(torch.equal(one, other) for one, other in zip(trained.parameters(), again.parameters(), strict=True))


def test_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(ValueError, match="needs examples"):
        learned_mask.train([])
