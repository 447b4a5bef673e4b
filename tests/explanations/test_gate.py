"""A version whose explanations are not good enough is not published, and the refusal names the check."""

from datetime import timedelta
from typing import Any

import pytest
import torch

from explanations import checks, gate, refusals
from explanations.models import VersionCheck
from recommendations import inference, services, training
from recommendations.models import Run
from tests.explanations.test_engine import World
from tests.factories import NOON

GOOD: dict[str, Any] = {
    "shoppers": 64,
    "verified": 0.9,
    "polarity_violations": 0,
    "ours_minus_recency_del@3": [-0.3, -0.33, -0.27],
    "ours_minus_recency_ins@3": [1.8, 1.7, 2.0],
}


def failed(measures: dict[str, Any], live: dict[str, Any] | None = None) -> list[str]:
    return [entry["code"] for entry in gate.judge(measures, live) if not entry["passed"]]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"verified": 0.49}, "verified_share"),
        ({"polarity_violations": 1}, "polarity_violations"),
        ({"ours_minus_recency_del@3": [0.2, 0.1, 0.3]}, "deletion_better_than_recency"),
        ({"ours_minus_recency_ins@3": [-0.2, -0.3, -0.1]}, "insertion_better_than_recency"),
    ],
)
def test_each_floor_is_a_check_of_its_own(change: dict[str, Any], code: str) -> None:
    assert failed(GOOD) == []
    assert failed(GOOD | change) == [code]


def test_what_cannot_be_told_from_recency_does_not_pass() -> None:
    assert failed(GOOD | {"ours_minus_recency_del@3": [-0.01, -0.04, 0.02]}) == ["deletion_better_than_recency"]
    assert failed(GOOD | {"ours_minus_recency_ins@3": [0.1, -0.02, 0.2]}) == ["insertion_better_than_recency"]


def test_every_check_has_a_sentence_with_a_remedy() -> None:
    live = {"shoppers": 64, "verified": 0.9, "compared": 64} | {
        f"kept_{what}": [0, 0, 0] for what in ("del@3", "ins@3")
    }
    codes = {entry["code"] for entry in gate.judge(GOOD, live)}

    assert codes == set(refusals.SENTENCES)
    assert refusals.sentence({"code": "of_old", "value": 2, "bound": 1}) == "The check of_old failed: 2 against 1."
    assert refusals.sentence({"code": "polarity_violations", "value": 3, "bound": 0}).startswith(
        "3 reasons do not hold"
    )


def test_a_successor_may_lose_a_twentieth_of_what_the_live_version_explains() -> None:
    assert failed(GOOD, {"shoppers": 64, "verified": 0.94}) == []
    assert failed(GOOD, {"shoppers": 64, "verified": 0.96}) == ["verified_share_of_live"]


def test_nothing_is_demanded_where_few_shoppers_can_be_asked() -> None:
    assert gate.judge(GOOD | {"shoppers": 29, "verified": 0.0}, None) == []
    assert gate.judge({"shoppers": 0}, None) == []


@pytest.mark.django_db
def test_a_run_of_a_version_that_fails_is_not_published() -> None:
    world = World(blocks=1)
    following = world.following()
    VersionCheck.objects.filter(version=following.version).update(
        measures={"gate": gate.judge(GOOD | {"verified": 0.25}, None)}
    )

    with pytest.raises(services.NotPublishable, match=r"Only 0.25 of the first .* at least 0.5 must"):
        services.publish(run=following, by=None, at=NOON + timedelta(hours=1))

    assert Run.objects.live().get() == world.run


@pytest.mark.django_db
@pytest.mark.parametrize("uses_repeats", [False, True])
def test_a_version_is_measured_against_itself_and_against_the_live_one(uses_repeats: bool) -> None:
    live = World(blocks=1, uses_repeats=uses_repeats).run
    _, measures = checks.measure(inference.loaded(live.version), now=NOON)

    assert measures["shoppers"] == 8
    assert measures["polarity_checked"] >= 20
    assert measures["polarity_violations"] == 0
    for name in ("verified", "loses_place", "leaves_list", "optimality@3", "stability_one_more"):
        assert 0 <= measures[name] <= 1
    assert measures["optimality@3"] > 0.6  # of random weights
    assert measures["loses_place"] >= measures["leaves_list"]


@pytest.mark.django_db
def test_how_much_repeats_weigh_does_not_move_the_bound_that_reasons_for_new_products_must_reach() -> None:
    loaded = inference.loaded(World(blocks=1, uses_repeats=True).run.version)
    repeats = loaded.bundle.model.repeats
    assert repeats is not None
    floors = []
    for level in (0.0, 20.0):
        with torch.no_grad():
            repeats.inclination.bias[1] = level
        floors.append(checks.measure(loaded, now=NOON)[0])

    assert floors[0] == floors[1] > 0


@pytest.mark.django_db
def test_the_check_of_a_successor_holds_the_live_version_beside_it() -> None:
    live = World(blocks=1).run
    version = live.version
    version.pk = None
    version.state = "passed"
    version.save()

    found = checks.ensure(version, now=NOON)

    assert found.measures["live"]["version"] == live.version_id
    assert found.measures["live"]["verified"] > found.measures["verified"]  # its placebo floor was set to nothing
    live_measures = found.measures["live"]
    assert live_measures["compared"] == found.measures["shoppers"] == 8
    for name in ("ours_del@3", "recency_del@3", "ours_ins@3", "recency_ins@3", "advantage_del@3", "advantage_ins@3"):
        assert live_measures[name] == live_measures["beside"][name] == found.measures[name]  # the same weights
    assert found.measures["advantage_del@3"] > 0
    assert live_measures["kept_del@3"][0] == pytest.approx(0.2 * found.measures["advantage_del@3"], abs=1e-4)
    assert found.measures["gate"] == []  # eight shoppers tell nothing


@pytest.mark.django_db
def test_a_version_whose_explanations_fail_does_not_pass_its_own_gate() -> None:
    following = World(blocks=1).following()
    passed: dict[str, Any] = {"passed": True, "checks": [{"code": "new_beats_popular", "passed": True}]}
    VersionCheck.objects.filter(version=following.version).update(
        measures={"gate": gate.judge(GOOD | {"verified": 0.25}, None)}
    )

    judged = training._guarded(passed, following.version)

    assert not judged["passed"]
    assert [entry["text"] for entry in judged["checks"] if not entry["passed"]] == [gate.TEXTS["verified_share"]]
    assert judged["checks"][0] == passed["checks"][0]
    assert set(gate.TEXTS) == set(refusals.SENTENCES)


@pytest.mark.django_db
def test_explanations_are_not_asked_of_a_version_that_ranks_too_badly() -> None:
    version = World(blocks=1).following().version
    VersionCheck.objects.filter(version=version).delete()
    failed_gate: dict[str, Any] = {"passed": False, "checks": [{"code": "new_beats_popular", "passed": False}]}

    assert training._guarded(failed_gate, version) == failed_gate
    assert not VersionCheck.objects.filter(version=version).exists()
