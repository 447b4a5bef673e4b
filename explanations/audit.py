"""A sample of the live run's slates is checked again, by a forward that shares no code with the one that wrote them.

Polarity, Δ, ranks, counterfactuals, the history they were made from, and the truth of the sentences.
"""

# L lines, I products.
import hashlib
import logging
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Count, F, Q
from django.db.models.functions import Mod

from catalog.models import Category, Interaction, Product
from catalog.models.interactions import InteractionQuerySet
from explanations import truth
from explanations.contract import Contract, Reason, ReasonType, unpack
from explanations.inspection import cited
from explanations.models import Audit
from explanations.plain import Flags, Floats, Past, PlainModel
from recommendations import inference
from recommendations.inference import Loaded
from recommendations.ml.data import RECENT
from recommendations.ml.ranking import owned_mask
from recommendations.models import Placement, Run, Slate

logger = logging.getLogger(__name__)

SHARE = 100  # one slate in so many, others every night
FEWEST, MOST = 20, 2_000
EXAMPLES = 20
GRACE = timedelta(days=1)  # within which a change must have been followed by a new slate
CLOSE = 1e-3  # of scores and Δ log p: a contract keeps six digits
TIE = 1e-4  # products whose scores differ by less may stand either way


@dataclass(kw_only=True, slots=True)
class Tally:
    """What was checked, and what did not hold."""

    checked: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, object]] = field(default_factory=list)
    moved_on: int = 0

    def check(self, code: str, holds: bool, *, slate: int, rank: int, claimed: object, found: object) -> None:
        self.checked[code] += 1
        if not holds:
            self.failed[code] += 1
            if len(self.examples) < EXAMPLES:
                example = {"slate": slate, "rank": rank, "check": code, "claimed": str(claimed), "found": str(found)}
                self.examples.append(example)


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """What all slates of one moment share."""

    model: Loaded
    plain: PlainModel
    offset_I: Floats
    popularity_I: Floats  # centred, as a part of a score
    shown_I: Flags


class Replayed:
    """One shopper's ranking under any change of the history, by the plain forward."""

    def __init__(self, frame: Frame, past: Past, next_basket: int, candidates_I: Flags):
        self.frame, self.past, self.next_basket, self.candidates_I = frame, past, next_basket, candidates_I
        self._scores: dict[bytes, Floats] = {}

    def scores(self, kept: Flags) -> Floats:
        key = kept.tobytes()
        if key not in self._scores:
            found = self.frame.plain.scores(self.past.only(kept), self.next_basket, self.frame.offset_I)
            self._scores[key] = np.where(self.candidates_I, found, -np.inf)
        return self._scores[key]

    def everything(self) -> Flags:
        return self.past.items > 0

    def without(self, items: set[int]) -> Flags:
        return self.everything() & ~np.isin(self.past.items, list(items))

    def log_p(self, item: int, kept: Flags) -> float:
        scores = self.scores(kept)
        most = scores.max()
        return float(scores[item] - most - math.log(np.exp(scores - most).sum()))

    def could_stand_at(self, item: int, rank: int, kept: Flags) -> bool:
        """Nearly equal scores may stand either way."""
        scores = self.scores(kept)
        return int((scores > scores[item] + TIE).sum()) < rank <= int((scores >= scores[item] - TIE).sum())

    def rank(self, item: int, kept: Flags) -> int:
        scores = self.scores(kept)
        return 1 + int((scores > scores[item]).sum())


def audit(*, at: datetime) -> Audit | None:
    """Check the live run; None where nothing is live."""
    run = Run.objects.live().select_related("version").first()
    if run is None:
        return None
    tally, frames = Tally(), dict[datetime, Frame]()
    model = inference.loaded(run.version)
    plain = PlainModel.of(model.bundle)
    categories = {category.pk: category for category in Category.objects.all()}
    ids = sample(run, at=at)
    for slate in Slate.objects.filter(pk__in=ids).select_related("explanation", "shopper").order_by("pk").iterator(200):
        if slate.computed_at not in frames:
            frames = {slate.computed_at: _frame(model, plain, slate.computed_at)}
        _check_slate(slate, frames[slate.computed_at], tally, at)
        _check_text(slate, categories, tally)
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


