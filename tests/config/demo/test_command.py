import os
import socket
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.templatetags.static import static
from pytest_django.fixtures import Settings

from catalog.models import User
from config.demo.programs import programs
from config.management.commands import demo
from config.management.commands.demo import prepare_static_files


def test_a_busy_port_is_said_at_once_with_another_to_try() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(CommandError, match=rf"^Port {port} .* Choose another: make demo PORT={port + 1}$"):
            call_command("demo", "--port", str(port))


def test_a_foreign_database_that_is_not_empty_is_left_alone(db: None, settings: Settings, free_port: int) -> None:
    settings.IS_DATABASE_EMBEDDED = False
    tables = connection.introspection.table_names()

    with pytest.raises(CommandError, match="is not empty, and the demo did not fill it"):
        call_command("demo", "--port", str(free_port))

    assert not User.objects.exists()
    assert connection.introspection.table_names() == tables


def test_a_foreign_database_is_never_reset(db: None, settings: Settings, free_port: int) -> None:
    settings.IS_DATABASE_EMBEDDED = False

    with pytest.raises(CommandError, match="RESET deletes only the demo's own database"):
        call_command("demo", "--reset", "--port", str(free_port))


def test_a_reset_deletes_the_demos_data_and_begins_anew(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LOCAL_DIR = tmp_path
    (tmp_path / "demo.json").write_text("{}")
    (tmp_path / "snapshots").mkdir()
    monkeypatch.setattr(sys, "argv", ["manage.py", "demo", "--reset", "--port", "8001"])
    monkeypatch.setenv("RESET", "1")
    begun: list[list[str]] = []

    class Begun(Exception):
        """Instead of another program in this process."""

    def begin(program: str, arguments: list[str]) -> None:
        begun.append(arguments)
        raise Begun

    monkeypatch.setattr(os, "execv", begin)

    with pytest.raises(Begun):
        demo._start_over()

    assert {path.name for path in tmp_path.iterdir()} <= {"lock", "users"}
    assert begun == [[sys.executable, "manage.py", "demo", "--port", "8001"]]
    assert "RESET" not in os.environ  # the next one would delete again


def test_on_a_foreign_database_pages_have_their_styles_and_ask_for_no_tls(settings: Settings, tmp_path: Path) -> None:
    settings.IS_DATABASE_EMBEDDED = False
    settings.STATIC_ROOT = tmp_path / "staticfiles"
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]  # ours: a second less
    manifest = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": manifest}

    prepare_static_files()

    assert (settings.STATIC_ROOT / static("because.css").rpartition("/")[2]).exists()
    assert static("because.css") != "/static/because.css"
    web = programs(port=1)[0]
    assert (web.name, web.environment["HTTPS"]) == ("web", "0")


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
