"""The pages: what they say, to whom, in how many queries, under which policy."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from catalog.models import Impression, Interaction, Shopper
from catalog.services import exclude_history
from explanations.contract import Cause, ReasonType, pack
from recommendations.models import Placement, Run, Slate
from tests.factories import (
    NOON,
    PASSWORD,
    CategoryFactory,
    InteractionFactory,
    ProductFactory,
    RunFactory,
    ShopperFactory,
    SlateFactory,
    UserFactory,
)
from tests.worlds import Shop, contract, evidence, explained_slate, live_shop, publish, reason

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Shop:
    return live_shop()


@pytest.fixture
def signed_in(client: Client, shop: Shop) -> Client:
    client.force_login(shop.user)
    return client


def first_id(shop: Shop) -> str:
    """The recommendation at the top of the shopper's first page."""
    return f"{shop.shopper.slates.get(placement=Placement.HOME).pk}-1"


def page(client: Client, url: str, **headers: str) -> str:
    response = client.get(url, headers=headers)
    assert response.status_code == 200, response.status_code
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", response.content.decode())))


def test_a_shopper_sees_reasons(signed_in: Client) -> None:
    text = page(signed_in, "/")

    assert "New for you" in text
    assert "Because you bought “Set of 3 cake tins pantry design”" in text
    assert "Because of 3 things you bought in Kitchen" in text
    assert "You bought this 4 times, usually every 6 weeks" in text
    assert "Spotty bunting" not in text  # withheld
    assert "Updating" not in text


def test_reasons_are_read_in_chinese(signed_in: Client) -> None:
    signed_in.cookies["django_language"] = "zh-hans"

    text = page(signed_in, "/")

    assert "因为您购买过「Set of 3 cake tins pantry design」" in text
    assert "您购买过 4 次，通常每 6 周一次" in text
    assert "Because" not in text


def test_a_visitor_sees_what_is_the_same_for_everyone(client: Client, shop: Shop) -> None:
    text = page(client, "/")

    assert "The same for every visitor." in text
    assert "Bought by about 950 shoppers" in text
    assert "Because you" not in text
    assert "Buy again" not in text


def test_before_anything_is_published_the_page_says_what_to_do(client: Client) -> None:
    text = page(client, "/")

    assert "No recommendations yet" in text
    assert "All products" in text


def test_a_shopper_without_a_slate_is_told_so(client: Client, shop: Shop) -> None:
    user = UserFactory()
    ShopperFactory(user=user)
    client.force_login(user)

    text = page(client, "/")

    assert "Nothing is computed for you yet" in text
    assert "What you buy again and again will stand here." in text


def test_the_switch_changes_the_very_next_page(signed_in: Client, shop: Shop) -> None:
    response = signed_in.post(reverse("personalised"), {"personalised": "off", "next": "/"}, follow=True)

    text = response.content.decode()
    assert response.redirect_chain == [("/", 302)]
    assert "Personalised is off" in text
    assert "Because you" not in text
    assert not Shopper.objects.get().is_personalised


def test_not_interested_hides_at_once_and_is_undone(signed_in: Client, shop: Shop) -> None:
    product = shop.product("Vintage tin with retro spots")
    wish = {"product": product.pk, "recommendation": first_id(shop), "next": "/"}

    hidden = signed_in.post(reverse("not_interested"), wish, follow=True).content.decode()
    undone = signed_in.post(reverse("show_again"), {"product": product.pk, "next": "/"}, follow=True).content.decode()

    assert "“Vintage tin with retro spots” is not shown any more." in hidden
    assert f'action="{reverse("show_again")}"' in hidden
    assert "Recipe box pantry yellow design" in hidden
    assert hidden.count("Vintage tin with retro spots") == 1  # in the message only
    assert "data-stale" in hidden
    assert undone.count("Vintage tin with retro spots") > 1
    wished = Interaction.objects.get(event_type__code="not_interested")
    assert (wished.recommendation, wished.product) == (first_id(shop), product)


