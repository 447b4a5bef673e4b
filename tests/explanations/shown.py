"""A small shop with a real model whose slates are stored, so that questions about them can be asked."""

from datetime import timedelta

import pytest

from catalog.models import Shopper
from explanations import engine, refreshing
from recommendations.models import Placement, Slate
from tests.explanations.test_engine import World
from tests.factories import NOON


def shown_world(monkeypatch: pytest.MonkeyPatch, *, blocks: int = 1) -> World:
    """Everybody's slates of the world are written."""
    monkeypatch.setattr("explanations.engine.timezone.now", lambda: NOON)
    world = World(blocks=blocks)
    refresh(world.shoppers)
    return world


def refresh(shoppers: list[Shopper], *, minutes: int = 1) -> None:
    """As the worker does after something changed."""
    at = NOON + timedelta(minutes=minutes)
    Shopper.objects.filter(pk__in=[shopper.pk for shopper in shoppers]).update(changed_at=at)
    refreshing.refresh(shopper_ids=[shopper.pk for shopper in shoppers], compute=engine.refresh, at=at)
    for shopper in shoppers:
        shopper.refresh_from_db()


def home_of(shopper: Shopper) -> Slate:
    return Slate.objects.live().get(shopper=shopper, placement=Placement.HOME)
