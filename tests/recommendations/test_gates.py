"""A version is served only when it beats what is simple and says chances that come true."""

from typing import Any

import pytest

from recommendations.gates import judge

CALIBRATED = {"home": {"ece": 0.01}}


def measured(ours: float, **baselines: float) -> dict[str, Any]:
    values = {"popular": 0.02, "recent_popular": 0.03, "item_knn": 0.04} | baselines
    return {"transformer": {"ndcg@10": ours}} | {name: {"ndcg@10": value} for name, value in values.items()}


def failed(verdict: dict[str, Any]) -> list[str]:
    assert verdict["passed"] == all(check["passed"] for check in verdict["checks"])
    return [check["code"] for check in verdict["checks"] if not check["passed"]]


def test_a_version_better_than_all_baselines_passes() -> None:
    verdict = judge(metrics={"new": measured(0.05), "repeat": measured(0.3)}, calibration=CALIBRATED, live=None)

    assert verdict["passed"] is True
    assert [check["code"] for check in verdict["checks"]] == [
        "new_beats_popular",
        "new_beats_recent_popular",
        "new_beats_item_knn",
        "repeat_beats_popular",
        "calibrated_home",
    ]
    assert verdict["checks"][2] | {"text": ""} == {
        "code": "new_beats_item_knn",
        "passed": True,
        "value": 0.05,
        "bound": 0.04,
        "text": "",
    }


@pytest.mark.parametrize("ours", [0.035, 0.04])
def test_a_baseline_must_be_beaten_not_equalled(ours: float) -> None:
    assert failed(judge(metrics={"new": measured(ours)}, calibration=CALIBRATED, live=None)) == ["new_beats_item_knn"]


def test_repeats_must_beat_popularity_alone() -> None:
    metrics = {"repeat": measured(0.03)}

    assert failed(judge(metrics=metrics, calibration=CALIBRATED, live=None)) == []
    metrics = {"repeat": measured(0.01)}
    assert failed(judge(metrics=metrics, calibration=CALIBRATED, live=None)) == ["repeat_beats_popular"]


@pytest.mark.parametrize(("live", "expected"), [(0.1, []), (0.11, ["not_worse_than_live"])])
def test_a_successor_may_lose_a_twentieth_to_the_live_version(live: float, expected: list[str]) -> None:
    metrics = {"new": measured(0.1)}

    verdict = judge(metrics=metrics, calibration=CALIBRATED, live={"new": measured(live)})

    assert failed(verdict) == expected


@pytest.mark.parametrize(("ece", "expected"), [(0.05, []), (0.051, ["calibrated_buy_again"])])
def test_chances_must_come_true_within_a_twentieth(ece: float, expected: list[str]) -> None:
    calibration = CALIBRATED | {"buy_again": {"ece": ece}}

    assert failed(judge(metrics={"new": measured(0.1)}, calibration=calibration, live=None)) == expected
