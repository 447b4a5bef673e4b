"""How often each cause stands behind what the live run shows."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from explanations.contract import Cause
from recommendations.models import Run


@dataclass(frozen=True, kw_only=True, slots=True)
class CauseShare:
    cause: Cause
    name: str
    count: int
    share: float

    @property
    def percent(self) -> int:
        return round(self.share * 100)


def live_run() -> Run | None:
    return Run.objects.live().select_related("version__snapshot").first()


def shares_by_cause(run: Run) -> list[CauseShare]:
    """The most frequent cause first; empty where the run did not count them."""
    counted = run.summary.get("causes", {})
    counts = {Cause(code): int(count) for code, count in counted.items() if code in set(Cause)}
    total = sum(counts.values())
    return [
        CauseShare(cause=cause, name=name_of(cause), count=count, share=count / total)
        for cause, count in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        if count
    ]


def name_of(cause: Cause) -> str:
    """The cause as a phrase, in the active language."""
    match cause:
        case Cause.HISTORY:
            return _("one product in your history")
        case Cause.HISTORY_GROUP:
            return _("several products in your history together")
        case Cause.VIEWED_PRODUCT:
            return _("the product you are looking at")
        case Cause.BUY_AGAIN:
            return _("what you buy again and again")
        case Cause.POPULAR:
            return _("popular in the whole shop")
        case Cause.NEW:
            return _("new in the shop")
        case Cause.NOT_PERSONAL:
            return _("the same for everyone")
