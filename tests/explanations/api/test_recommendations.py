import json
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.renderers import JSONRenderer

from catalog.models import Interaction, Scope, Shopper
from explanations.api.serializers import RecommendationsSerializer, SingleRecommendationSerializer
from explanations.contract import Cause
from explanations.phrasing.names import VERBS
from recommendations.models import Placement, Slate
from tests.api_client import PartnerClient, problems
from tests.factories import NOON, PartnerFactory, ProductFactory, RunFactory, ShopperFactory
from tests.worlds import Shop, contract, explained_slate, live_shop, publish


@pytest.fixture
def shop(db: None) -> Shop:
    return live_shop()


@pytest.fixture
def client(shop: Shop) -> PartnerClient:
    return PartnerClient(partner=shop.shopper.partner)


def _path(shop: Shop) -> str:
    return f"shoppers/{shop.shopper.external_id}/recommendations"


def _titles(response: Any) -> list[str]:
    return [item["product"]["title"] for item in response.json()["recommendations"]]


def _causes(response: Any) -> list[str]:
    return [item["explanation"]["cause"] for item in response.json()["recommendations"]]


def test_a_recommendation_comes_with_every_checked_fact_and_its_sentences(shop: Shop, client: PartnerClient) -> None:
    response = client.get(_path(shop), placement="home", limit=1)

    slate = Slate.objects.get(shopper=shop.shopper, placement="home")
    answer = response.json()
    (first,) = answer.pop("recommendations")
    explanation = first.pop("explanation")
    tins = {"external_id": "22423", "title": "Set of 3 cake tins pantry design"}
    assert response.status_code == 200
    assert answer == {
        "placement": "home",
        "language": "en",
        "is_personal": True,
        "is_stale": False,
        "computed_at": "2011-12-01T12:00:00Z",
    }
    assert first == {
        "id": f"{slate.pk}-1",
        "rank": 1,
        "lowered_for": None,
        "score": 9.0,
        "probability": 0.2,
        "chances": {},
        "product": {
            "external_id": "22424",
            "title": "Vintage tin with retro spots",
            "category": "kitchen/tins",
            "price": "2.10",
            "currency": "GBP",
        },
    }
    (reason,) = explanation.pop("reasons")  # the one that was not verified is not shown
    (against,) = explanation.pop("opposing")
    assert (reason.pop("text"), reason.pop("effect")) == (
        "Set of 3 cake tins pantry design: bought 4 times, last on 8 November 2011",
        "would drop from 1st to 14th without it",
    )
    assert reason == {
        "type": "interaction",
        "is_verified": True,
        "delta": 1.2,
        "threshold": 0.05,
        "rank_without": 14,
        "rank_only": 4,
        "share": 0.8,
        "category": None,
        "every_days": None,
        "evidence": [{"product": tins, "event_type": "purchase", "times": 4, "last_at": "2011-11-08T12:00:00Z"}],
    }
    assert (against["delta"], against["evidence"][0]["product"]["title"]) == (-0.3, "Jumbo bag red retrospot")
    assert explanation.pop("counterfactual") == {
        "strength": "loses_place",
        "rank": 14,
        "replacement": {"external_id": "22428", "title": "Recipe box pantry yellow design"},
        "removed": [tins],
        "category": None,
        "text": "Without “Set of 3 cake tins pantry design”, “Recipe box pantry yellow design” would take its place; "
        "it would be 14th.",
    }
    assert explanation == {
        "cause": "history",
        "status": "verified",
        "label": None,
        "text": "Because you bought “Set of 3 cake tins pantry design”",
        "claim": "Because you bought “Set of 3 cake tins pantry design”. If we left this out of your history, this "
        "would move from 1st to 14th.",
        "is_redacted": False,
        "counts": {},
        "target": {"log_probability": -2.1, "rank": 1, "empty_rank": 40, "runner_up": None},
        "confidence": {
            "probability": 0.2,
            "band": "high",
            "text": "High chance: of recommendations scored like this, about 1 in 5 is in the next basket.",
        },
        "split": {
            "baseline": 0.5,
            "parts": {"id": 1.5, "category": 0.7, "price_band": -0.1, "bias": 0.2},
            "residual": 0.0,
        },
        "shares": None,
        "provenance": {
            "model_version": shop.run.version_id,
            "run": shop.run.pk,
            "history_hash": "0" * 32,
            "candidates": 4812,
            "torch": "2.13.0+cpu",
            "device": "cpu",
            "computed_at": "2011-12-01T12:00:00Z",
        },
    }