def test_a_purchase_left_out_takes_its_reasons_with_it(signed_in: Client, shop: Shop) -> None:
    product = shop.product("Set of 3 cake tins pantry design")

    response = signed_in.post(reverse("leave_out"), {"product": product.pk, "next": "/"}, follow=True)

    text = response.content.decode()
    assert "“Set of 3 cake tins pantry design” is not used for your recommendations any more." in text
    assert "Because you bought “<a" in text
    assert "Vintage tin with retro spots" not in text
    assert Interaction.objects.filter(product=product, excluded_at__isnull=False).count() == 4


def test_the_panel_says_everything_that_was_checked(signed_in: Client, shop: Shop) -> None:
    text = page(signed_in, reverse("why", args=[first_id(shop)]))

    assert "If we left this out of your history, this would move from 1st to 14th." in text
    assert "bought 4 times, last on 8 November 2011" in text
    assert "“Recipe box pantry yellow design” would take its place" in text
    assert "High chance: of recommendations scored like this, about 1 in 5 is in the next basket." in text
    assert f"Model version {shop.run.version_id}, run {shop.run.pk}, computed 1 December 2011, 12:00" in text
    assert "Jumbo bag red retrospot" in text
    assert "Don't use this purchase" in text
    assert "Jam making set with jars" not in text  # not verified


@pytest.mark.parametrize(
    ("count", "in_details", "more"),
    [(4, 0, ""), (5, 1, ""), (16, 12, ""), (17, 12, "1 more stands"), (20, 12, "4 more stand")],
)
def test_the_panel_of_a_group_stays_short(
    signed_in: Client, shop: Shop, count: int, in_details: int, more: str
) -> None:
    """What can be done with the first four stands in sight, twelve more are one click away, the rest in the history."""
    group = shop.categories["kitchen"]
    bought = [
        InteractionFactory(shopper=shop.shopper, product=ProductFactory(title=f"Pan no. {number}", category=group))
        for number in range(count)
    ]
    units = [evidence(row.product_id, [row]) for row in bought]
    stated = contract(
        shop.product("Rabbit night light"),
        cause=Cause.HISTORY_GROUP,
        reasons=(reason(*units, type=ReasonType.CATEGORY, category_id=group.pk),),
    )
    explanation = shop.shopper.slates.get(placement=Placement.HOME).explanation
    explanation.contracts["contracts"][3] = pack(stated)
    explanation.save()

    response = signed_in.get(reverse("why", args=[first_id(shop).removesuffix("1") + "4"]))

    html = response.content.decode()
    acts = re.findall(r'action="/leave-out/"', html) or re.findall(rf'action="{reverse("leave_out")}"', html)
    head, _, details = html.partition("<details>")
    assert len(acts) == min(count, 16)
    assert (head.count(reverse("leave_out")), details.count(reverse("leave_out"))) == (min(count, 4), in_details)
    assert ("<details>" in html) == (count > 4)
    assert "in My history" in html if more else "in My history" not in html
    assert more in html
    named = re.findall(r"Pan no\. \d+", re.sub(r"<div class=.acts.>.*?</div>", "", html, flags=re.DOTALL))
    assert len(set(named)) == 4  # of the reason itself, the others are counted


@pytest.mark.parametrize("wrong", ["0-1", "1-0", "1-21", "x", "99999999999999999999-1", "1", "-1-2"])
def test_an_unknown_recommendation_has_no_reason(signed_in: Client, wrong: str) -> None:
    assert signed_in.get(f"/why/{wrong}/").status_code == 404


def test_nobody_reads_the_reasons_of_another_shopper(client: Client, shop: Shop) -> None:
    user = UserFactory()
    ShopperFactory(user=user)
    client.force_login(user)

    assert client.get(reverse("why", args=[first_id(shop)])).status_code == 404
    client.logout()
    assert client.get(reverse("why", args=[first_id(shop)])).status_code == 404


