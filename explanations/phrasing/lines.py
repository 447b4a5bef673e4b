"""The one line under a product: its true cause, in at most 25 words or 60 characters.

"Because" is said of verified reasons only. What is a fact and not a cause is said as a fact.
"""

from collections.abc import Sequence

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from explanations.contract import Cause, Contract, Evidence, Reason, ReasonType, Status
from explanations.phrasing.names import Names
from explanations.phrasing.text import Segment, compose, date_of, grouped, is_chinese

Line = tuple[Segment, ...]
Slots = dict[str, str | int | Segment]

COUNTED_PEOPLE = 20  # counts of other shoppers are said above this only


def label_of(contract: Contract) -> str | None:
    """The small label of a cause that is not a personal reason; None where the line speaks for itself."""
    if contract.status is Status.WITHHELD:
        return _("No reason shown")
    labels = {
        Cause.POPULAR: pgettext("label", "Popular"),
        Cause.NEW: pgettext("label", "New"),
        Cause.NOT_PERSONAL: pgettext("label", "For everyone"),
    }
    return labels.get(contract.cause)


def line_of(contract: Contract, names: Names) -> Line:
    """Why the product stands there."""
    if contract.status is Status.WITHHELD:
        return compose(_("What led to this must not be named, so it is not shown"), {})
    match contract.cause:
        case Cause.HISTORY | Cause.HISTORY_GROUP:
            said = [reason for reason in contract.verified_reasons if reason.evidence]
            if contract.status is Status.VERIFIED and said:
                strongest = _strongest(said)
                if not contract.withholds:
                    return _because(strongest, names)
                also = compose(_(", and purchases we do not name here"), {})
                return (*_because(strongest[:1], names), *also)
            return compose(_("Fits your history as a whole; no single reason passed the check"), {})
        case Cause.VIEWED_PRODUCT:
            return _goes_with(contract, names)
        case Cause.BUY_AGAIN:
            return _again(contract, names)
        case Cause.POPULAR:
            return _popular(contract)
        case Cause.NEW:
            return compose(_("New in the shop; not chosen from your history"), {})
        case Cause.NOT_PERSONAL:
            return _not_personal(contract)


def _strongest(reasons: Sequence[Reason]) -> list[Reason]:
    return sorted(reasons, key=lambda reason: -reason.delta)


def _because(reasons: list[Reason], names: Names) -> Line:
    first = reasons[0]
    match first.type:
        case ReasonType.INTERACTION:
            second = next((other for other in reasons[1:] if other.type is ReasonType.INTERACTION), None)
            if len(first.evidence) == 1 and second is not None and len(second.evidence) == 1:
                return _because_of_two(first.evidence[0], second.evidence[0], names)
            return _because_of(first.evidence, names)
        case ReasonType.BASKET:
            return _because_of_basket(first.evidence, names)
        case ReasonType.CATEGORY:
            return _because_of_group(first, names)
        case ReasonType.ALIKE:
            return _because_of_alike(first.evidence, names)
        case ReasonType.CONTEXT_PRODUCT:
            return compose(_("Goes with “%(title)s”"), {"title": _title(first.evidence[0], names)})
        case ReasonType.REPEAT:
            return _repeat(first, names)


def _title(unit: Evidence, names: Names, *, of: int = 1) -> Segment:
    one, two = (36, 19) if is_chinese() else (48, 32)
    return names.product(unit.product_id, characters=one if of == 1 else two)


def _because_of(units: tuple[Evidence, ...], names: Names) -> Line:
    verb, more = names.verb(units), len(units) - 1
    slots: Slots = {"verb": verb, "title": _title(units[0], names, of=len(units)), "more": grouped(more)}
    if more == 1:
        return _because_of_two(units[0], units[1], names)
    if more == 0 and verb:
        return compose(_("Because you %(verb)s “%(title)s”"), slots)
    if more == 0:
        return compose(_("Because of “%(title)s” in your history"), slots)
    if verb:
        return compose(
            ngettext(
                "Because you %(verb)s “%(title)s” and %(more)s other thing",
                "Because you %(verb)s “%(title)s” and %(more)s other things",
                more,
            ),
            slots,
        )
    return compose(
        ngettext(
            "Because of “%(title)s” and %(more)s other thing in your history",
            "Because of “%(title)s” and %(more)s other things in your history",
            more,
        ),
        slots,
    )


def _because_of_two(first: Evidence, second: Evidence, names: Names) -> Line:
    slots: Slots = {
        "verb": names.verb((first, second)),
        "title": _title(first, names, of=2),
        "other": _title(second, names, of=2),
        "first_verb": names.verb((first,)),
        "second_verb": names.verb((second,)),
    }
    if slots["verb"]:
        return compose(_("Because you %(verb)s “%(title)s” and “%(other)s”"), slots)
    if slots["first_verb"] and slots["second_verb"]:
        return compose(_("Because you %(first_verb)s “%(title)s” and %(second_verb)s “%(other)s”"), slots)
    return compose(_("Because of “%(title)s” and “%(other)s” in your history"), slots)


