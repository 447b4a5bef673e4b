"""Chances rise with scores and survive being stored."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from recommendations.ml.calibration import Calibration, curve, expected_calibration_error, fit


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 300), st.integers(1, 40))
def test_chances_rise_with_log_p_and_lie_between_nothing_and_one(seed: int, size: int, bins: int) -> None:
    random = np.random.default_rng(seed)
    log_p, happened = random.normal(-5, 3, size), random.random(size) < 0.3

    calibration = fit(log_p, happened, bins=bins)
    chances = calibration(np.linspace(-20, 10, 200))

    assert bool((np.diff(chances) >= 0).all())
    assert 0 < chances.min() <= chances.max() < 1
    assert Calibration.from_json(calibration.to_json()) == calibration


def test_chances_that_come_true_have_no_error() -> None:
    random = np.random.default_rng(1)
    chance = random.random(40_000)
    happened = random.random(40_000) < chance

    calibration = fit(np.log(chance), happened)

    assert expected_calibration_error(curve(calibration(np.log(chance)), happened)) < 0.01
    assert expected_calibration_error(curve(chance * 0.5, happened)) > 0.2


def test_nothing_known_gives_no_chance() -> None:
    nothing = fit(np.empty(0), np.empty(0, bool))

    assert nothing(np.asarray([-3.0, 2.0])).tolist() == [0.0, 0.0]
    assert expected_calibration_error(curve(np.empty(0), np.empty(0, bool))) == 0.0
