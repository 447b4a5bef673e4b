import io
import socket
from urllib.request import urlopen

import psutil
import pytest
from django.utils import timezone

from config import diagnosis
from config.demo.programs import answers, programs
from config.diagnosis import Level
from config.supervisor import Supervisor
from tests.processes import has_torch
from tests.worlds import live_shop


@pytest.fixture
def port(process_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> int:
    """A free one; the programs that are started see the test's database."""
    for name, value in process_environment.items():
        monkeypatch.setenv(name, value)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_web_workers_and_beat_start_are_found_well_and_stop_without_a_trace(port: int) -> None:
    live_shop()
    output = io.StringIO()
    supervisor = Supervisor(programs(port=port), output=output)
    before = {process.pid for process in psutil.Process().children(recursive=True)}

    with supervisor.running():
        supervisor.wait_until_ready(timeout=120)
        started = {process.pid for process in psutil.Process().children(recursive=True)} - before

        assert answers(port)
        for path in ("/", "/products/", "/how/", "/admin/login/", "/api/v1/schema/"):
            with urlopen(f"http://127.0.0.1:{port}{path}") as response:
                assert response.status == 200, path
        web = [pid for pid in started if "gunicorn" in psutil.Process(pid).cmdline()]
        assert len(web) == 3
        assert not any(has_torch(pid) for pid in web)
        now = timezone.now()
        assert [check(now).level for check in (diagnosis.workers, diagnosis.beat, diagnosis.live_run)] == [
            Level.OK,
            Level.OK,
            Level.WARNING,  # it was published years ago, as the test's clock stands still
        ]

    assert len(started) >= 1 + 2 + 3 + 2 + 2 + 1 + 1  # web and its two, workers with their processes, beat, guardian
    assert not any(_is_alive(pid) for pid in started)
    assert not answers(port)
