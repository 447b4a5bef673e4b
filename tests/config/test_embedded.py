import json
import os
import pwd
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from config.embedded import InUse, Services, ensure_services, release, remove, stop_services
from config.embedded.account import refuge_of
from config.embedded.services import is_running, stop_unused

ROOT = Path(__file__).resolve().parents[2]
IS_ROOT = os.getuid() == 0
UP, DOWN = {"postgres": True, "valkey": True}, {"postgres": False, "valkey": False}
# Another process that uses the servers: says the address, then ends when its input is closed.
USER_CODE = """
import sys
from pathlib import Path
from config.embedded import ensure_services
print(ensure_services(Path(sys.argv[1])).database_url, flush=True)
sys.stdin.read()
"""


def _new_base() -> Iterator[Path]:
    """A folder that every account may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="because embedded ")).resolve()
    folder.chmod(0o755)
    yield folder
    release(folder)
    remove(folder)
    shutil.rmtree(folder)


base = pytest.fixture(_new_base, name="base")
shared_base = pytest.fixture(_new_base, name="shared_base", scope="module")  # for tests that change nothing


@pytest.fixture
def closed_base() -> Iterator[Path]:
    """The same below a folder that only we may enter, as root's home is."""
    top = Path(tempfile.mkdtemp(prefix="because-closed-")).resolve()
    folder = top / "clone" / ".local"
    yield folder
    release(folder)
    remove(folder)
    shutil.rmtree(top)


class _Thief(socketserver.TCPServer):
    """Takes a port and hangs up on everybody."""

    allow_reuse_address = True


def _use(base: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", USER_CODE, str(base)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _execute(services: Services, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(services.database_url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _processes(base: Path) -> list[psutil.Process]:
    """The main process of each server, found by its data folder."""
    found = []
    for folder in (base, refuge_of(base)):
        for file in (folder / "postgres" / "postmaster.pid", folder / "valkey" / "valkey.pid"):
            if file.exists():
                found.append(psutil.Process(int(file.read_text().split()[0])))  # noqa: PERF401  reads better
    return found


def _wait(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.02)


def test_both_servers_answer_and_vectors_are_there(shared_base: Path) -> None:
    services = ensure_services(shared_base)

    assert is_running(shared_base) == UP
    assert _execute(services, "SELECT '[1,2]'::vector::text, current_setting('jit')") == [("[1,2]", "off")]
    assert _execute(services, "CREATE EXTENSION IF NOT EXISTS vector") == []


def test_our_role_is_no_superuser_but_may_create_databases(shared_base: Path) -> None:
    services = ensure_services(shared_base)

    role = "SELECT rolname, rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    assert _execute(services, role) == [("because", False, True)]


def test_only_what_is_asked_for_is_started(base: Path) -> None:
    ensure_services(base, postgres=False)

    assert is_running(base) == {"postgres": False, "valkey": True}


def test_nobody_gets_in_without_the_password(shared_base: Path) -> None:
    services = ensure_services(shared_base)

    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(services.database_url.replace("because:", "because:x"))
    with socket.create_connection(("127.0.0.1", urlsplit(services.redis_url).port or 0)) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100).startswith(b"-NOAUTH")


def test_passwords_stand_in_private_files_and_in_no_process_list(shared_base: Path) -> None:
    ensure_services(shared_base)

    secret = json.loads((shared_base / "services.json").read_text())
    commands = [" ".join(process.cmdline()) for process in _processes(shared_base)]
    assert (shared_base / "services.json").stat().st_mode & 0o777 == 0o600
    assert len(commands) == 2
    assert not any(secret[name] in command for name in secret if "password" in name for command in commands)


def test_servers_listen_on_loopback_and_do_not_run_as_root(shared_base: Path) -> None:
    ensure_services(shared_base)

    for process in _processes(shared_base):
        assert {connection.laddr.ip for connection in process.net_connections("inet")} == {"127.0.0.1"}
        assert process.uids().real != 0


def test_a_second_call_joins_what_runs(shared_base: Path) -> None:
    first = ensure_services(shared_base)
    before = [process.pid for process in _processes(shared_base)]

    second = ensure_services(shared_base)

    assert second == first
    assert [process.pid for process in _processes(shared_base)] == before


def test_many_processes_that_start_at_once_share_one_server(base: Path) -> None:
    users = [_use(base) for _ in range(4)]

    addresses = {user.stdout.readline() for user in users if user.stdout}

    assert len(addresses) == 1
    assert is_running(base) == UP
    for user in users:
        user.communicate(timeout=60)
    assert is_running(base) == DOWN


def test_the_last_process_that_uses_the_servers_stops_them(base: Path) -> None:
    first, second = _use(base), _use(base)
    for user in (first, second):
        assert user.stdout
        user.stdout.readline()

    first.communicate(timeout=60)
    assert is_running(base) == UP

    second.communicate(timeout=60)
    assert is_running(base) == DOWN


def test_a_killed_process_does_not_count_as_a_user(base: Path) -> None:
    killed, other = _use(base), _use(base)
    for user in (killed, other):
        assert user.stdout
        user.stdout.readline()
    killed.kill()
    killed.communicate()

    other.communicate(timeout=60)

    assert is_running(base) == DOWN


