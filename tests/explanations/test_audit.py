"""An audit passes what the engine writes, and fails on each bug that is planted."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import torch

from catalog.models import Interaction, Product, Shopper
from catalog.services import exclude_history
from explanations import assembly, audit, engine, fallback, verification, writing
from explanations.assembly import GROUP_TYPES
from explanations.contract import FORMAT, Reason, ReasonType, unpack
from explanations.models import Audit, Explanation
from explanations.slates import ExplainedSlate
from explanations.verification import GROUP, SINGLE, holds
from recommendations import inference
from recommendations.models import Run, Slate
from tests.explanations.test_engine import World, world_at_noon
from tests.factories import NOON, InteractionFactory, SlateFactory

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return world_at_noon(monkeypatch)


def computed(world: World) -> None:
    """Slates of the live run for all shoppers and for nobody, as the engine makes them now."""
    ids = [shopper.pk for shopper in world.shoppers]
    writing.write_refresh(run=world.run, shopper_ids=ids, slates=engine.refresh(ids), at=NOON)
    Slate.objects.filter(shopper=None).delete()
    shared = engine.context(world.run, now=NOON)
    first, last = world.products[0].pk, world.products[-1].pk
    for slate in [*fallback.non_personal(shared), *fallback.similar(shared, first_id=first, last_id=last)]:
        stored(world.run, slate)


def stored(run: Run, slate: ExplainedSlate) -> None:
    """A slate without a shopper, as the shard's writer stores it."""
    batch = writing.Batch()
    batch.add(slate)
    columns = ("placement", "shopper_id", "context_product_id", "product_ids", "scores", "probabilities")
    _, *values, history_hash, contracts, is_personal, explained, verified, fallbacks, withheld = batch.slates[0]
    row = SlateFactory(run=run, **dict(zip(columns, values, strict=True)), history_hash=history_hash, explained_at=NOON)
    Explanation.objects.create(
        slate=row,
        format=FORMAT,
        contracts=json.loads(contracts),
        is_personal=is_personal,
        explained=explained,
        verified=verified,
        fallback=fallbacks,
        withheld=withheld,
        created_at=NOON,
    )


def audited() -> Audit:
    found = audit.audit(at=LATER)
    assert found is not None
    return found


