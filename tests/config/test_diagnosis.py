import json
from datetime import timedelta
from io import StringIO

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from pytest_django.fixtures import Settings

from config import diagnosis
from config.beat import SEEN_KEY
from config.diagnosis import Finding, Level
from tests.factories import NOON
from tests.worlds import live_shop, publish


def _unreachable_broker(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"


def test_a_migrated_database_is_well(db: None) -> None:
    finding = diagnosis.database(NOON)

    assert finding.level is Level.OK
    assert finding.detail.endswith(f"{connection.settings_dict['NAME']}, all migrations applied")


def test_search_and_vector_extensions_are_there(db: None) -> None:
    assert diagnosis.extensions(NOON).level is Level.OK


def test_a_silent_broker_is_named_with_its_remedy(settings: Settings) -> None:
    _unreachable_broker(settings)

    finding = diagnosis.broker(NOON)

    assert (finding.level, finding.remedy) == (Level.ERROR, "start Valkey or Redis, or correct REDIS_URL")


def test_queues_without_a_worker_are_listed() -> None:
    finding = diagnosis.workers(NOON)

    assert (finding.level, finding.detail) == (Level.ERROR, "nobody serves: default, realtime, precompute, gpu")
    assert finding.remedy == "celery -A config worker -Q default,realtime,precompute,gpu"


def test_beat_is_missed_until_it_is_seen() -> None:
    cache.delete(SEEN_KEY)
    assert diagnosis.beat(NOON).level is Level.ERROR

    cache.set(SEEN_KEY, (NOON - timedelta(seconds=3)).isoformat(), 10)

    assert diagnosis.beat(NOON) == Finding(check="beat", level=Level.OK, detail="seen 3 s ago")


def test_a_shop_without_a_live_run_is_told_so(db: None) -> None:
    assert diagnosis.live_run(NOON).level is Level.ERROR


@pytest.mark.parametrize(("hours", "level"), [(47, Level.OK), (49, Level.WARNING)])
def test_a_live_run_grows_stale_after_two_days(db: None, hours: int, level: Level) -> None:
    publish(live_shop().run, at=NOON - timedelta(hours=hours))

    assert diagnosis.live_run(NOON).level is level


def test_doctor_speaks_json_and_its_exit_code_tells(db: None) -> None:
    output = StringIO()

    with pytest.raises(SystemExit) as exit_code:
        call_command("doctor", "--json", stdout=output)

    assert exit_code.value.code == 1
    assert [finding["check"] for finding in json.loads(output.getvalue())] == [
        "database",
        "extensions",
        "broker",
        "workers",
        "beat",
        "live run",
        "translations",
        "disk",
        "rewriting",
    ]


def test_doctor_gives_a_line_to_each_check_and_a_remedy_to_each_fault(db: None) -> None:
    output = StringIO()

    with pytest.raises(SystemExit):
        call_command("doctor", stdout=output, no_color=True)

    lines = output.getvalue().splitlines()
    assert len(lines) == 9
    assert all("→" in line for line in lines if not line.startswith("ok"))
