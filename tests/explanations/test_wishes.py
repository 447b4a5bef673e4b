"""It was a gift, less of this group: said on pages, undone, obeyed at once, and never at the price of a true reason."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from catalog.histories import history_of
from catalog.models import Category, Interaction, LessOfGroup, Scope
from catalog.services import as_much_of_group, exclude_history, include_history, less_of_group
from explanations.services import recommendations_for
from explanations.wishes import in_wished_order
from recommendations.models import Placement
from tests.api_client import PartnerClient
from tests.factories import NOON, CategoryFactory, ShopperFactory
from tests.worlds import Shop, contract, live_shop

pytestmark = pytest.mark.django_db
TINS = "Set of 3 cake tins pantry design"


@pytest.fixture
def shop() -> Shop:
    return live_shop()


@pytest.fixture
def signed_in(client: Client, shop: Shop) -> Client:
    client.force_login(shop.user)
    return client


def shown(shop: Shop, placement: Placement = Placement.HOME) -> list[str]:
    return [item.product.title for item in recommendations_for(shopper=shop.shopper, placement=placement).items]


def test_a_gift_is_not_used_says_so_and_is_undone(signed_in: Client, shop: Shop) -> None:
    product = shop.product(TINS)

    given = signed_in.post(reverse("gift"), {"product": product.pk, "next": "/"}, follow=True).content.decode()
    rows = {(row.is_gift, row.excluded_at is None) for row in Interaction.objects.filter(product=product)}
    history = signed_in.get(reverse("history")).content.decode()
    signed_in.post(reverse("use_again"), {"product": product.pk, "next": "/"})

    assert f"“{TINS}” was a gift: it is not used for your recommendations any more." in given
    assert f'action="{reverse("use_again")}"' in given
    assert "Vintage tin with retro spots" not in given  # rested on it
    assert rows == {(True, False)}
    assert "a gift, not used" in history
    assert set(Interaction.objects.filter(product=product).values_list("is_gift", "excluded_at")) == {(False, None)}


def test_my_history_offers_it_of_what_was_bought_and_is_used(signed_in: Client, shop: Shop) -> None:
    lines = history_of(shopper=shop.shopper).lines

    page = signed_in.get(reverse("history")).content.decode()

    wanted = sum(line.is_used and line.is_bought for line in lines)
    assert 0 < wanted == page.count(f'<button formaction="{reverse("gift")}">It was a gift')


def test_a_gift_stays_bought(shop: Shop) -> None:
    product = shop.product(TINS)
    exclude_history(shopper=shop.shopper, product=product, at=NOON, is_gift=True)

    bought = Interaction.objects.bought_by([shop.shopper.pk], until=NOON)

    assert product.pk in set(bought.values_list("product_id", flat=True))


def test_what_was_left_out_is_no_gift(shop: Shop) -> None:
    exclude_history(shopper=shop.shopper, product=shop.product(TINS), at=NOON)

    assert not Interaction.objects.filter(is_gift=True).exists()
    assert include_history(shopper=shop.shopper, product=shop.product(TINS), at=NOON) == 4


def test_a_gift_that_is_used_cannot_be_stored(shop: Shop) -> None:
    with pytest.raises(IntegrityError, match="gift_is_not_used"), transaction.atomic():
        Interaction.objects.update(is_gift=True)


def test_less_of_a_group_stands_behind_ten_others_and_nothing_is_hidden(shop: Shop) -> None:
    before = shown(shop)
    less_of_group(shopper=shop.shopper, category=shop.categories["kitchen"], at=NOON)

    found = recommendations_for(shopper=shop.shopper, placement=Placement.HOME)

    after = [item.product.title for item in found.items]
    lowered = [item.product.title for item in found.items if item.less_of is not None]
    assert before[:3] == [
        "Vintage tin with retro spots",  # in kitchen/tins, below the group
        "Recipe box pantry yellow design",
        "Set of 12 fairy cake baking cases",
    ]
    assert after[:3] == ["Rabbit night light", "Natural slate heart chalkboard", "Doormat welcome to our home"]
    assert sorted(after) == sorted(before)
    assert after[3:] == lowered == [title for title in before if title in lowered]
    assert [item.rank for item in found.items][:4] == [4, 7, 10, 1]  # ranks and ids stay the model's
    assert [group.path for group in found.less_of] == ["kitchen"]


def test_the_order_stays_where_everything_is_of_that_group(shop: Shop) -> None:
    before = shown(shop, Placement.BUY_AGAIN)
    for path in ("kitchen", "bags"):
        less_of_group(shopper=shop.shopper, category=shop.categories[path], at=NOON)

    assert shown(shop, Placement.BUY_AGAIN) == before


def test_ten_others_go_ahead_of_each_and_both_keep_their_order() -> None:
    wish = CategoryFactory.build()
    ranked = [(rank, contract(rank), wish if rank in {1, 2, 13} else None) for rank in range(1, 21)]

    order = [rank for rank, _, _ in in_wished_order(ranked)]

    assert order == [*range(3, 13), 1, 2, *range(14, 21), 13]


def test_a_few_shown_are_chosen_after_the_wish(shop: Shop) -> None:
    less_of_group(shopper=shop.shopper, category=shop.categories["kitchen"], at=NOON)

    found = recommendations_for(shopper=shop.shopper, placement=Placement.HOME, limit=2)

    assert [item.product.title for item in found.items] == ["Rabbit night light", "Natural slate heart chalkboard"]
    assert [group.path for group in found.less_of] == ["kitchen"]  # said although none of it is among the two


def test_a_wish_is_of_one_shopper_and_of_personal_pages(shop: Shop) -> None:
    before = shown(shop)
    less_of_group(shopper=ShopperFactory(), category=shop.categories["kitchen"], at=NOON)

    assert shown(shop) == before
    less_of_group(shopper=shop.shopper, category=shop.categories["kitchen"], at=NOON)
    shop.shopper.is_personalised = False
    found = recommendations_for(shopper=shop.shopper, placement=Placement.HOME)
    assert {item.less_of for item in found.items} == {None}


def test_wishing_twice_is_one_wish(shop: Shop) -> None:
    group = shop.categories["kitchen"]

    assert less_of_group(shopper=shop.shopper, category=group, at=NOON)
    assert not less_of_group(shopper=shop.shopper, category=group, at=NOON + timedelta(days=1))
    assert LessOfGroup.objects.get().created_at == NOON
    assert as_much_of_group(shopper=shop.shopper, category=group)
    assert not as_much_of_group(shopper=shop.shopper, category=group)


@pytest.mark.parametrize(
    ("language", "said", "card"),
    [
        (
            "en",
            "From now on, 10 other products go ahead of each product of Kitchen.",
            "you wished for less of Kitchen.",
        ),
        ("zh-hans", "从现在起，「厨房」的每件商品之前都会先列出另外 10 件商品。", "您希望少看到「厨房」。"),
    ],
)
def test_a_wish_is_said_on_the_page_and_undone(
    signed_in: Client, shop: Shop, language: str, said: str, card: str
) -> None:
    signed_in.cookies["django_language"] = language
    wish = {"group": shop.categories["kitchen"].pk, "next": "/"}

    page = signed_in.post(reverse("less_of"), wish, follow=True).content.decode()
    history = signed_in.get(reverse("history")).content.decode()
    undone = signed_in.post(reverse("as_much_of"), wish, follow=True).content.decode()

    assert said in page
    assert card in page
    assert f'action="{reverse("as_much_of")}"' in page
    assert f'action="{reverse("as_much_of")}"' in history
    assert card not in undone
    assert not LessOfGroup.objects.exists()


def test_the_panel_offers_both_and_says_what_was_wished(signed_in: Client, shop: Shop) -> None:
    home = shop.shopper.slates.get(placement=Placement.HOME)
    why = reverse("why", args=[f"{home.pk}-1"])

    offered = signed_in.get(why).content.decode()
    less_of_group(shopper=shop.shopper, category=shop.categories["kitchen"], at=NOON)
    wished = signed_in.get(why).content.decode()

    assert "It was a gift" in offered
    assert "Less of Tins and jars" in offered
    assert "If we left this out of your history, this would move from 1st to 14th." in wished
    assert "Stands lower: you wished for less of Kitchen." in wished
    assert "As much of Kitchen as before" in wished


def test_the_api_says_why_a_recommendation_stands_lower(shop: Shop, client: Client) -> None:
    less_of_group(shopper=shop.shopper, category=shop.categories["kitchen"], at=NOON)
    partner = PartnerClient(sees_all_shoppers=True)

    found = partner.get(f"shoppers/{shop.shopper.external_id}/recommendations", placement="home").json()

    told = [(item["rank"], item["lowered_for"]) for item in found["recommendations"]]
    assert told[:4] == [(4, None), (7, None), (10, None), (1, "kitchen")]
    sees_not = PartnerClient(sees_all_shoppers=True, scopes=[Scope.RECOMMENDATIONS_READ])
    path = f"shoppers/{shop.shopper.external_id}/recommendations"
    assert {item["lowered_for"] for item in sees_not.get(path, placement="home").json()["recommendations"]} == {None}
    Category.objects.filter(path="kitchen").update(is_sensitive=True)
    again = partner.get(path, placement="home").json()["recommendations"]
    assert {item["lowered_for"] for item in again} == {None}


@pytest.mark.parametrize("number", ["", "0", "-1", "x", "99999999999999999999"])
def test_a_wish_about_no_group_is_not_found(signed_in: Client, number: str) -> None:
    assert signed_in.post(reverse("less_of"), {"group": number}).status_code == 404
    assert signed_in.post(reverse("as_much_of"), {"group": number}).status_code == 404
    assert not LessOfGroup.objects.exists()
