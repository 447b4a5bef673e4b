"""A successor is stopped where its reasons are clearly less ahead of the latest things, whatever its model forgives."""

from typing import Any

import numpy as np
import pytest

from explanations import gate
from explanations.advantage import advantages, against
from tests.explanations.test_gate import GOOD

IDS = np.arange(1, 65)


def values(
    ours_del: float, recency_del: float, ours_ins: float = 3.0, recency_ins: float = 1.0, *, noise: float = 0.05
) -> dict[str, Any]:
    """Of 64 shoppers around these means; the noise is a factor."""
    chance = np.random.default_rng(5)
    means = {
        "ours_del@3": ours_del,
        "recency_del@3": recency_del,
        "ours_ins@3": ours_ins,
        "recency_ins@3": recency_ins,
    }
    return {name: mean * np.exp(chance.normal(0, noise, len(IDS))) for name, mean in means.items()}


def stopped_by(ours: dict[str, Any], live: dict[str, Any]) -> list[str]:
    beside, of_live = against((IDS, ours), (IDS, live))
    assert set(beside) == {*ours, "advantage_del@3", "advantage_ins@3"}
    judged = gate.judge(GOOD, of_live)
    assert {"deletion_of_live", "insertion_of_live"} <= {entry["code"] for entry in judged}
    return [entry["code"] for entry in judged if not entry["passed"]]


def test_advantages_are_bounded_and_have_no_unit() -> None:
    one = {
        "ours_del@3": np.asarray([0.2, 0.5, 0.9, 0.0]),
        "recency_del@3": np.asarray([0.6, 0.5, 0.3, 0.0]),
        "ours_ins@3": np.asarray([3.0, 1.0, 0.0, 0.0]),
        "recency_ins@3": np.asarray([1.0, 1.0, 2.0, 0.0]),
    }

    found = advantages(one)

    assert found["del@3"] == pytest.approx([0.5, 0.0, -0.5, 0.0])
    assert found["ins@3"] == pytest.approx([0.5, 0.0, -1.0, 0.0])
    larger = advantages({name: 7 * column for name, column in one.items()})
    assert all(larger[what] == pytest.approx(found[what]) for what in found)


def test_a_model_that_forgives_more_is_not_stopped_for_it() -> None:
    """Its DEL is twice as high, and so is that of the latest things."""
    assert stopped_by(values(0.5, 0.9), values(0.25, 0.45)) == []


def test_reasons_that_are_clearly_less_ahead_stop_a_version_each_by_a_check_of_its_own() -> None:
    assert stopped_by(values(0.5, 0.6), values(0.25, 0.9)) == ["deletion_of_live"]
    assert stopped_by(values(0.25, 0.9, 1.2, 1.0), values(0.25, 0.9, 3.0, 1.0)) == ["insertion_of_live"]


def test_what_may_be_chance_stops_nothing() -> None:
    live = values(0.25, 0.9)  # an advantage of 0.57, of which 0.45 must be kept

    assert stopped_by(values(0.33, 0.9), live) == []  # 0.46
    assert stopped_by(values(0.37, 0.9), live) == ["deletion_of_live"]  # 0.42, surely
    assert stopped_by(values(0.35, 0.9, noise=0.6), live) == []  # 0.44, perhaps


def test_only_shoppers_whom_both_versions_know_are_compared() -> None:
    """The live one measured other shoppers besides, of whom it says something else."""
    live = {name: np.concatenate([column, column * 0]) for name, column in values(0.25, 0.9).items()}

    beside, of_live = against((IDS, values(0.25, 0.9)), (np.arange(1, 129), live))

    assert of_live["compared"] == 64
    assert beside["ours_del@3"] == of_live["ours_del@3"] == pytest.approx(0.25, abs=0.01)
    mean, low, high = of_live["kept_del@3"]
    assert low <= mean <= high
    assert mean == pytest.approx(0.2 * beside["advantage_del@3"], abs=1e-4)


def test_where_no_shopper_is_known_to_both_nothing_is_said() -> None:
    assert against((IDS, values(0.25, 0.9)), (IDS + 1_000, values(0.25, 0.9))) == ({}, {})
