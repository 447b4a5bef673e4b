"""The contract attached to one recommendation: facts that were checked, never sentences.

This is its one definition: the engine writes it, `pack`/`unpack` store it, and API, pages, admin and
tests read it. Products, categories and interactions appear by id; names are looked up when somebody reads.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

FORMAT = 2  # in the first, baskets and things that are alike were no units
LARGER_UNITS = 2  # the format from which they are


class Cause(StrEnum):
    """Why a product stands in its place. A cause exists here only together with the feature that produces it."""

    HISTORY = "history"  # one product in the shopper's history carries it
    HISTORY_GROUP = "history_group"  # several together carry it
    VIEWED_PRODUCT = "viewed_product"  # it goes with the product on this page
    BUY_AGAIN = "buy_again"  # the shopper's own repeat purchases
    POPULAR = "popular"  # bias and empty-history rank say so
    NEW = "new"  # recently launched, no history yet
    NOT_PERSONAL = "not_personal"  # the same for everybody: anonymous, new, or switched off


class Status(StrEnum):
    VERIFIED = "verified"  # at least one reason survived its second check
    FALLBACK = "fallback"  # a true cause that is not a personal reason
    WITHHELD = "withheld"  # nothing may be said: the product is not shown


class ReasonType(StrEnum):
    INTERACTION = "interaction"  # all interactions with one product
    BASKET = "basket"  # what was bought last at one moment
    CATEGORY = "category"  # everything from one group
    ALIKE = "alike"  # the first, and what is nearly the same to the model
    CONTEXT_PRODUCT = "context_product"  # the product on this page
    REPEAT = "repeat"  # bought before, so many times


class Strength(StrEnum):
    """What a counterfactual claims; different claims have different words."""

    LOSES_PLACE = "loses_place"  # a named product takes its rank
    LEAVES_LIST = "leaves_list"  # it falls below the last shown rank


class Band(StrEnum):
    """Calibrated chance that the product is in the shopper's next basket, in words."""

    LOW = "low"  # under 2 %
    FAIR = "fair"  # 2 to 10 %
    HIGH = "high"  # 10 % and more

    @classmethod
    def of(cls, probability: float) -> "Band":
        return cls.HIGH if probability >= 0.10 else cls.FAIR if probability >= 0.02 else cls.LOW


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """One evidence unit: every interaction of the shopper with one product."""

    product_id: int
    interaction_ids: tuple[int, ...] = ()
    event_type: str = "purchase"
    times: int = 1  # how often
    last_at: int | None = None  # seconds since 1970, UTC


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One typed statement: leaving `evidence` out of the history would change the target so much."""

    type: ReasonType
    evidence: tuple[Evidence, ...]
    category_id: int | None = None  # of a CATEGORY reason
    delta: float  # log p with everything - log p without the evidence; > 0 supports, < 0 opposes
    rank_without: int | None = None  # among all candidates; None where it was not replayed
    rank_only: int | None = None  # with nothing but this evidence (sufficiency)
    share: float | None = None  # part of the score, telescoping: shares of an explanation add up
    threshold: float | None = None  # the delta it had to reach
    is_verified: bool = False
    every_days: int | None = None  # of a REPEAT reason: median days between purchases


@dataclass(frozen=True, kw_only=True, slots=True)
class Counterfactual:
    """The smallest change found that moves the product away, replayed on the full catalogue."""

    strength: Strength
    removed: tuple[int, ...]  # product ids: of at most three evidence units, or of all that are of one category
    rank: int  # where it would stand
    replacement_id: int | None = None  # the product that would take its place
    category_id: int | None = None  # of which everything is removed


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    score: float
    log_probability: float  # softmax over the shopper's candidates, which stay fixed under removal
    probability: float  # calibrated: P(in the shopper's next basket)
    rank: int  # among the candidates, from 1
    empty_rank: int | None = None  # with an empty history
    runner_up_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """The score by product part, an exact sum: parts are centred on their catalogue means, `baseline` holds those."""

    baseline: float
    parts: dict[str, float]  # id, category, price_band, …, bias, recent_popularity
    residual: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Shares:
    """The score by history, telescoping: nothing → the rest → +E3 → +E2 → +E1. The order is part of the claim."""

    nothing: float
    rest: float
    reasons: tuple[float, ...]  # in the order of `reasons`


@dataclass(frozen=True, kw_only=True, slots=True)
class Provenance:
    version_id: int
    run_id: int
    history_hash: str
    candidates: int  # how many products were ranked
    torch: str
    device: str
    computed_at: int  # seconds since 1970, UTC
    offered: str = ""  # which products were on offer, see `OfferedProducts`; empty where nobody kept it


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    product_id: int
    cause: Cause
    status: Status
    target: Target
    reasons: tuple[Reason, ...] = ()
    opposing: tuple[Reason, ...] = ()
    split: Split | None = None
    shares: Shares | None = None
    counterfactual: Counterfactual | None = None  # None: no small change would remove it
    provenance: Provenance | None = None
    chances: dict[str, float] = field(default_factory=dict)  # calibrated, by the code of the event type
    extra: dict[str, int] = field(default_factory=dict)  # frozen, rounded counts that a cause names, e.g. buyers
    withholds: bool = False  # never stored: some of what was verified must not be named to who reads it now

    @property
    def band(self) -> Band:
        return Band.of(self.target.probability)

    @property
    def verified_reasons(self) -> tuple[Reason, ...]:
        return tuple(reason for reason in self.reasons if reason.is_verified)


def _number(value: float) -> float:
    """Six digits: what a claim needs, half the bytes."""
    return float(f"{value:.6g}")


def _part(value: float) -> float:
    """To the millionth, so that parts still add up: float32, in which scores are computed, holds no more."""
    return round(value, 6) + 0.0  # no -0.0


def _pack_reason(reason: Reason) -> dict[str, Any]:
    packed: dict[str, Any] = {
        "t": reason.type.value,
        "e": [[e.product_id, list(e.interaction_ids), e.event_type, e.times, e.last_at] for e in reason.evidence],
        "d": _number(reason.delta),
        "v": reason.is_verified,
    }
    optional = {
        "c": reason.category_id,
        "rw": reason.rank_without,
        "ro": reason.rank_only,
        "s": None if reason.share is None else _part(reason.share),
        "th": None if reason.threshold is None else _number(reason.threshold),
        "ev": reason.every_days,
    }
    return packed | {key: value for key, value in optional.items() if value is not None}


def _unpack_reason(packed: dict[str, Any]) -> Reason:
    return Reason(
        type=ReasonType(packed["t"]),
        evidence=tuple(
            Evidence(
                product_id=product,
                interaction_ids=tuple(ids),
                event_type=event_type,
                times=times,
                last_at=last_at,
            )
            for product, ids, event_type, times, last_at in packed["e"]
        ),
        category_id=packed.get("c"),
        delta=packed["d"],
        rank_without=packed.get("rw"),
        rank_only=packed.get("ro"),
        share=packed.get("s"),
        threshold=packed.get("th"),
        is_verified=packed["v"],
        every_days=packed.get("ev"),
    )


def pack(contract: Contract) -> dict[str, Any]:
    """The compact stored form of everything but the provenance, which a slate stores once."""
    target = contract.target
    packed: dict[str, Any] = {
        "p": contract.product_id,
        "c": contract.cause.value,
        "st": contract.status.value,
        "t": [
            _number(target.score),
            _number(target.log_probability),
            _number(target.probability),
            target.rank,
            target.empty_rank,
            target.runner_up_id,
        ],
    }
    if contract.reasons:
        packed["r"] = [_pack_reason(reason) for reason in contract.reasons]
    if contract.opposing:
        packed["o"] = [_pack_reason(reason) for reason in contract.opposing]
    if contract.split is not None:
        split = contract.split
        parts = {name: _part(part) for name, part in split.parts.items()}
        packed["s"] = [_part(split.baseline), parts, _part(split.residual)]
    if contract.shares is not None:
        packed["sh"] = [
            _part(contract.shares.nothing),
            _part(contract.shares.rest),
            [_part(share) for share in contract.shares.reasons],
        ]
    if contract.counterfactual is not None:
        change = contract.counterfactual
        packed["cf"] = [
            change.strength.value,
            list(change.removed),
            change.rank,
            change.replacement_id,
            *([] if change.category_id is None else [change.category_id]),
        ]
    if contract.chances:
        packed["ch"] = {code: _number(chance) for code, chance in contract.chances.items()}
    if contract.extra:
        packed["x"] = contract.extra
    return packed


def unpack(packed: dict[str, Any], provenance: Provenance | None = None) -> Contract:
    """The inverse of `pack`. Raises KeyError or ValueError on anything that `pack` did not write."""
    score, log_probability, probability, rank, empty_rank, runner_up_id = packed["t"]
    return Contract(
        product_id=packed["p"],
        cause=Cause(packed["c"]),
        status=Status(packed["st"]),
        target=Target(
            score=score,
            log_probability=log_probability,
            probability=probability,
            rank=rank,
            empty_rank=empty_rank,
            runner_up_id=runner_up_id,
        ),
        reasons=tuple(_unpack_reason(reason) for reason in packed.get("r", ())),
        opposing=tuple(_unpack_reason(reason) for reason in packed.get("o", ())),
        split=Split(baseline=packed["s"][0], parts=packed["s"][1], residual=packed["s"][2]) if "s" in packed else None,
        shares=Shares(
            nothing=packed["sh"][0],
            rest=packed["sh"][1],
            reasons=tuple(packed["sh"][2]),
        )
        if "sh" in packed
        else None,
        counterfactual=Counterfactual(
            strength=Strength(packed["cf"][0]),
            removed=tuple(packed["cf"][1]),
            rank=packed["cf"][2],
            replacement_id=packed["cf"][3],
            category_id=packed["cf"][4] if len(packed["cf"]) > 4 else None,
        )
        if "cf" in packed
        else None,
        provenance=provenance,
        chances=packed.get("ch", {}),
        extra=packed.get("x", {}),
    )


def pack_provenance(provenance: Provenance) -> list[Any]:
    return [
        provenance.version_id,
        provenance.run_id,
        provenance.history_hash,
        provenance.candidates,
        provenance.torch,
        provenance.device,
        provenance.computed_at,
        provenance.offered,
    ]


def unpack_provenance(packed: list[Any]) -> Provenance:
    version_id, run_id, history_hash, candidates, torch, device, computed_at, *offered = packed
    return Provenance(
        version_id=version_id,
        run_id=run_id,
        history_hash=history_hash,
        candidates=candidates,
        torch=torch,
        device=device,
        computed_at=computed_at,
        offered=offered[0] if offered else "",
    )
