from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisConnectionError

from catalog import services
from catalog.api.throttling import PartnerThrottle
from catalog.models import PartnerKey, Scope
from tests.api_client import PartnerClient
from tests.factories import PartnerFactory, ProductFactory


def test_a_request_without_a_key_is_answered_401_in_the_one_error_shape(db: None) -> None:
    response = Client().get("/api/v1/products")

    error = response.json()["error"]
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'
    assert error == {
        "code": "unauthenticated",
        "message": "Authentication credentials were not provided.",
        "fields": [],
        "request_id": error["request_id"],
    }
    assert len(error["request_id"]) == 36


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "bc_",
        "bc_00000000_" + "a" * 43,
        "bc_0000\x000000_" + "a" * 43,
        "bc_" + "a" * 5000 + "_" + "a" * 43,
        "bc_ａｂｃｄ_" + "a" * 43,
    ],
)
def test_what_is_no_key_is_answered_401(db: None, token: str) -> None:
    response = Client().get("/api/v1/products", headers={"Authorization": f"Bearer {token}"})

    assert response.status_code == 401


def test_the_right_prefix_with_another_secret_is_answered_401(db: None) -> None:
    client = PartnerClient()
    client.secret = client.secret[:-1] + ("A" if client.secret[-1] != "A" else "B")

    assert client.get("products").status_code == 401


