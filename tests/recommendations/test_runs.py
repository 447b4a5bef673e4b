"""Runs: planned in shards, sent, added up."""

import uuid
from datetime import timedelta

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from recommendations import services, shards
from recommendations.models import Run, Shard
from tests.factories import (
    NOON,
    InteractionFactory,
    ModelVersionFactory,
    ProductFactory,
    RunFactory,
    ShardFactory,
    ShopperFactory,
    SlateFactory,
    StaffFactory,
)
from tests.recommendations.situations import LATER, Sent, explained_run


def test_a_run_is_planned_in_shards_and_sent_a_window_at_a_time(
    db: None,
    sent: Sent,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    monkeypatch.setattr(shards, "SHOPPERS_PER_SHARD", 2)
    monkeypatch.setattr(shards, "PRODUCTS_PER_SHARD", 3)
    monkeypatch.setattr(shards, "WINDOW", 3)
    shoppers = [InteractionFactory(product=ProductFactory()).shopper for _ in range(3)]
    InteractionFactory(shopper=ShopperFactory(is_personalised=False), product=ProductFactory())
    InteractionFactory(excluded_at=NOON, product=ProductFactory(is_active=False))
    InteractionFactory(occurred_at=LATER, product=ProductFactory(is_available=False))
    ShopperFactory()

    with django_capture_on_commit_callbacks(execute=True):
        run = services.start_run(version=ModelVersionFactory(), by=None, at=NOON, publish_when_ready=False)

    kinds = list(run.shards.order_by("number").values_list("number", "kind", "first_id", "last_id"))
    first, second, third = (shopper.pk for shopper in shoppers if shopper)
    assert kinds[:3] == [(0, "non_personal", 0, 0), (1, "shoppers", first, second), (2, "shoppers", third, third)]
    assert [kind for _, kind, _, _ in kinds[3:]] == ["products", "products"]
    assert [queue for _, queue, _ in sent] == ["precompute"] * 3
    numbers = dict(Shard.objects.values_list("pk", "number"))
    assert [numbers[arguments["shard_id"]] for _, _, arguments in sent] == [0, 1, 2]


def test_a_version_that_did_not_pass_is_not_run(db: None) -> None:
    with pytest.raises(services.NotRunnable):
        services.start_run(version=ModelVersionFactory(state="rejected"), by=None, at=NOON, publish_when_ready=True)

    assert not Run.objects.exists()


def test_finished_shards_make_room_and_lost_ones_are_sent_again(
    db: None,
    sent: Sent,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    monkeypatch.setattr(shards, "WINDOW", 2)
    run = RunFactory(state="computing", ready_at=None)
    rows = [ShardFactory(run=run, number=number) for number in range(4)]

    def sent_at(seconds: int, *, resend: bool = True) -> list[int]:
        sent.clear()
        with django_capture_on_commit_callbacks(execute=True):
            services.advance(at=NOON + timedelta(seconds=seconds), resend=resend)
        return [rows.index(Shard.objects.get(pk=arguments["shard_id"])) for _, _, arguments in sent]

    assert sent_at(0) == [0, 1]
    assert shards.claim(shard_id=rows[0].pk, at=NOON + timedelta(seconds=1)) is not None
    assert sent_at(2) == [2]
    assert sent_at(25) == []
    assert shards.claim(shard_id=rows[1].pk, at=NOON + timedelta(seconds=29)) is not None
    assert sent_at(30) == [3]
    assert sent_at(32) == [0]  # its worker died; 2 and 3 still wait in the queue while a worker is busy with 1
    assert sent_at(61, resend=False) == [1]  # a worker that asks may be the one that was busy until now
    assert sent_at(62) == [2, 3]  # nobody is busy: their messages are lost
    assert sent_at(63) == [0]
    assert sent_at(64) == []


def test_a_shard_that_was_tried_too_often_fails_its_run_with_its_error(db: None) -> None:
    shard = ShardFactory(number=4)
    for _ in range(5):
        lease = shards.claim(shard_id=shard.pk, at=NOON)
        assert lease is not None
        shards.give_back(lease=lease, error="Refused: interaction 7 is not one of shopper 9 with product 3")
    assert shards.claim(shard_id=shard.pk, at=NOON) is None

    services.advance(at=NOON)

    shard.run.refresh_from_db()
    assert (shard.run.state, shard.run.error) == (
        "failed",
        "Shard 4 was tried 5 times: Refused: interaction 7 is not one of shopper 9 with product 3",
    )


def test_a_run_is_complete_when_its_last_shard_is_and_adds_up_what_they_counted(db: None) -> None:
    run = explained_run(state="computing", ready_at=None)
    counts = {"causes": {"history": 3, "popular": 1}, "placements": {"home": {"slates": 2}}}
    ShardFactory(run=run, state="done", slates=2, seconds=1.5, summary=counts)
    token = uuid.uuid4()
    last = ShardFactory(run=run, state="leased", lease_token=token, leased_until=LATER)

    assert not services.complete_run_if_done(run=run, at=NOON)
    shards.finish(shard=last, token=token, slates=1, summary={"causes": {"history": 2}}, seconds=2.0)
    assert services.complete_run_if_done(run=run, at=NOON)

    run.refresh_from_db()
    assert (run.state, run.ready_at) == ("ready", NOON)
    assert run.summary == {
        "shards": 2,
        "slates": 3,
        "seconds": 3.5,
        "causes": {"history": 5, "popular": 1},
        "placements": {"home": {"slates": 2}},
    }


def test_a_complete_run_is_published_where_that_is_wanted(db: None) -> None:
    run = explained_run(state="computing", ready_at=None, is_publish_wanted=True, created_by=StaffFactory())
    ShardFactory(run=run, state="done")

    services.advance(at=NOON)

    run.refresh_from_db()
    assert (run.state, run.published_at, run.published_by) == ("live", NOON, run.created_by)


def test_a_complete_run_with_an_unexplained_slate_stays_ready_and_says_why(db: None) -> None:
    run = explained_run(state="computing", ready_at=None, is_publish_wanted=True)
    SlateFactory(run=run, placement="buy_again")
    ShardFactory(run=run, state="done")

    services.advance(at=NOON)

    run.refresh_from_db()
    assert (run.state, run.error) == ("ready", f"Not published: NotPublishable: run {run.pk}")


def test_a_version_that_passed_and_is_to_be_published_is_run_once(db: None) -> None:
    InteractionFactory()
    version = ModelVersionFactory(is_publish_wanted=True)
    ModelVersionFactory(is_publish_wanted=False)

    services.advance(at=NOON)
    services.advance(at=LATER)

    run = Run.objects.get()
    assert (run.version, run.as_of, run.is_publish_wanted, run.shards.count()) == (version, NOON, True, 3)