def test_stopping_what_is_unused_leaves_alone_what_is_used(base: Path) -> None:
    user = _use(base)
    assert user.stdout
    user.stdout.readline()

    assert not stop_unused(base)
    assert is_running(base) == UP

    user.kill()
    user.communicate()
    assert stop_unused(base)
    assert is_running(base) == DOWN


def test_data_are_not_removed_under_another_process(base: Path) -> None:
    user = _use(base)
    assert user.stdout
    user.stdout.readline()

    with pytest.raises(InUse):
        remove(base)

    assert is_running(base) == UP
    user.communicate(timeout=60)


def test_data_survive_kill_9_of_both_servers(base: Path) -> None:
    before = ensure_services(base)
    _execute(before, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)")
    with socket.create_connection(("127.0.0.1", urlsplit(before.redis_url).port or 0)) as connection:
        connection.sendall(f"AUTH {urlsplit(before.redis_url).password}\r\nSET kept 7\r\nWAITAOF 1 0 5000\r\n".encode())
        _wait(lambda: connection.recv(100).count(b":") >= 1)  # written to the disk
    servers = _processes(base)
    for server in servers:
        server.send_signal(signal.SIGKILL)

    after = ensure_services(base)

    assert after == before
    assert _execute(after, "SELECT n FROM kept") == [(7,)]
    with socket.create_connection(("127.0.0.1", urlsplit(after.redis_url).port or 0)) as connection:
        connection.sendall(f"AUTH {urlsplit(after.redis_url).password}\r\nGET kept\r\n".encode())
        with connection.makefile("rb") as replies:
            assert [replies.readline() for _ in range(3)] == [b"+OK\r\n", b"$1\r\n", b"7\r\n"]


def test_a_port_that_somebody_else_took_is_replaced(base: Path) -> None:
    before = ensure_services(base)
    _execute(before, "CREATE TABLE kept (n int)")
    stop_services(base)
    thieves = [
        _Thief(("127.0.0.1", urlsplit(url).port or 0), socketserver.BaseRequestHandler)
        for url in (before.database_url, before.redis_url)
    ]
    for thief in thieves:
        threading.Thread(target=thief.serve_forever, args=[0.05], daemon=True).start()

    after = ensure_services(base)

    for thief in thieves:
        thief.shutdown()
        thief.server_close()
    assert urlsplit(after.database_url).port != urlsplit(before.database_url).port
    assert urlsplit(after.redis_url).port != urlsplit(before.redis_url).port
    assert _execute(after, "SELECT count(*) FROM kept") == [(0,)]


def test_a_first_start_that_was_interrupted_starts_over(base: Path) -> None:
    (base / "postgres.new").mkdir()
    (base / "postgres.new" / "PG_VERSION").touch()

    ensure_services(base, valkey=False)

    assert is_running(base)["postgres"]
    assert not (base / "postgres.new").exists()


def test_remove_stops_the_servers_and_leaves_an_empty_folder(base: Path) -> None:
    ensure_services(base)
    (base / "media").mkdir()

    remove(base)

    assert is_running(base) == DOWN
    assert sorted(path.name for path in base.iterdir()) == ["lock", "users"]


@pytest.mark.skipif(not IS_ROOT, reason="an ordinary user can enter its own folders")
def test_below_a_closed_folder_data_and_servers_are_kept_elsewhere(closed_base: Path) -> None:
    services = ensure_services(closed_base)
    refuge = refuge_of(closed_base)

    assert _execute(services, "SELECT '[1]'::vector::text") == [("[1]",)]
    assert (refuge / "postgres" / "PG_VERSION").exists()
    assert not (closed_base / "postgres").exists()
    remove(closed_base)
    assert not refuge.exists()


@pytest.mark.skipif(not IS_ROOT, reason="an ordinary user can enter its own folders")
def test_a_deleted_closed_folder_takes_its_data_along(closed_base: Path) -> None:
    _execute(ensure_services(closed_base), "CREATE TABLE old (n int)")
    release(closed_base)
    shutil.rmtree(closed_base)

    services = ensure_services(closed_base)

    assert _execute(services, "SELECT to_regclass('old')::text") == [(None,)]


@pytest.mark.skipif(not IS_ROOT, reason="the other tests run as an ordinary user already")
def test_an_ordinary_user_runs_the_servers_itself(base: Path) -> None:
    """Under the system's Python, as root's own may be out of that user's reach."""
    user = pwd.getpwnam("nobody")
    os.chown(base, user.pw_uid, user.pw_gid)
    packages = str(Path(psycopg.__file__).parents[1])
    command = ["/usr/bin/python3", "-B", "-c", USER_CODE, str(base / "data")]
    environment = {"PYTHONPATH": f"{ROOT}:{packages}", "PATH": "/usr/bin:/bin"}

    result = subprocess.run(
        command,
        env=environment,
        cwd="/",
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=[],
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    if "ModuleNotFoundError" in result.stderr or "PermissionError" in result.stderr:
        pytest.skip(f"the user nobody cannot run this checkout: {result.stderr.splitlines()[-1]}")

    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("postgres://because:")
    assert (base / "data" / "postgres" / "PG_VERSION").stat().st_uid == user.pw_uid
    assert is_running(base / "data") == DOWN
