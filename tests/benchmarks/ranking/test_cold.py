"""What the benchmark of withheld products takes away and asks for."""

import numpy as np

from recommendations.ml.data import Catalogue, Histories, NextBaskets
from tests.benchmarks.ranking import cold


def test_a_tenth_is_drawn_once_and_for_everybody() -> None:
    mask = cold.withheld(200)

    assert (len(mask), int(mask.sum()), bool(mask[0])) == (201, 20, False)
    assert np.array_equal(mask, cold.withheld(200))


def test_nothing_is_left_of_a_withheld_product() -> None:
    histories = Histories(
        offsets=np.asarray([0, 3, 4], np.int64),
        items=np.asarray([1, 2, 1, 2], np.int32),
        times=np.asarray([5, 6, 7, 8], np.int64),
        types=np.ones(4, np.int32),
    )

    left = cold.without(histories, np.asarray([False, False, True]), np.asarray([False, True]))

    assert (left.offsets.tolist(), left.items.tolist(), left.times.tolist()) == ([0, 2, 2], [1, 1], [5, 7])


def test_only_shoppers_with_such_a_product_are_asked() -> None:
    targets = NextBaskets(
        shoppers=np.asarray([3, 7]),
        offsets=np.asarray([0, 2, 3]),
        items=np.asarray([1, 2, 1], np.int32),
        now=9,
    )

    asked = cold.only(targets, np.asarray([False, True, False]))

    assert (asked.shoppers.tolist(), asked.offsets.tolist(), asked.items.tolist()) == ([3], [0, 1], [2])


def test_content_is_attributes_and_texts_of_equal_weight() -> None:
    values = np.asarray([[0, 0], [1, 2], [2, 0], [0, 0]], np.int32)
    texts = np.asarray([[0, 0], [0, 0], [3, 4], [0, 2]], np.float16)
    catalogue = Catalogue(products=3, attributes={"other": values}, sizes={"other": 2}, texts=texts)

    known = cold.known_of(catalogue)

    half = 0.5**0.5
    assert np.allclose(known, [[0, 0, 0, 0], [half, half, 0, 0], [0, half, 0.6 * half, 0.8 * half], [0, 0, 0, 1]])
