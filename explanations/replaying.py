"""Replay: what is stored is computed anew, now, and compared; or computed by another version."""

from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from catalog.models import Product
from explanations.asking import FAILED, Answer, about, ask
from explanations.contract import Contract, Reason, unpack
from explanations.inspection import Inspected
from explanations.moves import Moves, moves
from explanations.phrasing import Phrased, phrase
from explanations.phrasing.text import title_of
from recommendations.figures import label
from recommendations.models import ModelVersion, Slate

TOLERANCE = 1e-4  # of Δ log p: what another version of torch or another processor may change in the last bits
FIRST = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One fact as it is stored and as it comes now."""

    what: str
    stored: str
    now: str
    is_equal: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """`None` everywhere while the worker has not answered."""

    is_pending: bool
    is_failed: bool = False
    is_gone: bool = False  # the product is not in the list any more
    is_other_history: bool = False  # something was taken out of the history since
    seconds: float = 0.0
    differences: tuple[Difference, ...] = ()

    @property
    def is_equal(self) -> bool:
        return bool(self.differences) and all(difference.is_equal for difference in self.differences)


def replayed(row: Inspected, *, wait: float | None = None) -> Replayed:
    """One recommendation computed again by the version, of the history and as of the moment of its slate."""
    answer = ask(about(row.slate, "replay"), wait=wait)
    if answer is None:
        return Replayed(is_pending=True)
    if FAILED in answer:
        return Replayed(is_pending=False, is_failed=True)
    contracts = _contracts(answer)
    now = contracts.get(row.contract.product_id)
    provenance = row.contract.provenance
    return Replayed(
        is_pending=False,
        is_gone=now is None,
        is_other_history=provenance is not None and answer["history_hash"] != provenance.history_hash,
        seconds=answer["seconds"],
        differences=tuple(_differences(row, now)) if now is not None else (),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """What one thing in the history adds on average, in whatever order things are left out."""

    name: str
    value: float
    error: float
    place: int  # among our reasons, from 1; 0: not named
    delta: float | None  # what leaving it out alone changes, where that is stored


@dataclass(frozen=True, kw_only=True, slots=True)
class SecondOpinion:
    """Shapley values beside the stored reasons, most first."""

    is_pending: bool
    is_failed: bool = False
    opinions: tuple[Opinion, ...] = ()
    total: float = 0.0  # log p with the history - log p without any: what the values add up to
    orders: int = 0
    seconds: float = 0.0
    named: int = 0  # things that the verified reasons name
    agree: int = 0  # of these, how many are among as many first by Shapley value


def second_opinion(row: Inspected, *, wait: float | None = None) -> SecondOpinion:
    """By another method, over the same removals and the same model."""
    answer = ask(about(row.slate, "shapley", product_id=row.contract.product_id), wait=wait)
    if answer is None:
        return SecondOpinion(is_pending=True)
    if FAILED in answer:
        return SecondOpinion(is_pending=False, is_failed=True)
    if not answer["units"]:
        return SecondOpinion(is_pending=False)
    places: dict[int, int] = {}
    for place, reason in enumerate(row.contract.verified_reasons, start=1):
        for unit in reason.evidence:
            places.setdefault(unit.product_id, place)
    alone = {
        reason.evidence[0].product_id: reason.delta
        for reason in (*row.contract.reasons, *row.contract.opposing)
        if len(reason.evidence) == 1 and reason.rank_without is not None
    }
    units = sorted(answer["units"], key=lambda unit: (-unit["value"], unit["product"]))
    names = Product.objects.in_bulk([unit["product"] for unit in units])
    return SecondOpinion(
        is_pending=False,
        opinions=tuple(
            Opinion(
                name=title_of(names[unit["product"]]) if unit["product"] in names else f"#{unit['product']}",
                value=unit["value"],
                error=unit["error"],
                place=places.get(unit["product"], 0),
                delta=alone.get(unit["product"]),
            )
            for unit in units
        ),
        total=answer["sum"],
        orders=answer["orders"],
        seconds=answer["seconds"],
        named=len(places),
        agree=sum(unit["product"] in places for unit in units[: len(places)]),
    )


def _contracts(answer: Answer) -> dict[int, Contract]:
    return {packed["p"]: unpack(packed) for packed in answer["contracts"]}


def _differences(row: Inspected, now: Contract) -> list[Difference]:
    stored = row.contract
    found = [
        _same(_("cause"), label(stored.cause.value), label(now.cause.value)),
        _same(_("status"), label(stored.status.value), label(now.status.value)),
        _same(_("rank"), stored.target.rank, now.target.rank),
        _same(_("rank with an empty history"), stored.target.empty_rank, now.target.empty_rank),
        _close(_("score"), stored.target.score, now.target.score),
        _close(_("log p"), stored.target.log_probability, now.target.log_probability),
        _close(_("chance"), stored.target.probability, now.target.probability),
    ]
    again = {(side, _key(reason)): reason for side, reason in _sided(now)}
    for side, reason in _sided(stored):
        name = row.evidence(reason)
        other = again.pop((side, _key(reason)), None)
        if other is None:
            found.append(Difference(what=name, stored=f"Δ {reason.delta:.5f}", now="—", is_equal=False))
            continue
        found.append(_close(_("Δ log p: %(name)s") % {"name": name}, reason.delta, other.delta))
        found.append(_same(_("rank without: %(name)s") % {"name": name}, reason.rank_without, other.rank_without))
        found.append(_same(_("verified: %(name)s") % {"name": name}, reason.is_verified, other.is_verified))
    found += [
        Difference(what=row.evidence(reason), stored="—", now=f"Δ {reason.delta:.5f}", is_equal=False)
        for reason in again.values()
    ]
    change, changed = stored.counterfactual, now.counterfactual
    found.append(
        _same(
            _("what would move it away"),
            _change(row, change) if change is not None else "—",
            _change(row, changed) if changed is not None else "—",
        )
    )
    return found


def _change(row: Inspected, change: Any) -> str:
    removed = ", ".join(row.name(pk) for pk in change.removed)
    return f"{removed} → {label(change.strength.value)}, {change.rank}, {row.name(change.replacement_id)}"


def _sided(contract: Contract) -> list[tuple[str, Reason]]:
    """What belongs to the set that carries a product may speak against it alone: then it is named on both sides."""
    return [("for", each) for each in contract.reasons] + [("against", each) for each in contract.opposing]


def _key(reason: Reason) -> tuple[str, frozenset[int], bool]:
    """A repeat may be named twice: as a reason that was replayed, and as a fact that claims nothing."""
    products = frozenset(unit.product_id for unit in reason.evidence)
    return reason.type.value, products, reason.rank_without is not None


def _same(what: str, stored: object, now: object) -> Difference:
    return Difference(what=what, stored=_said(stored), now=_said(now), is_equal=stored == now)


def _said(value: object) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return "—" if value is None else str(value)


def _close(what: str, stored: float, now: float) -> Difference:
    allowed = TOLERANCE * max(1.0, abs(stored))
    return Difference(what=what, stored=f"{stored:.6f}", now=f"{now:.6f}", is_equal=abs(stored - now) <= allowed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One product in one of the two lists."""

    place: int
    status: str
    status_label: str
    phrased: Phrased


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    product: Product | None
    product_id: int
    one: Side | None
    other: Side | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """A slate beside the one that another version would make of the same history at the same moment."""

    is_pending: bool
    is_failed: bool = False
    pairs: tuple[Pair, ...] = ()
    moves: Moves | None = None
    agree: int = 0  # of the first ten of both, how many give the same cause and the same first reason


