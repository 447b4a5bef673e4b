"""Who starts and who stops the embedded servers: the first process that needs them, and the last one that did."""

import atexit
import fcntl
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config.embedded import postgres_server, valkey_server
from config.embedded.account import Home, find_home, refuge_of
from config.embedded.state import State

# Open descriptors of this process by folder: each holds a shared lock on the folder's `users` file. The kernel drops
# the lock of a process that dies, so that the last user is known even after a kill -9.
_leases: dict[Path, int] = {}


class InUse(Exception):
    """Another process uses the servers."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Services:
    """Addresses of the servers, password included."""

    database_url: str
    redis_url: str


def ensure_services(base: Path, *, postgres: bool = True, valkey: bool = True) -> Services:
    """Start what is not running under `base` and hold it until this process ends.

    Safe to call from many processes at once and again later (a killed server is started again).
    """
    base = base.resolve()
    base.mkdir(parents=True, exist_ok=True)
    with _locked(base):
        _hold(base)
        state = State.read(base) or _begin(base)
        home: Home | None = None
        if postgres and not postgres_server.is_running(state):
            home = find_home(base)
            state = postgres_server.start(home, state)
        if valkey and not valkey_server.is_running(state):
            home = home or find_home(base)
            state = valkey_server.start(home, state)
        if home is not None:
            state.write(base)
    return Services(database_url=postgres_server.database_url(state), redis_url=valkey_server.redis_url(state))


def is_running(base: Path) -> dict[str, bool]:
    """Which of the servers under `base` answer."""
    state = State.read(base.resolve())
    return {
        "postgres": state is not None and postgres_server.is_running(state),
        "valkey": state is not None and valkey_server.is_running(state),
    }


def release(base: Path) -> bool:
    """End this process's use of the servers; True when it was the last user and they were stopped."""
    base = base.resolve()
    lease = _leases.pop(base, None)
    if lease is None:
        return False
    with _locked(base):
        try:
            fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(lease)
        _stop(base)
    return True


def stop_services(base: Path) -> None:
    """Stop the servers whoever uses them."""
    base = base.resolve()
    if base.exists():
        with _locked(base):
            _stop(base)


def stop_unused(base: Path) -> bool:
    """Stop the servers if no process uses them; whether they were stopped."""
    base = base.resolve()
    if not base.exists():
        return False
    with _locked(base):
        _hold(base)
    return release(base)


def remove(base: Path) -> None:
    """Stop the servers and delete everything under `base`, their data included. Raises InUse."""
    base = base.resolve()
    if not base.exists():
        return
    with _locked(base):
        _hold(base)
        try:
            fcntl.flock(_leases[base], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(_leases[base], fcntl.LOCK_SH)  # the failed attempt may have cost us ours
            raise InUse(base) from None
        _stop(base)
        for path in base.iterdir():
            if path.name not in ("lock", "users"):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        shutil.rmtree(refuge_of(base), ignore_errors=True)
        os.close(_leases.pop(base))


def _begin(base: Path) -> State:
    """New ports and passwords. Data kept elsewhere for a folder that was since deleted can no longer be opened."""
    home = find_home(base)
    if home.folder != base and home.postgres_data.exists():
        postgres_server.stop(home)
        shutil.rmtree(home.postgres_data)
        shutil.rmtree(home.valkey_data, ignore_errors=True)
    state = State.new()
    state.write(base)
    return state


def _stop(base: Path) -> None:
    state = State.read(base)
    if state is not None:
        valkey_server.stop(state)
        postgres_server.stop(find_home(base))


def _hold(base: Path) -> None:
    if base in _leases:
        return
    lease = os.open(base / "users", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lease, fcntl.LOCK_SH)
    _leases[base] = lease
    atexit.register(_release_at_exit, base, os.getpid())


def _release_at_exit(base: Path, pid: int) -> None:
    if os.getpid() == pid:  # a forked child shares the lease and must not end it
        # We are ending already: a second signal, as web servers send it to their workers, must not end this half-way.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP})
        release(base)


@contextmanager
def _locked(base: Path) -> Iterator[None]:
    """One process at a time starts or stops."""
    with open(base / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
