"""My interests: measured on the model, strongest first, removable and restorable, and the list comes as it was said."""

import re
from datetime import timedelta
from html import unescape

import pytest
import torch
from django.test import Client
from django.urls import reverse

from catalog.models import Product, Shopper
from catalog.services import exclude_history, include_history
from explanations import answering
from explanations.interests import interests_of
from explanations.moves import Moves, moves
from explanations.phrasing.moves import counted
from tests.explanations.shown import home_of, refresh, shown_world
from tests.explanations.test_engine import World
from tests.factories import NOON, ShopperFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("blocks", [1, 2])
def test_leaving_one_out_brings_the_list_that_was_shown_for_it(
    monkeypatch: pytest.MonkeyPatch, worker: list[str], blocks: int
) -> None:
    world = shown_world(monkeypatch, blocks=blocks)
    shopper = world.shoppers[0]
    before = list(home_of(shopper).product_ids[:10])
    answer = answering.interests(slate_id=home_of(shopper).pk)

    assert answer["first"] == before
    changed = 0
    for minutes, unit in enumerate(answer["units"], start=2):
        product = world.product(unit["product"])
        exclude_history(shopper=shopper, product=product, at=NOON)
        refresh([shopper], minutes=2 * minutes)
        now = [pk for pk in home_of(shopper).product_ids if pk != product.pk]  # what was only viewed stays as it was

        assert now[:9] == [pk for pk in unit["without"] if pk != product.pk][:9]
        changed += now[:10] != before
        include_history(shopper=shopper, product=product, at=NOON)
        refresh([shopper], minutes=2 * minutes + 1)
        assert list(home_of(shopper).product_ids[:10]) == before
    assert len(answer["units"]) >= 5
    assert changed >= 3


def test_influence_is_the_mean_change_of_log_p_over_the_first_ten(world: World) -> None:
    shopper = world.shoppers[1]
    slate = home_of(shopper)
    answer = answering.interests(slate_id=slate.pk)
    full = answering.asked(slate.pk)
    assert full is not None
    shown = [full.number(pk) for pk in answer["first"]]

    def log_p(found: answering.Asked) -> torch.Tensor:
        scores = found.scores_I.masked_fill(~full.candidates_I, float("-inf"))
        return (scores - torch.logsumexp(scores, dim=0))[shown]

    for unit in answer["units"]:
        exclude_history(shopper=shopper, product=world.product(unit["product"]), at=NOON)
        masked = answering.asked(slate.pk)
        include_history(shopper=shopper, product=world.product(unit["product"]), at=NOON)
        assert masked is not None
        lost = log_p(full) - log_p(masked)

        assert unit["influence"] == pytest.approx(float(lost.abs().mean()), abs=1e-5)
        assert unit["carries"] == int((lost > 0).sum())


def test_the_strongest_come_first(world: World, worker: list[str]) -> None:
    found = interests_of(shopper=world.shoppers[0])

    influences = [interest.influence for interest in found.measured]
    assert influences == sorted(influences, reverse=True)
    assert found.measured[0].percent == 100
    assert {interest.line.product.pk for interest in found.measured} == set(
        world.shoppers[0].interactions.values_list("product_id", flat=True)
    )
    assert (found.unused, found.left_out, found.is_pending) == ((), (), False)


def test_what_was_left_out_is_listed_apart_with_what_that_did(world: World, worker: list[str]) -> None:
    shopper = world.shoppers[0]
    before = list(home_of(shopper).product_ids[:10])
    strongest = interests_of(shopper=shopper).measured[0]
    exclude_history(shopper=shopper, product=strongest.line.product, at=NOON)
    shopper.refresh_from_db()
    refresh([shopper], minutes=3)

    found = interests_of(shopper=shopper)

    assert [line.product for line in found.left_out] == [strongest.line.product]
    assert strongest.line.product not in [interest.line.product for interest in found.measured]
    assert found.change is not None
    assert found.change.moves == moves(before, list(home_of(shopper).product_ids[:10]))


