import threading
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from celery import current_app
from django.db import connection
from django.utils import timezone

from catalog.models import Impression, Interaction, Shopper
from tests.api_client import PartnerClient, problems
from tests.factories import NOON, EventTypeFactory, InteractionFactory, PartnerFactory, ProductFactory, ShopperFactory

EVENT = {
    "event_id": "e1",
    "type": "purchase",
    "shopper": "17850",
    "product": "22423",
    "occurred_at": "2026-03-02T12:00:00Z",
}


@pytest.fixture(autouse=True)
def refreshes(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The shoppers of each refresh that was asked for; nothing reaches the broker."""
    asked: list[list[int]] = []
    monkeypatch.setattr(current_app, "send_task", lambda _name, kwargs, **_: asked.append(kwargs["shopper_ids"]))
    return asked


def test_an_event_becomes_an_interaction_and_asks_for_a_refresh(
    db: None, refreshes: list[list[int]], django_capture_on_commit_callbacks: Any
) -> None:
    product = ProductFactory(external_id="22423")
    client = PartnerClient()
    event = {
        **EVENT,
        "quantity": 6,
        "unit_price": 2.125,
        "currency": "GBP",
        "value": 4.5,
        "basket": "b1",
        "recommendation": "12-3",
    }

    with django_capture_on_commit_callbacks(execute=True):
        response = client.post("events", {"events": [event]})

    assert (response.status_code, response.json()) == (200, {"accepted": 1, "known": 0, "rejected": 0, "errors": []})
    interaction = Interaction.objects.get()
    shopper = Shopper.objects.get()
    assert (interaction.partner, interaction.event_id, interaction.product) == (client.partner, "e1", product)
    assert interaction.event_type.code == "purchase"
    assert interaction.occurred_at == datetime.fromisoformat("2026-03-02T12:00:00+00:00")
    assert (interaction.quantity, interaction.unit_price, interaction.currency) == (6, Decimal("2.125"), "GBP")
    assert (interaction.value, interaction.basket, interaction.recommendation) == (4.5, "b1", "12-3")
    assert interaction.shopper == shopper
    assert (shopper.partner, shopper.external_id) == (client.partner, "17850")
    assert shopper.changed_at == interaction.received_at
    assert refreshes == [[shopper.pk]]


def test_an_event_without_a_shopper_is_nobodys(db: None, refreshes: list[list[int]]) -> None:
    ProductFactory(external_id="22423")

    response = PartnerClient().post("events", {"events": [{**EVENT, "shopper": None}]})

    assert response.json()["accepted"] == 1
    assert Interaction.objects.get().shopper is None
    assert not Shopper.objects.exists()


def test_a_batch_that_is_sent_twice_changes_nothing(db: None) -> None:
    ProductFactory(external_id="22423")
    client = PartnerClient()
    batch = {"events": [EVENT, {**EVENT, "event_id": "e2"}, EVENT]}

    first, second = client.post("events", batch), client.post("events", batch)

    assert first.json() == {"accepted": 2, "known": 1, "rejected": 0, "errors": []}
    assert second.json() == {"accepted": 0, "known": 3, "rejected": 0, "errors": []}
    assert Interaction.objects.count() == 2


def test_a_known_event_moves_no_shopper(db: None) -> None:
    ProductFactory(external_id="22423")
    client = PartnerClient()
    client.post("events", {"events": [EVENT]})
    Shopper.objects.update(changed_at=NOON)

    client.post("events", {"events": [EVENT]})

    assert Shopper.objects.get().changed_at == NOON


def test_partners_do_not_share_event_ids_or_shoppers(db: None) -> None:
    ProductFactory(external_id="22423")
    one, two = PartnerClient(), PartnerClient(partner=PartnerFactory(), sees_all_shoppers=True)

    assert one.post("events", {"events": [EVENT]}).json()["accepted"] == 1
    assert two.post("events", {"events": [EVENT]}).json()["accepted"] == 1

    assert Shopper.objects.filter(external_id="17850").count() == 2


def test_the_same_id_with_another_content_is_rejected_within_a_batch(db: None) -> None:
    ProductFactory(external_id="22423")

    response = PartnerClient().post("events", {"events": [EVENT, {**EVENT, "quantity": 2}]})

    assert response.json() == {
        "accepted": 1,
        "known": 0,
        "rejected": 1,
        "errors": [
            {
                "row": 1,
                "event_id": "e1",
                "field": "event_id",
                "code": "repeated",
                "message": "This id stands in the batch twice.",
                "remedy": "Send each id once.",
            }
        ],
    }


def test_bad_rows_are_named_and_stop_nobody(db: None) -> None:
    ProductFactory(external_id="22423")
    soon = (timezone.now() + timedelta(minutes=4)).isoformat()
    later = (timezone.now() + timedelta(minutes=6)).isoformat()
    rows: list[Any] = [
        {**EVENT, "event_id": "ok"},
        {**EVENT, "event_id": "1", "type": "purchased"},
        {**EVENT, "event_id": "2", "product": "nothing"},
        {**EVENT, "event_id": "3", "occurred_at": later},
        {**EVENT, "event_id": "4", "occurred_at": soon},
        {**EVENT, "event_id": "5", "quantity": 2**31},
        {**EVENT, "event_id": "6", "value": 10**400},
        {**EVENT, "event_id": "7", "quantity": "2", "unit_price": "1.0005"},
        7,
        {**EVENT, "event_id": 8},
        {**EVENT, "event_id": "9", "shopper": "a\x00"},
        {**EVENT, "event_id": "10", "shopper": ""},
        {"event_id": "11"},
    ]

    response = PartnerClient().post("events", {"events": rows})

    answer = response.json()
    assert (response.status_code, answer["accepted"], answer["known"], answer["rejected"]) == (200, 2, 0, 11)
    assert [(error["row"], error["event_id"], error["field"], error["code"]) for error in answer["errors"]] == [
        (1, "1", "type", "unknown_event_type"),
        (2, "2", "product", "unknown_product"),
        (3, "3", "occurred_at", "future"),
        (5, "5", "quantity", "max_value"),
        (6, "6", "value", "not_a_number"),
        (7, "7", "quantity", "not_whole"),
        (7, "7", "unit_price", "not_an_amount"),
        (8, None, "", "not_an_object"),
        (9, None, "event_id", "not_an_id"),
        (10, "9", "shopper", "not_an_id"),
        (11, "10", "shopper", "not_an_id"),
        (12, "11", "type", "required"),
        (12, "11", "product", "required"),
        (12, "11", "occurred_at", "required"),
    ]
    assert sorted(Interaction.objects.values_list("event_id", flat=True)) == ["4", "ok"]


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_malformed(db: None, literal: str) -> None:
    body = f'{{"events": [{{"event_id": "1", "value": {literal}}}]}}'

    response = PartnerClient().request("post", "events", data=body, content_type="application/json")

    assert (response.status_code, response.json()["error"]["code"]) == (400, "malformed")


def test_a_number_beyond_floats_is_rejected(db: None) -> None:
    body = '{"events": [{"event_id": "1", "value": 1e999}]}'

    response = PartnerClient().request("post", "events", data=body, content_type="application/json")

    assert ("value", "not_a_number") in [(error["field"], error["code"]) for error in response.json()["errors"]]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ([], (None, "", "not_an_object")),
        ({"events": {}}, (None, "events", "not_a_list")),
        ({"events": []}, (None, "events", "min_length")),
        ({"events": [EVENT] * 1001}, (None, "events", "max_length")),
        ({"event": [EVENT]}, (None, "event", "unknown_field")),
    ],
)
def test_a_body_that_is_no_batch_is_named(db: None, body: Any, problem: Any) -> None:
    response = PartnerClient().post("events", body)

    assert response.status_code == 400
    assert problems(response) == [problem]


def test_a_full_batch_takes_a_dozen_queries(db: None, django_assert_max_num_queries: Any) -> None:
    ProductFactory(external_id="22423")
    events = [{**EVENT, "event_id": f"e{n}", "shopper": f"s{n % 300}"} for n in range(1000)]
    client = PartnerClient()

    with django_assert_max_num_queries(14):
        response = client.post("events", {"events": events})

    assert response.json()["accepted"] == 1000
    assert Shopper.objects.count() == 300


def test_a_broker_that_is_down_does_not_lose_the_events(
    transactional_db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(current_app, "send_task", refuse)
    EventTypeFactory()
    ProductFactory(external_id="22423")

    response = PartnerClient().post("events", {"events": [EVENT]})

    assert response.json()["accepted"] == 1
    assert "ConnectionError" in caplog.text
    assert Shopper.objects.get().changed_at is not None


def test_two_identical_batches_at_once_are_written_once(transactional_db: None) -> None:
    EventTypeFactory()  # the one of the migration may be gone: these tests end by emptying every table
    ProductFactory(external_id="22423")
    clients = [PartnerClient(), PartnerClient()]
    events = [{**EVENT, "event_id": f"e{n}", "shopper": f"s{n % 40}"} for n in range(400)]
    batches = [{"events": events}, {"events": events[::-1]}]
    start = threading.Barrier(2)
    answers: list[dict[str, int]] = []

    def send(number: int) -> None:
        start.wait()
        answers.append(clients[number].post("events", batches[number]).json())
        connection.close()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert sorted((answer["accepted"], answer["known"]) for answer in answers) == [(0, 400), (400, 0)]
    assert Interaction.objects.count() == 400
    assert Shopper.objects.count() == 40


def test_overlapping_batches_do_not_lock_each_other_out(transactional_db: None) -> None:
    EventTypeFactory()  # the one of the migration may be gone: these tests end by emptying every table
    ProductFactory(external_id="22423")
    clients = [PartnerClient() for _ in range(4)]
    start = threading.Barrier(4)
    accepted: list[int] = []

    def send(number: int) -> None:
        start.wait()
        for turn in range(5):
            events = [{**EVENT, "event_id": f"{turn}-{n}", "shopper": f"s{n % 17}"} for n in range(60)]
            events = events[number * 10 :] + events[: number * 10]
            accepted.append(clients[number].post("events", {"events": events}).json()["accepted"])
        connection.close()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert len(accepted) == 20
    assert sum(accepted) == 300
    assert Interaction.objects.count() == 300


def test_an_erased_shopper_comes_back_as_a_new_one(db: None) -> None:
    product = ProductFactory(external_id="22423")
    shopper = ShopperFactory(external_id="17850")
    InteractionFactory(shopper=shopper, product=product, event_id="e1")
    client = PartnerClient(partner=shopper.partner)
    assert client.delete("shoppers/17850").status_code == 204

    response = client.post("events", {"events": [{**EVENT, "event_id": "e1"}]})

    assert response.json()["accepted"] == 1
    assert Shopper.objects.get().pk != shopper.pk


SHOWN = {**EVENT, "type": "shown"}


def test_a_shown_event_is_an_impression_and_no_interaction(db: None, refreshes: list[list[int]]) -> None:
    product, other = ProductFactory(external_id="22423"), ProductFactory(external_id="85048")
    client = PartnerClient()
    batch = [SHOWN, {**SHOWN, "event_id": "e2"}, {**SHOWN, "event_id": "e3", "product": "85048"}]

    first = client.post("events", {"events": batch}).json()
    again = client.post("events", {"events": batch}).json()

    assert first == {"accepted": 2, "known": 1, "rejected": 0, "errors": []}  # one product counts once a day
    assert again == {"accepted": 0, "known": 3, "rejected": 0, "errors": []}
    impression = Impression.objects.get()
    assert (impression.shopper.external_id, impression.shopper.partner) == ("17850", client.partner)
    assert (impression.shown_date.isoformat(), impression.product_ids) == ("2026-03-02", [product.pk, other.pk])
    assert not Interaction.objects.exists()
    assert refreshes == []  # it is nothing that the shopper did


def test_shown_to_nobody_or_to_one_who_wants_no_personalisation_is_rejected(db: None) -> None:
    ProductFactory(external_id="22423")
    client = PartnerClient()
    ShopperFactory(partner=client.partner, external_id="17850", is_personalised=False)
    batch = [SHOWN, {**SHOWN, "event_id": "e2", "shopper": None}, {**SHOWN, "event_id": "e3", "shopper": "new"}]

    answer = client.post("events", {"events": batch}).json()

    assert (answer["accepted"], answer["known"], answer["rejected"]) == (1, 0, 2)
    assert [(error["row"], error["field"], error["code"]) for error in answer["errors"]] == [
        (0, "shopper", "not_personalised"),
        (1, "shopper", "shopper_missing"),
    ]
    assert Impression.objects.get().shopper.external_id == "new"
