"""From nothing to a running shop with explained recommendations; again, and only what is missing is done."""

import os
import signal
import socket
import sys
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from catalog.importing.services import ImportBlocked, ImportFailed
from config.demo import accounts, figures
from config.demo.check import check_everything
from config.demo.console import Console
from config.demo.pipeline import ModelFailed, Pipeline
from config.demo.programs import HOST, programs
from config.demo.steps import STEPS
from config.embedded import InUse, ensure_services, remove
from config.embedded.account import CannotStart
from config.supervisor import NotReady, Stopped, Supervisor, follow_parent

READY_SECONDS = 120
STOP_SERVICES = [sys.executable, "-m", "config.embedded", "--base", str(settings.LOCAL_DIR), "stop", "--unused"]


class Command(BaseCommand):
    help = "Prepare the demo shop where it is not prepared, and run it until Ctrl-C."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=os.environ.get("PORT") or 8000)
        parser.add_argument("--check", action="store_true", default=_is_set("CHECK"), help="request everything, stop")
        parser.add_argument("--reset", action="store_true", default=_is_set("RESET"), help="delete the demo's data")

    def handle(self, *args: Any, **options: Any) -> None:
        signal.signal(signal.SIGTERM, _interrupt)
        signal.signal(signal.SIGHUP, _interrupt)
        if "MAKELEVEL" in os.environ:  # a shell may go before us, make may not
            follow_parent()
        os.chdir(settings.BASE_DIR)  # where the programs find our code
        self.console = Console(sys.stdout)
        port = int(options["port"])
        _refuse_busy_port(port)
        if options["reset"]:
            _start_over()
        _refuse_foreign_database()
        prepare_static_files()
        try:
            for step in STEPS:
                if not step.is_done():
                    with self.console.step(step.title):
                        step.run(self.console)
            problems = self._serve(port, is_check=options["check"])
        except (ImportFailed, ImportBlocked) as error:
            raise CommandError(str(error)) from error
        except (KeyboardInterrupt, Stopped):
            self.console.say("Stopped. The same command goes on from here.")
            sys.exit(130)
        if problems:
            raise CommandError("\n".join(problems))

    def _serve(self, port: int, *, is_check: bool) -> list[str]:
        """Run web, workers and beat until a signal comes, or until everything was requested once."""
        connection.close()
        supervisor = Supervisor(programs(port=port), tend=self._keep_services, after_death=STOP_SERVICES)
        self.console.say("Starting web, workers and beat")
        with supervisor.running():
            try:
                pipeline = Pipeline(self.console)
                supervisor.wait_until(pipeline.is_live)
                supervisor.wait_until_ready(timeout=READY_SECONDS)
            except (NotReady, ModelFailed) as error:
                return [str(error)]
            connection.close()
            supervisor.say("\n".join([f"Ready http://{HOST}:{port}/", *accounts.lines(), *figures.lines()]))
            if is_check:
                return check_everything(port=port, say=supervisor.say)
            supervisor.run()
            supervisor.say("Stopping")
        return []

    def _keep_services(self) -> None:
        """Start PostgreSQL and Valkey again should one of them have been killed."""
        if settings.IS_EMBEDDED:
            try:
                ensure_services(
                    settings.LOCAL_DIR, postgres=settings.IS_DATABASE_EMBEDDED, valkey=settings.IS_BROKER_EMBEDDED
                )
            except CannotStart as error:
                self.console.say(str(error))


def prepare_static_files() -> None:
    """Collect them where DATABASE_URL is set: pages then name them by their content, as in production."""
    settings.STATIC_ROOT.mkdir(exist_ok=True)
    if not settings.IS_DATABASE_EMBEDDED:
        call_command("collectstatic", interactive=False, verbosity=0)


def _is_set(name: str) -> bool:
    return os.environ.get(name, "") not in {"", "0"}


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _refuse_busy_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise CommandError(
                f"Port {port} of {HOST} cannot be used: {error.strerror}. Choose another: make demo PORT={port + 1}"
            ) from error


def _refuse_foreign_database() -> None:
    if settings.IS_DATABASE_EMBEDDED or not connection.introspection.table_names() or accounts.is_ours():
        return
    raise CommandError(
        "The database of DATABASE_URL is not empty, and the demo did not fill it. Nothing was changed. "
        "Give it an empty one, or none: it then runs its own."
    )


def _start_over() -> None:
    """Delete the embedded servers' data and begin as a new process, as the settings know the old servers."""
    if not settings.IS_DATABASE_EMBEDDED:
        raise CommandError(
            "RESET deletes only the demo's own database; with DATABASE_URL set, empty that one yourself."
        )
    connection.close()
    try:
        remove(settings.LOCAL_DIR)
    except InUse as error:
        raise CommandError(f"Another process uses {settings.LOCAL_DIR}; stop it first, it may be a demo.") from error
    arguments = [argument for argument in sys.argv if argument != "--reset"]
    os.environ.pop("RESET", None)
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606  our own program
