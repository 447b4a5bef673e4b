import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from catalog.models import Product
from tests.api_client import PartnerClient, problems
from tests.factories import CategoryFactory, ProductFactory

TIN = {"external_id": "22423", "title": "Vintage tin"}


def _ids(response: Any) -> list[str]:
    return [product["external_id"] for product in response.json()["results"]]


def test_a_product_is_read_with_every_field(db: None) -> None:
    product = ProductFactory(external_id="a/b c", category=CategoryFactory(path="kitchen/tins"), title_zh_hans="罐子")

    response = PartnerClient().get("products/a/b c")

    assert response.status_code == 200
    assert response.json() == {
        "external_id": "a/b c",
        "title": product.title,
        "title_zh_hans": "罐子",
        "description": "",
        "category": "kitchen/tins",
        "brand": "",
        "price": "4.95",
        "currency": "GBP",
        "attributes": {},
        "is_active": True,
        "is_available": True,
        "launched_at": "2011-02-04T12:00:00Z",
        "updated_at": product.updated_at.isoformat().replace("+00:00", "Z"),
    }


@pytest.mark.parametrize("external_id", ["nothing", "%00", "x" * 1000, "%ED%A0%80"])
def test_a_product_that_there_is_not_is_answered_404(db: None, external_id: str) -> None:
    response = PartnerClient().get(f"products/{external_id}")

    assert response.status_code == 404
    assert response.json()["error"]["message"] == "There is no product of this id."


def test_pages_follow_each_other_without_gap_or_repetition(db: None) -> None:
    for number in range(7):
        ProductFactory(external_id=f"p{number}")
    client = PartnerClient()

    seen: list[str] = []
    path: str | None = "products?limit=3"
    pages = 0
    while path:
        response = client.get(path)
        seen += _ids(response)
        pages += 1
        following = response.json()["next"]
        path = following and following.removeprefix("http://testserver/api/v1/")
        if pages == 1:
            ProductFactory(external_id="p1x")  # comes into a page that was read, and moves nobody
    assert seen == [f"p{number}" for number in range(7)]
    assert pages == 3


def test_products_are_filtered(db: None) -> None:
    tins, kitchen = CategoryFactory(path="kitchen/tins"), CategoryFactory(path="kitchen")
    ProductFactory(external_id="1", title="Red tin", category=tins)
    ProductFactory(external_id="2", title="Blue pan", category=kitchen, is_active=False)
    ProductFactory(external_id="3", title="Green 100% bag", category=CategoryFactory(path="kitchenette"))
    Product.objects.filter(external_id="3").update(updated_at=timezone.now() - timedelta(days=2))
    client = PartnerClient()

    assert _ids(client.get("products", q="TIN")) == ["1"]
    assert _ids(client.get("products", q="100%")) == ["3"]
    assert _ids(client.get("products", category="kitchen")) == ["1", "2"]
    assert _ids(client.get("products", category="kitchen/tins")) == ["1"]
    assert _ids(client.get("products", is_active="false")) == ["2"]
    since = (timezone.now() - timedelta(days=1)).isoformat()
    assert _ids(client.get("products", updated_since=since)) == ["1", "2"]
    assert _ids(client.get("products", is_active="true", q="bag", limit=1)) == ["3"]


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({"limit": "0"}, (None, "limit", "min_value")),
        ({"limit": "201"}, (None, "limit", "max_value")),
        ({"limit": "ten"}, (None, "limit", "invalid")),
        ({"cursor": "%%%"}, (None, "cursor", "not_a_cursor")),
        ({"cursor": "AA=="}, (None, "cursor", "not_a_cursor")),
        ({"is_active": "yes"}, (None, "is_active", "invalid_choice")),
        ({"q": "a\x00b"}, (None, "q", "not_text")),
        ({"updated_since": "2026-01-01"}, (None, "updated_since", "not_a_moment")),
        ({"updated_since": "9999-12-31T23:59:59-12:00"}, (None, "updated_since", "not_a_moment")),
        ({"updated_sinse": "x"}, (None, "updated_sinse", "unknown_field")),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(db: None, query: dict[str, str], problem: Any) -> None:
    response = PartnerClient().get("products", **query)

    assert response.status_code == 400
    assert problems(response) == [problem]


def test_a_list_takes_two_queries_however_long(db: None, django_assert_num_queries: Any) -> None:
    client = PartnerClient()
    client.get("products")
    for _ in range(30):
        ProductFactory()

    with django_assert_num_queries(2):  # key, products with their categories
        assert len(client.get("products").json()["results"]) == 30