def test_a_reason_is_gone_with_its_evidence(signed_in: Client, shop: Shop) -> None:
    exclude_history(shopper=shop.shopper, product=shop.product("Set of 3 cake tins pantry design"), at=NOON)

    response = signed_in.get(reverse("why", args=[first_id(shop)]))

    assert response.status_code == 404
    assert "This reason is not shown any more" in response.content.decode()


def test_a_reason_is_gone_when_its_group_becomes_sensitive(signed_in: Client, shop: Shop) -> None:
    CategoryFactory._meta.model.objects.filter(path="kitchen").update(is_sensitive=True)

    assert signed_in.get(reverse("why", args=[first_id(shop)])).status_code == 404
    assert "Set of 3 cake tins" not in page(signed_in, "/")


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "Because you bought “Regency cakestand 3 tier”, and purchases we do not name here"),
        ("zh-hans", "因为您购买过「Regency cakestand 3 tier」，以及此处不列出的购买"),
    ],
)
def test_a_sensitive_reason_beside_another_is_said_without_its_name(
    signed_in: Client, shop: Shop, language: str, line: str
) -> None:
    hidden = CategoryFactory(path="pharmacy", is_sensitive=True)
    jam = shop.product("Jam making set with jars")
    type(jam).objects.filter(pk=jam.pk).update(category=hidden)
    second = first_id(shop).removesuffix("1") + "2"

    text = page(signed_in, reverse("why", args=[second]), **{"accept-language": language})

    assert line in text
    assert jam.title not in text


def test_a_switched_off_shopper_reads_no_personal_reason(signed_in: Client, shop: Shop) -> None:
    Shopper.objects.update(is_personalised=False)

    assert signed_in.get(reverse("why", args=[first_id(shop)])).status_code == 404


def test_a_product_page_shows_what_goes_with_it(client: Client, shop: Shop) -> None:
    text = page(client, reverse("product", args=["22423"]))

    assert "Set of 3 cake tins pantry design" in text
    assert "£4.95" in text
    assert "Similar to what you are viewing" in text
    assert "Goes with “Set of 3 cake tins pantry design”" in text


def test_a_get_counts_no_view_and_the_post_counts_one(signed_in: Client, shop: Shop) -> None:
    product = shop.product("Popcorn holder")
    seen = {"product": product.pk, "recommendation": first_id(shop)}

    signed_in.get(reverse("product", args=[product.external_id]))
    assert not Interaction.objects.filter(product=product).exists()
    answers = [signed_in.post(reverse("viewed"), seen).status_code for _ in range(2)]

    assert answers == [204, 204]
    view = Interaction.objects.get(product=product)
    assert (view.event_type.code, view.recommendation) == ("view", first_id(shop))


def test_nobody_is_followed_who_switched_personalisation_off(signed_in: Client, shop: Shop) -> None:
    Shopper.objects.update(is_personalised=False)
    product = shop.product("Popcorn holder")

    signed_in.post(reverse("viewed"), {"product": product.pk})

    assert not Interaction.objects.filter(product=product).exists()
    assert "data-viewed" not in signed_in.get(reverse("product", args=[product.external_id])).content.decode()


def test_what_came_into_view_is_noted_by_its_ids(signed_in: Client, shop: Shop) -> None:
    own = Slate.objects.get(shopper=shop.shopper, placement="home")
    elsewhere = Slate.objects.get(shopper=None, placement="home")
    foreign = SlateFactory(run=own.run, shopper=ShopperFactory())
    ids = [f"{own.pk}-2", f"{own.pk}-1", f"{elsewhere.pk}-1", f"{foreign.pk}-1", f"{own.pk}-99", f"{own.pk}-0", "x"]

    answer = signed_in.post(reverse("shown"), {"recommendation": ids})

    assert answer.status_code == 204
    impression = Impression.objects.get()
    assert impression.shopper == shop.shopper
    assert impression.product_ids == sorted({*own.product_ids[:2], elsewhere.product_ids[0]})


