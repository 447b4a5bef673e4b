"""The second implementation of the forward says what the model says."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explanations.methods.removal import cases, states
from explanations.plain import Past, PlainModel
from tests.recommendations.ml.made import NOW, histories_of, random_model, random_shoppers, texts_of


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3), st.booleans(), st.booleans())
def test_scores_after_any_part_of_a_history_are_those_of_the_model(
    seed: int, blocks: int, uses_times: bool, has_texts: bool
) -> None:
    model = random_model(seed, blocks=blocks, uses_times=uses_times, has_texts=has_texts)
    attributes = {"group": model.products.get_buffer("values_group").numpy()}
    texts = texts_of(12) if has_texts else None
    plain = PlainModel(model.state_dict(), attributes, texts, heads=model.config.heads, blocks=blocks)
    shoppers = random_shoppers(seed)
    found = cases(model, histories_of(shoppers), np.arange(len(shoppers)), now=NOW)
    kept = found.real_BL & (torch.rand(found.real_BL.shape, generator=torch.Generator().manual_seed(seed)) < 0.7)
    with torch.inference_mode():
        state = states(model, found, kept.unsqueeze(1))[:, 0]
        scores = (state @ model.products(torch.arange(13)).T + model.bias.weight.squeeze(-1)).numpy()
    offset = model.bias.weight.detach().double().squeeze(-1).numpy()

    for row in range(len(shoppers)):
        items, types, times, baskets = (column[row].numpy() for column in found.history)
        past = Past(items=items, types=types, times=times, baskets=baskets, now=NOW)
        mine = plain.scores(past.only(kept[row].numpy()), int(found.next_basket_B[row]), offset)

        assert np.allclose(mine[1:], scores[row, 1:], rtol=0, atol=1e-4)
