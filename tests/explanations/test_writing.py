import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, transaction

from catalog.models import Interaction, Product, Shopper
from explanations.contract import FORMAT, Cause, Contract, Status, pack, unpack
from explanations.models import Explanation
from explanations.services import recommendations_for
from explanations.slates import ExplainedSlate
from explanations.writing import Refused, write_refresh, write_shard
from recommendations import leases, shards
from recommendations.models import Placement, Run, Shard, Slate
from tests import stand_in
from tests.factories import (
    NOON,
    InteractionFactory,
    ProductFactory,
    RunFactory,
    ShardFactory,
    ShopperFactory,
)
from tests.worlds import contract, evidence, explained_slate, provenance, publish, reason

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def products(db: None) -> list[Product]:
    return [ProductFactory(external_id=f"{number}") for number in range(25)]


@pytest.fixture
def history(products: list[Product]) -> list[Interaction]:
    """Two purchases of one shopper."""
    shopper = ShopperFactory()
    return [InteractionFactory(shopper=shopper, product=product) for product in products[:2]]


def leased(**fields: object) -> tuple[Shard, uuid.UUID]:
    shard = ShardFactory(**fields)
    lease = shards.claim(shard_id=shard.pk, at=NOON)
    assert lease is not None
    return Shard.objects.select_related("run").get(pk=shard.pk), lease.token


def slate_of(run: Run, history: list[Interaction], **fields: object) -> ExplainedSlate:
    """Three products for the shopper, each because of the first purchase."""
    unit = evidence(history[0].product_id, [history[0]])
    ranked = list(Product.objects.order_by("-pk")[:3])
    slate = ExplainedSlate(
        placement=Placement.HOME,
        shopper_id=history[0].shopper_id,
        context_product_id=None,
        product_ids=tuple(product.pk for product in ranked),
        scores=(3.5, 2.5, 1.5),
        probabilities=(0.2, 0.1, 0.05),
        history_hash="f" * 32,
        contracts=tuple(
            contract(product, rank=rank, reasons=(reason(unit),)) for rank, product in enumerate(ranked, 1)
        ),
        provenance=provenance(run.pk, run.version_id),
    )
    return replace(slate, **fields)  # type: ignore[arg-type]


def test_a_shard_is_written_with_its_explanations_and_counted(
    products: list[Product], history: list[Interaction]
) -> None:
    shard, token = leased(first_id=1, last_id=10**9)

    written = write_shard(shard=shard, token=token, slates=[slate_of(shard.run, history)], at=LATER)

    slate = Slate.objects.get()
    explanation = slate.explanation
    assert written == 1
    assert (slate.run, slate.placement, slate.shopper) == (shard.run, "home", history[0].shopper)
    assert (slate.product_ids, slate.scores) == ([product.pk for product in products[:21:-1]], [3.5, 2.5, 1.5])
    assert (slate.computed_at, slate.explained_at, slate.history_hash) == (shard.run.as_of, LATER, "f" * 32)
    assert (explanation.is_personal, explanation.explained, explanation.verified) == (True, 3, 3)
    assert (explanation.fallback, explanation.withheld, explanation.format) == (0, 0, FORMAT)
    shard.refresh_from_db()
    assert (shard.state, shard.slates, shard.lease_token) == ("done", 1, None)
    assert shard.summary == {
        "left_out": 0,
        "causes": {"history": 3},
        "statuses": {"verified": 3},
        "placements": {"home": {"slates": 1, "causes": {"history": 3}, "statuses": {"verified": 3}}},
        "weights": {
            "recommendations": 3,
            "sizes": {"id": 4.5, "category": 2.1, "price_band": 0.3, "bias": 0.6},
            "first": 3,
            "anyway": 0,
        },
    }


def test_what_is_written_is_what_the_pages_show(products: list[Product], history: list[Interaction]) -> None:
    shard, token = leased(first_id=1, last_id=10**9)
    slate = slate_of(shard.run, history)
    write_shard(shard=shard, token=token, slates=[slate], at=LATER)
    Run.objects.filter(pk=shard.run_id).update(state="ready", ready_at=LATER)
    publish(shard.run)

    shown = recommendations_for(shopper=history[0].shopper, placement=Placement.HOME)

    expected = [unpack(pack(stated), slate.provenance) for stated in slate.contracts]
    assert [item.contract for item in shown.items] == expected
    assert shown.is_personal
    assert not shown.is_stale