def test_every_cause_of_a_slate_is_told_and_a_withheld_one_is_not_shown(shop: Shop, client: PartnerClient) -> None:
    response = client.get(_path(shop), placement="home", limit=20)

    assert _causes(response) == [
        "history",
        "history",
        "history_group",
        "history",
        "history_group",
        "popular",
        "new",
        "history",
        "popular",
    ]
    assert [item["rank"] for item in response.json()["recommendations"]] == [1, 2, 3, 4, 5, 6, 7, 8, 10]


def test_without_the_scope_evidence_and_what_names_it_are_left_out(shop: Shop) -> None:
    client = PartnerClient(partner=shop.shopper.partner, scopes=[Scope.RECOMMENDATIONS_READ])

    response = client.get(_path(shop), placement="home", limit=20)

    text = response.content.decode()
    assert response.status_code == 200
    # Bought, and neither recommended here nor named as a replacement.
    for title in ("Set of 3 cake tins", "Regency cakestand", "Jam making set", "Jumbo bag red", "Paper chain kit"):
        assert title not in text
    first, *_, last = response.json()["recommendations"]
    explanation = first["explanation"]
    assert explanation["is_redacted"]
    assert (explanation["cause"], explanation["text"]) == ("history", "Because of something in your history")
    assert explanation["claim"].startswith("Because of something in your history.")
    for reason in [*explanation["reasons"], *explanation["opposing"]]:
        assert (reason["evidence"], reason["category"], reason["every_days"]) == (None,) * 3
        assert reason["text"] in {"something in your history", "several things in your history"}
    assert explanation["reasons"][0]["delta"] == 1.2
    assert explanation["reasons"][0]["effect"] == "would drop from 1st to 14th without it"
    assert explanation["counterfactual"]["removed"] is None
    assert explanation["counterfactual"]["text"] == "Without something in your history it would be 14th."
    assert explanation["counterfactual"]["rank"] == 14
    assert not last["explanation"]["is_redacted"]  # it cites nothing
    assert last["explanation"]["label"] == "Popular"
    assert last["explanation"]["text"] is not None


def test_what_is_redacted_is_said_in_chinese_too(shop: Shop) -> None:
    client = PartnerClient(partner=shop.shopper.partner, scopes=[Scope.RECOMMENDATIONS_READ])

    answer = client.get(_path(shop), placement="home", limit=1, language="zh-hans").json()

    explanation = answer["recommendations"][0]["explanation"]
    assert explanation["text"] == "因为您记录中的一件商品"
    assert explanation["reasons"][0]["text"] == "您记录中的一件商品"
    assert explanation["counterfactual"]["text"] == "如果没有您记录中的一件商品，它会排在第 14 位。"


def test_what_is_the_same_for_everybody_needs_no_scope_for_evidence(shop: Shop) -> None:
    client = PartnerClient(scopes=[Scope.RECOMMENDATIONS_READ])

    response = client.get("recommendations", placement="product", product="22423", limit=1)

    explanation = response.json()["recommendations"][0]["explanation"]
    assert (explanation["cause"], explanation["is_redacted"]) == ("viewed_product", False)
    assert explanation["reasons"][0]["evidence"] == [
        {
            "product": {"external_id": "22423", "title": "Set of 3 cake tins pantry design"},
            "event_type": None,
            "times": None,
            "last_at": None,
        }
    ]


def test_the_other_placements_are_served(shop: Shop, client: PartnerClient) -> None:
    again = client.get(_path(shop), placement="buy_again")
    similar = client.get(_path(shop), placement="product", product="22423", limit=3)

    assert _causes(again) == ["buy_again", "buy_again"]
    assert again.json()["recommendations"][0]["explanation"]["reasons"][0]["every_days"] == 42
    assert _causes(similar) == ["viewed_product"] * 3
    assert not similar.json()["is_personal"]


def test_visitors_whom_nobody_knows_get_what_everybody_gets(shop: Shop, client: PartnerClient) -> None:
    anonymous = client.get("recommendations", placement="home", limit=12)
    newcomer = ShopperFactory(partner=client.partner, external_id="newcomer")
    new = client.get(f"shoppers/{newcomer.external_id}/recommendations", placement="home", limit=12)

    assert _causes(anonymous) == ["not_personal"] * 12
    assert not anonymous.json()["is_personal"]
    assert new.json() == anonymous.json()


def test_switching_personalisation_off_works_from_the_next_request_on(shop: Shop, client: PartnerClient) -> None:
    Shopper.objects.filter(pk=shop.shopper.pk).update(is_personalised=False)

    response = client.get(_path(shop), placement="home")

    assert not response.json()["is_personal"]
    assert set(_causes(response)) == {"not_personal"}


