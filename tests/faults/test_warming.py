"""What a worker has in memory before its first task."""

from pathlib import Path

import psutil
import pytest

from tests.processes import Crew, Worker, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def has_torch(worker: Worker) -> bool:
    """Of the worker's child, which runs the tasks."""
    children = psutil.Process(worker.pid).children()
    return any("libtorch" in Path(f"/proc/{child.pid}/maps").read_text() for child in children)


def test_a_worker_for_shoppers_loads_the_engine_ahead_and_others_do_not(members: Crew) -> None:
    other = members.start("default", app="config.celery")
    realtime = members.start("realtime", app="config.celery")
    other.wait_until_ready()
    realtime.wait_until_ready()

    wait_until(lambda: has_torch(realtime), seconds=60, what=f"the engine is loaded: {realtime.log()}")

    assert not has_torch(other)
