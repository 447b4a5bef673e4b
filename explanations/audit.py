"""A sample of the live run's slates is checked again, by a forward that shares no code with the one that wrote them.

Polarity, Δ, ranks, counterfactuals, causes, the history they were made from, and the truth of the sentences; of slates
without a shopper, that they claim nothing personal and count right. A slate is compared as it was computed: with the
popularity its run counted, the products on offer then, the history known then.
"""

# I products.
import logging
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
from django.db.models import F
from django.db.models.functions import Mod

from catalog.models import Category, Product
from explanations import everybody, grounds, known, missing, truth
from explanations.contract import Contract, Provenance, Reason, ReasonType, unpack, unpack_provenance
from explanations.inspection import cited
from explanations.known import Known
from explanations.models import Audit, FrozenCounts, VersionCheck
from explanations.plain import Flags, Floats, PlainModel
from explanations.plainly import Replayed
from explanations.tally import CLOSE, Claim, Frame, Tally
from recommendations import inference
from recommendations.inference import Loaded
from recommendations.models import Placement, Run, Slate
from recommendations.models.runs import SlateQuerySet

logger = logging.getLogger(__name__)

SHARE = 100  # one slate in so many, others every night
FEWEST, MOST = 20, 2_000
COUNTED = 100  # products a night, of which it is counted again how many people bought them and what beside them
SEARCHED = 200  # slates a night with a line without a verified reason, in which one is looked for: a forward a purchase
LEAST = math.log(1.05)  # what a reason must cost, whatever was measured of the version
GRACE = timedelta(days=1)  # within which a change must have been followed by a new slate
MOST_MOVED_ON = 0.5  # of a sample: beyond that an audit has not seen enough to pass


def audit(*, at: datetime) -> Audit | None:
    """Check the live run; None where nothing is live."""
    run = Run.objects.live().select_related("version").first()
    if run is None:
        return None
    tally, ids = Tally(), sample(run, at=at)
    check(run, ids, tally, at=at)
    checks = {code: [count, tally.failed[code]] for code, count in sorted(tally.checked.items())}
    found = Audit.objects.create(
        run=run,
        created_at=at,
        slates=len(ids),
        moved_on=tally.moved_on,
        checks=checks,
        examples=tally.examples,
        is_passed=not tally.failed,
    )
    logger.log(logging.INFO if found.is_passed else logging.ERROR, "explanations audited", extra={"audit": found.pk})
    return found


def check(run: Run, ids: list[int], tally: Tally, *, at: datetime) -> None:
    """Replay the slates `ids` of a run by the plain forward, and read their sentences."""
    frames = dict[str, Frame]()
    model = inference.loaded(run.version)
    plain = PlainModel.of(model.bundle)
    offset_I = _offset(model, plain, run)
    categories = {category.pk: category for category in Category.objects.all()}
    stored = VersionCheck.objects.filter(version=run.version_id).values_list("placebo_floor", flat=True).first()
    floor = max(LEAST, stored or 0.0)
    personal = compared = beside = searched = 0
    for slate in (
        Slate.objects.filter(pk__in=ids).select_related("explanation", "shopper", "run").order_by("pk").iterator(200)
    ):
        origin = unpack_provenance(slate.explanation.contracts["provenance"])
        if origin.offered not in frames:
            frames[origin.offered] = Frame.of(run, model, plain, offset_I, origin.offered)
        frame = frames[origin.offered]
        if slate.shopper_id is not None:
            personal += 1
            replayed = _replayed(slate, origin, frame, tally, at)
            if replayed is None:
                tally.moved_on += 1
            else:
                compared += 1
                is_whole = bool(slate.history_hash)  # else lines may have lost their reasons on purpose
                is_open = is_whole and any(not contract.verified_reasons for contract in contracts_of(slate))
                searched += is_open
                _check_slate(slate, origin, frame, replayed, tally, floor, searches=is_open and searched <= SEARCHED)
        else:
            tally.moved_on += not frame.is_kept
            beside += slate.context_product_id is not None
            is_of_shop = run.version.snapshot_id is not None  # else its people are those of another shop
            contracts = contracts_of(slate)
            for rank, claim in everybody.claims(slate, contracts, frame, counts=is_of_shop and beside <= COUNTED):
                tally.claim(slate.pk, rank, claim)
        _check_text(slate, categories, tally)
    if personal and personal - compared > MOST_MOVED_ON * personal:
        tally.checked["compared"], tally.failed["compared"] = personal, personal - compared


