"""Every page, in both languages and themes, on a phone and on a desk: axe finds nothing, nothing sticks out."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

from recommendations.models import Placement
from tests.worlds import Shop, live_shop

PHONE, DESK = {"width": 390, "height": 844}, {"width": 1440, "height": 900}


@pytest.fixture
def shop(transactional_db: None) -> Shop:
    return live_shop()


def signed_in(context: BrowserContext, server: LiveServer, shop: Shop, language: str) -> Page:
    client = Client()
    client.force_login(shop.user)
    for name, value in {"sessionid": client.cookies["sessionid"].value, "django_language": language}.items():
        context.add_cookies([{"name": name, "value": value, "url": server.url}])
    return context.new_page()


def problems(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{each['id']}: {node['html'][:120]} {node['any'][:1]}" for each in found for node in each["nodes"]] + (
        [f"{wide} pixels too wide"] if wide > 0 else []
    )


@pytest.mark.parametrize(  # every pair of two of them once
    ("size", "scheme", "language"),
    [(PHONE, "light", "en"), (PHONE, "dark", "zh-hans"), (DESK, "dark", "en"), (DESK, "light", "zh-hans")],
    ids=["phone-light-en", "phone-dark-zh", "desk-dark-en", "desk-light-zh"],
)
def test_every_page_is_for_everybody(
    new_context: Callable[..., BrowserContext],
    live_server: LiveServer,
    shop: Shop,
    size: dict[str, int],
    scheme: str,
    language: str,
) -> None:
    page = signed_in(new_context(viewport=size, color_scheme=scheme), live_server, shop, language)
    why = f"/why/{shop.shopper.slates.get(placement=Placement.HOME).pk}-1/"
    found: dict[str, list[str]] = {}

    for url in [
        "/",
        "/products/",
        "/products/?q=tin&group=kitchen",
        "/products/22423/",
        why,
        "/history/",
        "/interests/",
        "/why-not/22430/",
        "/how/",
        "/no/",
    ]:
        page.goto(live_server.url + url)
        found[url] = problems(page)
    page.goto(live_server.url)
    page.locator("[data-why]").first.click()
    page.locator("dialog[open] .why-sheet").wait_for()
    found["panel"] = problems(page)
    page.context.clear_cookies(name="sessionid")
    for url in ["/", "/sign-in/"]:
        page.goto(live_server.url + url)
        found[f"visitor {url}"] = problems(page)

    assert {url: each for url, each in found.items() if each} == {}
