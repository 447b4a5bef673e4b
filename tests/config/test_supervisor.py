import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from config.supervisor import MARK, NotReady, Program, Stopped, Supervisor

# A child with a grandchild in a session of its own, out of reach of process groups; neither heeds SIGTERM.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    open(sys.argv[1] + ".grandchild", "w").write(str(os.getpid()))
open(sys.argv[1], "a").write("up\\n")
time.sleep(600)
"""


def _python(name: str, code: str, *arguments: str, is_ready: Callable[[], bool] = lambda: True) -> Program:
    return Program(name=name, command=[sys.executable, "-c", code, *arguments], is_ready=is_ready)


def _wait(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


def _is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_lines_of_each_program_carry_its_name() -> None:
    output = io.StringIO()
    programs = [_python("web", "print('hello')"), _python("worker", "import sys; sys.stderr.write('oh\\n')")]
    supervisor = Supervisor(programs, output=output)

    with supervisor.running():
        _wait(lambda: output.getvalue().count("|") >= 2)

    lines = output.getvalue().splitlines()
    assert "web    | hello" in lines
    assert "worker | oh" in lines


def test_readiness_waits_for_every_probe(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    code = "import sys, time; open(sys.argv[1], 'w').close(); time.sleep(600)"
    supervisor = Supervisor([_python("web", code, str(flag), is_ready=flag.exists)], output=io.StringIO())

    with supervisor.running():
        supervisor.wait_until_ready(timeout=20)

        assert flag.exists()


def test_a_program_that_is_never_ready_is_named() -> None:
    supervisor = Supervisor(
        [_python("web", "import time; time.sleep(600)"), _python("beat", "", is_ready=lambda: False)],
        output=io.StringIO(),
    )

    with supervisor.running(), pytest.raises(NotReady, match=r"^not ready after 0 s: beat$"):
        supervisor.wait_until_ready(timeout=0.2)


def test_a_crashed_program_is_started_again_after_longer_and_longer_pauses(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    code = "import sys, os; open(sys.argv[1], 'a').write('x'); os.kill(os.getpid(), 9)"
    output = io.StringIO()
    supervisor = Supervisor(
        [_python("worker", code, str(starts), is_ready=lambda: starts.exists() and len(starts.read_text()) >= 3)],
        output=output,
        first_pause=0.1,
    )

    began = time.monotonic()
    with supervisor.running():
        supervisor.wait_until_ready(timeout=20)

    assert time.monotonic() - began >= 0.1 + 0.2
    assert "worker | was killed by SIGKILL; starting again in 0 s" in output.getvalue()


def test_nothing_is_left_after_the_block_not_even_who_ignores_the_request(tmp_path: Path) -> None:
    up = tmp_path / "up"
    supervisor = Supervisor([_python("stubborn", STUBBORN, str(up))], output=io.StringIO(), grace=0.2)

    with supervisor.running():
        _wait(lambda: up.exists() and up.read_text().count("up") == 2)
        grandchild = int((tmp_path / "up.grandchild").read_text())
        assert _is_alive(grandchild)

    assert not _is_alive(grandchild)


def test_a_signal_ends_the_run_and_the_earlier_handler_is_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    supervisor = Supervisor([_python("web", "import time; time.sleep(600)")], output=io.StringIO())

    with supervisor.running():
        supervisor.wait_until_ready(timeout=20)
        threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGTERM]).start()
        supervisor.run()

    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_during_the_start_is_not_lost() -> None:
    supervisor = Supervisor([_python("web", "", is_ready=lambda: False)], output=io.StringIO())

    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    with supervisor.running(), pytest.raises(Stopped):
        supervisor.wait_until_ready(timeout=20)


def test_the_caller_may_tend_to_other_things_meanwhile() -> None:
    calls: list[float] = []
    supervisor = Supervisor(
        [_python("web", "import time; time.sleep(600)", is_ready=lambda: len(calls) >= 3)],
        output=io.StringIO(),
        tend=lambda: calls.append(time.monotonic()),
        tend_every=0.1,
    )

    with supervisor.running():
        supervisor.wait_until_ready(timeout=20)

    assert len(calls) >= 3


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_orphan_is_left_when_the_supervisor_itself_is_killed(tmp_path: Path, number: int) -> None:
    up = tmp_path / "up"
    code = (
        "import sys\nfrom config.supervisor import *\n"
        f"command = [sys.executable, '-c', {STUBBORN!r}, {str(up)!r}]\n"
        "s = Supervisor([Program(name='stubborn', command=command)], grace=1)\n"
        "with s.running():\n    s.run()\n"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    _wait(lambda: up.exists() and up.read_text().count("up") == 2)
    grandchild = int((tmp_path / "up.grandchild").read_text())
    mark = psutil.Process(grandchild).environ()[MARK]

    supervisor.send_signal(number)
    supervisor.communicate(timeout=20)

    _wait(lambda: not _carriers(mark))
    assert not _is_alive(grandchild)


def test_a_killed_supervisor_has_its_last_will_done(tmp_path: Path) -> None:
    up, will = tmp_path / "up", tmp_path / "will"
    code = (
        "import sys\nfrom config.supervisor import *\n"
        f"command = [sys.executable, '-c', {STUBBORN!r}, {str(up)!r}]\n"
        f"s = Supervisor([Program(name='stubborn', command=command)], after_death=['touch', {str(will)!r}])\n"
        "with s.running():\n    s.run()\n"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    _wait(lambda: up.exists() and up.read_text().count("up") == 2)
    assert not will.exists()

    supervisor.kill()
    supervisor.communicate(timeout=20)

    _wait(will.exists)


def test_a_follower_is_asked_to_stop_when_its_parent_is_killed(tmp_path: Path) -> None:
    up = tmp_path / "up"
    follower = (
        "import os, sys, time; from config.supervisor import follow_parent; follow_parent();"
        "open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    )
    parent_code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {follower!r}, {str(up)!r}])"
    parent = subprocess.Popen([sys.executable, "-c", parent_code])
    _wait(lambda: up.exists() and up.read_text() != "")

    parent.kill()
    parent.wait(timeout=20)

    _wait(lambda: not _is_alive(int(up.read_text())))


def _carriers(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