def test_products_and_everybody_get_their_slates(products: list[Product]) -> None:
    run = RunFactory(state="computing", ready_at=None)
    for kind in (Shard.Kind.PRODUCTS, Shard.Kind.NON_PERSONAL):
        shard, token = leased(run=run, kind=kind, first_id=products[0].pk, last_id=products[1].pk)
        write_shard(shard=shard, token=token, slates=stand_in.compute(shard), at=LATER)

    rows = Slate.objects.filter(shopper=None).order_by("pk").values_list("placement", "context_product")
    assert list(rows) == [
        ("product", products[0].pk),
        ("product", products[1].pk),
        ("home", None),
        ("buy_again", None),
    ]
    assert set(Explanation.objects.values_list("is_personal", "explained")) == {(False, 20)}


def _foreign_evidence(slate: ExplainedSlate) -> ExplainedSlate:
    """A purchase of another shopper, of the same product."""
    cited = slate.contracts[0].reasons[0].evidence[0]
    stranger = InteractionFactory(product_id=cited.product_id, shopper=ShopperFactory())
    return _citing(slate, replace_evidence=stranger.pk)


def _citing(slate: ExplainedSlate, *, replace_evidence: int) -> ExplainedSlate:
    first = slate.contracts[0]
    unit = replace(first.reasons[0].evidence[0], interaction_ids=(replace_evidence,))
    return _with_first(slate, replace(first, opposing=(replace(first.reasons[0], evidence=(unit,)),)))


def _with_first(slate: ExplainedSlate, stated: Contract) -> ExplainedSlate:
    return replace(slate, contracts=(stated, *slate.contracts[1:]))


def _evidence_that_is_gone(slate: ExplainedSlate) -> ExplainedSlate:
    return _citing(slate, replace_evidence=10**12)


def _evidence_of_another_product(slate: ExplainedSlate) -> ExplainedSlate:
    mine = Interaction.objects.filter(shopper=slate.shopper_id).order_by("pk").last()
    assert mine is not None
    return _citing(slate, replace_evidence=mine.pk)


def _evidence_without_a_shopper(slate: ExplainedSlate) -> ExplainedSlate:
    contracts = tuple(replace(stated, cause=Cause.POPULAR) for stated in slate.contracts)
    return replace(slate, shopper_id=None, contracts=contracts)


def _verified_without_a_reason(slate: ExplainedSlate) -> ExplainedSlate:
    return _with_first(slate, replace(slate.contracts[0], reasons=(), status=Status.VERIFIED))


def _one_contract_less(slate: ExplainedSlate) -> ExplainedSlate:
    return replace(slate, contracts=slate.contracts[:-1])


def _contracts_in_another_order(slate: ExplainedSlate) -> ExplainedSlate:
    return replace(slate, contracts=slate.contracts[::-1])


def _one_score_less(slate: ExplainedSlate) -> ExplainedSlate:
    return replace(slate, scores=slate.scores[:-1])


def _a_score_that_is_no_number(slate: ExplainedSlate) -> ExplainedSlate:
    return replace(slate, scores=(float("nan"), 2.0, 1.0))


def _another_run(slate: ExplainedSlate) -> ExplainedSlate:
    return replace(slate, provenance=replace(slate.provenance, run_id=10**9))


def _another_shards_shopper(slate: ExplainedSlate) -> ExplainedSlate:
    return replace(slate, shopper_id=10**9 + 1)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_foreign_evidence, "is not one of shopper"),
        (_evidence_that_is_gone, "is not one of shopper"),
        (_evidence_of_another_product, "is not one of shopper"),
        (_verified_without_a_reason, "rank 1 is called verified without a verified reason"),
        (_one_contract_less, "the contracts are not those of its first 20 products"),
        (_contracts_in_another_order, "the contracts are not those of its first 20 products"),
        (_one_score_less, "its arrays are not parallel"),
        (_a_score_that_is_no_number, "a score or probability is no number"),
        (_another_run, "a slate of run 1000000000 was computed for run"),
        (_another_shards_shopper, "was given the slate of shopper 1000000001"),
    ],
)
def test_a_slate_that_breaks_its_contract_refuses_its_whole_shard(
    history: list[Interaction], spoil: Callable[[ExplainedSlate], ExplainedSlate], message: str
) -> None:
    shard, token = leased(first_id=1, last_id=10**9)
    good = slate_of(shard.run, history, placement=Placement.BUY_AGAIN)
    bad = spoil(slate_of(shard.run, history))

    with pytest.raises(Refused, match=message), transaction.atomic():
        write_shard(shard=shard, token=token, slates=[good, bad], at=LATER)

    shard.refresh_from_db()
    assert (shard.state, Slate.objects.count(), Explanation.objects.count()) == ("leased", 0, 0)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_evidence_without_a_shopper, "is not one of shopper None"),
        (lambda slate: replace(slate, shopper_id=None), "gives the personal cause history without a shopper"),
        (lambda slate: slate, "was given the slate of shopper"),
    ],
)
def test_what_everybody_sees_cites_nobody(
    history: list[Interaction], spoil: Callable[[ExplainedSlate], ExplainedSlate], message: str
) -> None:
    shard, token = leased(kind=Shard.Kind.NON_PERSONAL)

    with pytest.raises(Refused, match=message), transaction.atomic():
        write_shard(shard=shard, token=token, slates=[spoil(slate_of(shard.run, history))], at=LATER)

    assert not Slate.objects.exists()