@pytest.mark.parametrize(("blocks", "uses_repeats"), [(1, False), (2, True)])
def test_what_the_engine_writes_passes(blocks: int, uses_repeats: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explanations.engine.timezone.now", lambda: NOON)
    computed(World(blocks=blocks, uses_repeats=uses_repeats))

    found = audited()

    assert (found.examples, found.is_passed, found.moved_on) == ([], True, 0)
    assert found.slates == Slate.objects.count()
    personal = {"history", "score", "delta", "rank", "polarity", "threshold", "counterfactual", "missing", "text"}
    assert set(found.checks) == personal | {"cause", "order"}
    assert all(failed == 0 and (checked >= 5 or code == "order") for code, (checked, failed) in found.checks.items())


def test_what_is_no_newer_than_others_fails_where_it_is_called_new(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_single_reason(monkeypatch)
    monkeypatch.setattr(
        "recommendations.inference.launched_since", lambda model, _: torch.ones(model.products + 1, dtype=torch.bool)
    )
    computed(world)

    found = audited()

    assert found.checks["cause"][1] == causes().count("new") >= 5
    assert {one["claimed"] for one in found.examples} == {"new, fallback"}


def test_what_is_not_popular_fails_where_it_is_called_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    no_single_reason(monkeypatch)
    computed(world)
    withheld = sum(one["st"] == "withheld" for one in packed())
    tampered(lambda contract: contract.update(st="fallback") if contract["st"] == "withheld" else None)

    found = audited()

    assert found.checks["cause"][1] == withheld >= 5
    claimed = {one["claimed"] for one in found.examples if one["check"] == "cause"}
    assert claimed == {"popular, fallback"}


def test_a_cause_of_another_kind_than_its_reason_fails(world: World) -> None:
    computed(world)
    single = causes().count("history")
    tampered(lambda contract: contract.update(c="history_group") if contract["c"] == "history" else None)

    found = audited()

    assert found.checks["cause"][1] == single >= 20


def packed() -> list[dict[str, Any]]:
    stored = Explanation.objects.filter(slate__shopper__isnull=False).values_list("contracts", flat=True)
    return [contract for one in stored for contract in one["contracts"]]


def causes() -> list[str]:
    return [contract["c"] for contract in packed() if contract["st"] != "withheld"]


def test_nothing_is_audited_where_nothing_is_live(world: World) -> None:
    Run.objects.update(state=Run.State.RETIRED, retired_at=NOON)

    assert audit.audit(at=LATER) is None


def test_a_mask_that_forgets_all_but_one_line_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    right = verification.variants

    def wrong(cases: Any, *chosen: Any) -> Any:
        visible = right(cases, *chosen).clone()
        visible[:, :, SINGLE] = cases.real_BL.unsqueeze(1)
        visible[:, :, SINGLE, 0] = False
        return visible

    monkeypatch.setattr("explanations.explaining.variants", wrong)
    computed(world)

    found = audited()

    assert not found.is_passed
    assert found.checks["delta"][1] > 0


def groups() -> list[Reason]:
    """What is claimed of several purchases together: of one category, of one basket, of things that are alike."""
    stored = Explanation.objects.filter(slate__shopper__isnull=False).values_list("contracts", flat=True)
    contracts = [unpack(packed) for one in stored for packed in one["contracts"]]
    return [reason for one in contracts for reason in one.reasons if reason.type in GROUP_TYPES.values()]


@pytest.fixture
def only_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """No single purchase holds, so that a group may be the reason."""
    no_single_reason(monkeypatch)


def no_single_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explanations.explaining.holds", lambda replayed, variants, floor: holds(replayed, variants, 9))
    monkeypatch.setattr("explanations.engine.holds", lambda replayed, variants, floor: holds(replayed, variants, 9))


@pytest.mark.usefixtures("only_groups")
def test_true_groups_pass(world: World) -> None:
    computed(world)

    found = audited()

    verified = [reason.type for reason in groups() if reason.is_verified]
    assert len(verified) >= 10
    assert {ReasonType.CATEGORY, ReasonType.BASKET} <= set(verified)
    assert [code for code, (_, failed) in found.checks.items() if failed] == ["missing"]  # the single ones
    assert {one["found"].partition(" ")[0] for one in found.examples} == {"product"}
    assert found.moved_on == 0


def without_group_mask(monkeypatch: pytest.MonkeyPatch, *, lines: int) -> None:
    """What is measured without a group is measured with all of it but its first `lines`."""
    right = verification.variants

    def wrong(cases: Any, found: Any, group_BKL: Any, moving: Any) -> Any:
        visible = right(cases, found, group_BKL, moving).clone()
        forgotten = group_BKL & (group_BKL.cumsum(-1) > lines)
        visible[:, :, GROUP] |= forgotten
        return visible

    monkeypatch.setattr("explanations.explaining.variants", wrong)


@pytest.mark.usefixtures("only_groups")
def test_a_dropped_group_mask_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    without_group_mask(monkeypatch, lines=1)
    computed(world)

    found = audited()

    claimed = len([reason for reason in groups() if reason.is_verified])
    assert claimed >= 5
    assert not found.is_passed
    assert found.checks["delta"][1] >= claimed / 2


def tampered(change: Callable[[dict[str, Any]], None]) -> None:
    for explanation in Explanation.objects.filter(slate__shopper__isnull=False):
        for contract in explanation.contracts["contracts"]:
            change(contract)
        explanation.save()


def test_a_wrong_sign_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where reasons are assembled, what is lost without a purchase is taken for what is gained."""
    right = assembly._Row._reason

    def wrong(self: Any, *arguments: Any) -> Reason:
        reason = right(self, *arguments)
        return replace(reason, delta=-reason.delta)

    monkeypatch.setattr(assembly._Row, "_reason", wrong)
    computed(world)

    found = audited()

    assert not found.is_passed
    others = _opposing() + len([reason for reason in groups() if reason.is_verified])
    assert found.checks["polarity"][1] == found.checks["polarity"][0] - others > 300


def test_an_engine_that_is_fed_old_lines_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    right = inference.shopper_lines

    def old(model: Any, ids: Any, *, as_of: datetime) -> Any:
        return right(model, ids, as_of=as_of - timedelta(days=30))

    monkeypatch.setattr("recommendations.inference.shopper_lines", old)
    computed(world)

    found = audited()

    assert not found.is_passed
    assert found.checks["history"][1] == Slate.objects.filter(shopper__isnull=False).count()


def import_of_the_night(world: World) -> None:
    """Purchases of yesterday that arrive today, and what is sold out meanwhile."""
    Interaction.objects.update(received_at=NOON - timedelta(days=2))
    late = [
        InteractionFactory(
            shopper=shopper,
            partner=shopper.partner,
            product=world.products[number],
            event_type=world.event_types[0],
            occurred_at=NOON - timedelta(hours=20),
        )
        for shopper in world.shoppers
        for number in (1, 5)
    ]
    Interaction.objects.filter(pk__in=[row.pk for row in late]).update(received_at=NOON + timedelta(minutes=9))
    Shopper.objects.update(changed_at=NOON + timedelta(minutes=10))
    Product.objects.filter(pk=world.products[7].pk).update(is_available=False)


def test_what_happens_after_a_run_hides_no_wrong_sign_of_it(world: World) -> None:
    computed(world)
    import_of_the_night(world)

    true = audited()
    tampered(flip)
    wrong = audited()

    assert (true.is_passed, true.moved_on, true.examples) == (True, 0, [])
    assert (wrong.is_passed, wrong.moved_on) == (False, 0)
    assert wrong.checks["polarity"][1] == wrong.checks["polarity"][0] - _opposing() > 10


def test_an_audit_that_could_compare_too_little_does_not_pass(world: World) -> None:
    computed(world)
    slates = Slate.objects.count()
    few = list(world.shoppers[:5])
    Interaction.objects.filter(shopper__in=few).delete()
    Shopper.objects.filter(pk__in=[shopper.pk for shopper in few]).update(changed_at=LATER)

    found = audited()

    gone = Slate.objects.filter(shopper__in=few).count()
    assert gone > slates / 2
    assert (found.is_passed, found.moved_on, found.compared) == (False, gone, slates - gone)
    assert found.failures == f"compared {gone}/{slates - 3}"  # three are everybody's


def flip(contract: dict[str, Any]) -> None:
    for reason in contract.get("r", []):
        reason["d"] = -reason["d"]


def _opposing() -> int:
    stored = Explanation.objects.filter(slate__shopper__isnull=False).values_list("contracts", flat=True)
    return sum(len(contract.get("o", [])) for contracts in stored for contract in contracts["contracts"])


def test_a_wrong_replacement_fails(world: World) -> None:
    computed(world)

    def other(contract: dict[str, Any]) -> None:
        if "cf" in contract:
            contract["cf"][3] = contract["p"]

    tampered(other)
    found = audited()

    assert found.checks["counterfactual"][1] == found.checks["counterfactual"][0] / 2


def test_a_stale_history_fails_unless_it_changed_lately(world: World) -> None:
    computed(world)
    Slate.objects.filter(shopper=world.shoppers[0]).update(history_hash="0" * 32)

    found = audited()

    assert not found.is_passed
    assert found.checks["history"][1] == Slate.objects.filter(shopper=world.shoppers[0]).count()


def test_a_history_that_changed_since_is_compared_as_it_was(world: World) -> None:
    computed(world)
    shopper = world.shoppers[0]
    bought = shopper.interactions.order_by("pk").first()
    assert bought is not None
    exclude_history(shopper=shopper, product=world.product(bought.product_id), at=NOON + timedelta(minutes=1))

    found = audited()

    assert (found.is_passed, found.moved_on, found.checks["history"][1]) == (True, 0, 0)


def test_words_that_the_contract_does_not_hold_fail(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    computed(world)
    monkeypatch.setattr("explanations.phrasing.phrased._chance", lambda *_: "loved by 87 others")

    found = audited()

    assert found.checks["text"] == [found.checks["text"][0]] * 2
    assert found.examples[0]["found"] == "says 87"