def _because_of_basket(units: tuple[Evidence, ...], names: Names) -> Line:
    if len(units) == 1:
        return _because_of(units, names)
    at = max((unit.last_at for unit in units if unit.last_at is not None), default=None)
    verb = names.verb(units)
    slots: Slots = {"count": grouped(len(units)), "verb": verb, "date": date_of(at) if at is not None else ""}
    if not verb:
        return compose(_("Because of %(count)s things together in your history"), slots)
    if at is None:
        return compose(_("Because of %(count)s things you %(verb)s together"), slots)
    return compose(_("Because of %(count)s things you %(verb)s together on %(date)s"), slots)


def _because_of_alike(units: tuple[Evidence, ...], names: Names) -> Line:
    verb, more = names.verb(units), len(units) - 1
    if more == 0:
        return _because_of(units, names)
    slots: Slots = {"verb": verb, "title": _title(units[0], names), "more": grouped(more)}
    if verb:
        return compose(
            ngettext(
                "Because you %(verb)s “%(title)s” and %(more)s thing like it",
                "Because you %(verb)s “%(title)s” and %(more)s things like it",
                more,
            ),
            slots,
        )
    return compose(
        ngettext(
            "Because of “%(title)s” and %(more)s thing like it in your history",
            "Because of “%(title)s” and %(more)s things like it in your history",
            more,
        ),
        slots,
    )


def _because_of_group(reason: Reason, names: Names) -> Line:
    group, verb, count = names.group(reason.category_id), names.verb(reason.evidence), len(reason.evidence)
    slots: Slots = {"group": group, "verb": verb, "count": grouped(count)}
    if count == 1:
        return _because_of(reason.evidence, names)
    if group and verb:
        return compose(_("Because of %(count)s things you %(verb)s in %(group)s"), slots)
    if group:
        return compose(_("Because of %(count)s things from %(group)s in your history"), slots)
    if verb:
        return compose(_("Because of %(count)s things you %(verb)s"), slots)
    return compose(_("Because of %(count)s things in your history"), slots)


def context_of(contract: Contract) -> int | None:
    """The product on whose page the recommendation stands, where there is one."""
    units = (reason.evidence for reason in contract.reasons if reason.type is ReasonType.CONTEXT_PRODUCT)
    return next((unit.product_id for evidence in units for unit in evidence), None)


def _goes_with(contract: Contract, names: Names) -> Line:
    context = context_of(contract)
    if context is None:
        return compose(_("Similar to what you are viewing"), {})
    slots: Slots = {"title": names.product(context, characters=36 if is_chinese() else 48)}
    return compose(_("Goes with “%(title)s”"), slots)


def _again(contract: Contract, names: Names) -> Line:
    repeats = [reason for reason in contract.reasons if reason.type is ReasonType.REPEAT and reason.evidence]
    return _repeat(repeats[0], names) if repeats else compose(_("From your earlier purchases"), {})


def _repeat(reason: Reason, names: Names) -> Line:
    unit, verb = reason.evidence[0], names.verb(reason.evidence[:1])
    slots: Slots = {"verb": verb, "count": grouped(unit.times), "date": date_of(unit.last_at) if unit.last_at else ""}
    if not verb:
        return compose(_("From your earlier purchases"), {})
    if unit.times > 1 and reason.every_days:
        slots["interval"] = interval(reason.every_days)
        return compose(_("You %(verb)s this %(count)s times, usually every %(interval)s"), slots)
    if unit.times > 1:
        return compose(_("You %(verb)s this %(count)s times"), slots)
    if slots["date"]:
        return compose(_("You %(verb)s this on %(date)s"), slots)
    return compose(_("You %(verb)s this before"), slots)


def interval(days: int) -> str:
    """A median number of days, as one says it: 42 days are 6 weeks."""
    if days < 14:
        return ngettext("day", "%(count)s days", days) % {"count": days}
    if days < 60:
        weeks = round(days / 7)
        return ngettext("week", "%(count)s weeks", weeks) % {"count": weeks}
    months = round(days / 30.44)
    return ngettext("month", "%(count)s months", months) % {"count": months}


def _buyers(contract: Contract) -> int:
    """How many other shoppers bought it; 0 where they are too few to be counted aloud."""
    buyers = contract.extra.get("buyers", 0)
    return buyers if buyers > COUNTED_PEOPLE else 0


def _popular(contract: Contract) -> Line:
    if buyers := _buyers(contract):
        slots: Slots = {"count": grouped(buyers)}
        return compose(_("Bought by about %(count)s shoppers; not chosen from your history"), slots)
    if context_of(contract) is not None:
        return compose(_("Popular in the whole shop, not beside this product alone"), {})
    return compose(_("Popular in the whole shop; not chosen from your history"), {})


def _not_personal(contract: Contract) -> Line:
    if buyers := _buyers(contract):
        return compose(_("Bought by about %(count)s shoppers"), {"count": grouped(buyers)})
    return compose(_("The same for everyone; no history is used"), {})
