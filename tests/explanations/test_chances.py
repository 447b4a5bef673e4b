"""Chances by event type, of simulated shoppers who buy and view: no real set here has several types."""

import pytest
import torch

from explanations import engine
from explanations.contract import pack, unpack
from explanations.slates import ExplainedSlate
from recommendations import inference
from recommendations.ml.bundle import event_calibration
from recommendations.ml.calibration import Calibration
from recommendations.ml.kinds import Kinds
from recommendations.ml.ranking import scored
from recommendations.models import Placement
from tests.explanations.test_engine import World
from tests.factories import NOON

pytestmark = pytest.mark.django_db
VIEWS = Calibration(knots=(-20.0, 0.0), chances=(0.0, 0.5))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON)
    return World(blocks=1, uses_repeats=True)


def slates(world: World) -> list[ExplainedSlate]:
    return list(engine.refresh([shopper.pk for shopper in world.shoppers]))


def test_each_calibrated_type_has_a_chance_that_is_its_own_on_the_whole_catalogue(world: World) -> None:
    purchase, view = world.event_types
    loaded = inference.loaded(world.run.version)
    bundle = loaded.bundle
    bundle.kinds = Kinds.of([(purchase.pk, 1.0, True), (view.pk, 0.2, False)], {})
    bundle.calibrations[event_calibration(view.pk)] = VIEWS
    (kind,) = bundle.kinds.beside()[view.pk]
    lines = inference.shopper_lines(loaded, [shopper.pk for shopper in world.shoppers], as_of=NOON)
    recent = inference.recent_popularity(loaded, as_of=NOON)
    expected = {}
    for chosen, scores in scored(
        bundle.model,
        lines.histories,
        torch.arange(len(world.shoppers)).numpy(),
        now=int(NOON.timestamp()),
        popularity_I=recent,
        kind=kind,
    ):
        for row, chances in zip(chosen.tolist(), VIEWS(torch.log_softmax(scores, 1).double().numpy()), strict=True):
            for number, chance in enumerate(chances.tolist()):
                expected[int(lines.shopper_ids[row]), int(bundle.product_ids[number])] = chance

    computed = slates(world)

    assert {slate.placement for slate in computed} == {Placement.HOME, Placement.BUY_AGAIN}
    for slate in computed:
        for contract in slate.contracts:
            assert set(contract.chances) == {"purchase", "view"}
            assert contract.chances["purchase"] == contract.target.probability
            assert slate.shopper_id is not None
            assert contract.chances["view"] == pytest.approx(expected[slate.shopper_id, contract.product_id], abs=1e-5)


def test_types_without_a_calibration_have_no_chance(world: World) -> None:
    """Two types that are both ranked for have one chance together, which is called by neither."""
    assert all(contract.chances == {} for slate in slates(world) for contract in slate.contracts)


def test_chances_are_stored_with_the_contract(world: World) -> None:
    purchase, view = world.event_types
    inference.loaded(world.run.version).bundle.kinds = Kinds.of([(purchase.pk, 1.0, True), (view.pk, 0.2, False)], {})

    for slate in slates(world):
        for contract in slate.contracts:
            stored = unpack(pack(contract)).chances
            assert stored == {"purchase": pytest.approx(contract.target.probability, rel=1e-5)}