def compared(slate: Slate, rows: list[Inspected], version: ModelVersion, *, wait: float | None = None) -> Compared:
    """The first ten of both."""
    answer = ask(about(slate, "by_version", version_id=version.pk), wait=wait)
    if answer is None:
        return Compared(is_pending=True)
    if FAILED in answer:
        return Compared(is_pending=False, is_failed=True)
    others = list(_contracts(answer).values())[:FIRST]
    own = [row.contract for row in rows[:FIRST]]
    cited = {pk for contract in others for reason in contract.reasons for pk in _key(reason)[1]}
    cited |= {contract.product_id for contract in others}
    products = dict(rows[0].products) if rows else {}
    products |= Product.objects.in_bulk(cited - products.keys())
    categories = rows[0].categories if rows else {}

    def side(place: int, contract: Contract) -> Side:
        shown = replace(contract, provenance=None)
        return Side(
            place=place,
            status=contract.status.value,
            status_label=label(contract.status.value),
            phrased=phrase(shown, products=products, categories=categories),
        )

    left = {contract.product_id: side(place, contract) for place, contract in enumerate(own, start=1)}
    right = {contract.product_id: side(place, contract) for place, contract in enumerate(others, start=1)}
    order = [*left, *(pk for pk in right if pk not in left)]
    before = {contract.product_id: contract for contract in own}
    return Compared(
        is_pending=False,
        pairs=tuple(
            Pair(product=products.get(pk), product_id=pk, one=left.get(pk), other=right.get(pk)) for pk in order
        ),
        moves=moves(list(left), list(right)),
        agree=sum(_first(before[c.product_id]) == _first(c) for c in others if c.product_id in before),
    )


def _first(contract: Contract) -> tuple[str, object]:
    reasons = contract.verified_reasons
    return contract.cause.value, _key(max(reasons, key=lambda reason: reason.delta)) if reasons else None
