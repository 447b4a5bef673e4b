"""One contract in words: what pages, the API and the admin show."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from catalog.models import Category, Product
from explanations.contract import Band, Cause, Contract, Counterfactual, Provenance, Status, Strength
from explanations.phrasing.lines import COUNTED_PEOPLE, context_of, label_of, line_of
from explanations.phrasing.names import Names
from explanations.phrasing.statements import Statement, statements
from explanations.phrasing.text import Segment, compose, grouped, ordinal, plain, time_of

TITLE_CHARACTERS = 48
BECAUSE = (Cause.HISTORY, Cause.HISTORY_GROUP)
OWN_HISTORY = (*BECAUSE, Cause.BUY_AGAIN)


@dataclass(frozen=True, kw_only=True, slots=True)
class Phrased:
    """Everything that may be said of one recommendation, in one language."""

    language: str
    label: str | None  # of a cause that is not a personal reason
    segments: tuple[Segment, ...]  # the line, with the products that it names
    claim: str  # the line as a sentence, with what was tested
    reasons: tuple[Statement, ...]
    opposing: tuple[Statement, ...]
    counterfactual: str | None
    band: str
    chance: str
    chances: dict[str, str]  # by the code of the event type
    provenance: str | None

    @property
    def line(self) -> str:
        return plain(self.segments)


def phrase(
    contract: Contract,
    *,
    products: Mapping[int, Product],
    categories: Mapping[int, Category],
    language: str | None = None,
) -> Phrased:
    """Phrase a contract in `language`, or in the active one. Names and numbers come from the contract only."""
    spoken = language or translation.get_language() or "en"
    with translation.override(spoken):
        names = Names(products=products, categories=categories)
        segments = line_of(contract, names)
        supporting, opposing = ((), ()) if contract.status is Status.WITHHELD else statements(contract, names)
        return Phrased(
            language=spoken,
            label=label_of(contract),
            segments=segments,
            claim=claim_of(contract, plain(segments)),
            reasons=supporting,
            opposing=opposing,
            counterfactual=_counterfactual(contract, names),
            band=_band(contract.band),
            chance=_chance(contract, names),
            chances={code: _share_of(probability) for code, probability in contract.chances.items()},
            provenance=_provenance(contract.provenance) if contract.provenance else None,
        )


def claim_of(contract: Contract, line: str) -> str:
    """With one reason, its replay belongs to the sentence; with several, each says its own."""
    verified = contract.verified_reasons
    if (
        contract.status is Status.VERIFIED
        and contract.cause in BECAUSE
        and len(verified) == 1
        and (without := verified[0].rank_without) is not None
        and without != contract.target.rank
    ):
        slots = {"line": line, "rank": ordinal(contract.target.rank), "without": ordinal(without)}
        template = _("%(line)s. If we left this out of your history, this would move from %(rank)s to %(without)s.")
        return plain(compose(template, slots))
    return plain(compose(_("%(line)s."), {"line": line}))


def _counterfactual(contract: Contract, names: Names) -> str | None:
    if contract.status is not Status.VERIFIED or contract.cause not in OWN_HISTORY:
        return None
    change = contract.counterfactual
    if change is None or not change.removed:
        return _("None of the changes that we tried (up to three things, or one group) would remove it.")
    slots: dict[str, Segment | str] = {"rank": ordinal(change.rank)}
    if change.category_id is None:
        titles = [names.product(pk, characters=TITLE_CHARACTERS) for pk in change.removed]
        slots |= dict(zip(("first", "second", "third"), titles, strict=False))
    else:
        slots |= {"count": grouped(len(change.removed)), "group": names.group(change.category_id)}
    if change.replacement_id is not None:
        slots["replacement"] = names.product(change.replacement_id, characters=TITLE_CHARACTERS)
    template = _without(change) if change.category_id is None else _without_group(change, is_named=bool(slots["group"]))
    return plain(compose(template, slots))


def _without(change: Counterfactual) -> str:
    """Whole sentences, one for each number of units, so that every language has its own word order."""
    number = min(len(change.removed), 3)
    if change.strength is Strength.LEAVES_LIST:
        return {
            1: _("Without “%(first)s” it would leave this list: it would be %(rank)s."),
            2: _("Without “%(first)s” and “%(second)s” it would leave this list: it would be %(rank)s."),
            3: _("Without “%(first)s”, “%(second)s” and “%(third)s” it would leave this list: it would be %(rank)s."),
        }[number]
    if change.replacement_id is None:
        return {
            1: _("Without “%(first)s” it would lose its place and be %(rank)s."),
            2: _("Without “%(first)s” and “%(second)s” it would lose its place and be %(rank)s."),
            3: _("Without “%(first)s”, “%(second)s” and “%(third)s” it would lose its place and be %(rank)s."),
        }[number]
    return {
        1: _("Without “%(first)s”, “%(replacement)s” would take its place; it would be %(rank)s."),
        2: _("Without “%(first)s” and “%(second)s”, “%(replacement)s” would take its place; it would be %(rank)s."),
        3: _(
            "Without “%(first)s”, “%(second)s” and “%(third)s”, “%(replacement)s” would take its place; "
            "it would be %(rank)s."
        ),
    }[number]


def _without_group(change: Counterfactual, *, is_named: bool) -> str:
    """Everything from one group; what may not be named is counted."""
    if change.strength is Strength.LEAVES_LIST:
        if is_named:
            return _("Without the %(count)s things from %(group)s it would leave this list: it would be %(rank)s.")
        return _("Without %(count)s things of one kind it would leave this list: it would be %(rank)s.")
    if is_named:
        return _(
            "Without the %(count)s things from %(group)s, “%(replacement)s” would take its place; it would be %(rank)s."
        )
    return _("Without %(count)s things of one kind, “%(replacement)s” would take its place; it would be %(rank)s.")


def _band(band: Band) -> str:
    return {
        Band.LOW: pgettext("chance", "Low chance"),
        Band.FAIR: pgettext("chance", "Fair chance"),
        Band.HIGH: pgettext("chance", "High chance"),
    }[band]


def _chance(contract: Contract, names: Names) -> str:
    """A calibrated probability as a share of recommendations like it, or of baskets with the product on the page."""
    context = context_of(contract)
    slots: dict[str, str | int | Segment] = {"band": _band(contract.band)}
    if context is not None:
        slots["title"] = names.product(context, characters=TITLE_CHARACTERS)
        if contract.extra.get("beside", 0) <= COUNTED_PEOPLE:  # a share of few people would tell what each of them did
            return plain(compose(_("%(band)s: too few people have bought “%(title)s” to say a share."), slots))
    return plain(compose(_chance_of(contract.target.probability, slots, in_baskets=context is not None), slots))


def _chance_of(probability: float, slots: dict[str, str | int | Segment], *, in_baskets: bool) -> str:
    """The sentence for a probability, no more exact than it is; adds its `count` to the slots."""
    if probability < 0.001:
        if in_baskets:
            return _("%(band)s: fewer than 1 in 1,000 baskets with “%(title)s” holds this too.")
        return _("%(band)s: of recommendations scored like this, fewer than 1 in 1,000 is in the next basket.")
    if probability >= 0.95:
        if in_baskets:
            return _("%(band)s: more than 9 in 10 baskets with “%(title)s” hold this too.")
        return _("%(band)s: of recommendations scored like this, more than 9 in 10 are in the next basket.")
    if probability >= 0.3:
        slots["count"] = max(3, min(9, round(probability * 10)))
        if in_baskets:
            return _("%(band)s: about %(count)s in 10 baskets with “%(title)s” hold this too.")
        return _("%(band)s: of recommendations scored like this, about %(count)s in 10 are in the next basket.")
    slots["count"] = grouped(_rounded(1 / probability))
    if in_baskets:
        return _("%(band)s: about 1 in %(count)s baskets with “%(title)s” holds this too.")
    return _("%(band)s: of recommendations scored like this, about 1 in %(count)s is in the next basket.")


def _share_of(probability: float) -> str:
    """The same for what a shopper does of one kind: its name stands beside it."""
    slots: dict[str, str | int | Segment] = {"band": _band(Band.of(probability))}
    if probability < 0.001:
        template = _("%(band)s: of recommendations scored like this, fewer than 1 in 1,000.")
    elif probability >= 0.95:
        template = _("%(band)s: of recommendations scored like this, more than 9 in 10.")
    elif probability >= 0.3:
        slots["count"] = max(3, min(9, round(probability * 10)))
        template = _("%(band)s: of recommendations scored like this, about %(count)s in 10.")
    else:
        slots["count"] = grouped(_rounded(1 / probability))
        template = _("%(band)s: of recommendations scored like this, about 1 in %(count)s.")
    return plain(compose(template, slots))


def _rounded(number: float) -> int:
    """Two significant figures, and the nearest whole number: 4.6 is 5."""
    return round(number) if number < 10 else int(float(f"{number:.2g}"))


def _provenance(provenance: Provenance) -> str:
    return _("Model version %(version)s, run %(run)s, computed %(time)s among %(candidates)s products.") % {
        "version": provenance.version_id,
        "run": provenance.run_id,
        "time": time_of(provenance.computed_at),
        "candidates": grouped(provenance.candidates),
    }
