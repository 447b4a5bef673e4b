"""A shopper in a browser: reasons, the panel, what can be said back, by mouse, by keyboard and without a script."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect
from pytest_django.live_server_helper import LiveServer

from catalog.models import Interaction
from explanations.contract import Cause
from recommendations.models import Placement
from tests.factories import NOON, PASSWORD
from tests.worlds import Shop, contract, evidence, explained_slate, live_shop, reason

TIN, RECIPE = "Vintage tin with retro spots", "Recipe box pantry yellow design"


@pytest.fixture
def shop(transactional_db: None) -> Shop:
    return live_shop()


@pytest.fixture
def complaints(context: BrowserContext) -> list[str]:
    """What the browser's console has to say, refused scripts and styles among it."""
    said: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            said.append(message.text)

    context.on("console", listen)
    context.on("weberror", lambda error: said.append(str(error.error)))
    return said


def sign_in(page: Page, server: LiveServer) -> None:
    page.goto(f"{server.url}/sign-in/")
    page.get_by_label("User name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="New for you")).to_be_visible()


def test_from_a_reason_to_an_answer(page: Page, live_server: LiveServer, shop: Shop, complaints: list[str]) -> None:
    sign_in(page, live_server)
    home = page.get_by_role("region", name="New for you")
    panel = page.get_by_role("dialog")
    expect(home).to_contain_text("Because you bought Set of 3 cake tins pantry design")

    # the panel opens in place, under its own address, and going back closes it
    home.get_by_role("link", name=f"Why this? {TIN}").click()
    expect(panel).to_contain_text("this would move from 1st to 14th")
    expect(page).to_have_url(re.compile(r"/why/\d+-1/$"))
    page.go_back()
    expect(panel).to_be_hidden()
    expect(page).to_have_url(f"{live_server.url}/")

    # not interested: gone at once, and back when undone
    home.get_by_role("link", name=f"Why this? {TIN}").click()
    panel.get_by_role("button", name="Not interested").click()
    expect(page.get_by_text(f"{TIN} is not shown any more.")).to_be_visible()
    expect(page).to_have_url(f"{live_server.url}/")
    expect(home.get_by_role("link", name=TIN, exact=True)).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(home.get_by_role("link", name=TIN, exact=True)).to_be_visible()

    # don't use this purchase: its reasons go with it
    home.get_by_role("link", name=f"Why this? {TIN}").click()
    panel.get_by_role("button", name="Don't use this purchase").click()
    expect(home).not_to_contain_text("Set of 3 cake tins")
    page.get_by_role("button", name="Undo").click()
    expect(home).to_contain_text("Set of 3 cake tins")

    # switched off: nothing personal on the very next page
    page.get_by_role("switch", name="Personalised").click()
    everyone = page.get_by_role("region", name="For everyone")
    expect(everyone).to_contain_text("Personalised is off")
    expect(everyone.get_by_text("For everyone", exact=True).nth(1)).to_be_visible()
    expect(page.get_by_role("main")).not_to_contain_text("Because you")
    expect(page.get_by_role("switch", name="Personalised")).not_to_be_checked()
    assert complaints == []


def test_by_keyboard_alone(page: Page, live_server: LiveServer, shop: Shop) -> None:
    sign_in(page, live_server)
    press = page.keyboard.press
    why = page.get_by_role("link", name=f"Why this? {TIN}")
    panel = page.get_by_role("dialog")

    page.reload()
    press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    press("Enter")
    for _ in range(3):  # the title, its evidence, the question
        press("Tab")
    expect(why).to_be_focused()
    press("Enter")
    expect(panel).to_be_visible()
    assert panel.evaluate("dialog => dialog.contains(document.activeElement)")
    press("Escape")
    expect(panel).to_be_hidden()
    expect(why).to_be_focused()
    expect(page).to_have_url(f"{live_server.url}/#main")

    press("Enter")
    panel.get_by_role("button", name="Not interested").focus()
    press("Space")
    expect(page.get_by_text(f"{TIN} is not shown any more.")).to_be_visible()


def test_a_stale_row_renews_itself(page: Page, live_server: LiveServer, shop: Shop) -> None:
    shop.shopper.changed_at = NOON + timedelta(seconds=5)
    shop.shopper.save()
    sign_in(page, live_server)
    home = page.get_by_role("region", name="New for you")
    expect(home.get_by_text("Updating")).to_be_visible()

    shop.shopper.slates.update(superseded_at=timezone.now())
    bought = shop.history["Paper chain kit 50's Christmas"]
    fresh = contract(
        shop.product("Spotty bunting"),
        reasons=(reason(evidence(bought[0].product, bought)),),
    )
    again = contract(shop.product("Jumbo bag red retrospot"), cause=Cause.BUY_AGAIN)
    for placement, stated in [(Placement.HOME, fresh), (Placement.BUY_AGAIN, again)]:
        explained_slate(
            run=shop.run,
            shopper=shop.shopper,
            placement=placement,
            contracts=[stated],
            computed_at=NOON + timedelta(seconds=9),
        )

    expect(home).to_contain_text("Because you bought Paper chain kit 50's Christmas")
    expect(home.get_by_text("Updating")).to_have_count(0)
    expect(page.locator("#said")).to_have_text("Updated")


def test_a_view_counts_when_the_page_is_seen(page: Page, live_server: LiveServer, shop: Shop) -> None:
    sign_in(page, live_server)

    with page.expect_response("**/acts/viewed/") as answer:
        page.get_by_role("link", name=RECIPE, exact=True).first.click()

    assert answer.value.status == 204
    (view,) = Interaction.objects.filter(product=shop.product(RECIPE))
    assert (view.event_type.code, view.recommendation[-2:]) == ("view", "-2")


def test_everything_works_without_a_script(
    new_context: Callable[..., BrowserContext], live_server: LiveServer, shop: Shop
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    sign_in(page, live_server)

    page.get_by_role("link", name=f"Why this? {TIN}").click()
    expect(page).to_have_url(re.compile(r"/why/\d+-1/$"))
    expect(page.get_by_role("main")).to_contain_text("this would move from 1st to 14th")
    page.get_by_role("button", name="Not interested").click()
    expect(page.get_by_text(f"{TIN} is not shown any more.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name=TIN, exact=True)).to_be_visible()
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", name="为您推荐的新选择")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("因为您购买过「Set of 3 cake tins pantry design」")


def test_the_theme_is_chosen_and_kept(page: Page, live_server: LiveServer, shop: Shop) -> None:
    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    page.emulate_media(color_scheme="dark")
    page.goto(live_server.url)
    assert background() == "rgb(20, 23, 26)"

    page.get_by_role("button", name="Colours as the device has them; change to light").click()
    assert background() == "rgb(251, 250, 247)"
    page.get_by_role("button", name="Light colours; change to dark").click()
    page.emulate_media(color_scheme="light")
    assert background() == "rgb(20, 23, 26)"