def test_nothing_is_noted_of_what_those_see_who_switched_personalisation_off(signed_in: Client, shop: Shop) -> None:
    slate = Slate.objects.get(shopper=None, placement="home")
    assert "data-shown" in signed_in.get(reverse("home")).content.decode()
    Shopper.objects.update(is_personalised=False)

    answer = signed_in.post(reverse("shown"), {"recommendation": [f"{slate.pk}-1"]})

    assert answer.status_code == 204
    assert not Impression.objects.exists()
    assert "data-shown" not in signed_in.get(reverse("home")).content.decode()


def test_what_a_visitor_sees_is_noted_nowhere(client: Client, shop: Shop) -> None:
    slate = Slate.objects.get(shopper=None, placement="home")

    answer = client.post(reverse("shown"), {"recommendation": [f"{slate.pk}-1"]})

    assert answer.status_code == 302
    assert not Impression.objects.exists()
    assert "data-shown" not in client.get(reverse("home")).content.decode()


def test_an_inactive_product_has_no_page(client: Client) -> None:
    product = ProductFactory(is_active=False)

    assert client.get(reverse("product", args=[product.external_id])).status_code == 404


@pytest.mark.parametrize("external_id", ["a/b c", "é%20?#", "..", "10%"])
def test_any_external_id_has_a_page_and_a_picture(client: Client, external_id: str) -> None:
    ProductFactory(external_id=external_id)

    assert client.get(reverse("product", args=[external_id])).status_code == 200
    assert client.get(reverse("art", args=[external_id])).status_code == 200


def test_the_history_lists_what_is_used_and_what_is_not(signed_in: Client, shop: Shop) -> None:
    signed_in.post(reverse("leave_out"), {"product": shop.product("Regency cakestand 3 tier").pk})
    signed_in.post(reverse("not_interested"), {"product": shop.product("Spotty bunting").pk})

    text = page(signed_in, reverse("history"))

    assert "Not shown to you Spotty bunting" in text
    assert "viewed · 1 time · 29 November 2011" in text
    assert "bought · 1 time · 27 September 2011 · not used" in text
    assert text.count("Use again") == 1


def test_the_history_belongs_to_shoppers(client: Client) -> None:
    assert client.get(reverse("history")).headers["Location"] == "/sign-in/?next=/history/"
    client.force_login(UserFactory())

    assert "This account is no shopper's" in page(client, reverse("history"))


def test_how_it_works_tells_the_shares_of_the_live_run(client: Client, shop: Shop) -> None:
    text = page(client, reverse("how"))

    assert "one product in your history33%" in text
    assert "new in the shop< 1%" in text
    assert "What you did in this shop, and when: bought, rated, put in the basket, viewed." in text
    assert "It learnt from what happened until 2 October 2011, and was measured on what came after." in text
    assert "Nothing is measured at the moment" in text  # this run's summary holds no weights


def test_how_it_works_before_anything_is_published(client: Client) -> None:
    assert "Nothing is published at the moment" in page(client, reverse("how"))


def test_a_stale_row_asks_for_itself_until_it_is_fresh(signed_in: Client, shop: Shop) -> None:
    Shopper.objects.update(changed_at=NOON + timedelta(seconds=1))

    stale = signed_in.get(reverse("row", args=["home"])).content.decode()
    Shopper.objects.update(changed_at=NOON - timedelta(seconds=1))
    fresh = signed_in.get(reverse("row", args=["home"])).content.decode()

    assert "data-stale" in stale
    assert 'data-row="/rows/home/"' in stale
    assert "data-stale" not in fresh


def test_only_rows_of_the_first_page_are_asked_for(client: Client) -> None:
    assert client.get(reverse("row", args=["product"])).status_code == 404
    assert client.get(reverse("row", args=["elsewhere"])).status_code == 404


