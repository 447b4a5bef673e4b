"""What beat starts by itself: put into its table once, and from then on staff's to edit or delete."""

from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.db import connection, transaction
from django.db.migrations.recorder import MigrationRecorder
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

# Under this label Django's table of applied migrations remembers what was installed: an entry that is remembered
# but not there was deleted by staff. Beat's own tables cannot tell.
LEDGER = "config.schedule"


class Outcome(StrEnum):
    INSTALLED = "installed"
    KEPT = "kept as it is"
    DELETED = "deleted by staff, not installed again (use --restore)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One periodic task: every so many seconds, or daily or hourly at a time."""

    name: str
    task: str
    description: str
    seconds: int | None = None
    hour: str = "*"
    minute: str = "0"


ENTRIES = (
    Entry(
        name="Reaper: take every step of the pipeline that is due",
        task="config.tasks.advance",
        description="Sends again what a killed worker or a restarted broker lost. Keep it running.",
        seconds=15,
    ),
    Entry(
        name="Retrain and publish, nightly",
        task="config.tasks.retrain_and_publish",
        description="Trains on what is known now; precomputes and publishes it if it passes its gate.",
        hour="2",
    ),
    Entry(
        name="Refresh what is stale, hourly",
        task="explanations.tasks.refresh_stale",
        description="Renews slates of shoppers whose history changed and whose refresh got lost.",
        minute="20",
    ),
    Entry(
        name="Audit of explanations, nightly",
        task="explanations.tasks.audit",
        description="Checks one slate in a hundred by a second forward. What fails stops the next publish.",
        hour="5",
    ),
    Entry(
        name="Clean up, nightly",
        task="recommendations.tasks.clean_up",
        description="Deletes old runs, replaced slates, artifacts of nobody, and old notes of what was shown.",
        hour="4",
        minute="30",
    ),
)


def is_installed() -> bool:
    """Whether every entry was installed once, whatever staff did with it since."""
    remembered = {name for label, name in MigrationRecorder(connection).applied_migrations() if label == LEDGER}
    return remembered >= {entry.task for entry in ENTRIES}


@transaction.atomic
def install(*, restore: bool = False) -> dict[str, Outcome]:
    """Install the entries that never were, and with `restore` those that were deleted. What became of each name."""
    ledger = MigrationRecorder(connection)
    remembered = {name for label, name in ledger.applied_migrations() if label == LEDGER}
    present = set(PeriodicTask.objects.values_list("task", flat=True))  # staff may have renamed it
    outcomes: dict[str, Outcome] = {}
    for entry in ENTRIES:
        if entry.task in present:
            outcomes[entry.name] = Outcome.KEPT
        elif entry.task in remembered and not restore:
            outcomes[entry.name] = Outcome.DELETED
        else:
            _create(entry)
            outcomes[entry.name] = Outcome.INSTALLED
        if entry.task not in remembered:
            ledger.record_applied(LEDGER, entry.task)
    return outcomes


def _create(entry: Entry) -> None:
    schedule: dict[str, object]
    if entry.seconds is not None:
        # A message that nobody took in time is not needed any more: the next one does the same.
        schedule = {"interval": _interval(entry.seconds), "expire_seconds": entry.seconds}
    else:
        schedule = {"crontab": _crontab(entry)}
    PeriodicTask.objects.create(
        name=entry.name, task=entry.task, queue="default", description=entry.description, **schedule
    )


def _interval(seconds: int) -> IntervalSchedule:
    fields = {"every": seconds, "period": IntervalSchedule.SECONDS}
    return IntervalSchedule.objects.filter(**fields).first() or IntervalSchedule.objects.create(**fields)


def _crontab(entry: Entry) -> CrontabSchedule:
    fields = {"hour": entry.hour, "minute": entry.minute, "timezone": settings.TIME_ZONE}
    everyday = {"day_of_week": "*", "day_of_month": "*", "month_of_year": "*"} | fields
    return CrontabSchedule.objects.filter(**everyday).first() or CrontabSchedule.objects.create(**everyday)
