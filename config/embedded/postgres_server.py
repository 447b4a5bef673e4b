"""One embedded PostgreSQL: create, start, join, stop."""

import os
import shutil
import time
from pathlib import Path

import psycopg
from psycopg import sql

from config.embedded.account import CannotStart, Home
from config.embedded.state import State, free_port, is_free

# After a kill -9 the old server's shared memory stays in use for some seconds and each start fails until then.
# Only PostgreSQL may judge postmaster.pid: deleting it can put two servers on one data folder.
STALE_LOCK_SECONDS = 15
NAME = "because"
ADMIN = "postgres"
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a path of more than 107 characters would fail
    "max_connections": "200",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
}
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  PostgreSQL keeps parallel queries' memory there
ENOUGH_SHARED_MEMORY = 1 << 30  # containers often have 64 MB


def database_url(state: State) -> str:
    return f"postgres://{NAME}:{state.postgres_password}@127.0.0.1:{state.postgres_port}/{NAME}"


def is_running(state: State) -> bool:
    """Whether our own server answers: the password is checked both ways, so that no stranger is taken for it."""
    try:
        with _connect(state, user=NAME, database=NAME):
            return True
    except psycopg.Error:
        return False


def start(home: Home, state: State) -> State:
    """Start the server, creating it the first time; the port changes when somebody else took it."""
    if not (home.postgres_data / "PG_VERSION").exists():
        _create(home, state)
    deadline = time.monotonic() + STALE_LOCK_SECONDS
    while True:
        if not is_free(state.postgres_port):
            state = state.with_postgres_port(free_port())
        home.account.write(home.postgres_data / "because.conf", _settings(state.postgres_port))
        if _pg_ctl(home, "start", "--timeout=120", f"--log={home.log('postgres')}") == 0:
            break
        if time.monotonic() > deadline:
            raise CannotStart(
                f"PostgreSQL does not start. Remedy: read {home.log('postgres')}; its last lines:\n"
                + tail(home.log("postgres"))
            )
        time.sleep(0.3)
    _create_database(state)
    return state


def stop(home: Home) -> None:
    if (home.postgres_data / "postmaster.pid").exists():
        _pg_ctl(home, "stop", "--mode=fast", "--timeout=60")


def tail(log: Path, lines: int = 12) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def _pg_ctl(home: Home, action: str, *options: str) -> int:
    command: list[str | Path] = [
        home.postgres_bin / "pg_ctl",
        action,
        f"--pgdata={home.postgres_data}",
        "--wait",
        *options,
    ]
    return home.account.run(command, log=home.log("pg_ctl"))


def _create(home: Home, state: State) -> None:
    """Run initdb beside the final folder and rename, so that an interrupted first start leaves nothing half-made."""
    draft = home.account.make_folder(home.folder / "postgres.new")
    shutil.rmtree(draft)
    home.account.make_folder(draft)
    log = home.log("initdb")
    password = home.account.write(home.log("initdb").with_name("initdb.password"), state.postgres_admin_password)
    command: list[str | Path] = [
        home.postgres_bin / "initdb",
        f"--pgdata={draft}",
        f"--username={ADMIN}",
        f"--pwfile={password}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",  # the wheel has no ICU; the machine's locales would differ between machines
        "--builtin-locale=C.UTF-8",
    ]
    try:
        if home.account.run(command, log=log) != 0:
            raise CannotStart(f"initdb failed. Remedy: read {log}; its last lines:\n{tail(log)}")
    finally:
        password.unlink()
    with open(draft / "postgresql.conf", "a") as settings:
        settings.write("\ninclude = 'because.conf'\n")
    draft.rename(home.postgres_data)


def _settings(port: int) -> str:
    settings = SETTINGS | {"port": str(port)}
    if shutil.disk_usage(SHARED_MEMORY).total < ENOUGH_SHARED_MEMORY:
        settings["dynamic_shared_memory_type"] = "mmap"
    return "".join(f"{name} = '{value}'\n" for name, value in settings.items())


def _create_database(state: State) -> None:
    """Create our role and database unless they exist; the role is no superuser, so vector goes into the template."""
    with _connect(state, user=ADMIN, database="template1") as template:
        if template.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
            return
        template.execute("CREATE EXTENSION IF NOT EXISTS vector")
        if not template.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [NAME]).fetchone():
            template.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(
                    sql.Identifier(NAME), sql.Literal(state.postgres_password)
                )
            )
    with _connect(state, user=ADMIN, database=ADMIN) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(NAME), sql.Identifier(NAME)))


def _connect(state: State, *, user: str, database: str) -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1",
        port=state.postgres_port,
        user=user,
        dbname=database,
        password=state.postgres_admin_password if user == ADMIN else state.postgres_password,
        connect_timeout=5,
        sslmode="disable",
        require_auth="scram-sha-256",
        application_name=f"because embedded {os.getpid()}",
        autocommit=True,
    )
