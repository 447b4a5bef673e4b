"""Imports that are killed: resumed, they end as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection

from catalog import tasks
from catalog.importing import interactions, services
from catalog.importing.checks import staging_of
from catalog.importing.options import Options
from catalog.importing.progress import Progress
from catalog.models import Import, Interaction, Partner, Shopper
from tests.catalog.importing.files import CUP, HEADINGS, event_types, import_interactions
from tests.factories import NOON, PartnerFactory, ProductFactory

ROWS = 20_000
BAD = 20


class Interrupted(Exception):
    """Stands for a process that dies: nothing of ours catches it."""


@pytest.fixture
def partner(transactional_db: None) -> Partner:
    event_types()
    ProductFactory(external_id="cup")
    return PartnerFactory(slug="shop")


@pytest.fixture
def big_file(tmp_path: Path) -> Path:
    path = tmp_path / "interactions.csv"
    with path.open("w") as file:
        file.write(HEADINGS + "\n")
        for n in range(ROWS):
            product = "plate" if n % 1000 == 7 else "cup"
            file.write(f"e{n},s{n % 500},{product},purchase,2011-01-02T03:04:05Z,{n % 7 + 1},4.95,GBP\n")
    return path


def contents() -> list[tuple[object, ...]]:
    fields = ("event_id", "shopper__external_id", "product__external_id", "occurred_at", "quantity", "unit_price")
    return list(Interaction.objects.visible().order_by("event_id").values_list(*fields))


def test_an_import_that_is_killed_and_resumed_equals_one_that_was_not(
    partner: Partner, big_file: Path, process_environment: dict[str, str]
) -> None:
    program = (
        "import django; django.setup();"
        "from catalog.importing import interactions; interactions.CHUNK = 500;"
        "from django.core.management import call_command;"
        f"call_command('import_interactions', {str(big_file)!r}, partner='shop')"
    )
    process = subprocess.Popen([sys.executable, "-c", program], env=process_environment, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: Import.objects.filter(merged_through__gte=3_000, state="merging").exists())
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    source = Import.objects.get()
    merged = Interaction.objects.count()
    assert (source.state, 0 < merged < ROWS, Interaction.objects.visible().count()) == ("merging", True, 0)
    wait_until(lambda: not is_worked_on(source))

    services.resume_import(source=source)

    resumed, counts = contents(), (source.rows_read, source.rows_merged, source.rows_known, source.rows_rejected)
    assert counts == (ROWS, ROWS - BAD, 0, BAD)
    Interaction.objects.all().delete()
    Shopper.objects.all().delete()
    services.run_import(kind=Import.Kind.INTERACTIONS, partner=partner, source=big_file)
    assert resumed == contents()


@pytest.mark.parametrize("phase", ["reading", "checking", "merging"])
def test_an_import_that_is_interrupted_in_any_phase_is_resumed(
    partner: Partner, big_file: Path, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    monkeypatch.setattr(interactions, "CHUNK", 7_000)
    monkeypatch.setattr(services, "_SEGMENT", 10_000)

    def interrupt(progress: Progress) -> None:
        if (
            progress.phase == phase and progress.done in {20_000, 14_000, ROWS}
        ) or progress.phase == phase == "checking":
            raise Interrupted

    with pytest.raises(Interrupted):
        services.run_import(kind=Import.Kind.INTERACTIONS, partner=partner, source=big_file, progress=interrupt)
    assert Interaction.objects.visible().count() == 0

    source = services.resume_import(source=Import.objects.get())

    assert (source.state, source.rows_merged, source.rows_rejected) == (Import.State.FINISHED, ROWS - BAD, BAD)
    assert Interaction.objects.visible().count() == ROWS - BAD


def test_a_staging_table_that_a_crash_of_the_database_emptied_is_read_again(
    partner: Partner, big_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interactions, "CHUNK", 7_000)
    source = stop_while_merging(partner, big_file)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {staging_of(source).table.as_string()}")

    source = services.resume_import(source=source)

    assert (source.state, source.rows_merged, source.rows_known) == (Import.State.FINISHED, ROWS - BAD, 0)
    assert Interaction.objects.visible().count() == ROWS - BAD


def test_an_import_that_was_stopped_can_be_reverted_instead(
    partner: Partner, big_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interactions, "CHUNK", 7_000)
    source = stop_while_merging(partner, big_file)

    services.revert_import(source=source, at=NOON)

    assert Interaction.objects.count() == 0
    assert import_interactions(CUP, partner=partner).rows_merged == 1


def test_rows_that_came_through_a_pipe_cannot_be_read_again(partner: Partner) -> None:
    source = services.create_import(kind=Import.Kind.INTERACTIONS, partner=partner, filename="-", options=Options())

    with pytest.raises(services.ImportFailed, match="came through a pipe"):
        services.resume_import(source=source)


def test_an_upload_is_imported_by_a_worker_and_then_deleted(partner: Partner) -> None:
    name = default_storage.save("imports/interactions.csv", ContentFile(f"{HEADINGS}\n{CUP}\n"))
    source = services.create_import(
        kind=Import.Kind.INTERACTIONS, partner=partner, filename="interactions.csv", options=Options(upload=name)
    )

    tasks.run_import(import_id=source.pk)
    tasks.run_import(import_id=source.pk)  # delivered twice

    source.refresh_from_db()
    assert (source.state, source.rows_merged, default_storage.exists(name)) == ("finished", 1, False)


def test_an_upload_that_is_refused_says_why_in_its_row(partner: Partner) -> None:
    name = default_storage.save("imports/interactions.csv", ContentFile("event_id\n1\n"))
    source = services.create_import(
        kind=Import.Kind.INTERACTIONS, partner=partner, filename="interactions.csv", options=Options(upload=name)
    )

    tasks.run_import(import_id=source.pk)

    source.refresh_from_db()
    assert source.state == Import.State.FAILED
    assert '"product" is missing.' in source.error


def stop_while_merging(partner: Partner, path: Path) -> Import:
    def stop(progress: Progress) -> None:
        if progress.phase == "merging":
            raise Interrupted

    with pytest.raises(Interrupted):
        services.run_import(kind=Import.Kind.INTERACTIONS, partner=partner, source=path, progress=stop)
    source = Import.objects.get()
    assert (source.state, Interaction.objects.count(), Interaction.objects.visible().count()) == ("merging", 6_992, 0)
    return source


def is_worked_on(source: Import) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", [source.pk])
        return bool(cursor.fetchone()[0])


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "waited for a minute"
        time.sleep(0.02)
