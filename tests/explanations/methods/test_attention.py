"""Attention and its rollout are read from the model as it attends."""

import pytest
import torch

from explanations.methods.attention import attention, weights
from explanations.methods.rollout import rollout
from recommendations.ml.data import DAY
from recommendations.ml.model import Block
from tests.explanations.methods.asking import ask, random_question
from tests.recommendations.ml.made import random_model


def test_weights_are_the_softmax_of_the_models_logits_beside_the_null_key() -> None:
    asked = random_question(3)
    cases, block = asked.cases, asked.model.blocks[-1]
    assert isinstance(block, Block)
    seen: list[tuple[torch.Tensor, ...]] = []
    handle = block.attention.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))

    (found,) = weights(asked.model, cases)

    handle.remove()
    query, key, visible, lag, gap = seen[0]
    with torch.no_grad():
        logits = block.attention.logits_BHQL(query, key, lag, gap).masked_fill(~visible.unsqueeze(1), float("-inf"))
        total = logits.exp().sum(-1, keepdim=True) + block.attention.null_logit.view(1, -1, 1, 1).exp()
        expected = (logits.exp() / total).mean(1)
    assert torch.allclose(found, expected, atol=1e-6)
    assert (found.sum(-1) < 1).all()
    assert (found.masked_fill(cases.real_BL.unsqueeze(1), 0.0) == 0).all()


def test_attention_is_the_same_for_every_product_and_sums_the_lines_of_a_unit() -> None:
    asked = ask(random_model(1), [[(DAY, 7, 1), (DAY, 9, 1), (2 * DAY, 7, 1)]])

    found = attention(asked)

    line = weights(asked.model, asked.cases)[-1][0, 0]
    assert found.shape == (1, 2, 3)
    assert torch.allclose(found[0, :, 0], torch.stack([line[0] + line[2], line[1]]))
    assert torch.equal(found[..., 0], found[..., 2])


def test_rollout_of_one_block_is_half_attention_and_half_the_latest_basket() -> None:
    asked = ask(random_model(1), [[(DAY, 7, 1), (2 * DAY, 8, 1), (2 * DAY, 9, 1)]])

    found = rollout(asked)[0, :, 0]

    line = weights(asked.model, asked.cases)[-1][0, 0]
    assert torch.allclose(found, 0.5 * line + torch.tensor([0.0, 0.25, 0.25]))


@pytest.mark.parametrize("blocks", [2, 3])
def test_rollout_multiplies_through_the_blocks(blocks: int) -> None:
    asked = ask(random_model(2, blocks=blocks), [[(DAY, 7, 1), (2 * DAY, 8, 1), (3 * DAY, 9, 1)]])
    *earlier, last = weights(asked.model, asked.cases)
    identity = torch.eye(3)
    through = identity
    for weight in earlier:
        through = (0.5 * weight[0] + 0.5 * identity) @ through

    found = rollout(asked)[0, :, 0]

    expected = (0.5 * last[0, 0] + torch.tensor([0.0, 0.0, 0.5])) @ through
    assert torch.allclose(found, expected, atol=1e-6)