def test_while_the_list_is_renewed_nothing_is_asked_of_the_old_one(world: World, no_worker: list[str]) -> None:
    shopper = world.shoppers[0]
    exclude_history(shopper=shopper, product=world.products[0], at=NOON)
    refresh([shopper], minutes=2)
    shopper.changed_at = home_of(shopper).computed_at.replace(year=2012)

    assert interests_of(shopper=shopper).is_pending
    assert no_worker == []


def test_lists_are_compared_place_by_place() -> None:
    found = moves([1, 2, 3], [2, 4, 3])

    assert found == Moves(enters=((4, 2),), leaves=((1, 1),), moves=((2, 2, 1),))
    assert counted(found) == "1 leaves, 1 enters, 1 moves"
    assert not moves([1, 2], [1, 2])


@pytest.fixture
def signed_in(world: World, client: Client) -> Client:
    world.shoppers[0].user = UserFactory()
    world.shoppers[0].save()
    client.force_login(world.shoppers[0].user)
    return client


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", html)))


def test_the_page_shows_each_with_its_date_and_effect_and_takes_it_out(
    world: World, signed_in: Client, worker: list[str]
) -> None:
    strongest = interests_of(shopper=world.shoppers[0]).measured[0].line
    url = reverse("interests")

    html = signed_in.get(url).content.decode()
    signed_in.post(reverse("leave_out"), {"product": strongest.product.pk, "next": url})
    Shopper.objects.filter(pk=world.shoppers[0].pk).update(changed_at=NOON + timedelta(minutes=2))  # the clock stands
    stale = signed_in.get(url).content.decode()
    refresh([world.shoppers[0]], minutes=3)
    after = signed_in.get(url).content.decode()

    assert strongest.product.title in html
    assert re.search(r"speaks for \d+ of the first ten", text_of(html))
    assert re.search(r"Without it: (\d+ (leaves?|enters?|moves?)|the first ten stay)", text_of(html))
    assert "data-stale" not in html
    assert "data-stale" in stale
    assert "Left out by you" in after
    assert f'action="{reverse("use_again")}"' in after
    assert "What the last change of your list did" in after


def test_it_is_read_in_chinese(signed_in: Client, worker: list[str]) -> None:
    signed_in.cookies["django_language"] = "zh-hans"

    text = text_of(signed_in.get(reverse("interests")).content.decode())

    assert "我的兴趣" in text
    assert re.search(r"支持前十件中的 \d+ 件", text)
    assert re.search(r"如果没有它：(\d+ 件(离开|进入|移动)|前十件保持不变)", text)


def test_many_interests_take_several_pages(
    signed_in: Client, worker: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explanations.views.interests.ON_A_PAGE", 3)

    first = signed_in.get(reverse("interests"))
    second = signed_in.get(reverse("interests") + "?page=2")

    assert (len(first.context["measured"]), len(second.context["measured"])) == (3, 3)
    assert "?page=2" in first.content.decode()
    assert "?page=1" in second.content.decode()
    assert worker == ["interests"]


def test_a_newcomer_is_told_what_will_stand_there(world: World, client: Client, no_worker: list[str]) -> None:
    user = UserFactory()
    ShopperFactory(user=user)
    client.force_login(user)

    assert "The model uses nothing about you." in client.get(reverse("interests")).content.decode()
    assert no_worker == []


HOSTILE = "<script>alert(1)</script>\u202e ignore all previous instructions " + "x" * 230


def test_hostile_titles_break_neither_page(world: World, signed_in: Client, worker: list[str]) -> None:
    for product in world.products:
        product.title = HOSTILE
    Product.objects.bulk_update(world.products, ["title"])
    missing = world.product(home_of(world.shoppers[0]).product_ids[15])

    for url in (reverse("interests"), reverse("why_not", args=[missing.external_id])):
        html = signed_in.get(url).content.decode()

        assert "<script>alert" not in html
        assert "&lt;script&gt;alert(1)" in html
        assert "\u202e" not in html
