import threading
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import connection

from catalog.models import Interaction, Scope, Shopper, User
from explanations.models import Explanation
from recommendations.models import Slate
from tests.api_client import PartnerClient, problems
from tests.factories import (
    NOON,
    EventTypeFactory,
    InteractionFactory,
    PartnerFactory,
    ProductFactory,
    ShopperFactory,
    StaffFactory,
)
from tests.worlds import live_shop


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current_app, "send_task", lambda *_, **__: None)


def test_a_shopper_is_read_with_how_much_is_known(db: None) -> None:
    shopper = ShopperFactory(external_id="17850")
    for days in (3, 1, 2):
        InteractionFactory(shopper=shopper, occurred_at=NOON - timedelta(days=days))

    response = PartnerClient(partner=shopper.partner).get("shoppers/17850")

    assert response.status_code == 200
    assert response.json() == {
        "external_id": "17850",
        "partner": "shop",
        "is_personalised": True,
        "interactions": 3,
        "last_interaction_at": "2011-11-30T12:00:00Z",
        "created_at": shopper.created_at.isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_a_foreign_shopper_is_answered_like_an_unknown_one_and_nothing_changes(db: None, method: str) -> None:
    shopper = ShopperFactory(external_id="17850")
    stranger = PartnerClient(partner=PartnerFactory())
    body = {"is_personalised": False} if method == "patch" else None

    foreign = stranger.request(method, "shoppers/17850", body)
    named = stranger.request(method, "shoppers/17850?partner=shop", body)
    unknown = stranger.request(method, "shoppers/nobody", body)

    answers = [response.json()["error"] for response in (foreign, named, unknown)]
    assert [response.status_code for response in (foreign, named, unknown)] == [404, 404, 404]
    assert {(answer["code"], answer["message"]) for answer in answers} == {
        ("not_found", "There is no shopper of this id.")
    }
    assert Shopper.objects.get() == shopper
    assert Shopper.objects.get().is_personalised


def test_a_key_that_sees_all_finds_the_only_one_and_asks_when_there_are_several(db: None) -> None:
    ShopperFactory(external_id="17850")
    other = PartnerFactory(slug="tinsmith")
    all_seeing = PartnerClient(partner=PartnerFactory(), sees_all_shoppers=True)

    only = all_seeing.get("shoppers/17850")
    ShopperFactory(external_id="17850", partner=other)
    several = all_seeing.delete("shoppers/17850")
    named = all_seeing.get("shoppers/17850?partner=tinsmith")
    own = PartnerClient(partner=other, sees_all_shoppers=True).get("shoppers/17850")

    assert (only.status_code, only.json()["partner"]) == (200, "shop")
    assert (several.status_code, several.json()["error"]["code"]) == (409, "ambiguous")
    assert (named.status_code, named.json()["partner"]) == (200, "tinsmith")
    assert (own.status_code, own.json()["partner"]) == (200, "tinsmith")
    assert Shopper.objects.count() == 2


def test_personalisation_is_switched(db: None) -> None:
    shopper = ShopperFactory(external_id="17850")
    client = PartnerClient(partner=shopper.partner)

    response = client.patch("shoppers/17850", {"is_personalised": False})

    assert (response.status_code, response.json()["is_personalised"]) == (200, False)
    stored = Shopper.objects.get()
    assert not stored.is_personalised
    assert stored.changed_at is not None


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, (None, "is_personalised", "required")),
        ({"is_personalised": "false"}, (None, "is_personalised", "not_a_flag")),
        ({"is_personalised": None}, (None, "is_personalised", "null")),
        ({"external_id": "x"}, (None, "external_id", "unknown_field")),
        ([], (None, "", "not_an_object")),
    ],
)
def test_a_change_that_cannot_be_made_is_named(db: None, body: Any, problem: Any) -> None:
    shopper = ShopperFactory(external_id="17850")

    response = PartnerClient(partner=shopper.partner).patch("shoppers/17850", body)

    assert response.status_code == 400
    assert problems(response) == [problem]
    assert Shopper.objects.get().is_personalised


def test_reading_and_writing_shoppers_are_two_scopes(db: None) -> None:
    shopper = ShopperFactory(external_id="17850")
    reader = PartnerClient(partner=shopper.partner, scopes=[Scope.SHOPPERS_READ])

    assert reader.get("shoppers/17850").status_code == 200
    assert reader.delete("shoppers/17850").status_code == 403
    assert Shopper.objects.exists()


def test_erasure_leaves_nothing_of_the_shopper_and_everything_of_the_others(db: None) -> None:
    shop = live_shop()
    other = InteractionFactory()
    slates = Slate.objects.filter(shopper=None).count()

    response = PartnerClient(partner=shop.shopper.partner).delete(f"shoppers/{shop.shopper.external_id}")

    assert (response.status_code, response.content) == (204, b"")
    assert list(Shopper.objects.all()) == [other.shopper]
    assert list(Interaction.objects.all()) == [other]
    assert not Slate.objects.filter(shopper__isnull=False).exists()
    assert Slate.objects.count() == slates == Explanation.objects.count()
    assert not User.objects.filter(pk=shop.user.pk).exists()


def test_erasure_and_events_at_once_leave_no_half_shopper(transactional_db: None) -> None:
    EventTypeFactory()
    ProductFactory(external_id="22423")
    shopper = ShopperFactory(external_id="17850")
    sender, eraser = PartnerClient(partner=shopper.partner), PartnerClient(partner=shopper.partner)
    start = threading.Barrier(2)
    statuses: list[int] = []

    def send() -> None:
        start.wait()
        for turn in range(15):
            event = {
                "event_id": f"{turn}",
                "type": "purchase",
                "shopper": "17850",
                "product": "22423",
                "occurred_at": "2026-03-02T12:00:00Z",
            }
            statuses.append(sender.post("events", {"events": [event]}).status_code)
        connection.close()

    def erase() -> None:
        start.wait()
        statuses.extend(eraser.delete("shoppers/17850").status_code for _ in range(15))
        connection.close()

    threads = [threading.Thread(target=send), threading.Thread(target=erase)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    final = eraser.delete("shoppers/17850").status_code

    assert len(statuses) == 30
    assert set(statuses) <= {200, 204, 404}
    assert final in (204, 404)
    assert not Shopper.objects.exists()
    assert not Interaction.objects.exists()


def test_erasure_keeps_the_account_of_staff(db: None) -> None:
    staff = StaffFactory()
    shopper = ShopperFactory(external_id="17850", user=staff)

    PartnerClient(partner=shopper.partner).delete("shoppers/17850")

    assert User.objects.get() == staff
    assert not Shopper.objects.exists()