def sample(run: Run, *, at: datetime) -> list[int]:
    """One personal slate in a hundred, others every night; where those are few, the first ones."""
    slates = Slate.objects.live().filter(run=run, explanation__isnull=False, shopper__isnull=False)
    turn = at.date().toordinal() % SHARE
    drawn = slates.annotate(turn=Mod(F("pk"), SHARE)).filter(turn=turn).order_by("pk")
    ids = list(drawn.values_list("pk", flat=True)[:MOST])
    return ids if len(ids) >= FEWEST else list(slates.order_by("pk").values_list("pk", flat=True)[:FEWEST])


def _frame(model: Loaded, plain: PlainModel, moment: datetime) -> Frame:
    weight = float(plain.weights["popularity_weight"]) if model.bundle.model.config.uses_popularity else 0.0
    popularity_I = weight * _popularity(model, moment)
    bias_I = plain.weights["bias.weight"][:, 0]
    shown_I: Flags = inference.recommendable(model).numpy()
    return Frame(
        model=model,
        plain=plain,
        offset_I=bias_I + popularity_I,
        popularity_I=popularity_I - popularity_I[1:].mean(),
        shown_I=shown_I,
    )


def _popularity(model: Loaded, moment: datetime) -> Floats:
    """[I + 1] log(1 + purchases in the four weeks before), as they were known at that moment."""
    known = Q(excluded_at=None) | Q(excluded_at__gt=moment)
    recent = Q(occurred_at__gte=moment - timedelta(seconds=RECENT), occurred_at__lt=moment)
    bought = Interaction.objects.visible().filter(known, recent, event_type__is_target=True, shopper__isnull=False)
    counts: Floats = np.zeros(model.products + 1)
    for product_id, count in bought.values_list("product_id").annotate(count=Count("pk")):
        counts[model.number_of.get(product_id, 0)] += count
    counts[0] = 0
    return np.log1p(counts)


def _check_slate(slate: Slate, frame: Frame, tally: Tally, at: datetime) -> None:
    """Only a ranking that can be made again is compared; that it cannot must have its reason."""
    replayed, history_hash = _replayed(slate, frame)
    changed_at = slate.shopper.changed_at if slate.shopper is not None else None
    is_changed = changed_at is not None and changed_at > slate.computed_at
    if history_hash != slate.history_hash:
        holds = changed_at is not None and is_changed and changed_at > at - GRACE
        tally.check("history", holds, slate=slate.pk, rank=0, claimed=slate.history_hash, found=history_hash)
        tally.moved_on += holds
        return
    tally.check("history", True, slate=slate.pk, rank=0, claimed="", found="")
    contracts = _contracts(slate)
    candidates = slate.explanation.contracts["provenance"][3]
    if is_changed or candidates != int(replayed.candidates_I.sum()) or not _is_as_popular(contracts, frame):
        tally.moved_on += 1
        return
    for rank, contract in enumerate(contracts, start=1):
        for code, holds, claimed, found in _claims(contract, frame, replayed):
            tally.check(code, holds, slate=slate.pk, rank=rank, claimed=claimed, found=found)