def sample(run: Run, *, at: datetime) -> list[int]:
    """Everybody's slates, and of those of shoppers and of those beside products one in a hundred each, others every
    night; where those are few, the first ones.
    """
    slates = Slate.objects.live().filter(run=run, explanation__isnull=False)
    alone = slates.filter(shopper=None, context_product=None).order_by("pk")
    return [
        *alone.values_list("pk", flat=True)[:FEWEST],
        *_some(slates.filter(shopper__isnull=False), at=at),
        *_some(slates.filter(context_product__isnull=False), at=at),
    ]


def _some(slates: SlateQuerySet, *, at: datetime) -> list[int]:
    turn = at.date().toordinal() % SHARE
    drawn = slates.annotate(turn=Mod(F("pk"), SHARE)).filter(turn=turn).order_by("pk")
    ids = list(drawn.values_list("pk", flat=True)[:MOST])
    return ids if len(ids) >= FEWEST else list(slates.order_by("pk").values_list("pk", flat=True)[:FEWEST])


def _offset(model: Loaded, plain: PlainModel, run: Run) -> Floats:
    """[I + 1] what needs no history: the bias, and the popularity that its run counted once and for all."""
    offset_I: Floats = plain.weights["bias.weight"][:, 0].copy()
    if model.bundle.model.config.uses_popularity:
        stored = bytes(FrozenCounts.objects.get(run=run).recent_popularity)
        offset_I += float(plain.weights["popularity_weight"]) * np.frombuffer(stored, np.float32)
    return offset_I


def _replayed(slate: Slate, origin: Provenance, frame: Frame, tally: Tally, at: datetime) -> Replayed | None:
    """Only a ranking that can be made again is compared; that it cannot must have its reason.

    A history that is not what is known of that moment must have changed lately.
    """
    readings = list(_readings(slate, origin, frame, at))
    changed_at = slate.shopper.changed_at if slate.shopper is not None else None
    claimed = slate.history_hash or origin.history_hash  # empty where a part was withdrawn
    is_lately = changed_at is not None and changed_at > max(slate.computed_at, at - GRACE)
    holds = readings[0].digest == claimed or is_lately
    tally.check("history", holds, slate=slate.pk, rank=0, claimed=claimed, found=readings[0].digest)
    same = (reading for reading in readings if reading.digest == claimed)
    replays = (Replayed(frame, reading, _candidates(slate, frame, reading)) for reading in same)
    return next((one for one in replays if int(one.candidates_I.sum()) == origin.candidates), None)


def _check_slate(
    slate: Slate, origin: Provenance, frame: Frame, replayed: Replayed, tally: Tally, floor: float, *, searches: bool
) -> None:
    contracts = contracts_of(slate)
    for rank, contract in enumerate(contracts, start=1):
        for claim in _claims(contract, frame, replayed, floor):
            tally.claim(slate.pk, rank, claim)
        tally.claim(slate.pk, rank, ("cause", *grounds.is_true(contract, slate, origin, frame, replayed)))
    if searches:
        written_in = slate.explanation.format
        for rank, claim in missing.claims(contracts, frame, replayed, floor, written_in=written_in):
            tally.claim(slate.pk, rank, claim)


