"""One embedded Valkey: start, join, stop."""

import socket
import time

from config.embedded.account import CannotStart, Home
from config.embedded.postgres_server import tail
from config.embedded.state import State, free_port, is_free

START_SECONDS = 30


def redis_url(state: State) -> str:
    return f"redis://:{state.valkey_password}@127.0.0.1:{state.valkey_port}/0"


def is_running(state: State) -> bool:
    return _ask(state, "PING").startswith(b"+PONG")


def start(home: Home, state: State) -> State:
    """Start the server; the port changes when somebody else took it."""
    home.account.make_folder(home.valkey_data)
    deadline = time.monotonic() + START_SECONDS
    while True:
        if not is_free(state.valkey_port):
            state = state.with_valkey_port(free_port())
        # A file and not arguments: arguments show in the process list, and one of them is the password.
        settings = home.account.write(home.valkey_data / "valkey.conf", _settings(home, state))
        if home.account.run([home.valkey_server, settings], log=home.log("valkey")) == 0:
            while time.monotonic() < deadline:
                if is_running(state):
                    return state
                time.sleep(0.02)
        if time.monotonic() > deadline:
            log = home.log("valkey")
            raise CannotStart(f"Valkey does not start. Remedy: read {log}; its last lines:\n{tail(log)}")
        time.sleep(0.3)


def stop(state: State) -> None:
    """Ask for a clean stop and wait until the port is closed; no answer means that nothing runs."""
    _ask(state, "SHUTDOWN")
    deadline = time.monotonic() + START_SECONDS
    while is_running(state) and time.monotonic() < deadline:
        time.sleep(0.02)


def _settings(home: Home, state: State) -> str:
    return f"""\
bind 127.0.0.1
port {state.valkey_port}
requirepass {state.valkey_password}
daemonize yes
dir "{home.valkey_data}"
pidfile "{home.valkey_data}/valkey.pid"
logfile "{home.log("valkey")}"
appendonly yes
appendfsync everysec
aof-load-truncated yes
maxmemory-policy noeviction
"""


def _ask(state: State, command: str) -> bytes:
    """The reply to one command, empty when our server does not answer."""
    try:
        with socket.create_connection(("127.0.0.1", state.valkey_port), timeout=5) as connection:
            connection.sendall(f"AUTH {state.valkey_password}\r\n{command}\r\n".encode())
            with connection.makefile("rb") as replies:
                return replies.readline() if replies.readline() == b"+OK\r\n" else b""
    except OSError:
        return b""
