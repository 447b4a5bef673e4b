"""The shop's own attributes as training reads them: pairs that several products share."""

import numpy as np
import pytest

from recommendations import attributes
from tests.factories import ProductFactory

pytestmark = pytest.mark.django_db


def numbered(*ids: int) -> np.ndarray:
    return np.asarray([0, *ids], np.int64)


def test_pairs_of_five_products_are_numbered_by_how_common_they_are() -> None:
    made = [
        ProductFactory(attributes={"colour": "red", "washable": True, "made of": ["wood", "steel"][: 1 + n % 2]})
        for n in range(5)
    ] + [ProductFactory(attributes={"colour": "red", "size": 1.5}), ProductFactory(attributes={})]

    values, names = attributes.pairs_of(numbered(*(product.pk for product in made)))

    assert names == ("colour=red", "made of=wood", "washable=true")  # steel and 1.5 belong to fewer than five
    assert values.tolist() == [[0, 0, 0], *[[1, 2, 3]] * 5, [1, 0, 0], [0, 0, 0]]


def test_products_that_are_left_out_and_what_is_no_attribute_count_for_nothing() -> None:
    text = "x" * 101
    made = [ProductFactory(attributes={"a": "", "b": None, "c": {"d": "e"}, "f": text, "g": "h"}) for _ in range(6)]
    made[0].attributes = ["not", "an", "object"]
    made[0].save()

    values, names = attributes.pairs_of(numbered(*(product.pk for product in made[:-1])))

    assert names == ("g=h",)
    assert values.tolist() == [[0], [0], [1], [1], [1], [1]]


def test_no_product_has_more_pairs_than_sixteen_and_those_are_its_most_common_ones() -> None:
    made = [ProductFactory(attributes={f"n{n:02}": "y" for n in range(20 - one)}) for one in range(6)]

    values, names = attributes.pairs_of(numbered(*(product.pk for product in made)))

    assert len(names) == 16  # n16 stands at four products
    assert values[1].tolist() == list(range(1, 17))
    assert values[6].tolist() == [*range(1, 16), 0]


def test_a_shop_without_attributes_has_no_pairs() -> None:
    product = ProductFactory()

    values, names = attributes.pairs_of(numbered(product.pk))

    assert names == ()
    assert values.tolist() == [[0], [0]]
