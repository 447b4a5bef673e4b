"""A version in a file: the names of its rows, its configuration, and weights of exactly the shapes that these have."""

import io
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pytest
import torch

from recommendations.ml import tensor_files
from recommendations.ml.config import SIZES, ModelConfig
from recommendations.ml.exported import Exported, OtherFormat, only
from recommendations.ml.model import Recommender
from recommendations.ml.shapes import LATER, shapes
from recommendations.ml.tensor_files import Damaged
from recommendations.ml.transfer import OWN_AGAIN

CONFIG = ModelConfig(width=8, blocks=2)
SIZE_OF = {"brand": 3, "group": 2}


def model_of(config: ModelConfig, *, text_width: int | None) -> Recommender:
    return Recommender(
        config,
        products=4,
        attributes={name: torch.zeros(5, 1) for name in SIZE_OF},
        sizes=SIZE_OF,
        texts_IW=None if text_width is None else torch.zeros(5, text_width),
        event_types=2,
    )


def weights_of(model: Recommender) -> dict[str, Any]:
    return {name: value.numpy() for name, value in model.state_dict().items() if name not in OWN_AGAIN}


def exported(**changes: Any) -> Exported:
    made = Exported(
        config=CONFIG,
        keys=("a", "b", "c", "d"),
        labels={"brand": ("x", "y", "z"), "group": ("cups", "茶")},
        kinds=("purchase -inf", "view -inf"),
        encoder="small",
        origin={"shop": "Teas"},
        weights=weights_of(model_of(CONFIG, text_width=6)),
    )
    return replace(made, **changes)


def stored(made: Exported) -> io.BytesIO:
    file = io.BytesIO()
    made.write(file)
    return file


@pytest.mark.parametrize(
    ("config", "text_width"),
    [
        *((config, 6) for config in SIZES.values()),
        (CONFIG, None),
        (replace(CONFIG, uses_times=False, uses_types=False), 6),
        (replace(CONFIG, uses_attributes=False, predicts_types=False), None),
        (replace(CONFIG, uses_repeats=False, uses_popularity=False, feed_forward=2, heads=4), 6),
    ],
)
def test_the_shapes_of_a_configuration_are_those_of_the_model_that_is_built(
    config: ModelConfig, text_width: int | None
) -> None:
    with torch.device("meta"):
        built = model_of(config, text_width=text_width).state_dict()
    for name in OWN_AGAIN:
        built.pop(name, None)

    told = shapes(config, products=4, sizes=SIZE_OF, kinds=2, text_width=text_width)

    assert told == {name: tuple(value.shape) for name, value in built.items()}


def test_a_version_is_read_as_it_was_written() -> None:
    made = exported()

    found = Exported.read(stored(made))

    assert replace(found, weights={}) == replace(made, weights={})
    assert found.weights.keys() == made.weights.keys()
    assert all(np.array_equal(found.weights[name], value) for name, value in made.weights.items())


def test_a_file_of_an_earlier_release_is_read_with_what_came_since_at_nothing() -> None:
    made = exported()
    earlier = {name: value for name, value in made.weights.items() if name not in LATER}

    found = Exported.read(stored(replace(made, weights=earlier)))

    assert found.weights.keys() == made.weights.keys()
    assert {name: value.max() for name, value in found.weights.items() if name in LATER} == {
        "repeats.fading.weight": 0.0,
        "repeats.rise": 0.0,
    }


def test_only_some_rows_go_with_padding_before_them() -> None:
    table = np.arange(8, dtype=np.float32).reshape(4, 2)

    found = only({"ids": table, "norm": table}, {"ids": np.asarray([3, 1])})

    assert found["ids"].tolist() == [[0, 1], [6, 7], [2, 3]]
    assert found["norm"] is table


def described(**changes: Any) -> io.BytesIO:
    """A file that says something else of itself; its checksum is right."""
    made = exported()
    said: dict[str, Any] = {
        "format": 1,
        "config": asdict(made.config),
        "keys": made.keys,
        "labels": made.labels,
        "kinds": made.kinds,
        "encoder": made.encoder,
        "origin": made.origin,
    }
    file = io.BytesIO()
    tensor_files.write(file, made.weights, said | changes)
    return file


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"config": asdict(replace(CONFIG, width=16))}, r"aims is \(3, 8\), not \(3, 16\)"),
        ({"config": asdict(replace(CONFIG, blocks=1))}, "'blocks.1.* has no place in its configuration"),
        ({"config": asdict(replace(CONFIG, blocks=3))}, "blocks.2.* is missing"),
        ({"config": asdict(replace(CONFIG, blocks=10**9))}, "names 1000000000 blocks and does not hold them"),
        ({"config": {"width": "8"}}, "width of its configuration cannot be '8'"),
        ({"config": {"width": -8}}, "below 1"),
        ({"config": {"width": 8, "heads": 0}}, "below 1"),
        ({"config": {"width": 9}}, "cannot be divided among 2 heads"),
        ({"config": {"depth": 2}}, "depth of its configuration"),
        ({"config": None}, "no configuration"),
        ({"keys": ["a", "b", "c"]}, r"bias.weight is \(5, 1\), not \(4, 1\)"),
        ({"keys": ["a", "b", "c", "c"]}, "not told apart"),
        ({"keys": ["a", "b", "c", 4]}, "no list of texts"),
        ({"keys": ["a", "b", "c", "d" * 500]}, "no list of texts"),
        ({"labels": {"brand": ["x", "y", "z"]}}, "'products.attributes.group.weight' has no place"),
        ({"labels": []}, "values of attributes"),
        ({"kinds": ["purchase -inf"]}, r"aims is \(3, 8\), not \(2, 8\)"),
        ({"encoder": None}, "what encoded its texts"),
        ({"origin": "Teas"}, "where it comes from"),
        ({"origin": {"shop": "Te\0as"}}, "cannot be written down"),
        ({"origin": {"sh\0op": "Teas"}}, "cannot be written down"),
        ({"labels": {"brand": ["x", "y", "z"], "gr\0oup": ["cups", "bowls"]}}, "attributes are no list of texts"),
        ({"encoder": "sm\0all"}, "what encoded its texts"),
        ({"keys": ["a", "b", "c", "\0"]}, "no list of texts"),
        ({"kinds": ["purchase -inf", "view\0 -inf"]}, "no list of texts"),
    ],
)
def test_a_description_that_does_not_fit_the_weights_is_told(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(Damaged, match=problem):
        Exported.read(described(**changes))


@pytest.mark.parametrize("number", [2, None, "1", {"a": 1}])
def test_another_format_is_told(number: object) -> None:
    with pytest.raises(OtherFormat):
        Exported.read(described(format=number))
