from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from pytest_django import DjangoCaptureOnCommitCallbacks

from catalog.models import Interaction, Shopper
from catalog.services import exclude_history, set_personalised
from explanations import refreshing
from explanations.services import recommendations_for
from explanations.slates import ExplainedSlate
from recommendations import services
from recommendations.models import Placement, Run, Slate
from tests import stand_in
from tests.factories import NOON, InteractionFactory, ProductFactory, RunFactory, ShopperFactory
from tests.worlds import explained_slate, publish

LATER = NOON + timedelta(hours=1)
SOON = LATER + timedelta(seconds=2)

Sent = list[tuple[str, str, dict[str, Any]]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    messages: Sent = []
    monkeypatch.setattr(current_app, "send_task", lambda task, kwargs, queue: messages.append((task, queue, kwargs)))
    return messages


@pytest.fixture
def shoppers(db: None) -> list[Shopper]:
    """Three with two purchases each; a live run of noon has a slate of the first two in each placement."""
    ProductFactory.create_batch(5)
    run = RunFactory()
    shoppers = [ShopperFactory() for _ in range(3)]
    for shopper in shoppers:
        InteractionFactory.create_batch(2, shopper=shopper)
    for shopper in shoppers[:2]:
        for placement in (Placement.HOME, Placement.BUY_AGAIN):
            explained_slate(run=run, shopper=shopper, placement=placement, contracts=[])
    publish(run)
    return shoppers


class Compute:
    """The stand-in, which remembers whom it was asked for."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def __call__(self, shopper_ids: Sequence[int]) -> Iterator[ExplainedSlate]:
        self.asked.append(list(shopper_ids))
        return stand_in.refresh(shopper_ids)


def change(shopper: Shopper, *, at: Any = LATER) -> None:
    Shopper.objects.filter(pk=shopper.pk).update(changed_at=at)


def test_only_who_changed_is_refreshed_and_only_once(shoppers: list[Shopper]) -> None:
    compute = Compute()
    change(shoppers[1])
    ids = [shopper.pk for shopper in shoppers]

    first = refreshing.refresh(shopper_ids=ids, compute=compute, at=SOON)
    second = refreshing.refresh(shopper_ids=ids, compute=compute, at=SOON + timedelta(seconds=1))

    assert (first, second) == (2, 0)
    assert compute.asked == [[shoppers[1].pk]]
    current = Slate.objects.filter(shopper=shoppers[1], superseded_at=None)
    assert set(current.values_list("computed_at", flat=True)) == {SOON}


def test_a_shopper_who_is_new_gets_slates(shoppers: list[Shopper]) -> None:
    change(shoppers[2])

    assert refreshing.refresh(shopper_ids=[shoppers[2].pk], compute=Compute(), at=SOON) == 2

    shown = recommendations_for(shopper=shoppers[2], placement=Placement.HOME)
    assert shown.is_personal


def test_a_change_seen_by_a_clock_that_is_ahead_is_not_refreshed_again_and_again(shoppers: list[Shopper]) -> None:
    compute = Compute()
    change(shoppers[0], at=SOON + timedelta(seconds=3))

    for seconds in (0, 1):
        refreshing.refresh(shopper_ids=[shoppers[0].pk], compute=compute, at=SOON + timedelta(seconds=seconds))

    assert len(compute.asked) == 1
    shopper = Shopper.objects.get(pk=shoppers[0].pk)
    assert not recommendations_for(shopper=shopper, placement=Placement.HOME).is_stale


def test_who_switched_off_is_not_computed(shoppers: list[Shopper]) -> None:
    compute = Compute()
    set_personalised(shopper=shoppers[0], is_personalised=False, at=LATER)

    assert refreshing.refresh(shopper_ids=[shoppers[0].pk], compute=compute, at=SOON) == 0

    assert compute.asked == []


def test_who_has_no_history_left_has_no_slates_left(shoppers: list[Shopper]) -> None:
    for row in Interaction.objects.filter(shopper=shoppers[0]):
        exclude_history(shopper=shoppers[0], product=row.product, at=LATER)

    refreshing.refresh(shopper_ids=[shoppers[0].pk], compute=Compute(), at=SOON)

    assert not Slate.objects.filter(shopper=shoppers[0], superseded_at=None).exists()


def test_without_a_live_run_nothing_is_computed(shoppers: list[Shopper]) -> None:
    compute = Compute()
    change(shoppers[0])
    Run.objects.update(state="retired")

    assert refreshing.refresh(shopper_ids=[shoppers[0].pk], compute=compute, at=SOON) == 0
    assert compute.asked == []


def test_all_who_are_stale_are_asked_for_the_latest_change_first(
    shoppers: list[Shopper],
    sent: Sent,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    monkeypatch.setattr(refreshing, "SHOPPERS_AT_ONCE", 2)
    for minutes, shopper in enumerate(shoppers):
        change(shopper, at=LATER + timedelta(minutes=minutes))
    first, second, third = (shopper.pk for shopper in shoppers)
    change(ShopperFactory(is_personalised=False))

    with django_capture_on_commit_callbacks(execute=True):
        assert refreshing.send_stale() == 3

    assert sent == [
        ("explanations.tasks.refresh_shoppers", "default", {"shopper_ids": [third, second]}),
        ("explanations.tasks.refresh_shoppers", "default", {"shopper_ids": [first]}),
    ]


def test_after_a_roll_back_who_changed_since_is_stale_again(shoppers: list[Shopper], sent: Sent) -> None:
    old = Run.objects.live().get()
    change(shoppers[0])
    change(shoppers[2], at=NOON - timedelta(hours=1))
    new = RunFactory(as_of=SOON, ready_at=SOON)
    explained_slate(run=new, shopper=shoppers[0], contracts=[], computed_at=SOON)
    services.publish(run=new, by=None, at=SOON)
    assert list(refreshing.stale(new)) == []

    services.roll_back(by=None, at=SOON)

    assert list(refreshing.stale(old)) == [shoppers[0]]
    assert refreshing.refresh(shopper_ids=[shoppers[0].pk], compute=Compute(), at=SOON) == 2
    assert set(
        Slate.objects.filter(run=old, shopper=shoppers[0], computed_at=SOON).values_list("placement", flat=True)
    ) == {
        "home",
        "buy_again",
    }
