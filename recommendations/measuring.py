"""What a trained version is worth: measured on the test period, calibrated before it."""

# I products.
from collections.abc import Callable
from typing import Any

import numpy as np

from catalog.models import EventType
from recommendations import inference
from recommendations.ml import bundle as bundles
from recommendations.ml import companions as together
from recommendations.ml import evaluation, transfer
from recommendations.ml.data import DAY, Histories, Ints
from recommendations.ml.model import Recommender
from recommendations.models import Placement, Run
from recommendations.snapshots import Arrays
from recommendations.splits import FEWEST_SHOPPERS, Split

COMPANIONS = 60
# Chosen on earlier months: .803 of the pairs for anything from 3 to 300; counts alone .800, the model alone .629.
COMPANION_STRENGTH = 30.0
COMPANION_GAP = 30 * DAY
KIND_OF = {Placement.HOME: "new", Placement.BUY_AGAIN: "repeat"}


def measure(
    chosen: Recommender,
    model: Recommender,
    split: Split,
    validation: evaluation.Question,
    check: Callable[[], None],
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], together.Companions]:
    """Metrics, calibration maps, their record, and companions of each product.

    All of `model`, which is served; but it learnt the validation baskets, so the maps are fitted with what chose on
    those of them in `validation`, and checked with what is served.
    """
    test = split.test
    metrics = evaluation.compare(model, test)
    check()
    calibrations, record = {}, {}
    for placement, kind in KIND_OF.items():
        calibration = evaluation.calibrate(chosen, validation, kind=kind)
        calibrations[placement.value] = calibration
        record[placement.value] = evaluation.check_calibration(model, test, calibration, kind=kind)
        check()
    events = _calibrate_events(chosen, model, split, validation, calibrations)
    if events:
        metrics["events"] = events
    check()
    companions = together.companions(
        split.before_test,
        model,
        strength=COMPANION_STRENGTH,
        neighbours=min(COMPANIONS, split.arrays.catalogue.products),
        gap=COMPANION_GAP,
    )
    later = split.arrays.histories.since(split.test_from)
    metrics["companions"] = {name: round(value, 5) for name, value in together.compare(companions, later)}
    return metrics, calibrations, record, companions


def _calibrate_events(
    chosen: Recommender,
    model: Recommender,
    split: Split,
    unseen: evaluation.Question,
    calibrations: dict[str, Any],
) -> dict[str, Any]:
    """The chance of each event type that is predicted beside: {code: {shoppers, pairs, ece}}.

    Its map joins `calibrations`. Types that too few shoppers did in either period are left out.
    """
    found: dict[str, Any] = {}
    if model.aims is None:
        return found
    codes = dict(EventType.objects.values_list("pk", "code"))
    for event_type_id, kinds in split.arrays.kinds.beside().items():
        lines = np.isin(np.asarray(split.arrays.histories.types), kinds)
        validation = split.question(unseen.histories, unseen.now, split.test_from, lines)
        test = split.question(split.before_test, split.test_from, split.end + 1, lines)
        shoppers = min(len(asked.by_kind["all"].shoppers) for asked in (validation, test))
        if shoppers < FEWEST_SHOPPERS:
            continue
        calibration = evaluation.calibrate(chosen, validation, kind="all", aims=kinds)
        calibrations[bundles.event_calibration(event_type_id)] = calibration
        checked = evaluation.check_calibration(model, test, calibration, kind="all", aims=kinds)
        found[codes[event_type_id]] = {"shoppers": shoppers, "pairs": checked["pairs"], "ece": checked["ece"]}
    return found


def live_metrics(arrays: Arrays, test: evaluation.Question) -> dict[str, Any] | None:
    """The live version asked the same question in its own numbers; None where there is none."""
    live = Run.objects.live().select_related("version").first()
    if live is None:
        return None
    bundle = inference.loaded(live.version).bundle
    known = evaluation.renumbered(
        test,
        products_I=transfer.places(arrays.product_ids[1:].tolist(), bundle.product_ids[1:].tolist()),
        types_T=bundle.kinds.numbers(arrays.kinds.event_type_ids, arrays.kinds.lows),
        products=bundle.catalogue.products,
        is_target=bundle.kinds.is_target,
    )
    return {kind: {"transformer": measures} for kind, measures in evaluation.measured(bundle.model, known).items()}


def repeat_buyers(histories: Histories, products: int) -> Ints:
    """[I + 1] how many shoppers bought each product at more than one time."""
    histories = histories.targets()
    shopper = np.repeat(np.arange(len(histories)), np.diff(histories.offsets))
    pairs, counts = np.unique(shopper * (products + 1) + np.asarray(histories.items), return_counts=True)
    return np.bincount(pairs[counts > 1] % (products + 1), minlength=products + 1)
