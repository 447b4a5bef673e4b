"""What is stored of a shopper does not depend on the order in which shoppers are asked for."""

import json
from collections.abc import Sequence

import pytest

from catalog.models import Shopper
from explanations import engine
from explanations.contract import pack
from explanations.slates import ExplainedSlate
from tests.explanations.test_engine import World
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def stored(slates: Sequence[ExplainedSlate]) -> dict[tuple[int | None, str], str]:
    """The contracts as they are stored, by shopper and placement."""
    return {
        (slate.shopper_id, slate.placement.value): json.dumps([pack(each) for each in slate.contracts])
        for slate in slates
    }


def computed(shoppers: Sequence[Shopper]) -> dict[tuple[int | None, str], str]:
    return stored(list(engine.refresh([shopper.pk for shopper in shoppers])))


def test_the_order_of_shoppers_changes_no_byte_of_a_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explanations.engine.timezone.now", lambda: NOON)
    world = World(blocks=1, uses_repeats=True)

    together, backwards = computed(world.shoppers), computed(world.shoppers[::-1])

    assert len(together) == 2 * len(world.shoppers)
    assert backwards == together
