"""The sentences of a contract for those who may not see evidence: which kind of cause it is, and nothing of what it is.

What was done is evidence too, so it is "something in your history" whether that was bought or viewed.
"""

from django.utils.translation import gettext as _

from explanations.absences import Absence
from explanations.contract import Cause, Contract, Counterfactual, Reason, ReasonType, Status
from explanations.phrasing.text import compose, ordinal, plain


def line_of(contract: Contract, line: str) -> str:
    """Instead of `line`, which is kept where it names no evidence."""
    is_verified = contract.status is Status.VERIFIED and bool(contract.verified_reasons)
    match contract.cause:
        case Cause.HISTORY if is_verified:
            return _("Because of something in your history")
        case Cause.HISTORY_GROUP if is_verified:
            return _("Because of several things in your history")
        case Cause.BUY_AGAIN:
            return _("From your earlier purchases")
        case Cause.VIEWED_PRODUCT:
            return _("Similar to what you are viewing")
    return line


def evidence_of(reason: Reason) -> str:
    if reason.type is ReasonType.CONTEXT_PRODUCT:
        return _("the product on this page")
    return _("something in your history") if len(reason.evidence) == 1 else _("several things in your history")


def counterfactual_of(change: Counterfactual) -> str:
    sentence = (
        _("Without something in your history it would be %(rank)s.")
        if len(change.removed) == 1
        else _("Without several things in your history it would be %(rank)s.")
    )
    return plain(compose(sentence, {"rank": ordinal(change.rank)}))


def absence_of(absence: Absence) -> str:
    """Of causes that tell what the shopper did or wished."""
    if absence is Absence.BOUGHT:
        return _("Something in your history keeps it out of this list.")
    return _("Something that you told us keeps it out of this list.")
