"""Why not? Each product of the shop has one true cause, and the model's numbers are those of the list."""

import re
from dataclasses import replace
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from catalog.models import Interaction, Product, Scope
from catalog.services import NOT_INTERESTED, less_of_group
from explanations import answering
from explanations.absences import Absence, why_not
from explanations.api.absences import _data
from explanations.models import Explanation
from explanations.phrasing.absences import cause_of, details_of
from explanations.phrasing.parts import bars_of
from recommendations.models import Run
from tests.api_client import PartnerClient
from tests.explanations.shown import home_of, refresh, shown_world
from tests.explanations.test_engine import World
from tests.factories import (
    NOON,
    EventTypeFactory,
    InteractionFactory,
    PartnerFactory,
    ProductFactory,
    ShopperFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


def test_every_product_has_the_cause_that_is_true(world: World, worker: list[str]) -> None:
    shopper = world.shoppers[0]
    slate = home_of(shopper)
    verified = [c["st"] != "withheld" for c in slate.explanation.contracts["contracts"]]
    own = Interaction.objects.filter(shopper=shopper)
    bought = set(own.filter(event_type__code="purchase").values_list("product_id", flat=True))
    shown = [pk for pk, is_shown in zip(slate.product_ids, verified, strict=False) if is_shown][:10]

    found = {product.pk: why_not(shopper=shopper, product=product) for product in world.products}

    by_cause: dict[Absence, set[int]] = {}
    for pk, why in found.items():
        by_cause.setdefault(why.absence, set()).add(pk)
    assert by_cause[Absence.SHOWN] == set(shown)
    assert [found[pk].place for pk in shown] == list(range(1, len(shown) + 1))
    assert by_cause[Absence.BOUGHT] == bought
    last_rank = slate.product_ids.index(shown[-1]) + 1
    rest = set(found) - set(shown) - bought
    withheld = {pk for pk in rest if pk in slate.product_ids[:last_rank]}
    assert by_cause.get(Absence.NO_REASON, set()) == withheld
    assert by_cause[Absence.RANKED_LOWER] == rest - withheld
    assert worker.count("why_not") == len(world.products)


@pytest.mark.parametrize("blocks", [1, 2])
def test_rank_and_gap_are_those_of_the_list(monkeypatch: pytest.MonkeyPatch, worker: list[str], blocks: int) -> None:
    world = shown_world(monkeypatch, blocks=blocks)
    for shopper in world.shoppers[:3]:
        slate = home_of(shopper)
        for rank, (product_id, score) in enumerate(zip(slate.product_ids, slate.scores, strict=True), start=1):
            why = why_not(shopper=shopper, product=world.product(product_id))

            assert why.ranked is not None
            assert why.last is not None
            assert (why.ranked.rank, why.ranked.is_candidate) == (rank, True)
            assert why.ranked.candidates == slate.explanation.contracts["provenance"][3]
            assert why.ranked.last_rank == why.last.rank
            assert why.ranked.gap == pytest.approx(score - why.last.score, abs=1e-5)
            assert sum(value for _, value in why.ranked.parts) == pytest.approx(why.ranked.gap, abs=1e-5)


def test_what_was_bought_is_ranked_as_if_it_were_new(world: World, worker: list[str]) -> None:
    shopper = world.shoppers[0]
    purchase = Interaction.objects.filter(shopper=shopper, event_type__code="purchase").first()
    assert purchase is not None

    why = why_not(shopper=shopper, product=purchase.product)

    assert why.absence is Absence.BOUGHT
    assert why.ranked is not None
    assert not why.ranked.is_candidate
    assert details_of(why)[0].startswith("But for that, the model would rank it")


def lower(world: World, at: int = 12) -> Product:
    """A product that ranks below those shown to the first shopper."""
    return world.product(home_of(world.shoppers[0]).product_ids[at])


def test_what_staff_or_the_shopper_did_comes_before_the_model(world: World, worker: list[str]) -> None:
    shopper, product = world.shoppers[0], lower(world)

    def cause() -> Absence:
        return why_not(shopper=shopper, product=Product.objects.get(pk=product.pk)).absence

    InteractionFactory(shopper=shopper, product=product, event_type=EventTypeFactory(code=NOT_INTERESTED))
    assert cause() is Absence.HIDDEN
    shopper.is_personalised = False
    assert cause() is Absence.SWITCHED_OFF
    shopper.is_personalised = True
    Product.objects.filter(pk=product.pk).update(is_available=False)
    assert cause() is Absence.OUT_OF_STOCK
    Product.objects.filter(pk=product.pk).update(is_active=False)
    assert cause() is Absence.INACTIVE
    Run.objects.update(state=Run.State.RETIRED)
    assert cause() is Absence.NOTHING_PUBLISHED


def test_a_shopper_without_a_list_is_told_so(world: World, no_worker: list[str]) -> None:
    newcomer, newer = ShopperFactory(), ShopperFactory()
    InteractionFactory(shopper=newer, product=world.products[0], event_type=world.event_types[0])

    assert why_not(shopper=newcomer, product=world.products[0]).absence is Absence.NO_HISTORY
    assert why_not(shopper=newer, product=world.products[0]).absence is Absence.NOT_COMPUTED
    assert no_worker == []


def wished(world: World) -> Product:
    """The first of the first shopper's list, after a wish for less of its group."""
    shopper = world.shoppers[0]
    first = world.product(home_of(shopper).product_ids[0])
    assert first.category is not None
    stored = home_of(shopper).explanation.contracts
    for packed in stored["contracts"]:
        packed["st"] = "fallback"  # so that more than ten can be shown
    Explanation.objects.filter(slate=home_of(shopper)).update(contracts=stored)
    less_of_group(shopper=shopper, category=first.category, at=NOON)
    return first


def test_less_of_its_group_is_the_cause_where_it_is(world: World, worker: list[str]) -> None:
    first = wished(world)

    why = why_not(shopper=world.shoppers[0], product=first)

    assert why.absence is Absence.LESS_OF_GROUP
    assert first.category is not None
    assert cause_of(why).startswith(f"You wished for less of {first.category.name_en}, so ")


def test_what_came_after_the_training_is_not_known(world: World, worker: list[str]) -> None:
    why = why_not(shopper=world.shoppers[0], product=ProductFactory(title="Brand new lamp"))

    assert why.absence is Absence.NOT_IN_VERSION
    assert cause_of(why) == "The model does not know “Brand new lamp” yet: it came after the last training."


def test_what_nothing_true_can_be_said_of_is_not_shown(world: World, worker: list[str]) -> None:
    shopper = world.shoppers[0]
    slate = home_of(shopper)
    stored = slate.explanation.contracts
    stored["contracts"][0]["st"] = "withheld"
    Explanation.objects.filter(slate=slate).update(contracts=stored)

    assert why_not(shopper=shopper, product=world.product(slate.product_ids[0])).absence is Absence.NO_REASON


def test_an_answer_is_asked_for_once_and_kept(world: World, no_worker: list[str]) -> None:
    shopper, product = world.shoppers[0], lower(world)

    first, second = (why_not(shopper=shopper, product=product, wait=0.05) for _ in range(2))

    assert first.is_pending
    assert second.is_pending
    assert first.absence is Absence.RANKED_LOWER  # that is known without the model
    assert no_worker == ["why_not"]


def test_where_only_the_model_can_tell_no_cause_is_said_before_it_answers(
    world: World, signed_in: Client, no_worker: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explanations.asking.WAIT", 0.01)
    product = ProductFactory(title="Brand new lamp")

    why = why_not(shopper=world.shoppers[0], product=product)
    html = signed_in.get(reverse("why_not", args=[product.external_id])).content.decode()
    path = f"shoppers/{world.shoppers[0].external_id}/why-not/{product.external_id}"
    answer = PartnerClient(sees_all_shoppers=True).get(path).json()

    assert (why.absence, why.is_pending) == (Absence.PENDING, True)
    assert '<p class="claim" data-asking>The model is being asked where it ranks “Brand new lamp”.</p>' in html
    assert "fit your history better" not in html
    assert "data-unanswered hidden>The model did not answer: its worker is busy, or stands still." in html
    assert (answer["cause"], answer["is_pending"]) == ("pending", True)


def test_staff_see_the_split_that_the_shopper_sees(world: World, worker: list[str], admin: Client) -> None:
    shopper, product = world.shoppers[0], lower(world, at=25)
    url = reverse("admin:explanations_inspector") + f"?q={shopper.external_id}&product={product.external_id}"

    response = admin.get(url)

    ranked = why_not(shopper=shopper, product=product).ranked
    assert ranked is not None
    shown = response.context["why_not"]
    assert shown["parts"] == bars_of(ranked) != []
    assert not shown["is_pending"]
    assert response.content.decode().count('class="bar"') == len(shown["parts"])


def test_staff_see_that_the_model_has_not_answered(
    world: World, no_worker: list[str], admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explanations.asking.WAIT", 0.01)
    product = ProductFactory(title="Brand new lamp")
    url = reverse("admin:explanations_inspector") + f"?q={world.shoppers[0].external_id}&product={product.external_id}"

    page = admin.get(url).content.decode()

    assert "The model is being asked where it ranks “Brand new lamp”." in page
    assert 'id="live" data-refresh="1"' in page
    assert "no worker of the queue realtime runs" in page


def test_a_change_of_the_history_is_a_new_question(world: World, worker: list[str]) -> None:
    shopper, product = world.shoppers[0], lower(world)

    why_not(shopper=shopper, product=product)
    why_not(shopper=shopper, product=product)
    refresh([shopper], minutes=2)
    why_not(shopper=shopper, product=product)

    assert worker == ["why_not", "why_not"]


def test_a_failure_is_said(world: World, worker: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(**_: int) -> dict[str, int]:
        raise MemoryError

    monkeypatch.setitem(answering.ANSWERS, "why_not", fails)
    with pytest.raises(MemoryError):
        why_not(shopper=world.shoppers[0], product=lower(world))  # the worker's own log

    why = why_not(shopper=world.shoppers[0], product=lower(world))

    assert (why.absence, why.is_pending) == (Absence.FAILED, False)


@pytest.fixture
def signed_in(world: World, client: Client) -> Client:
    user = UserFactory()
    world.shoppers[0].user = user
    world.shoppers[0].save()
    client.force_login(user)
    return client


def text_of(response: object) -> str:
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", response.content.decode())))  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("language", "cause", "details"),
    [
        ("en", "Other products fit your history better than", r"The model ranks it 13th of \d+ products"),
        ("zh-hans", "其他商品更符合您的记录", r"模型在 \d+ 件可推荐给您的商品中将它排在第 13 位"),
    ],
)
def test_the_page_says_cause_rank_and_split(
    world: World, signed_in: Client, worker: list[str], language: str, cause: str, details: str
) -> None:
    signed_in.cookies["django_language"] = language

    response = signed_in.get(reverse("why_not", args=[lower(world).external_id]))

    text = text_of(response)
    assert cause in text
    assert re.search(details, text)
    assert response.content.decode().count("<svg class=") >= 2
    assert "data-stale" not in response.content.decode()


def test_the_page_asks_again_while_the_model_has_not_answered(
    world: World, signed_in: Client, no_worker: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("explanations.asking.WAIT", 0.01)
    url = reverse("why_not", args=[lower(world).external_id])

    html = signed_in.get(url, headers={"X-Requested-With": "fetch"}).content.decode()

    assert "data-stale" in html
    assert f'data-row="{url}"' in html
    assert "Updating" in html


def test_the_page_is_of_shoppers(world: World, client: Client) -> None:
    url = reverse("why_not", args=[world.products[0].external_id])
    assert client.get(url).headers["Location"].startswith("/sign-in/")
    client.force_login(UserFactory())

    assert "This account is no shopper" in client.get(url).content.decode()


def test_the_product_page_leads_there(world: World, signed_in: Client, no_worker: list[str]) -> None:
    product = world.products[0]

    html = signed_in.get(reverse("product", args=[product.external_id])).content.decode()

    assert f'href="{reverse("why_not", args=[product.external_id])}"' in html


def test_the_api_tells_cause_rank_gap_and_split(world: World, worker: list[str]) -> None:
    shopper, product = world.shoppers[0], lower(world)
    partner = PartnerClient(sees_all_shoppers=True)

    answer = partner.get(f"shoppers/{shopper.external_id}/why-not/{product.external_id}").json()

    assert (answer["cause"], answer["is_pending"], answer["is_redacted"]) == ("ranked_lower", False, False)
    assert answer["ranked"]["rank"] == 13
    assert sum(part["difference"] for part in answer["ranked"]["parts"]) == pytest.approx(
        answer["ranked"]["gap"], abs=1e-5
    )
    assert {part["code"] for part in answer["ranked"]["parts"]} == {"id", "group", "bias", "recent_popularity"}
    assert len(answer["details"]) == 3


def test_what_the_shopper_did_is_for_keys_with_evidence(world: World, worker: list[str]) -> None:
    shopper = world.shoppers[0]
    bought = Interaction.objects.filter(shopper=shopper, event_type__code="purchase")[0].product
    path = f"shoppers/{shopper.external_id}/why-not/{bought.external_id}"

    sees = PartnerClient(sees_all_shoppers=True).get(path).json()
    sees_not = PartnerClient(sees_all_shoppers=True, scopes=[Scope.RECOMMENDATIONS_READ]).get(path).json()

    assert sees["text"].startswith("You bought ")
    assert (sees_not["cause"], sees_not["is_redacted"]) == ("bought", True)
    assert sees_not["text"] == "Something in your history keeps it out of this list."


def test_a_wish_is_for_keys_with_evidence_and_a_sensitive_group_is_never_named(world: World, worker: list[str]) -> None:
    first = wished(world)
    path = f"shoppers/{world.shoppers[0].external_id}/why-not/{first.external_id}"
    sees, sees_not = (
        PartnerClient(sees_all_shoppers=True, scopes=scopes)
        for scopes in ([Scope.RECOMMENDATIONS_READ, Scope.EXPLANATIONS_EVIDENCE], [Scope.RECOMMENDATIONS_READ])
    )
    group = first.category
    assert group is not None

    told, withheld = sees.get(path).json(), sees_not.get(path).json()
    named = why_not(shopper=world.shoppers[0], product=first)
    sensitive = _data(replace(named, is_wish_named=False), "en", sees_evidence=True)

    assert (told["cause"], told["lowered_for"]) == ("less_of_group", group.path)
    assert told["text"].startswith(f"You wished for less of {group.name_en}, so ")
    assert (withheld["cause"], withheld["lowered_for"], withheld["is_redacted"]) == ("less_of_group", None, True)
    assert withheld["text"] == "Something that you told us keeps it out of this list."
    assert (sensitive["cause"], sensitive["lowered_for"]) == ("less_of_group", None)
    assert sensitive["text"].startswith("You wished for less of its group, so ")


def test_a_partner_asks_of_its_own_shoppers_only(world: World, worker: list[str]) -> None:
    shopper, product = world.shoppers[0], world.products[0]
    foreign = PartnerClient(partner=PartnerFactory())

    assert foreign.get(f"shoppers/{shopper.external_id}/why-not/{product.external_id}").status_code == 404
    everybody = PartnerClient(sees_all_shoppers=True)
    assert everybody.get(f"shoppers/{shopper.external_id}/why-not/nothing").status_code == 404
    assert worker == []
