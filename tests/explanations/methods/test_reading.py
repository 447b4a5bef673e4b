"""Reading many variants of one history at once gives what the model itself gives for each."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from explanations.methods.reading import last_block
from explanations.methods.removal import Cases, cases, read, states, without
from recommendations.ml.model import Recommender
from tests.recommendations.ml.made import NOW, histories_of, random_model, random_shoppers

SEEDS = st.integers(0, 10_000)
few = settings(max_examples=25, deadline=None)


def cut(model: Recommender, seed: int) -> Cases:
    shoppers = random_shoppers(seed)
    return cases(model, histories_of(shoppers), np.arange(len(shoppers)), now=NOW)


def both(model: Recommender, found: Cases, visible_BRL: Tensor) -> tuple[Tensor, Tensor]:
    """The states that many read at once get, and those of the model's own forward."""
    return states(model, found, visible_BRL, read(model, found)), states(model, found, visible_BRL)


def by_chance(found: Cases, seed: int, rows: int = 12) -> Tensor:
    chance = torch.rand(len(found.unit_BL), rows, found.unit_BL.shape[1], generator=torch.Generator().manual_seed(seed))
    return found.real_BL.unsqueeze(1) & (chance < 0.6)


@few
@given(SEEDS, st.booleans())
def test_any_mask_is_read_as_by_the_model(seed: int, uses_times: bool) -> None:
    model = random_model(seed, uses_times=uses_times)
    found = cut(model, seed)

    together, plain = both(model, found, by_chance(found, seed))

    assert torch.allclose(together, plain, rtol=0, atol=1e-5)


@few
@given(SEEDS, st.floats(3, 300))
def test_a_head_that_looks_at_one_line_alone_loses_no_digit_without_it(seed: int, sharpness: float) -> None:
    model = random_model(seed)
    with torch.no_grad():
        last_block(model)[1].key.weight *= sharpness
    found = cut(model, seed)
    batch, units = found.unit_item_BU.shape
    each = torch.arange(units).view(1, -1, 1).expand(batch, -1, -1)

    together, plain = both(model, found, without(found, each))

    assert torch.allclose(together, plain, rtol=0, atol=1e-4)


def test_a_row_without_a_line_is_the_empty_history() -> None:
    model = random_model(5)
    found, nobody = cut(model, 5), cases(model, histories_of([[]]), np.asarray([0]), now=NOW)

    together, _ = both(model, found, torch.zeros_like(found.real_BL).unsqueeze(1))

    empty, _ = both(model, nobody, torch.zeros(1, 1, 1, dtype=torch.bool))
    assert torch.allclose(together, empty.expand_as(together), rtol=0, atol=1e-6)


@pytest.mark.parametrize("blocks", [2, 3])
def test_deeper_models_share_nothing(blocks: int) -> None:
    model = random_model(2, blocks=blocks)

    assert read(model, cut(model, 2)) is None
