"""What explanations have to say before a run goes live: nothing, or why it must not."""

from datetime import datetime

from django.utils.translation import gettext as _

from catalog.models import User
from explanations.models import Audit, VersionCheck
from recommendations.models import Run


def obstacles(run: Run) -> list[str]:
    """Called by `recommendations.services.publish`, see `settings.PUBLISH_GUARDS`."""
    return [*_failed_audit(), *_failed_checks(run)]


def _failed_audit() -> list[str]:
    """The last audit of the live run failed and nobody has looked at it: what made its claims wrong may go on."""
    last = Audit.objects.filter(run__in=Run.objects.live()).order_by("-created_at", "-pk").first()
    if last is None or last.is_passed or last.acknowledged_at is not None:
        return []
    text = _("The last audit of the live run failed (%(failures)s). Look at it in the admin and acknowledge it.")
    return [text % {"failures": last.failures}]


def _failed_checks(run: Run) -> list[str]:
    """The version's explanations did not pass their gate."""
    check = VersionCheck.objects.filter(version=run.version_id).first()
    gate = check.measures.get("gate", []) if check is not None else []
    text = _("Explanations of this model failed the check %(code)s: %(value)s against %(bound)s.")
    return [text % entry for entry in gate if not entry["passed"]]


def acknowledge(*, audit: Audit, by: User, at: datetime) -> None:
    """Staff has looked at a failed audit; the first name stays."""
    Audit.objects.filter(pk=audit.pk, acknowledged_at=None).update(acknowledged_at=at, acknowledged_by=by)
