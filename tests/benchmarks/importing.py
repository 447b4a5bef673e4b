"""How fast and in how much memory the demo shop is imported, cleaned and streamed. Run by hand.

python -m tests.benchmarks.importing            the demo shop once
python -m tests.benchmarks.importing --times 5  five shops in one CSV file: the memory must not grow
"""

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()

from django.conf import settings
from django.db import connection
from django.utils import timezone
from pyarrow import parquet

from catalog import quality
from catalog.demo_shop import load, prepare
from catalog.importing import services
from catalog.models import Import, Partner


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--step", choices=["import", "clean"], help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        figures = _import(arguments.file) if arguments.step == "import" else _clean()
        sys.stdout.write(json.dumps(figures))
        return
    name = connection.creation.create_test_db(verbosity=0)
    try:
        with tempfile.TemporaryDirectory() as folder:
            file = _prepare(Path(folder), arguments.times)
            for step in ("import", "clean"):
                sys.stdout.write(f"{step}: {_in_a_process_of_its_own(step, file, name)}\n")
    finally:
        connection.creation.destroy_test_db("postgres", verbosity=0)


def _prepare(folder: Path, times: int) -> Path:
    prepared = prepare.write_files(into=folder)
    load.create_groups()
    partner = Partner.objects.create(slug="shop", name="Shop")
    services.run_import(kind=Import.Kind.PRODUCTS, partner=partner, source=prepared.products)
    return prepared.interactions if times == 1 else _several(prepared.interactions, times)


def _several(interactions: Path, times: int) -> Path:
    """The shop's rows several times, each time as other shoppers with other event ids."""
    path = interactions.with_suffix(".csv")
    with parquet.ParquetFile(interactions) as source, path.open("w", newline="") as file:
        writer = csv.writer(file)
        names = source.schema_arrow.names
        event_id, shopper = names.index("event_id"), names.index("shopper")
        writer.writerow(names)
        for number in range(times):
            for batch in source.iter_batches(batch_size=10_000):
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    values: list[Any] = list(row)  # as the file holds them
                    values[event_id] = f"{number}-{values[event_id]}"
                    values[shopper] = values[shopper] and f"{number}-{values[shopper]}"
                    writer.writerow(values)
    return path


def _in_a_process_of_its_own(step: str, file: Path, database: str) -> str:
    """So that the peak of its memory is its own."""
    command = [sys.executable, "-m", "tests.benchmarks.importing", "--step", step, "--file", str(file)]
    environment = {**os.environ, "TEST_DATABASE": database}
    finished = subprocess.run(
        command, env=environment, cwd=settings.BASE_DIR, check=True, stdout=subprocess.PIPE, text=True
    )
    figures = json.loads(finished.stdout)
    return ", ".join(f"{value:,} {unit}" for unit, value in figures.items())


def _import(file: Path) -> dict[str, float]:
    started = time.monotonic()
    source = services.run_import(kind=Import.Kind.INTERACTIONS, partner=Partner.objects.get(), source=file)
    seconds = time.monotonic() - started
    return {
        "rows": source.rows_merged,
        "s": round(seconds, 1),
        "rows/s": round(source.rows_merged / seconds),
        "MB at most": _peak(),
        "CPU-s here": round(time.process_time(), 1),
    }


def _clean() -> dict[str, float]:
    started = time.monotonic()
    report = quality.clean(cutoff_at=timezone.now())
    cleaned = time.monotonic()
    streamed = sum(len(rows) for rows in quality.stream_clean(report))
    return {
        "rows read": report.rows_read,
        "rows usable": streamed,
        "s to clean": round(cleaned - started, 1),
        "s to stream": round(time.monotonic() - cleaned, 1),
        "MB at most": _peak(),
    }


def _peak() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    main()