def test_who_switched_off_meanwhile_gets_no_personal_slate(history: list[Interaction]) -> None:
    shard, token = leased(first_id=1, last_id=10**9)
    other = InteractionFactory()
    Shopper.objects.filter(interactions=history[0]).update(is_personalised=False)
    slates = [slate_of(shard.run, history), slate_of(shard.run, [other])]

    assert write_shard(shard=shard, token=token, slates=slates, at=LATER) == 1

    shard.refresh_from_db()
    assert list(Slate.objects.values_list("shopper", flat=True)) == [other.shopper_id]
    assert (shard.summary["left_out"], shard.summary["causes"]) == (1, {"history": 3})


def test_who_was_erased_meanwhile_gets_no_slate(history: list[Interaction]) -> None:
    shard, token = leased(first_id=1, last_id=10**9)
    slate = slate_of(shard.run, history)
    Shopper.objects.filter(pk=slate.shopper_id or 0).delete()

    assert write_shard(shard=shard, token=token, slates=[slate], at=LATER) == 0


def test_a_worker_that_lost_its_lease_writes_nothing(history: list[Interaction]) -> None:
    shard, slow = leased(first_id=1, last_id=10**9)
    quick = shards.claim(shard_id=shard.pk, at=LATER)
    assert quick is not None

    with pytest.raises(leases.LeaseLost), transaction.atomic():
        write_shard(shard=shard, token=slow, slates=[slate_of(shard.run, history)], at=LATER)
    assert not Slate.objects.exists()
    assert write_shard(shard=shard, token=quick.token, slates=[slate_of(shard.run, history)], at=LATER) == 1
    with pytest.raises(leases.LeaseLost), transaction.atomic():
        write_shard(shard=shard, token=quick.token, slates=[], at=LATER)

    assert Slate.objects.count() == 1


# --- refreshes ---


@pytest.fixture
def live(history: list[Interaction]) -> Run:
    """A live run with a slate of the shopper in each placement, computed at noon."""
    run = RunFactory()
    for placement in (Placement.HOME, Placement.BUY_AGAIN):
        unit = evidence(history[0].product_id, [history[0]])
        contracts = [contract(product, reasons=(reason(unit),)) for product in Product.objects.order_by("pk")[:3]]
        explained_slate(run=run, shopper=history[0].shopper, placement=placement, contracts=contracts)
    return publish(run)


def current(shopper: Shopper | None) -> dict[str, int]:
    return dict(Slate.objects.filter(shopper=shopper, superseded_at=None).values_list("placement", "pk"))


def test_a_refresh_supersedes_and_leaves_what_was_recommended_readable(live: Run, history: list[Interaction]) -> None:
    shopper = history[0].shopper
    assert shopper is not None
    before = current(shopper)
    slates = [slate_of(live, history), slate_of(live, history, placement=Placement.BUY_AGAIN)]

    written = write_refresh(run=live, shopper_ids=[shopper.pk], slates=slates, at=LATER)

    after = current(shopper)
    assert written == 2
    assert set(after) == {"home", "buy_again"}
    assert set(after.values()).isdisjoint(before.values())
    old = Slate.objects.get(pk=before["home"])
    assert (old.superseded_at, old.explanation.explained) == (LATER, 3)
    new = Slate.objects.get(pk=after["home"])
    assert (new.computed_at, new.explained_at) == (LATER, LATER)


def test_a_placement_for_which_nothing_comes_any_more_ends(live: Run, history: list[Interaction]) -> None:
    shopper = history[0].shopper
    assert shopper is not None

    write_refresh(run=live, shopper_ids=[shopper.pk], slates=[slate_of(live, history)], at=LATER)

    assert set(current(shopper)) == {"home"}


