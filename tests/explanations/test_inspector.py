"""The inspector shows the stored contract: what is said, two exact sums, every check, the provenance."""

from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from explanations import charts, inspection
from explanations.contract import Shares, Split
from recommendations.models import Placement, Run, Slate
from tests import worlds
from tests.factories import ProductFactory, RunFactory, ShopperFactory, SlateFactory

INSPECTOR = "admin:explanations_inspector"


@pytest.fixture
def shop(db: None) -> worlds.Shop:
    return worlds.live_shop()


def home(shop: worlds.Shop) -> Slate:
    return Slate.objects.get(shopper=shop.shopper, placement=Placement.HOME)


def test_a_shopper_is_found_by_external_id_and_home_comes_first(shop: worlds.Shop, admin: Client) -> None:
    response = admin.get(reverse(INSPECTOR) + f"?q={shop.shopper.external_id}")

    assert response.context["slate"] == home(shop)
    rows = response.context["rows"]
    assert len(rows) == 10  # also what is withheld: staff see all of it
    first, said = rows[0]
    assert (first.rank, first.title, first.percent) == (1, "Vintage tin with retro spots", "20 %")
    assert said.line == "Because you bought “Set of 3 cake tins pantry design”"
    assert {row.contract.status.value for row, _ in rows} == {"verified", "fallback", "withheld"}


def test_what_the_shopper_sees_comes_before_a_later_run_that_waits(shop: worlds.Shop, admin: Client) -> None:
    waiting = RunFactory(state=Run.State.READY)
    worlds.explained_slate(run=waiting, shopper=shop.shopper, contracts=[worlds.contract(shop.products[0])])

    response = admin.get(reverse(INSPECTOR) + f"?q={shop.shopper.external_id}")

    assert response.context["slate"] == Slate.objects.get(run=shop.run, shopper=shop.shopper, placement=Placement.HOME)


def test_placement_and_run_narrow_what_is_shown(shop: worlds.Shop, admin: Client) -> None:
    other = RunFactory()
    url = reverse(INSPECTOR) + f"?shopper={shop.shopper.pk}"

    again = admin.get(url + "&placement=buy_again").context["slate"]
    nothing = admin.get(url + f"&run={other.pk}").context["slate"]
    of_run = admin.get(reverse(INSPECTOR) + f"?run={shop.run.pk}").context["slates"]

    assert again.placement == Placement.BUY_AGAIN
    assert nothing is None
    assert len(of_run) == Slate.objects.filter(run=shop.run).count()


@pytest.mark.parametrize(
    "query", ["?q=nobody", "?shopper=99999999", "?slate=abc", "?run=" + "9" * 40, "?placement=roof"]
)
def test_unknown_things_are_said_to_be_unknown(shop: worlds.Shop, admin: Client, query: str) -> None:
    response = admin.get(reverse(INSPECTOR) + query)

    assert response.status_code == 200
    assert response.context["slate"] is None


def test_an_unexplained_slate_says_that_nobody_sees_it(admin: Client, db: None) -> None:
    slate = SlateFactory(shopper=ShopperFactory())

    page = admin.get(reverse(INSPECTOR) + f"?slate={slate.pk}").content.decode()

    assert "not explained yet" in page


def test_one_recommendation_is_said_in_both_languages_with_its_checks(shop: worlds.Shop, admin: Client) -> None:
    response = admin.get(reverse("admin:explanations_inspected", args=[home(shop).pk, 1]))

    page = response.content.decode()
    assert "Because you bought “Set of 3 cake tins pantry design”" in page
    assert "因为您购买过" in page
    assert [evidence for _, evidence in response.context["reasons"]] == [
        "Set of 3 cake tins pantry design",
        "Jam making set with jars",
        "Jumbo bag red retrospot",
    ]
    assert "loses_place" in page
    assert "Recipe box pantry yellow design" in page
    assert "2.13.0+cpu" in page
    assert "&quot;c&quot;: &quot;history&quot;" in page  # the stored contract itself


def test_every_recommendation_of_every_slate_can_be_inspected(shop: worlds.Shop, admin: Client) -> None:
    for slate in Slate.objects.all():
        for row in inspection.inspect(slate):
            url = reverse("admin:explanations_inspected", args=[slate.pk, row.rank])
            assert admin.get(url).status_code == 200, url


def test_ranks_beyond_the_explained_ones_do_not_exist(shop: worlds.Shop, admin: Client) -> None:
    pk = home(shop).pk

    ranks = [admin.get(reverse("admin:explanations_inspected", args=[pk, rank])).status_code for rank in (0, 10, 11)]

    assert ranks == [404, 200, 404]


def test_the_two_charts_are_sums_of_their_own(shop: worlds.Shop) -> None:
    row = inspection.inspect(home(shop))[0]
    contract = replace(
        row.contract,
        split=Split(baseline=0.5, parts={"id": 1.5, "category": 0.7, "bias": 0.1}),
        shares=Shares(nothing=-0.6, rest=1.4, reasons=(1.3, 0.7)),
    )
    row = replace(row, contract=contract)

    parts, history = str(charts.by_product_part(row)), str(charts.by_history(row))

    assert "the average product: 0.5; the product itself: +1.5; its group: +0.7" in parts
    assert parts.count("score: 2.8") == history.count("score: 2.8") == 1
    order = "an empty history: −0.6; the rest of the history: +1.4; +E2 Jam making set with jars: +0.7; +E1 Set of 3"
    assert order in history


def test_a_cause_without_a_split_has_no_charts(shop: worlds.Shop) -> None:
    row = inspection.inspect(home(shop))[5]
    row = replace(row, contract=replace(row.contract, split=None))

    assert charts.by_product_part(row) is None
    assert charts.by_history(row) is None
    assert charts.leave_one_out(row) is None


def test_a_slate_is_inspected_with_three_queries(shop: worlds.Shop, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    slate = home(shop)

    with django_assert_num_queries(3):  # explanation, products with their groups, categories
        inspection.inspect(slate)


def test_several_types_of_event_have_chances_of_their_own(admin: Client, db: None) -> None:
    stated = worlds.contract(ProductFactory(), chances={"purchase": 0.2, "view": 0.31})
    slate = worlds.explained_slate(run=RunFactory(), contracts=[stated], shopper=ShopperFactory())

    page = admin.get(reverse("admin:explanations_inspected", args=[slate.pk, 1])).content.decode()

    assert "purchase 20% · view 31%" in page
