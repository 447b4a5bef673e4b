"""What audits, the gate and the rewriting checker have to say to staff."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.admin_cards import Alert, Figure
from catalog.admin_links import list_url, row_url
from explanations.models import Audit, Rewriting, VersionCheck
from explanations.refusals import sentence
from explanations.rewriting.checker import Rejection
from recommendations.models import Run

RECENT = timedelta(days=7)
STALE = timedelta(hours=48)  # audits run every night
MOST = 3
MOST_REJECTED = 0.5  # of the lines that were reworded
FEWEST_REWRITTEN = 20  # below that nothing can be said

CAUSES = {
    Rejection.UNREACHABLE: gettext_lazy("no answer"),
    Rejection.SLOW: gettext_lazy("too slow"),
    Rejection.EMPTY: gettext_lazy("empty"),
    Rejection.CHARACTERS: gettext_lazy("markup or unknown signs"),
    Rejection.ENTITY: gettext_lazy("a word or name of its own"),
    Rejection.NUMBER: gettext_lazy("a number of its own"),
    Rejection.CAUSAL: gettext_lazy("a cause that is not verified"),
    Rejection.SUPERLATIVE: gettext_lazy("praise"),
    Rejection.TRAIT: gettext_lazy("a trait of the shopper"),
    Rejection.SENSITIVE: gettext_lazy("something sensitive"),
    Rejection.LOST: gettext_lazy("something is lost"),
    Rejection.LENGTH: gettext_lazy("too long"),
}


def audits(run: Run | None, *, at: datetime) -> list[Alert]:
    """Failed ones of the last days with what failed, and a live run that nobody audits."""
    if run is None or run.published_at is None:
        return []
    found = []
    failed = Audit.objects.filter(run__version=run.version_id, is_passed=False).select_related("acknowledged_by")
    waiting = Q(acknowledged_at=None) | Q(created_at__gte=at - RECENT)
    for audit in failed.filter(waiting).order_by("-created_at", "-pk")[:MOST]:
        text = _("The audit of %(at)s failed: %(failures)s.")
        slots = {"at": f"{audit.created_at:%Y-%m-%d %H:%M}", "failures": audit.failures}
        if audit.acknowledged_by is None:
            mend = _("Publishing waits until somebody has looked at it and acknowledged it.")
        else:
            mend = _("Acknowledged by %(name)s.") % {"name": audit.acknowledged_by}
        kind = "alarm" if audit.acknowledged_by is None else "warning"
        found.append(Alert(text=text % slots, mend=mend, url=row_url(audit), kind=kind))
    last = Audit.objects.filter(run=run).order_by("-created_at").values_list("created_at", flat=True).first()
    if at - max(run.published_at, last or run.published_at) > STALE:
        text = (
            _("The live run was never audited.")
            if last is None
            else _("The live run was last audited on %(at)s.") % {"at": f"{last:%Y-%m-%d %H:%M}"}
        )
        mend = _("Audits run every night: is beat running, and a worker taking the queue default?")
        found.append(Alert(text=text, mend=mend, url=list_url(Audit), kind="alarm"))
    return found


def last_audit(run: Run | None) -> list[Figure]:
    audit = Audit.objects.filter(run=run).order_by("-created_at", "-pk").first() if run is not None else None
    if audit is None:
        return []
    note = _("%(compared)s of %(slates)s lists checked by a forward of its own, %(at)s")
    slots = {
        "compared": f"{audit.compared:,}",
        "slates": f"{audit.slates:,}",
        "at": f"{audit.created_at:%Y-%m-%d %H:%M}",
    }
    value = _("passed") if audit.is_passed else _("failed")
    return [Figure(name=_("Last audit"), value=value, note=note % slots, url=row_url(audit), is_words=True)]


def refusals(run: Run | None) -> list[Alert]:
    """Versions after the live one whose explanations did not pass their gate: their runs cannot be published."""
    newer = VersionCheck.objects.select_related("version").order_by("-version")
    if run is not None:
        newer = newer.filter(version__gt=run.version_id)
    found = []
    for check in newer[:MOST]:
        failed = [entry for entry in check.measures.get("gate", ()) if not entry["passed"]]
        if failed:
            text = _("Explanations of %(version)s did not pass their gate. %(failed)s")
            listed = " ".join(sentence(entry) for entry in failed)
            mend = _("Its runs cannot be published.")
            url = row_url(check)
            found.append(Alert(text=text % {"version": check.version, "failed": listed}, mend=mend, url=url))
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejections:
    """Of the lines reworded in the last days: how many, how many the checker refused, and why."""

    asked: int
    causes: tuple[tuple[str, int], ...]  # most frequent first

    @property
    def rejected(self) -> int:
        return sum(count for _cause, count in self.causes)


def rejections(*, at: datetime) -> Rejections:
    counted = dict(
        Rewriting.objects.filter(created_at__gte=at - RECENT)
        .values_list("rejection")
        .annotate(count=Count("pk"))
        .order_by("-count", "rejection")
    )
    asked = sum(counted.values())
    return Rejections(asked=asked, causes=tuple((code, count) for code, count in counted.items() if code))


def of_rewriting(rejected: Rejections) -> list[Alert]:
    if rejected.asked < FEWEST_REWRITTEN or rejected.rejected <= MOST_REJECTED * rejected.asked:
        return []
    text = _("%(rejected)s of %(asked)s rewritings of the last seven days were not used, most for: %(cause)s.")
    code, _count = rejected.causes[0]
    slots = {"rejected": f"{rejected.rejected:,}", "asked": f"{rejected.asked:,}", "cause": cause_of(code)}
    mend = _("The templates stand. Another model, or none, may serve better.")
    return [Alert(text=text % slots, mend=mend, url=list_url(Rewriting, rejection=code))]


def cause_of(code: str) -> str:
    return next((str(words) for cause, words in CAUSES.items() if cause == code), code)