def test_what_comes_out_the_same_keeps_its_id(live: Run, history: list[Interaction]) -> None:
    shopper = history[0].shopper
    assert shopper is not None
    slates = [slate_of(live, history)]
    write_refresh(run=live, shopper_ids=[shopper.pk], slates=slates, at=LATER)
    before = current(shopper)

    written = write_refresh(run=live, shopper_ids=[shopper.pk], slates=slates, at=LATER + timedelta(hours=1))

    assert written == 0
    assert current(shopper) == before
    assert Slate.objects.get(pk=before["home"]).computed_at == LATER + timedelta(hours=1)


def test_what_an_earlier_release_explained_is_explained_anew(live: Run, history: list[Interaction]) -> None:
    shopper = history[0].shopper
    assert shopper is not None
    slates = [slate_of(live, history)]
    write_refresh(run=live, shopper_ids=[shopper.pk], slates=slates, at=LATER)
    before = current(shopper)
    Explanation.objects.update(format=FORMAT - 1)

    written = write_refresh(run=live, shopper_ids=[shopper.pk], slates=slates, at=LATER + timedelta(hours=1))

    assert written == 1
    assert current(shopper) != before
    assert Explanation.objects.get(slate=current(shopper)["home"]).format == FORMAT


def test_a_slower_older_refresh_changes_nothing(live: Run, history: list[Interaction]) -> None:
    shopper = history[0].shopper
    assert shopper is not None
    write_refresh(run=live, shopper_ids=[shopper.pk], slates=[slate_of(live, history)], at=LATER)
    before = current(shopper)
    older = slate_of(live, history, scores=(9.0, 8.0, 7.0))

    written = write_refresh(run=live, shopper_ids=[shopper.pk], slates=[older], at=LATER - timedelta(seconds=1))

    assert written == 0
    assert current(shopper) == before


def test_a_refresh_under_a_run_that_is_no_longer_live_is_ignored(live: Run, history: list[Interaction]) -> None:
    shopper = history[0].shopper
    assert shopper is not None
    before = current(shopper)
    other = RunFactory()
    explained_slate(run=other, contracts=[])
    publish(other)

    old = write_refresh(run=live, shopper_ids=[shopper.pk], slates=[slate_of(live, history)], at=LATER)
    mixed = write_refresh(run=other, shopper_ids=[shopper.pk], slates=[slate_of(live, history)], at=LATER)

    assert (old, mixed) == (0, 0)
    assert current(shopper) == before


def test_a_refresh_of_a_shopper_nobody_asked_for_is_refused(live: Run, history: list[Interaction]) -> None:
    with pytest.raises(Refused, match="who was not asked for"):
        write_refresh(run=live, shopper_ids=[10**9], slates=[slate_of(live, history)], at=LATER)


def test_foreign_evidence_is_refused_in_a_refresh_too(live: Run, history: list[Interaction]) -> None:
    shopper = history[0].shopper
    assert shopper is not None
    before = current(shopper)
    bad = _foreign_evidence(slate_of(live, history))

    with pytest.raises(Refused, match="is not one of shopper"), transaction.atomic():
        write_refresh(run=live, shopper_ids=[shopper.pk], slates=[bad], at=LATER)

    assert current(shopper) == before


def test_two_refreshes_of_one_shopper_at_once_leave_one_current_slate(transactional_db: None) -> None:
    ProductFactory.create_batch(3)
    history = [InteractionFactory()]
    run = RunFactory()
    explained_slate(run=run, shopper=history[0].shopper, contracts=[])
    publish(run)
    start, failures = threading.Barrier(2), []

    def refresh(score: float) -> None:
        slate = slate_of(run, history, scores=(score, 2.0, 1.0))
        try:
            start.wait(timeout=10)
            write_refresh(
                run=run,
                shopper_ids=[slate.shopper_id or 0],
                slates=[slate],
                at=LATER + timedelta(seconds=score),
            )
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=refresh, args=(score,)) for score in (3.0, 4.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)

    assert failures == []
    assert [slate.scores[0] for slate in Slate.objects.filter(superseded_at=None)] == [4.0]


def test_four_hundred_slates_are_written_quickly(products: list[Product]) -> None:
    """As many as a shard has: two placements of 200 shoppers, 20 contracts each."""
    shoppers = [ShopperFactory() for _ in range(200)]
    for shopper in shoppers:
        InteractionFactory(shopper=shopper, product=products[0])
    shard, token = leased(first_id=shoppers[0].pk, last_id=shoppers[-1].pk)
    slates = list(stand_in.compute(shard))
    assert len(slates) == 400

    started = time.perf_counter()
    write_shard(shard=shard, token=token, slates=slates, at=LATER)

    assert time.perf_counter() - started < 5  # about a second on one core; a row at a time takes ten
