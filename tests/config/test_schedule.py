from io import StringIO

from celery import current_app
from django.core.management import call_command
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from config import schedule
from config.schedule import ENTRIES, Outcome

REAPER, NIGHTLY, HOURLY, AUDIT, CLEAN_UP = (entry.name for entry in ENTRIES)


def test_the_schedule_is_installed_once(db: None) -> None:
    assert set(schedule.install().values()) == {Outcome.INSTALLED}
    assert set(schedule.install().values()) == {Outcome.KEPT}

    rows = PeriodicTask.objects.filter(name__in=[REAPER, NIGHTLY, HOURLY, AUDIT, CLEAN_UP]).order_by("pk")
    assert [(row.task, str(row.interval or row.crontab), row.enabled, row.queue) for row in rows] == [
        ("config.tasks.advance", "every 15 seconds", True, "default"),
        ("config.tasks.retrain_and_publish", "0 2 * * * (m/h/dM/MY/d) UTC", True, "default"),
        ("explanations.tasks.refresh_stale", "20 * * * * (m/h/dM/MY/d) UTC", True, "default"),
        ("explanations.tasks.audit", "0 5 * * * (m/h/dM/MY/d) UTC", True, "default"),
        ("recommendations.tasks.clean_up", "30 4 * * * (m/h/dM/MY/d) UTC", True, "default"),
    ]


def test_every_entry_names_a_task_that_exists() -> None:
    current_app.loader.import_default_modules()

    assert {entry.task for entry in ENTRIES} <= set(current_app.tasks)


def test_what_staff_edited_stays_edited(db: None) -> None:
    schedule.install()
    minute = IntervalSchedule.objects.create(every=1, period="minutes")
    PeriodicTask.objects.filter(name=REAPER).update(interval=minute, enabled=False, description="ours")
    PeriodicTask.objects.filter(name=NIGHTLY).update(name="Retrain on Sundays")

    for restore in (False, False, True):
        schedule.install(restore=restore)
        reaper = PeriodicTask.objects.get(name=REAPER)
        assert (reaper.interval, reaper.enabled, reaper.description) == (minute, False, "ours")
    assert PeriodicTask.objects.filter(name="Retrain on Sundays").exists()


def test_a_renamed_entry_is_not_installed_beside_itself(db: None) -> None:
    schedule.install()
    PeriodicTask.objects.filter(name=NIGHTLY).update(name="Retrain on Sundays")

    schedule.install()
    schedule.install(restore=True)

    assert PeriodicTask.objects.filter(task="config.tasks.retrain_and_publish").count() == 1


def test_what_staff_deleted_comes_back_only_when_asked(db: None) -> None:
    schedule.install()
    PeriodicTask.objects.filter(name=HOURLY).delete()
    output = StringIO()

    call_command("install_schedule", stdout=output)
    assert f"{HOURLY}: deleted by staff, not installed again (use --restore)\n" in output.getvalue()
    assert not PeriodicTask.objects.filter(name=HOURLY).exists()

    call_command("install_schedule", restore=True, stdout=output)
    assert f"{HOURLY}: installed\n" in output.getvalue()
    assert PeriodicTask.objects.filter(name=HOURLY).count() == 1


def test_the_ledger_does_not_disturb_migrations(db: None) -> None:
    schedule.install()

    call_command("migrate", check_unapplied=True, verbosity=0)