def _readings(slate: Slate, origin: Provenance, frame: Frame, at: datetime) -> Iterator[Known]:
    """Shards are computed as of their run's moment, refreshes within the second that they name."""
    as_of = slate.run.as_of
    is_of_run = int(as_of.timestamp()) == origin.computed_at
    moment = as_of if is_of_run else datetime.fromtimestamp(origin.computed_at + 0.999999, UTC)
    then = slate.explanation.created_at
    return known.readings(frame.model, slate.shopper_id or 0, moment=moment, then=then, now=at)


def _candidates(slate: Slate, frame: Frame, reading: Known) -> Flags:
    if slate.placement == Placement.BUY_AGAIN:
        return frame.shown_I & reading.owned_I & ~reading.hidden_I
    return frame.shown_I & ~reading.owned_I & ~reading.bought_I & ~reading.hidden_I


def contracts_of(slate: Slate) -> list[Contract]:
    return [unpack(packed) for packed in slate.explanation.contracts["contracts"]]


def _claims(contract: Contract, frame: Frame, replayed: Replayed, floor: float) -> Iterator[Claim]:
    """Everything in a contract that a plain forward can confirm or refute."""
    number_of, everything = frame.model.number_of, replayed.everything()
    item, target = number_of[contract.product_id], contract.target
    score, full = float(replayed.scores(everything)[item]), replayed.log_p(item, everything)
    yield "score", abs(score - target.score) <= CLOSE, target.score, score
    yield "delta", abs(full - target.log_probability) <= CLOSE, target.log_probability, full
    yield _rank(item, target.rank, everything, replayed)
    if target.empty_rank is not None:
        yield _rank(item, target.empty_rank, np.zeros_like(everything), replayed)
    for reason in (*contract.reasons, *contract.opposing):
        if reason.type is not ReasonType.REPEAT or reason.is_verified:
            yield from _reason(item, full, reason, frame, replayed, floor)
    change = contract.counterfactual
    if change is not None:
        kept = replayed.without({number_of[pk] for pk in change.removed})
        moves = change.rank > target.rank and replayed.could_stand_at(item, change.rank, kept)
        yield "counterfactual", moves, change.rank, replayed.rank(item, kept)
        taker = number_of[change.replacement_id] if change.replacement_id is not None else 0
        takes = bool(taker) and replayed.could_stand_at(taker, target.rank, kept)
        yield "counterfactual", takes, target.rank, replayed.rank(taker, kept)


def _reason(item: int, full: float, reason: Reason, frame: Frame, replayed: Replayed, floor: float) -> Iterator[Claim]:
    units = {frame.model.number_of.get(unit.product_id, 0) for unit in reason.evidence}
    kept = replayed.without(units)
    delta = full - replayed.log_p(item, kept)
    if reason.is_verified:
        yield "polarity", delta > 0 if reason.delta > 0 else delta < 0, reason.delta, delta
        yield "threshold", abs(delta) >= floor - CLOSE, f"at least {floor:.5f}", delta
    yield "delta", abs(delta - reason.delta) <= CLOSE, reason.delta, delta
    if reason.rank_without is not None:
        yield _rank(item, reason.rank_without, kept, replayed)
    if reason.rank_only is not None:
        yield _rank(item, reason.rank_only, replayed.everything() & ~kept, replayed)


def _rank(item: int, rank: int, kept: Flags, replayed: Replayed) -> Claim:
    return "rank", replayed.could_stand_at(item, rank, kept), rank, replayed.rank(item, kept)


def _check_text(slate: Slate, categories: dict[int, Category], tally: Tally) -> None:
    contracts = contracts_of(slate)
    products = Product.objects.in_bulk({pk for contract in contracts for pk in cited(contract)})
    for rank, contract in enumerate(contracts, start=1):
        for language in truth.LANGUAGES:
            wrong = truth.unsupported(contract, products=products, categories=categories, language=language)
            tally.check("text", not wrong, slate=slate.pk, rank=rank, claimed=language, found="; ".join(wrong))