def _replayed(slate: Slate, frame: Frame) -> tuple[Replayed, str]:
    """The shopper before the plain model, and the hash of the history as it is now known."""
    model, shopper_id = frame.model, slate.shopper_id or 0
    lines = inference.shopper_lines(model, [shopper_id], as_of=slate.computed_at)
    histories, last = lines.histories, model.bundle.model.config.history
    items, types = histories.items[-last:].astype(np.int64), histories.types[-last:].astype(np.int64)
    times = histories.times[-last:].astype(np.int64)
    baskets = np.cumsum(np.diff(times, prepend=times[:1]) != 0)
    past = Past(items=items, types=types, times=times, baskets=baskets, now=int(slate.computed_at.timestamp()))
    owned_I = owned_mask(histories, np.asarray([0]), model.products)[0].numpy()
    hidden_I = _products(frame, Interaction.objects.hidden_by([shopper_id], until=slate.computed_at))
    if slate.placement == Placement.BUY_AGAIN:
        candidates_I = frame.shown_I & owned_I & ~hidden_I
    else:
        bought = Interaction.objects.bought_by([shopper_id], until=slate.computed_at)
        candidates_I = frame.shown_I & ~owned_I & ~_products(frame, bought) & ~hidden_I
    content = np.stack([column[items > 0] for column in (items, types, times)]).tobytes()
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    return Replayed(frame, past, int(baskets.max()) + 1 if len(baskets) else 0, candidates_I), digest


def _products(frame: Frame, rows: InteractionQuerySet) -> Flags:
    mask: Flags = np.zeros(frame.model.products + 1, bool)
    mask[[frame.model.number_of.get(pk, 0) for pk in rows.values_list("product_id", flat=True)]] = True
    mask[0] = False
    return mask


def _contracts(slate: Slate) -> list[Contract]:
    return [unpack(packed) for packed in slate.explanation.contracts["contracts"]]


def _is_as_popular(contracts: list[Contract], frame: Frame) -> bool:
    """Purchases that became known later change the recent popularity of products, and with it ranks."""
    return all(
        abs(frame.popularity_I[frame.model.number_of[one.product_id]] - one.split.parts["recent_popularity"]) < TIE
        for one in contracts
        if one.split is not None and "recent_popularity" in one.split.parts
    )


Claim = tuple[str, bool, object, object]  # which check, whether it holds, what was claimed, what was found


def _claims(contract: Contract, frame: Frame, replayed: Replayed) -> Iterator[Claim]:
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
            yield from _reason(item, full, reason, frame, replayed)
    change = contract.counterfactual
    if change is not None:
        kept = replayed.without({number_of[pk] for pk in change.removed})
        moves = change.rank > target.rank and replayed.could_stand_at(item, change.rank, kept)
        yield "counterfactual", moves, change.rank, replayed.rank(item, kept)
        taker = number_of[change.replacement_id] if change.replacement_id is not None else 0
        takes = bool(taker) and replayed.could_stand_at(taker, target.rank, kept)
        yield "counterfactual", takes, target.rank, replayed.rank(taker, kept)


def _reason(item: int, full: float, reason: Reason, frame: Frame, replayed: Replayed) -> Iterator[Claim]:
    units = {frame.model.number_of.get(unit.product_id, 0) for unit in reason.evidence}
    kept = replayed.without(units)
    delta = full - replayed.log_p(item, kept)
    if reason.is_verified:
        yield "polarity", delta > 0 if reason.delta > 0 else delta < 0, reason.delta, delta
    yield "delta", abs(delta - reason.delta) <= CLOSE, reason.delta, delta
    if reason.rank_without is not None:
        yield _rank(item, reason.rank_without, kept, replayed)
    if reason.rank_only is not None:
        yield _rank(item, reason.rank_only, replayed.everything() & ~kept, replayed)


def _rank(item: int, rank: int, kept: Flags, replayed: Replayed) -> Claim:
    return "rank", replayed.could_stand_at(item, rank, kept), rank, replayed.rank(item, kept)


def _check_text(slate: Slate, categories: dict[int, Category], tally: Tally) -> None:
    contracts = _contracts(slate)
    products = Product.objects.in_bulk({pk for contract in contracts for pk in cited(contract)})
    for rank, contract in enumerate(contracts, start=1):
        for language in truth.LANGUAGES:
            wrong = truth.unsupported(contract, products=products, categories=categories, language=language)
            tally.check("text", not wrong, slate=slate.pk, rank=rank, claimed=language, found="; ".join(wrong))
