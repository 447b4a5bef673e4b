"""What the why-panel says of each reason: what it is, when it was, and what would happen without it."""

from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from explanations.contract import Contract, Evidence, Reason, ReasonType, Target
from explanations.phrasing.lines import interval
from explanations.phrasing.names import Names
from explanations.phrasing.text import Segment, compose, date_of, grouped, ordinal, plain

TITLE_CHARACTERS = 60
NAMED_UNITS = 4  # of a group or basket, the rest is counted


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """One reason in words, with its bar on the zero line that all of an explanation share."""

    reason: Reason
    type: ReasonType
    title: str  # "3 things in Kitchen", or the product's
    products: tuple[Segment, ...]  # named evidence
    detail: str  # bought 3 times, last on 12 March 2011
    effect: str  # would drop from 2nd to 14th without it
    alone: str  # with only this it would be 4th; empty where not replayed
    bar: float  # -1 to 1
    unnamed: int  # how many units are not among the products

    @property
    def left(self) -> int:
        """Where the bar of an opposing reason begins, left of the zero at 101."""
        return 101 - self.percent

    @property
    def percent(self) -> int:
        """Length of the bar in hundredths of its half."""
        return max(1, round(abs(self.bar) * 100))


def statements(contract: Contract, names: Names) -> tuple[tuple[Statement, ...], tuple[Statement, ...]]:
    """Supporting and opposing, strongest first. Only what was replayed on the model is said."""
    supporting = sorted(
        (reason for reason in contract.verified_reasons if reason.evidence), key=lambda reason: -reason.delta
    )
    replayed = (each for each in contract.opposing if each.is_verified or each.rank_without is not None)
    opposing = sorted(
        (reason for reason in replayed if reason.evidence),
        key=lambda reason: reason.delta,
    )
    longest = max((abs(reason.delta) for reason in [*supporting, *opposing]), default=0.0) or 1.0
    return (
        tuple(_statement(reason, contract.target, longest, names) for reason in supporting),
        tuple(_statement(reason, contract.target, longest, names) for reason in opposing),
    )


def _statement(reason: Reason, target: Target, longest: float, names: Names) -> Statement:
    units = reason.evidence
    named = tuple(names.product(unit.product_id, characters=TITLE_CHARACTERS) for unit in units[:NAMED_UNITS])
    return Statement(
        reason=reason,
        type=reason.type,
        title=_title(reason, named, names),
        products=named,
        detail=_detail(reason, names),
        effect=effect_of(reason, target),
        alone=_alone(reason),
        unnamed=len(units) - len(named),
        bar=max(-1.0, min(1.0, reason.delta / longest)),
    )


def _title(reason: Reason, named: tuple[Segment, ...], names: Names) -> str:
    count = len(reason.evidence)
    if count == 1:
        return named[0].text
    group = names.group(reason.category_id)
    if reason.type is ReasonType.CATEGORY and group:
        return plain(compose(_("%(count)s things in %(group)s"), {"count": grouped(count), "group": group}))
    if reason.type is ReasonType.BASKET:
        return plain(compose(_("%(count)s things together"), {"count": grouped(count)}))
    if reason.type is ReasonType.ALIKE:
        return plain(compose(_("%(count)s things that are alike"), {"count": grouped(count)}))
    return plain(compose(_("%(count)s things in your history"), {"count": grouped(count)}))


def _detail(reason: Reason, names: Names) -> str:
    if reason.type is ReasonType.CONTEXT_PRODUCT:
        return _("the product on this page")
    units = reason.evidence
    verb, times = names.verb(units), sum(unit.times for unit in units)
    last_at = max((unit.last_at for unit in units if unit.last_at is not None), default=None)
    slots = {
        "verb": verb or _("in your history"),
        "times": grouped(times),
        "date": date_of(last_at) if last_at is not None else "",
        "interval": interval(reason.every_days) if reason.every_days else "",
    }
    is_repeated = len(units) == 1 and times > 1
    if is_repeated and slots["interval"] and slots["date"]:
        return _("%(verb)s %(times)s times, usually every %(interval)s, last on %(date)s") % slots
    if is_repeated and slots["date"]:
        return _("%(verb)s %(times)s times, last on %(date)s") % slots
    if is_repeated:
        return _("%(verb)s %(times)s times") % slots
    if slots["date"]:
        return (_("%(verb)s on %(date)s") if len(units) == 1 else _("%(verb)s, last on %(date)s")) % slots
    return slots["verb"]


def effect_of(reason: Reason, target: Target) -> str:
    """What the replay without it showed, or the direction where only the score was compared."""
    count = len(reason.evidence)
    if reason.rank_without is None:
        return _("speaks for it") if reason.delta > 0 else _("speaks against it") if reason.delta < 0 else ""
    slots = {"rank": ordinal(target.rank), "without": ordinal(reason.rank_without)}
    if reason.rank_without > target.rank:
        return (
            ngettext(
                "would drop from %(rank)s to %(without)s without it",
                "would drop from %(rank)s to %(without)s without them",
                count,
            )
            % slots
        )
    if reason.rank_without < target.rank:
        return (
            ngettext(
                "would rise from %(rank)s to %(without)s without it",
                "would rise from %(rank)s to %(without)s without them",
                count,
            )
            % slots
        )
    if reason.delta >= 0:
        return _("would stay %(rank)s without it, with a lower score") % slots
    return _("would stay %(rank)s without it, with a higher score") % slots


def _alone(reason: Reason) -> str:
    if reason.rank_only is None:
        return ""
    return ngettext(
        "with only this in your history it would be %(rank)s",
        "with only these in your history it would be %(rank)s",
        len(reason.evidence),
    ) % {"rank": ordinal(reason.rank_only)}


def units_of(contract: Contract) -> tuple[Evidence, ...]:
    """The evidence units of verified reasons, each once: what a shopper may ask us not to use."""
    seen: dict[int, Evidence] = {}
    for reason in contract.verified_reasons:
        if reason.type is not ReasonType.CONTEXT_PRODUCT:
            for unit in reason.evidence:
                seen.setdefault(unit.product_id, unit)
    return tuple(seen.values())