@pytest.mark.parametrize(
    "change",
    [
        {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"revoked_at": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
)
def test_an_expired_or_revoked_key_is_answered_401(db: None, change: dict[str, datetime]) -> None:
    client = PartnerClient()
    PartnerKey.objects.filter(pk=client.key.pk).update(**change)

    assert client.get("products").status_code == 401


def test_the_keys_of_an_inactive_partner_do_not_work(db: None) -> None:
    client = PartnerClient()
    client.partner.is_active = False
    client.partner.save()

    assert client.get("products").status_code == 401


def test_a_key_without_the_scope_is_answered_403_that_names_it(db: None) -> None:
    client = PartnerClient(scopes=[Scope.PRODUCTS_READ])

    response = client.put("products", {"products": [{"external_id": "1", "title": "Tin"}]})

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "missing_scope"
    assert response.json()["error"]["message"] == "This key lacks the scope products:write."
    assert client.get("products").json() == {"results": [], "next": None}


def test_one_of_two_scopes_is_enough_where_the_view_says_so(db: None) -> None:
    assert PartnerClient(scopes=[Scope.EVENTS_WRITE]).get("event-types").status_code == 200
    assert PartnerClient(scopes=[Scope.SHOPPERS_READ]).get("event-types").status_code == 403


@pytest.mark.parametrize("method", ["post", "patch", "delete", "options", "trace"])
def test_a_method_that_there_is_not_is_answered_405(db: None, method: str) -> None:
    response = PartnerClient().request(method, "products")

    assert response.status_code == 405
    assert response["Allow"] == "GET, HEAD, PUT"
    assert response.json()["error"]["code"] == "method_not_allowed"


def test_head_needs_the_scope_of_get(db: None) -> None:
    assert PartnerClient(scopes=[Scope.PRODUCTS_READ]).request("head", "products").status_code == 200
    assert PartnerClient(scopes=[Scope.EVENTS_WRITE]).request("head", "products").status_code == 403


@pytest.mark.parametrize("path", ["", "nothing", "products/", "shoppers/"])
def test_a_path_that_there_is_not_is_answered_404_in_the_one_error_shape(db: None, path: str) -> None:
    response = Client().get(f"/api/v1/{path}")

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "not_found"


def test_another_format_than_json_is_refused_both_ways(db: None) -> None:
    client = PartnerClient()

    asked = client.request("get", "products", headers={"Accept": "text/html"})
    sent = client.request("put", "products", data="a=1", content_type="application/x-www-form-urlencoded")

    assert (asked.status_code, asked.json()["error"]["code"]) == (406, "not_acceptable")
    assert (sent.status_code, sent.json()["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    ["", "{", "[" * 100_000, '{"products": NaN}', '{"a": ' + "9" * 5000 + "}", b"\xff\xfe", '{"products": [{]}'],
)
def test_what_is_no_json_is_answered_400(db: None, body: str | bytes) -> None:
    response = PartnerClient().request("put", "products", data=body, content_type="application/json")

    assert response.status_code == 400
    assert response.json()["error"]["code"] in ("malformed", "invalid")


def test_a_body_over_the_limit_is_answered_413(db: None, settings: Any) -> None:
    settings.API_MAX_BODY = 100

    response = PartnerClient().put("products", {"products": [{"external_id": "1", "title": "x" * 100}]})

    assert response.status_code == 413
    assert response.json()["error"]["code"] == "too_large"


def test_messages_are_in_english_whatever_is_accepted(db: None) -> None:
    response = PartnerClient().request("get", "products?limit=0", headers={"Accept-Language": "zh-hans"})

    assert response.json()["error"]["fields"] == [
        {
            "row": None,
            "field": "limit",
            "code": "min_value",
            "message": "Ensure this value is greater than or equal to 1.",
            "remedy": "Send a larger number.",
        }
    ]


def test_what_nobody_expected_is_answered_500_in_the_one_error_shape(
    db: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("catalog.api.views.page_of", fail)

    response = PartnerClient().get("products")

    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal"
    assert "secret detail" not in response.content.decode()
    assert "secret detail" in caplog.text


def test_the_use_of_a_key_is_noted_once_a_minute(db: None, django_assert_num_queries: Any) -> None:
    client = PartnerClient()

    with django_assert_num_queries(3):  # key, its use, products
        client.get("products")
    with django_assert_num_queries(2):  # key, products
        client.get("products")

    noted = PartnerKey.objects.get(pk=client.key.pk).last_used_at
    assert noted is not None
    assert timezone.now() - noted < timedelta(seconds=30)

    PartnerKey.objects.filter(pk=client.key.pk).update(last_used_at=noted - timedelta(seconds=61))
    client.get("products")
    noted_again = PartnerKey.objects.get(pk=client.key.pk).last_used_at
    assert noted_again is not None
    assert noted_again >= noted


def _at(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setattr(PartnerThrottle, "timer", staticmethod(lambda: seconds))


def test_a_partner_over_its_rate_is_told_when_to_go_on(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PartnerThrottle, "rate", "3/min", raising=False)
    start = 60.0 * timezone.now().timestamp() // 1 * 60  # a window that no other test run counts in
    _at(monkeypatch, start + 45)
    client, colleague, stranger = PartnerClient(), PartnerClient(), PartnerClient(partner=PartnerFactory())

    statuses = [client.get("products").status_code for _ in range(3)]
    refused = colleague.get("products")
    _at(monkeypatch, start + 60)  # the last window still counts in full
    early = client.get("products")
    _at(monkeypatch, start + 119)  # one sixtieth of it is left, and two requests of this one
    later = client.get("products")

    assert statuses == [200, 200, 200]
    assert refused.status_code == 429
    assert refused["Retry-After"] == "15"
    assert refused.json()["error"]["code"] == "throttled"
    assert stranger.get("products").status_code == 200
    assert early.status_code == 429
    assert later.status_code == 200


def test_without_a_cache_requests_are_answered_uncounted(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def incr(self, *_: object, **__: object) -> None:
            raise RedisConnectionError

    monkeypatch.setattr(PartnerThrottle, "cache", Silent())
    ProductFactory()

    assert PartnerClient().get("products").status_code == 200


def test_a_partner_is_no_account(db: None) -> None:
    client = PartnerClient()

    assert client.request("get", "../../admin/").status_code in (302, 404)
    assert services.revoke_keys(keys=[client.key], at=timezone.now()) == 1
    assert client.get("products").status_code == 401