def test_a_batch_creates_updates_and_leaves_alone(db: None) -> None:
    CategoryFactory(path="kitchen")
    ProductFactory(external_id="old", title="Before", category=None, price=None, currency="", launched_at=None)
    same = ProductFactory(external_id="same", title="Same", category=None, price="2.50", launched_at=None)
    client = PartnerClient()
    batch = {
        "products": [
            {
                **TIN,
                "category": "kitchen",
                "price": 12.5,
                "currency": "GBP",
                "attributes": {"colour": ["red", "blue"], "weight": 1.5, "is_fragile": True},
                "launched_at": "2026-03-02T14:00:00+02:00",
            },
            {"external_id": "old", "title": "  After  "},
            {"external_id": "same", "title": "Same", "price": "2.50", "currency": "GBP"},
        ]
    }

    first, second = client.put("products", batch), client.put("products", batch)

    assert (first.status_code, first.json()) == (200, {"created": 1, "updated": 1, "unchanged": 1})
    assert second.json() == {"created": 0, "updated": 0, "unchanged": 3}
    tin = Product.objects.get(external_id="22423")
    assert tin.price == Decimal("12.50")
    assert tin.category is not None
    assert tin.category.path == "kitchen"
    assert tin.attributes == {"colour": ["red", "blue"], "weight": 1.5, "is_fragile": True}
    assert tin.launched_at is not None
    assert tin.launched_at.isoformat() == "2026-03-02T12:00:00+00:00"
    assert Product.objects.get(external_id="old").title == "After"
    assert Product.objects.get(external_id="same").updated_at == same.updated_at


@pytest.mark.parametrize(
    ("sent", "stored"),
    [(0.1 + 0.2, "0.30"), (12, "12.00"), ("0.5", "0.50"), (35 * 0.01, "0.35"), (9999999999.99, "9999999999.99")],
)
def test_a_price_is_stored_exactly(db: None, sent: Any, stored: str) -> None:
    response = PartnerClient().put("products", {"products": [{**TIN, "price": sent, "currency": "GBP"}]})

    assert response.status_code == 200
    assert str(Product.objects.get().price) == stored


