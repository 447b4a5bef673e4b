"""The vector of a product is a sum of parts, and what is known of it is enough where nobody had it yet."""

import numpy as np
import torch

from recommendations.ml.config import ModelConfig
from recommendations.ml.model import ProductVectors
from tests.recommendations.ml.made import random_model, texts_of


def test_a_vector_is_the_sum_of_its_parts_one_by_one_and_all_at_once() -> None:
    model = random_model(4, has_texts=True)
    everything = torch.arange(13)

    parts = {name: model.products.part(name, everything) for name in ("id", *model.products.names)}

    assert list(parts) == ["id", "group", "text"]
    assert torch.allclose(sum(parts.values(), torch.zeros(13, 8)), model.products(everything), rtol=0, atol=1e-6)
    for item in range(13):
        one = model.products(torch.tensor([item]))
        assert torch.allclose(one[0], model.products(everything)[item], rtol=0, atol=1e-6)


def test_texts_are_projected_by_one_matrix_and_no_text_adds_nothing() -> None:
    model = random_model(4, has_texts=True)
    assert model.products.projection is not None
    matrix = model.products.projection.weight.detach().numpy()

    part = model.products.part("text", torch.arange(13)).detach().numpy()

    assert np.allclose(part, texts_of(12).astype(np.float32) @ matrix.T, rtol=0, atol=1e-6)
    assert not part[[0, 12]].any()


def test_frozen_texts_are_no_weights() -> None:
    model = random_model(4, has_texts=True)

    assert "products.texts_IW" not in model.state_dict()
    assert "products.projection.weight" in model.state_dict()


def test_what_is_not_known_of_a_product_adds_nothing_and_several_values_are_their_mean() -> None:
    values = torch.tensor([[0, 0], [0, 0], [3, 0], [1, 3]])

    vectors = ProductVectors(ModelConfig(width=8), 3, {"other": values}, {"other": 3})

    part = vectors.part("other", torch.arange(4))
    table = vectors.attributes["other"]
    assert isinstance(table, torch.nn.Embedding)
    assert not part[:2].any()
    assert torch.equal(part[2], table.weight[3])
    assert torch.allclose(part[3], (table.weight[1] + table.weight[3]) / 2, rtol=0, atol=1e-7)
    assert torch.equal(vectors(torch.tensor([1]))[0], vectors.ids.weight[1])