def test_titles_and_sentences_are_in_the_asked_language(shop: Shop, client: PartnerClient) -> None:
    product = shop.product("Vintage tin with retro spots")
    product.title_zh_hans = "复古罐"
    product.save()

    asked = client.get(_path(shop), placement="home", limit=1, language="zh-hans")
    accepted = client.request(
        "get", f"{_path(shop)}?placement=home&limit=1", headers={"Accept-Language": "zh-hans,en;q=0.5"}
    )
    both = client.request(
        "get", f"{_path(shop)}?placement=home&limit=1&language=en", headers={"Accept-Language": "zh-hans"}
    )

    assert (asked.json()["language"], _titles(asked)) == ("zh-hans", ["复古罐"])
    assert accepted.json() == asked.json()
    assert (both.json()["language"], _titles(both)) == ("en", ["Vintage tin with retro spots"])


def test_a_foreign_shopper_is_answered_like_an_unknown_one(shop: Shop) -> None:
    stranger = PartnerClient(partner=PartnerFactory())

    foreign = stranger.get(_path(shop), placement="home")
    unknown = stranger.get("shoppers/nobody/recommendations", placement="home")

    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert foreign.json()["error"]["message"] == unknown.json()["error"]["message"]
    assert (
        PartnerClient(partner=stranger.partner, sees_all_shoppers=True)
        .get(_path(shop), placement="home")
        .json()["is_personal"]
    )


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ({}, (None, "placement", "required")),
        ({"placement": "basket"}, (None, "placement", "invalid_choice")),
        ({"placement": "home", "limit": "21"}, (None, "limit", "max_value")),
        ({"placement": "home", "limit": "0"}, (None, "limit", "min_value")),
        ({"placement": "home", "limit": "9" * 2000}, (None, "limit", "max_string_length")),
        ({"placement": "home", "language": "fr"}, (None, "language", "invalid_choice")),
        ({"placement": "home", "product": "22423"}, (None, "product", "product_not_taken")),
        ({"placement": "product"}, (None, "product", "product_missing")),
        ({"placement": "product", "product": "nothing"}, (None, "product", "unknown_product")),
        ({"placement": "product", "product": "\x00"}, (None, "product", "not_an_id")),
        ({"placement": "home", "partner": "\x00"}, (None, "partner", "invalid")),
        ({"placement": "home", "page": "2"}, (None, "page", "unknown_field")),
    ],
)
def test_a_parameter_that_cannot_be_used_is_named(
    shop: Shop, client: PartnerClient, query: dict[str, str], problem: Any
) -> None:
    response = client.get(_path(shop), **query)

    assert response.status_code == 400
    assert problem in problems(response)


def test_before_anything_is_published_the_list_is_empty(db: None) -> None:
    response = PartnerClient().get("recommendations", placement="home")

    assert response.json() == {
        "placement": "home",
        "language": "en",
        "is_personal": False,
        "is_stale": False,
        "computed_at": None,
        "recommendations": [],
    }


@pytest.mark.parametrize("scopes", [[Scope.RECOMMENDATIONS_READ], list(Scope)])
@pytest.mark.parametrize("query", [{"placement": "home"}, {"placement": "buy_again"}])
def test_the_answer_has_the_fields_of_the_schema_and_no_others(
    shop: Shop, scopes: list[Scope], query: dict[str, str]
) -> None:
    client = PartnerClient(partner=shop.shopper.partner, scopes=scopes)

    listed = client.get(_path(shop), limit=20, **query)
    single = client.get(f"explanations/{listed.json()['recommendations'][0]['id']}")

    for response, serializer in ((listed, RecommendationsSerializer), (single, SingleRecommendationSerializer)):
        through = JSONRenderer().render(serializer(response.data).data)
        assert json.loads(through) == response.json()


@pytest.mark.parametrize("limit", [1, 20])
def test_a_request_takes_the_same_queries_however_much_it_names(
    shop: Shop, client: PartnerClient, django_assert_num_queries: Any, limit: int
) -> None:
    VERBS.get("purchase")  # read once a minute
    client.get(_path(shop), placement="home", limit=limit)

    with django_assert_num_queries(7):  # key, shopper, slate with explanation, unwanted, products, categories, wishes
        client.get(_path(shop), placement="home", limit=limit)


def test_something_that_happened_since_is_told(shop: Shop, client: PartnerClient) -> None:
    Shopper.objects.filter(pk=shop.shopper.pk).update(changed_at=NOON + timedelta(minutes=1))

    assert client.get(_path(shop), placement="home").json()["is_stale"]


