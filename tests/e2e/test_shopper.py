"""A shopper in a browser: reasons, the panel, what can be said back, by mouse, by keyboard and without a script."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect
from pytest_django.live_server_helper import LiveServer

from catalog.models import Impression, Interaction, Product
from explanations import asking
from explanations.contract import Cause
from explanations.models import Explanation
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
    expect(home).to_contain_text("Because you bought “Set of 3 cake tins pantry design”")

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
    expect(page.get_by_text(f"“{TIN}” is not shown any more.")).to_be_visible()
    expect(page).to_have_url(f"{live_server.url}/")
    expect(home.get_by_role("link", name=TIN, exact=True)).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(home.get_by_role("link", name=TIN, exact=True)).to_be_visible()

    # don't use this purchase: its reasons go with it
    home.get_by_role("link", name=f"Why this? {TIN}").click()
    panel.get_by_role("button", name="Don't use this purchase").click()
    expect(home).not_to_contain_text("Set of 3 cake tins")
    page.get_by_role("button", name="Undo").click()  # what was forgotten comes with the refresh that was asked for
    expect(page.get_by_text("“Set of 3 cake tins pantry design” is used again.")).to_be_visible()
    expect(home.get_by_text("Updating")).to_be_visible()

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
    expect(page.get_by_text(f"“{TIN}” is not shown any more.")).to_be_visible()


def test_less_of_a_group_and_a_gift_by_keyboard(
    page: Page, live_server: LiveServer, shop: Shop, complaints: list[str]
) -> None:
    sign_in(page, live_server)
    home, panel = page.get_by_role("region", name="New for you"), page.get_by_role("dialog")
    why = page.get_by_role("link", name=f"Why this? {TIN}")

    why.press("Enter")
    panel.get_by_role("button", name="Less of Tins and jars").press("Enter")
    expect(
        page.get_by_text("From now on, 10 other products go ahead of each product of Tins and jars.")
    ).to_be_visible()
    expect(home.get_by_role("link", name=re.compile("^Why this")).last).to_have_accessible_name(f"Why this? {TIN}")
    expect(home).to_contain_text("Stands lower: you wished for less of Tins and jars.")
    page.get_by_role("button", name="Undo").press("Enter")
    expect(home.get_by_role("link", name=re.compile("^Why this")).first).to_have_accessible_name(f"Why this? {TIN}")

    why.press("Enter")
    panel.get_by_role("button", name="It was a gift").press("Space")
    expect(page.get_by_text("was a gift: it is not used for your recommendations any more.")).to_be_visible()
    expect(home).not_to_contain_text("Set of 3 cake tins")
    page.get_by_role("link", name="My history").press("Enter")
    expect(page.get_by_role("main")).to_contain_text("a gift, not used")
    page.get_by_role("button", name="Use again Set of 3 cake tins pantry design").press("Enter")
    expect(page.get_by_text("“Set of 3 cake tins pantry design” is used again.")).to_be_visible()
    assert complaints == []


def test_both_are_said_in_chinese(page: Page, live_server: LiveServer, shop: Shop) -> None:
    sign_in(page, live_server)
    page.get_by_role("button", name="中文").click()

    page.locator("[data-why]").first.click()
    panel = page.get_by_role("dialog")
    expect(panel.get_by_role("button", name="这是礼物")).to_be_visible()
    panel.get_by_role("button", name="少看「罐子」").click()

    expect(page.get_by_text("从现在起，「罐子」的每件商品之前都会先列出另外 10 件商品。")).to_be_visible()
    page.get_by_role("button", name="撤销").click()
    expect(page.get_by_text("「罐子」的商品恢复原来的位置。")).to_be_visible()


def test_why_not_renews_itself_when_the_model_answers(page: Page, live_server: LiveServer, shop: Shop) -> None:
    sign_in(page, live_server)
    product = shop.product("Doormat welcome to our home")
    Product.objects.filter(pk=product.pk).update(is_available=True)
    shop.shopper.slates.filter(placement=Placement.HOME).update(product_ids=[], scores=[], probabilities=[])
    Explanation.objects.filter(slate__shopper=shop.shopper, slate__placement=Placement.HOME).update(
        contracts={"provenance": [1, 1, "", 1, "", "", 0], "contracts": []}
    )

    page.goto(f"{live_server.url}/products/{product.external_id}/")
    page.get_by_role("link", name="Why is this not recommended to me?").click()
    expect(page.get_by_text("Updating")).to_be_visible()
    (slate,) = shop.shopper.slates.filter(placement=Placement.HOME).select_related("shopper")
    question = asking.about(slate, "why_not", product_id=product.pk, last_id=0)
    answer = {"is_known": True, "is_candidate": True, "rank": 134, "empty_rank": 40, "candidates": 4012}
    asking.reply(key=question.key, compute=lambda: answer)

    expect(page.get_by_role("main")).to_contain_text("The model ranks it 134th of 4,012 products")
    expect(page.get_by_text("Updating")).to_have_count(0)


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

    expect(home).to_contain_text("Because you bought “Paper chain kit 50's Christmas”")
    expect(home.get_by_text("Updating")).to_have_count(0)
    expect(page.locator("#said")).to_have_text("Updated")


def test_a_view_counts_when_the_page_is_seen(page: Page, live_server: LiveServer, shop: Shop) -> None:
    sign_in(page, live_server)

    with page.expect_response("**/acts/viewed/") as answer:
        page.get_by_role("link", name=RECIPE, exact=True).first.click()

    assert answer.value.status == 204
    (view,) = Interaction.objects.filter(product=shop.product(RECIPE))
    assert (view.event_type.code, view.recommendation[-2:]) == ("view", "-2")


def test_a_recommendation_is_shown_when_its_card_is_in_view(page: Page, live_server: LiveServer, shop: Shop) -> None:
    with page.expect_response("**/acts/shown/") as answer:
        sign_in(page, live_server)

    assert answer.value.status == 204
    shown = set(Impression.objects.get().product_ids)
    ranked = list(shop.shopper.slates.get(placement="home").product_ids)
    assert shop.product(TIN).pk in shown
    assert shown < {*ranked, *shop.shopper.slates.get(placement="buy_again").product_ids}  # not what is further on


def test_everything_works_without_a_script(
    new_context: Callable[..., BrowserContext], live_server: LiveServer, shop: Shop
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    sign_in(page, live_server)

    page.get_by_role("link", name=f"Why this? {TIN}").click()
    expect(page).to_have_url(re.compile(r"/why/\d+-1/$"))
    expect(page.get_by_role("main")).to_contain_text("this would move from 1st to 14th")
    page.get_by_role("button", name="Not interested").click()
    expect(page.get_by_text(f"“{TIN}” is not shown any more.")).to_be_visible()
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
