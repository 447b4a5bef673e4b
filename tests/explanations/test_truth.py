"""A chance is said as the nearest whole number, and that is what an audit accepts."""

import pytest

from explanations.phrasing.phrased import _rounded
from explanations.truth import _is_chance


@pytest.mark.parametrize(
    ("probability", "said"), [(0.214, 5), (0.2199, 5), (0.1736, 6), (0.1544, 6), (0.012, 83), (0.0041, 240)]
)
def test_one_in_so_many_is_the_nearest_whole_number(probability: float, said: int) -> None:
    assert _rounded(1 / probability) == said
    assert _is_chance(said, probability)


@pytest.mark.parametrize(("probability", "said"), [(0.214, 4), (0.1736, 5), (0.012, 70), (0.0041, 100), (0.6, 9)])
def test_another_number_is_not_supported(probability: float, said: int) -> None:
    assert not _is_chance(said, probability)
