"""How explanations are doing: every figure from rows, alerts where a goal is missed."""

import pytest
from django.test import Client
from django.urls import reverse

from explanations import dashboard
from explanations.models import VersionCheck
from recommendations.charts import Series, lines
from recommendations.models import Run
from tests.factories import NOON, ModelVersionFactory
from tests.worlds import Shop, live_shop

pytestmark = pytest.mark.django_db

SUMMARY = {
    "shards": 2,
    "slates": 3000,
    "seconds": 20.0,
    "causes": {"history": 900, "popular": 60},
    "statuses": {"verified": 900, "fallback": 60, "withheld": 40},
    "placements": {"home": {"slates": 3000, "causes": {"history": 900, "popular": 60}}},
}
MEASURES = {
    "ours_del@3": 0.64,
    "ours_ins@3": 2.567,
    "recency_del@3": 0.959,
    "recency_ins@3": 0.698,
    "random_del@3": 0.99,
    "random_ins@3": 0.605,
    "ours_minus_recency_del@3": [-0.32, -0.35, -0.29],
    "ours_minus_recency_ins@3": [1.87, 1.7, 2.0],
    "ours_minus_random_del@3": [-0.35, -0.38, -0.32],
    "ours_minus_random_ins@3": [1.96, 1.8, 2.1],
}


@pytest.fixture
def shop() -> Shop:
    shop = live_shop()
    Run.objects.filter(pk=shop.run.pk).update(summary=SUMMARY)
    VersionCheck.objects.create(version=shop.run.version, placebo_floor=0.0123, measures=MEASURES)
    return shop


def test_figures_come_from_the_live_run(shop: Shop) -> None:
    found = {figure.name: figure.value for figure in dashboard.contents(at=NOON)["figures"]}

    assert found == {"Verified reasons": "90.0 %", "Withheld": "4.0 %", "Cost": "150", "Placebo floor": "0.0123"}


def test_all_is_well_where_the_goals_are_met(shop: Shop) -> None:
    assert dashboard.contents(at=NOON)["alerts"] == []


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ({"verified": 80, "fallback": 20}, "Only 80.0 % of New for you has a verified reason"),
        ({"verified": 90, "withheld": 10}, "10.0 % of what was ranked is withheld."),
    ],
)
def test_missed_goals_are_said(shop: Shop, statuses: dict[str, int], said: str) -> None:
    Run.objects.filter(pk=shop.run.pk).update(summary=SUMMARY | {"statuses": statuses})

    (alert,) = dashboard.contents(at=NOON)["alerts"]

    assert alert.text.startswith(said)


@pytest.mark.parametrize(
    ("name", "interval", "said"),
    [
        ("ours_minus_recency_del@3", [-0.01, -0.03, 0.01], "By DEL@3 our reasons are not surely better than recency."),
        ("ours_minus_random_ins@3", [0.2, -0.1, 0.5], "By INS@3 our reasons are not surely better than random."),
    ],
)
def test_reasons_no_better_than_a_control_are_an_alarm(shop: Shop, name: str, interval: list[float], said: str) -> None:
    VersionCheck.objects.update(measures=MEASURES | {name: interval})

    (alert,) = dashboard.contents(at=NOON)["alerts"]

    assert (alert.text.lower(), alert.kind) == (said.lower(), "alarm")


def test_an_unmeasured_version_and_no_run_are_said(shop: Shop) -> None:
    VersionCheck.objects.all().delete()
    (unmeasured,) = dashboard.contents(at=NOON)["alerts"]
    Run.objects.update(state=Run.State.RETIRED)
    (none,) = dashboard.contents(at=NOON)["alerts"]

    assert unmeasured.text == "The faithfulness of the live version was not measured."
    assert (none.text, none.kind) == ("No run is live: nothing is explained to anybody.", "alarm")


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_the_page_draws_six_charts_without_a_style(shop: Shop, admin: Client, language: str) -> None:
    VersionCheck.objects.create(version=ModelVersionFactory(), placebo_floor=0.01, measures=MEASURES)
    admin.cookies["django_language"] = language

    html = admin.get(reverse("admin:explanations_dashboard")).content.decode()

    assert html.count('<svg class="chart"') == 6
    assert " style=" not in html
    assert "DEL@3" in html


def test_before_anything_is_published_the_page_is_there(admin: Client) -> None:
    response = admin.get(reverse("admin:explanations_dashboard"))

    assert response.status_code == 200
    assert "No run is live" in response.content.decode()


def test_lines_are_named_at_their_ends_and_do_not_collide() -> None:
    drawn = lines(
        title="t",
        series=[Series(name="ours", points=[(1, 0.5), (2, 0.64)]), Series(name="random", points=[(1, 0.6), (2, 0.63)])],
        across="version",
        up="DEL@3",
    )

    assert "ours 0.64" in drawn
    assert "random 0.63" in drawn
    assert "ours: 1 0.5, 2 0.64" in drawn  # said to screen readers
    assert lines(title="t", series=[], across="a", up="u")  # nothing yet
