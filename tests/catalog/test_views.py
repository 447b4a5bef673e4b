"""The product list, pictures and the theme."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from catalog.listing import PAGE, page_of_products
from tests.factories import NOON, CategoryFactory, ProductFactory

pytestmark = pytest.mark.django_db


def titles(client: Client, **query: str) -> list[str]:
    return [product.title for product in client.get("/products/", query).context["page"].products]


def test_the_newest_products_come_first_and_no_page_repeats_one() -> None:
    dates = [NOON, NOON, None, NOON - timedelta(days=1), None] * 13
    made = [ProductFactory(launched_at=date) for date in dates]

    seen, cursor = [], ""
    for _ in range(10):
        page = page_of_products(cursor=cursor)
        seen += page.products
        cursor = page.next_cursor
        if not cursor:
            break

    assert len(seen) == len(made) == len({product.pk for product in seen}) > 2 * PAGE
    launched = [product.launched_at for product in seen]
    assert launched == [None] * 26 + [NOON] * 26 + [NOON - timedelta(days=1)] * 13


def test_search_finds_typing_mistakes_numbers_and_chinese(client: Client) -> None:
    ProductFactory(title="Regency cakestand 3 tier", external_id="22423", title_zh_hans="三层蛋糕架")
    ProductFactory(title="Doormat welcome")

    for query in ("cakestand", "cakestnad", "REGENCY", "22423", "蛋糕"):
        assert titles(client, q=query) == ["Regency cakestand 3 tier"], query
    assert titles(client, q="zeppelin") == []


def test_search_pages_do_not_repeat(client: Client) -> None:
    for number in range(PAGE + 6):
        ProductFactory(title=f"Tin number {number}")

    first = page_of_products(query="tin")
    second = page_of_products(query="tin", cursor=first.next_cursor)

    assert len({*first.products, *second.products}) == PAGE + 6
    assert second.next_cursor == ""


@pytest.mark.parametrize("query", ["%", "_", "\x00", "'", "a" * 500, "\\"])
def test_any_search_is_answered(client: Client, query: str) -> None:
    ProductFactory()

    assert client.get("/products/", {"q": query}).status_code == 200


def test_a_group_holds_what_is_below_it(client: Client) -> None:
    kitchen = CategoryFactory(path="kitchen")
    tins = CategoryFactory(path="kitchen/tins", parent=kitchen)
    other = CategoryFactory(path="kitchenware")
    for title, group in [("Pan", kitchen), ("Tin", tins), ("Fork", other)]:
        ProductFactory(title=title, category=group)

    assert titles(client, group="kitchen") == ["Tin", "Pan"]
    assert titles(client, group="kitchen/tins") == ["Tin"]
    assert client.get("/products/", {"group": "nowhere"}).status_code == 404


def test_only_groups_with_something_to_show_are_offered(client: Client) -> None:
    kitchen = CategoryFactory(path="kitchen")
    tins = CategoryFactory(path="kitchen/tins", parent=kitchen)
    ProductFactory(category=tins)
    ProductFactory(category=CategoryFactory(path="non-product"), is_active=False)

    page = client.get("/products/", {"group": "kitchen"})

    assert [group.path for group in page.context["groups"]] == ["kitchen"]
    assert [group.path for group in page.context["below"]] == ["kitchen/tins"]
    assert client.get("/products/", {"group": "non-product"}).status_code == 404


@pytest.mark.parametrize("cursor", ["x", "1.x", "1", "9" * 40 + ".1", ".", "-9223372036854775809.1", "9" * 18 + ".1"])
def test_a_cursor_that_no_page_gave_is_not_found(client: Client, cursor: str) -> None:
    assert client.get("/products/", {"after": cursor}).status_code == 404


def test_a_picture_is_kept_and_asked_for_by_its_tag(client: Client) -> None:
    product = ProductFactory(external_id="85123A")

    first = client.get(reverse("art", args=[product.external_id]))
    second = client.get(reverse("art", args=[product.external_id]), headers={"If-None-Match": first.headers["ETag"]})

    assert first.headers["Content-Type"] == "image/svg+xml"
    assert first.headers["Cache-Control"] == "public, max-age=2592000"
    assert "Cookie" not in first.headers.get("Vary", "")
    assert b"style=" not in first.content
    assert (second.status_code, second.content) == (304, b"")


def test_the_theme_is_kept_in_a_cookie(client: Client) -> None:
    client.post("/theme/", {"theme": "dark", "next": "/products/"})
    dark = client.get("/products/").content.decode()
    client.post("/theme/", {"theme": "'><script>"})

    assert 'data-theme="dark"' in dark
    assert client.cookies["theme"].value == "dark"


def test_a_forged_theme_is_not_shown(client: Client) -> None:
    client.cookies["theme"] = '"><script>'

    assert 'data-theme="auto"' in client.get("/products/").content.decode()