def test_one_bad_row_leaves_everything_as_it_was_and_every_bad_row_is_named(db: None) -> None:
    batch = {
        "products": [
            TIN,
            {"external_id": "2", "title": "Pan", "category": "nowhere"},
            {"external_id": "22423", "title": "Again"},
        ]
    }

    response = PartnerClient().put("products", batch)

    assert response.status_code == 400
    assert response.json()["error"]["message"] == "2 fields cannot be used as sent."
    assert response.json()["error"]["fields"] == [
        {
            "row": 1,
            "field": "category",
            "code": "unknown_category",
            "message": "There is no such category.",
            "remedy": "Send the path of one of GET categories; staff add others.",
        },
        {
            "row": 2,
            "field": "external_id",
            "code": "repeated",
            "message": "This id stands in the batch twice.",
            "remedy": "Send each id once.",
        },
    ]
    assert not Product.objects.exists()


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"external_id": ""}, "external_id", "not_an_id"),
        ({"external_id": " 1"}, "external_id", "not_an_id"),
        ({"external_id": "a\nb"}, "external_id", "not_an_id"),
        ({"external_id": "a\n"}, "external_id", "not_an_id"),
        ({"external_id": "a\ud800"}, "external_id", "not_an_id"),
        ({"external_id": 22423}, "external_id", "not_an_id"),
        ({"external_id": "x" * 101}, "external_id", "not_an_id"),
        ({"external_id": None}, "external_id", "null"),
        ({"title": "  "}, "title", "blank"),
        ({"title": "a\x00b"}, "title", "not_text"),
        ({"title": 5}, "title", "not_text"),
        ({"title": "x" * 301}, "title", "max_length"),
        ({"price": 1}, "currency", "currency_missing"),
        ({"price": -1, "currency": "GBP"}, "price", "not_an_amount"),
        ({"price": "1e3", "currency": "GBP"}, "price", "not_an_amount"),
        ({"price": "1_000", "currency": "GBP"}, "price", "not_an_amount"),
        ({"price": "NaN", "currency": "GBP"}, "price", "not_an_amount"),
        ({"price": 1e300, "currency": "GBP"}, "price", "not_an_amount"),
        ({"price": 10**12, "currency": "GBP"}, "price", "not_an_amount"),
        ({"price": "0.005", "currency": "GBP"}, "price", "not_an_amount"),
        ({"price": 12.345, "currency": "GBP"}, "price", "not_an_amount"),
        ({"price": "", "currency": "GBP"}, "price", "not_an_amount"),
        ({"price": 9999999999.999999, "currency": "GBP"}, "price", "not_an_amount"),
        ({"price": True, "currency": "GBP"}, "price", "not_an_amount"),
        ({"currency": "gbp"}, "currency", "invalid"),
        ({"is_active": 1}, "is_active", "not_a_flag"),
        ({"is_active": "true"}, "is_active", "not_a_flag"),
        ({"attributes": []}, "attributes", "not_attributes"),
        ({"attributes": {"a": "\x00"}}, "attributes", "not_attributes"),
        ({"attributes": {"a": {"b": 1}}}, "attributes", "not_attributes"),
        ({"attributes": {"a": 10**200}}, "attributes", "not_attributes"),
        ({"attributes": {str(n): n for n in range(51)}}, "attributes", "not_attributes"),
        ({"launched_at": "2026-02-31T00:00:00Z"}, "launched_at", "not_a_moment"),
        ({"launched_at": "2026-02-01T00:00:00"}, "launched_at", "not_a_moment"),
        ({"launched_at": "1969-12-31T23:59:59Z"}, "launched_at", "before_1970"),
        ({"launched_at": 1}, "launched_at", "not_a_moment"),
        ({"pirce": "1"}, "pirce", "unknown_field"),
    ],
)
def test_a_row_that_cannot_be_stored_is_named(db: None, change: dict[str, Any], field: str, code: str) -> None:
    response = PartnerClient().put("products", {"products": [TIN, {"external_id": "2", "title": "Pan", **change}]})

    assert response.status_code == 400
    assert problems(response) == [(1, field, code)]
    assert not Product.objects.exists()


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ([], (None, "", "not_an_object")),
        ({}, (None, "products", "required")),
        ({"products": []}, (None, "products", "min_length")),
        ({"products": {}}, (None, "products", "not_a_list")),
        ({"products": [TIN] * 1001}, (None, "products", "max_length")),
        ({"products": [7]}, (0, "", "not_an_object")),
        ({"products": [None]}, (0, "", "null")),
        ({"products": [TIN], "more": 1}, (None, "more", "unknown_field")),
    ],
)
def test_a_body_that_is_no_batch_is_named(db: None, body: Any, problem: Any) -> None:
    response = PartnerClient().put("products", body)

    assert response.status_code == 400
    assert problems(response) == [problem]


def test_a_full_batch_takes_a_handful_of_queries(db: None, django_assert_max_num_queries: Any) -> None:
    batch = {"products": [{"external_id": f"p{n}", "title": f"Product {n}"} for n in range(1000)]}

    client = PartnerClient()

    with django_assert_max_num_queries(8):  # key, its use, known products, write; two savepoints around them
        response = client.put("products", batch)

    assert response.json() == {"created": 1000, "updated": 0, "unchanged": 0}


def test_two_identical_batches_at_once_are_stored_once(transactional_db: None) -> None:
    clients = [PartnerClient(), PartnerClient()]
    rows = [{"external_id": f"p{n}", "title": f"Product {n}"} for n in range(200)]
    batches = [{"products": rows}, {"products": rows[::-1]}]
    start = threading.Barrier(2)
    statuses: list[int] = []

    def send(number: int) -> None:
        start.wait()
        statuses.append(clients[number].put("products", batches[number]).status_code)
        connection.close()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert statuses == [200, 200]
    assert Product.objects.count() == 200


def test_categories_and_event_types_are_listed(db: None) -> None:
    CategoryFactory(path="kitchen", name_en="Kitchen", is_sensitive=True)
    client = PartnerClient()

    categories, types = client.get("categories"), client.get("event-types", limit=1)

    assert categories.json() == {
        "results": [{"path": "kitchen", "name_en": "Kitchen", "name_zh_hans": "厨房用品", "is_sensitive": True}],
        "next": None,
    }
    assert [row["code"] for row in types.json()["results"]] == ["cart"]
    following = types.json()["next"].removeprefix("http://testserver/api/v1/")
    assert [row["code"] for row in client.get(following).json()["results"]] == ["not_interested"]
