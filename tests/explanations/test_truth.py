"""Numbers are said as the nearest whole ones, and those are what an audit accepts."""

import pytest

from explanations.contract import Cause, ReasonType
from explanations.phrasing.phrased import _rounded
from explanations.truth import _is_chance, unsupported
from tests.factories import EventTypeFactory, ProductFactory
from tests.worlds import contract, evidence, reason


@pytest.mark.parametrize(
    ("probability", "said"), [(0.214, 5), (0.2199, 5), (0.1736, 6), (0.1544, 6), (0.012, 83), (0.0041, 240)]
)
def test_one_in_so_many_is_the_nearest_whole_number(probability: float, said: int) -> None:
    assert _rounded(1 / probability) == said
    assert _is_chance(said, probability)


@pytest.mark.parametrize(("probability", "said"), [(0.214, 4), (0.1736, 5), (0.012, 70), (0.0041, 100), (0.6, 9)])
def test_another_number_is_not_supported(probability: float, said: int) -> None:
    assert not _is_chance(said, probability)


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_interval_between_purchases_is_supported_as_it_is_said(db: None, language: str) -> None:
    EventTypeFactory(code="purchase")
    products = {pk: ProductFactory.build(pk=pk, category=None) for pk in (1, 2)}
    told = evidence(1, times=3)

    wrong = {
        days: found
        for days in range(1, 720)
        if (
            found := unsupported(
                contract(
                    1,
                    cause=Cause.BUY_AGAIN,
                    reasons=(reason(told, type=ReasonType.REPEAT, every_days=days),),
                ),
                products=products,
                categories={},
                language=language,
            )
        )
    }

    assert wrong == {}
