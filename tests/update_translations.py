"""By hand: `python -m tests.update_translations` collects new strings (where gettext is installed) and compiles."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import polib

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "config" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
IGNORED = ("tests", ".local", ".venv", "staticfiles")
WIDTH = 110


def collect(root: Path) -> None:
    """Let Django find every marked string below `root`."""
    ignored = [argument for pattern in IGNORED for argument in ("--ignore", pattern)]
    command = ["makemessages", "--locale", "zh_Hans", "--no-location", "--no-obsolete", "--verbosity", "0", *ignored]
    # Settings that need no server: nothing is read but source files.
    nowhere = {"DATABASE_URL": "postgres://nobody@127.0.0.1/none", "REDIS_URL": "redis://127.0.0.1/0"}
    environment = os.environ | nowhere | {"SECRET_KEY": "none", "DJANGO_SETTINGS_MODULE": "config.settings"}
    subprocess.run([sys.executable, "manage.py", *command], cwd=root, env=environment, check=True)


def tidy() -> list[str]:
    """Drop what changes by itself, refuse guesses, compile; what is not translated yet."""
    catalogue = polib.pofile(str(CATALOGUE), wrapwidth=WIDTH)
    catalogue.metadata.pop("POT-Creation-Date", None)
    for entry in catalogue:
        entry.previous_msgid = entry.previous_msgctxt = entry.previous_msgid_plural = None
        if entry.fuzzy:  # gettext's guess from a string that looks alike
            entry.flags.remove("fuzzy")
            entry.msgstr = ""
            entry.msgstr_plural = dict.fromkeys(entry.msgstr_plural, "")
    catalogue.save(str(CATALOGUE))
    catalogue.save_as_mofile(str(CATALOGUE.with_suffix(".mo")))
    return [entry.msgid for entry in catalogue.untranslated_entries()]


if __name__ == "__main__":
    if shutil.which("xgettext"):
        collect(ROOT)
    for msgid in tidy():
        print("not translated:", msgid)  # noqa: T201  # a program of its own
