"""A broker of their own for the fault tests, which kill it; and the test process in the role of beat."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.conf import settings
from django.utils import timezone
from kombu import Connection

from config.embedded import ensure_services, remove
from config.embedded.account import find_home
from recommendations import services
from tests.processes import Crew, crew

LEASE_SECONDS = 2.0


class Broker:
    """An embedded Valkey that nobody else uses."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self.url = ensure_services(base, postgres=False).redis_url

    def kill(self) -> None:
        pid = int((find_home(self._base).valkey_data / "valkey.pid").read_text())
        os.kill(pid, signal.SIGKILL)

    def start(self) -> None:
        assert ensure_services(self._base, postgres=False).redis_url == self.url


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    base = settings.LOCAL_DIR / "faults"
    remove(base)
    yield Broker(base)
    remove(base)


@pytest.fixture
def members(
    process_environment: dict[str, str], broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Crew]:
    """Workers on that broker, to which this process sends too; leases are short."""
    send_task = current_app.send_task
    connection = Connection(broker.url)
    for queue in ("precompute", "gpu", "realtime", "default"):
        connection.SimpleQueue(queue).clear()

    def send_to_ours(name: str, kwargs: dict[str, Any], queue: str) -> object:
        return send_task(name, kwargs=kwargs, queue=queue, connection=connection)

    monkeypatch.setattr(current_app, "send_task", send_to_ours)
    monkeypatch.setattr(settings, "LEASE_SECONDS", LEASE_SECONDS)
    environment = process_environment | {"REDIS_URL": broker.url, "LEASE_SECONDS": str(LEASE_SECONDS)}
    with crew(environment, tmp_path) as started:
        yield started
    connection.release()


@pytest.fixture
def beat() -> Callable[[Callable[[], bool], float], None]:
    """Advance the pipeline, as the schedule's reaper does, until a condition holds."""

    def advance_until(condition: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not done within {seconds} s"
            services.advance(at=timezone.now())
            time.sleep(0.2)

    return advance_until
