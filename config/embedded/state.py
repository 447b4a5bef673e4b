"""Ports and passwords of the embedded servers, kept between starts in one private file."""

import json
import os
import random
import secrets
import socket
from dataclasses import asdict, dataclass, replace
from pathlib import Path

# Below Linux's range for outgoing connections, so that a port is still free at the next start.
PORTS = range(15000, 32000)


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What must stay the same from one start to the next."""

    postgres_port: int
    postgres_password: str
    postgres_admin_password: str
    valkey_port: int
    valkey_password: str

    @classmethod
    def new(cls) -> "State":
        return cls(
            postgres_port=free_port(),
            postgres_password=secrets.token_urlsafe(24),
            postgres_admin_password=secrets.token_urlsafe(24),
            valkey_port=free_port(),
            valkey_password=secrets.token_urlsafe(24),
        )

    @classmethod
    def read(cls, base: Path) -> "State | None":
        try:
            return cls(**json.loads(_file(base).read_text()))
        except FileNotFoundError:
            return None

    def write(self, base: Path) -> None:
        draft = _file(base).with_suffix(".new")
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(_file(base))

    def with_postgres_port(self, port: int) -> "State":
        return replace(self, postgres_port=port)

    def with_valkey_port(self, port: int) -> "State":
        return replace(self, valkey_port=port)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    for port in random.sample(PORTS, 200):
        if is_free(port):
            return port
    raise OSError(f"no free port on 127.0.0.1 between {PORTS.start} and {PORTS.stop}")


def _file(base: Path) -> Path:
    return base / "services.json"
