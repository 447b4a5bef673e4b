"""The main parameters: measured while a run is written, the same on the page and in the API."""

import re
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from explanations import engine
from explanations.contract import Split
from explanations.parameters import main_parameters
from explanations.weights import Weight, weights_in, weights_of
from explanations.writing import write_shard
from recommendations import shards
from recommendations.models import Run, Shard
from tests.api_client import PartnerClient
from tests.explanations.test_engine import World
from tests.factories import NOON, RunFactory, ShardFactory
from tests.worlds import contract, explained_slate, live_shop, publish

pytestmark = pytest.mark.django_db

SIZES = {"id": 6.0, "bias": 2.5, "price_band": 1.5}
SUMMARY = {"weights": {"recommendations": 1234, "sizes": SIZES, "first": 200, "anyway": 50}}


def test_parts_are_summed_by_size_and_whoever_stands_there_anyway_is_counted() -> None:
    contracts = [
        contract(7, rank=rank, split=Split(baseline=0.5, parts={"id": value, "bias": 0.5}))
        for rank, value in ((1, 1.5), (2, -0.5))
    ]

    counted = weights_of(contracts)

    # `contract` says that the first would be 40th and the second 80th with an empty history
    assert counted == {"recommendations": 2, "sizes": {"id": 2.0, "bias": 1.0}, "first": 2, "anyway": 0}


def test_shares_come_heaviest_first_and_add_up() -> None:
    weights = weights_in(SUMMARY)

    assert weights is not None
    assert weights.parts == (
        Weight(code="id", share=0.6),
        Weight(code="bias", share=0.25),
        Weight(code="price_band", share=0.15),
    )
    assert (weights.recommendations, weights.anyway) == (1234, 0.25)
    assert weights.history == pytest.approx(0.75)
    assert weights.general == 0.25
    assert weights_in({}) is None


def test_a_run_measures_every_personal_recommendation_that_it_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explanations.engine.timezone.now", lambda: NOON)
    world = World(blocks=1)
    run = RunFactory(version=world.run.version, state=Run.State.COMPUTING, ready_at=None, as_of=NOON)
    ids = [shopper.pk for shopper in world.shoppers]
    shard = ShardFactory(run=run, kind=Shard.Kind.SHOPPERS, first_id=min(ids), last_id=max(ids))
    lease = shards.claim(shard_id=shard.pk, at=NOON)
    assert lease is not None
    slates = list(engine.compute(shard))

    write_shard(shard=shard, token=lease.token, slates=slates, at=NOON)

    shard.refresh_from_db()
    home = [stated for slate in slates if slate.placement == "home" for stated in slate.contracts]
    measured = shard.summary["weights"]
    assert measured["recommendations"] == len(home) >= 80
    for code in ("id", "group", "bias", "recent_popularity"):
        size = sum(abs(stated.split.parts[code]) for stated in home if stated.split is not None)
        assert measured["sizes"][code] == pytest.approx(size, abs=1e-4)


@pytest.fixture
def measured() -> Run:
    shop = live_shop()
    Run.objects.filter(pk=shop.run.pk).update(summary=shop.run.summary | SUMMARY)
    shop.run.refresh_from_db()
    return shop.run


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "en",
            [
                "Over the 1,234 personal recommendations of the moment",
                "the product itself: what it is bought together with60%",
                "how it sells in general (the same for everybody)25%",
                "75% of it depends on your history; 25% is the same for everybody.",
                "Of what stands among the first ten, 25% would stand there without any history too.",
                "Who you are: your age, sex, health, beliefs, income or family.",
                "Ask for less of a group",
            ],
        ),
        ("zh-hans", ["其中 75% 取决于您的记录，25% 对所有人都相同。", "您是谁：年龄、性别"]),
    ],
)
def test_the_page_tells_weights_data_and_options(measured: Run, client: Client, language: str, said: list[str]) -> None:
    client.cookies["django_language"] = language

    html = client.get(reverse("how")).content.decode()

    text = re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", html)))
    for sentence in said:
        assert sentence in text


def test_the_api_tells_the_same(measured: Run) -> None:
    answer = PartnerClient().get("model/main-parameters").json()

    assert (answer["model_version"], answer["run"], answer["recommendations"]) == (
        measured.version_id,
        measured.pk,
        1234,
    )
    assert [(each["code"], each["weight"], each["depends_on_history"]) for each in answer["criteria"]] == [
        ("id", 0.6, True),
        ("bias", 0.25, False),
        ("price_band", 0.15, True),
    ]
    assert answer["causes"][0]["cause"] == "viewed_product"
    assert sum(each["share"] for each in answer["causes"]) == pytest.approx(1)
    assert [each["code"] for each in answer["data_used"]] == ["purchase", "rating", "cart", "view"]
    assert len(answer["data_not_used"]) == 7
    assert answer["options"][-1]["code"] == "less_of_group"
    assert answer["trained_until"] == "2011-10-02T12:00:00Z"  # where validation began: this version did not catch up


def test_the_acts_are_those_that_the_live_version_learnt_from(measured: Run, client: Client) -> None:
    """Views came later, ratings were known and nobody gave any, and what was called "listened" has another name now."""
    counts = {"purchase": 40_000, "cart": 90, "rating": 0, "listened": 90_000}
    snapshot = measured.version.snapshot
    assert snapshot is not None
    snapshot.counts = {"event_types": counts}
    snapshot.save()

    answer = PartnerClient().get("model/main-parameters").json()
    html = client.get(reverse("how")).content.decode()

    assert [(each["code"], each["name"]) for each in answer["data_used"]] == [
        ("listened", "listened"),
        ("purchase", "bought"),
        ("cart", "put in the basket"),
    ]
    assert "and when: listened, bought, put in the basket.</li>" in html


def test_before_anything_is_published_the_api_says_null() -> None:
    answer = PartnerClient().get("model/main-parameters", language="zh-hans").json()

    assert (answer["run"], answer["criteria"], answer["causes"], answer["history_weight"]) == (None, [], [], None)
    assert answer["language"] == "zh-hans"


def test_another_run_has_its_own(measured: Run) -> None:
    other = RunFactory(summary={"weights": {"recommendations": 1, "sizes": {"id": 1.0}, "first": 0, "anyway": 0}})
    explained_slate(run=other, contracts=[])
    publish(other)

    found = main_parameters()

    assert found.weights is not None
    assert (found.weights.recommendations, found.weights.anyway) == (1, None)