def test_one_recommendation_is_read_by_its_id_also_when_another_took_its_place(
    shop: Shop, client: PartnerClient
) -> None:
    listed = client.get(_path(shop), placement="home", limit=2).json()["recommendations"][1]

    current = client.get(f"explanations/{listed['id']}")
    Slate.objects.filter(shopper=shop.shopper, placement="home").update(superseded_at=NOON)
    superseded = client.get(f"explanations/{listed['id']}")

    assert current.json() == {
        **listed,
        "placement": "home",
        "language": "en",
        "is_personal": True,
        "is_current": True,
    }
    assert superseded.json() == {**current.json(), "is_current": False}


def test_one_of_everybodys_recommendations_is_read_by_its_id(shop: Shop) -> None:
    stranger = PartnerClient(partner=PartnerFactory())
    listed = stranger.get("recommendations", placement="home", limit=1).json()["recommendations"][0]

    response = stranger.get(f"explanations/{listed['id']}", language="zh-hans")

    assert response.status_code == 200
    assert (response.json()["id"], response.json()["language"]) == (listed["id"], "zh-hans")
    assert not response.json()["is_personal"]


@pytest.mark.parametrize("change", ["", "x", "{}-0", "{}-21", "{}-1x", "{}-", "{}", "9999999999999999999-1", "%00-1"])
def test_an_id_that_names_no_recommendation_is_answered_404(shop: Shop, client: PartnerClient, change: str) -> None:
    slate = Slate.objects.get(shopper=shop.shopper, placement="home")

    response = client.get(f"explanations/{change.format(slate.pk)}")

    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")


def test_a_foreign_recommendation_is_answered_404_and_a_redacted_one_stays_redacted(shop: Shop) -> None:
    slate = Slate.objects.get(shopper=shop.shopper, placement="home")
    reader = PartnerClient(partner=shop.shopper.partner, scopes=[Scope.RECOMMENDATIONS_READ])

    foreign = PartnerClient(partner=PartnerFactory()).get(f"explanations/{slate.pk}-1")
    own = reader.get(f"explanations/{slate.pk}-1")

    assert foreign.status_code == 404
    assert own.json()["explanation"]["is_redacted"]
    assert "cake tins" not in own.content.decode()


def test_what_cites_an_excluded_interaction_is_answered_404(shop: Shop, client: PartnerClient) -> None:
    slate = Slate.objects.get(shopper=shop.shopper, placement="home")
    Interaction.objects.filter(product=shop.product("Set of 3 cake tins pantry design")).update(excluded_at=NOON)

    assert client.get(f"explanations/{slate.pk}-1").status_code == 404
    assert client.get(f"explanations/{slate.pk}-2").status_code == 200


def test_a_product_that_is_gone_from_the_catalogue_is_named_as_nothing(db: None) -> None:
    run = RunFactory()
    product = ProductFactory(category=None, price=None, currency="")
    explained_slate(run=run, contracts=[contract(product, cause=Cause.POPULAR)], placement=Placement.HOME)
    publish(run)

    (item,) = PartnerClient().get("recommendations", placement="home").json()["recommendations"]

    assert item["product"]["category"] is None
    assert item["product"]["price"] is None


def test_chances_by_event_type_are_told_in_numbers_and_in_words(db: None) -> None:
    """Simulated: no real set here has several event types."""
    shopper, run = ShopperFactory(), RunFactory()
    stated = contract(ProductFactory(), chances={"purchase": 0.2, "view": 0.0312, "cart": 0.0004, "rating": 0.62})
    explained_slate(run=run, contracts=[stated], shopper=shopper)
    publish(run)

    response = PartnerClient(partner=shopper.partner).get(
        f"shoppers/{shopper.external_id}/recommendations", placement="home"
    )

    (item,) = response.json()["recommendations"]
    like = "of recommendations scored like this"
    assert item["chances"] == {
        "purchase": {"probability": 0.2, "band": "high", "text": f"High chance: {like}, about 1 in 5."},
        "view": {"probability": 0.0312, "band": "fair", "text": f"Fair chance: {like}, about 1 in 32."},
        "cart": {"probability": 0.0004, "band": "low", "text": f"Low chance: {like}, fewer than 1 in 1,000."},
        "rating": {"probability": 0.62, "band": "high", "text": f"High chance: {like}, about 6 in 10."},
    }
    through = JSONRenderer().render(RecommendationsSerializer(response.data).data)
    assert json.loads(through) == response.json()
