"""Run several programs as one: prefixed logs, restarts, and nobody left behind."""

import ctypes
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TextIO

# Every process started here inherits this variable. It names a descendant however it was started and whoever its
# parent has become, which neither a process group nor a parent's id does.
MARK = "BECAUSE_SUPERVISED_BY"
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LONGEST_PAUSE = 30.0
FAREWELL = b"done"  # what a supervisor that ends by itself says to its guardian
PR_SET_PDEATHSIG = 1  # of Linux' prctl
ECHO = 1.0  # seconds in which a second signal is the same Ctrl-C, passed on by make
PROVEN_AFTER = 60.0  # seconds of life after which a crash counts as the first one again


class NotReady(Exception):
    """A program did not become ready in time."""


class Stopped(Exception):
    """A signal asked us to stop."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """One child: what to run and how to know that it serves."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    is_ready: Callable[[], bool] = lambda: True


class Supervisor:
    """Start programs, keep them alive, stop them and everything they started."""

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        output: TextIO = sys.stdout,
        grace: float = 15.0,
        first_pause: float = 1.0,
        tend: Callable[[], None] | None = None,
        tend_every: float = 2.0,
        after_death: Sequence[str] = (),
    ) -> None:
        """`tend` is called now and then; `after_death` is run for us should we be killed before we can clean up."""
        self.grace = grace
        self.first_pause = first_pause
        self.tend = tend
        self.tend_every = tend_every
        self.after_death = after_death
        self._output = output
        self._write = threading.Lock()
        self._stop = threading.Event()
        self._mark = secrets.token_hex(8)
        self._next_tend = 0.0
        self._width = max(len(program.name) for program in programs)
        in_colour = output.isatty() and "NO_COLOR" not in os.environ
        self._children = [
            _Child(program, prefix=self._prefix(program.name, COLOURS[i % len(COLOURS)] if in_colour else None))
            for i, program in enumerate(programs)
        ]

    @contextmanager
    def running(self) -> Iterator[None]:
        """All programs started; at the end, however it comes, none of them nor of their children is left."""
        earlier = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        isolated = [sys.executable, "-I", "-S"]  # our folder has modules named as Python's own
        guardian = subprocess.Popen(
            [*isolated, __file__, self._mark, *self.after_death],
            stdin=subprocess.PIPE,
            start_new_session=True,  # a kill of our whole process group must not take it along
        )
        try:
            for child in self._children:
                self._start(child)
            yield
        finally:
            self._stop_children()
            guardian.communicate(FAREWELL)
            for number, handler in earlier.items():
                signal.signal(number, handler)

    def wait_until_ready(self, *, timeout: float) -> None:
        """Return when every program answered its probe once. Raises NotReady, or Stopped."""
        deadline = time.monotonic() + timeout
        waiting = list(self._children)
        while waiting:
            waiting = [child for child in waiting if not child.program.is_ready()]
            if waiting and time.monotonic() > deadline:
                names = ", ".join(child.program.name for child in waiting)
                raise NotReady(f"not ready after {timeout:.0f} s: {names}")
            self._tick()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Keep everything alive until the condition holds. Raises Stopped."""
        while not condition():
            self._tick()

    def run(self) -> None:
        """Keep everything alive until a signal comes."""
        try:
            while True:
                self._tick()
        except Stopped:
            return

    def say(self, text: str) -> None:
        with self._write:
            self._output.write(text + "\n")
            self._output.flush()

    def _tick(self) -> None:
        """Look after everybody once, then pause shortly."""
        if self._stop.wait(0.1):
            raise Stopped
        now = time.monotonic()
        for child in self._children:
            if child.restart_at is not None:
                if now >= child.restart_at:
                    self._start(child)
            elif child.process is not None and child.process.poll() is not None:
                self._plan_restart(child, now=now)
        if self.tend is not None and now >= self._next_tend:
            self.tend()
            self._next_tend = time.monotonic() + self.tend_every

    def _start(self, child: "_Child") -> None:
        child.restart_at = None
        child.started_at = time.monotonic()
        try:
            child.process = subprocess.Popen(
                child.program.command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **child.program.environment, MARK: self._mark},
            )
        except OSError as error:
            self.say(f"{child.prefix}cannot start: {error}")
            self._plan_restart(child, now=child.started_at)
            return
        threading.Thread(target=self._pump, args=(child.process, child.prefix), daemon=True).start()

    def _plan_restart(self, child: "_Child", *, now: float) -> None:
        if now - child.started_at > PROVEN_AFTER:
            child.crashes = 0
        pause = min(self.first_pause * 2**child.crashes, LONGEST_PAUSE)
        child.crashes += 1
        child.restart_at = now + pause
        if child.process is not None and not self._stop.is_set():
            ended = _describe(child.process.returncode)
            self.say(f"{child.prefix}{ended}; starting again in {pause:.0f} s")

    def _stop_children(self) -> None:
        """Ask first; what is left after the grace period, the guardian kills. A second signal ends the patience."""
        asked_at = time.monotonic()
        self._stop.clear()
        living = [child.process for child in self._children if child.process and child.process.poll() is None]
        for process in living:
            process.terminate()
        deadline = time.monotonic() + self.grace
        while any(process.poll() is None for process in living):
            if time.monotonic() > deadline or (self._stop.is_set() and time.monotonic() > asked_at + ECHO):
                break
            time.sleep(0.05)
            if time.monotonic() <= asked_at + ECHO:
                self._stop.clear()
        for process in living:
            if process.poll() is None:
                process.kill()
                process.wait()

    def _pump(self, process: "subprocess.Popen[bytes]", prefix: str) -> None:
        assert process.stdout is not None  # noqa: S101  asked for in _start
        with process.stdout as lines:
            for line in lines:
                self.say(prefix + line.decode(errors="replace").rstrip())

    def _prefix(self, name: str, colour: int | None) -> str:
        text = f"{name.ljust(self._width)} | "
        return text if colour is None else f"\x1b[{colour}m{text}\x1b[0m"

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()


@dataclass(kw_only=False, slots=True)
class _Child:
    program: Program
    prefix: str
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    restart_at: float | None = None
    crashes: int = 0


def _describe(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def kill_marked(mark: str, *, patience: float = 10.0) -> None:
    """Kill every process that carries the mark, until none is left (one may just have been forking)."""
    needle = f"{MARK}={mark}".encode()
    deadline = time.monotonic() + patience
    while found := [pid for pid in _process_ids() if needle in _environment(pid)]:
        if time.monotonic() > deadline:
            return
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.02)


def _process_ids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")  # empty once the process is dead
    except OSError:
        return []


def _guard(mark: str, after_death: Sequence[str]) -> None:
    """Wait until the supervisor is gone, by its own will or by kill -9, then leave nobody behind."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    last_words = sys.stdin.buffer.read()
    kill_marked(mark)
    if last_words != FAREWELL and after_death:
        subprocess.run(after_death, stdin=subprocess.DEVNULL, check=False)


def follow_parent() -> None:
    """Be asked to stop when our parent dies, also by kill -9 (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


if __name__ == "__main__":
    _guard(sys.argv[1], sys.argv[2:])