ACTS = [
    "not_interested",
    "show_again",
    "leave_out",
    "gift",
    "less_of",
    "as_much_of",
    "use_again",
    "personalised",
    "viewed",
]


@pytest.mark.parametrize("act", ACTS)
def test_acts_are_posts_of_shoppers(act: str, shop: Shop) -> None:
    visitor, staff, strict = Client(), Client(), Client(enforce_csrf_checks=True)
    staff.force_login(UserFactory())
    strict.force_login(shop.user)
    before = Interaction.objects.count()
    wish = {"product": shop.products[0].pk}

    assert visitor.post(reverse(act), wish).headers["Location"].startswith("/sign-in/")
    assert staff.get(reverse(act)).status_code == 405
    assert staff.post(reverse(act), wish).status_code == 403
    assert strict.post(reverse(act), wish).status_code == 403
    assert Interaction.objects.count() == before
    assert Shopper.objects.get().is_personalised


@pytest.mark.parametrize("number", ["", "0", "-1", "x", "99999999999999999999", "1e3"])
def test_an_act_on_no_product_is_not_found(signed_in: Client, number: str) -> None:
    assert signed_in.post(reverse("not_interested"), {"product": number}).status_code == 404


@pytest.mark.parametrize("elsewhere", ["https://example.org/", "//example.org", "javascript:alert(1)", ""])
def test_forms_lead_back_to_our_own_pages_only(signed_in: Client, shop: Shop, elsewhere: str) -> None:
    response = signed_in.post(reverse("personalised"), {"personalised": "on", "next": elsewhere})

    assert response.headers["Location"] == "/"


def test_titles_are_escaped_and_cleaned(client: Client) -> None:
    hostile = ProductFactory(title="<script>alert(1)</script>\u202e evil")
    run = RunFactory()
    explained_slate(run=run, contracts=[contract(hostile, cause=Cause.NOT_PERSONAL)])
    publish(run)

    html = client.get("/").content.decode()

    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; evil" in html
    assert "\u202e" not in html


def test_the_first_page_stays_within_its_queries(
    signed_in: Client, shop: Shop, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    signed_in.get("/")  # verbs are kept for a minute

    with django_assert_max_num_queries(13):  # session, user, shopper; a row: slate, hidden, products, groups, wishes
        signed_in.get("/")


@pytest.mark.parametrize(
    ("url", "queries"),
    [("/products/", 4), ("/products/?q=tin", 5), ("/products/22423/", 9), ("/history/", 8), ("/how/", 5)],
)
def test_pages_stay_within_their_queries(
    signed_in: Client, url: str, queries: int, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(queries + 1):
        signed_in.get(url)


INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)


def test_every_page_keeps_the_strict_policy(
    signed_in: Client, shop: Shop, no_worker: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explanations.asking.WAIT", 0.01)
    why = reverse("why", args=[first_id(shop)])
    signed_in.post(reverse("not_interested"), {"product": shop.products[5].pk})

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
        for language in ("en", "zh-hans"):
            signed_in.cookies["django_language"] = language
            response = signed_in.get(url)
            policy = response.headers["Content-Security-Policy"]
            assert "script-src 'self'" in policy
            assert "unsafe" not in policy
            assert not INLINE.search(response.content.decode()), url
            assert f'lang="{"zh-Hans" if language == "zh-hans" else "en"}"' in response.content.decode()


def test_no_run_is_needed_for_error_pages(client: Client) -> None:
    assert Run.objects.count() == 0
    response = client.get("/nothing/")

    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()


def test_sign_in_leads_to_the_reasons(client: Client, shop: Shop) -> None:
    refused = client.post("/sign-in/", {"username": "ada", "password": "wrong"})
    response = client.post("/sign-in/", {"username": "ada", "password": PASSWORD}, follow=True)

    assert 'role="alert"' in refused.content.decode()
    assert "Because you bought" in response.content.decode()
    assert client.post("/sign-out/").headers["Location"] == "/"
