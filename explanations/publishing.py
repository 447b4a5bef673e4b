"""What explanations have to say before a run goes live: nothing, or why it must not."""

from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

from catalog.models import User
from explanations import refusals
from explanations.models import Audit, VersionCheck
from recommendations.models import Run


def obstacles(run: Run) -> list[str]:
    """Called by `recommendations.services.publish`, see `settings.PUBLISH_GUARDS`."""
    return [*_failed_audits(run), *_failed_checks(run)]


def _failed_audits(run: Run) -> list[str]:
    """Failed ones of the live model or of this run's that nobody has looked at: what made claims wrong may go on.

    One that passes afterwards proves nothing of the sample that failed.
    """
    concerned = Q(run__version__in=Run.objects.live().values("version")) | Q(run__version=run.version_id)
    failed = Audit.objects.filter(concerned, is_passed=False, acknowledged_at=None).order_by("-created_at", "-pk")
    text = _("The audit of %(run)s on %(at)s failed (%(failures)s). Look at it in the admin and acknowledge it.")
    return [
        text % {"run": audit.run, "at": f"{audit.created_at:%Y-%m-%d %H:%M}", "failures": audit.failures}
        for audit in failed.select_related("run")
    ]


def _failed_checks(run: Run) -> list[str]:
    """The version's explanations did not pass their gate."""
    check = VersionCheck.objects.filter(version=run.version_id).first()
    gate = check.measures.get("gate", []) if check is not None else []
    return [refusals.sentence(entry) for entry in gate if not entry["passed"]]


def acknowledge(*, audit: Audit, by: User, at: datetime) -> None:
    """Staff has looked at a failed audit; the first name stays."""
    Audit.objects.filter(pk=audit.pk, acknowledged_at=None).update(acknowledged_at=at, acknowledged_by=by)
