"""What `import_products` and `import_interactions` share."""

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from catalog.importing import services
from catalog.importing.formats import FORMATS
from catalog.importing.options import Options
from catalog.importing.progress import Progress
from catalog.models import Import, Partner


class ImportCommand(BaseCommand):
    """A command for one kind of file."""

    kind: Import.Kind

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", help='the path of a file, or "-" for standard input')
        parser.add_argument("--partner", help="slug of the partner whose ids these are (default: the only one)")
        parser.add_argument("--format", choices=FORMATS, default="", help="default: from the name's ending")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="THEIRS=OURS",
            help="rename a heading; THEIRS= ignores it",
        )
        parser.add_argument("--time-zone", default="", help="of times that do not say, like Europe/London")
        parser.add_argument("--encoding", default="utf-8")
        parser.add_argument("--delimiter", default="", help="of a CSV file (default: guessed from the headings)")
        parser.add_argument("--dry-run", action="store_true", help="check, and merge nothing")
        parser.add_argument("--strict", action="store_true", help="one rejected row rejects the file")
        parser.add_argument("--report", metavar="PATH", help="write the rejected rows there, as CSV")
        parser.add_argument("--resume", type=int, metavar="ID", help="go on with an import that was interrupted")
        parser.add_argument("--revert", type=int, metavar="ID", help="take the interactions of an import back")

    def handle(self, *args: Any, **options: Any) -> None:  # Django's signature
        line = ProgressLine(self.stderr)
        try:
            source = self._run(options, line)
        except (services.ImportFailed, services.ImportBlocked, services.NotRevertible) as error:
            raise CommandError(str(error)) from error
        finally:
            line.end()
        self._tell(source, options["report"])

    def _run(self, options: dict[str, Any], line: "ProgressLine") -> Import:
        if options["resume"]:
            return services.resume_import(source=self._import(options["resume"]), progress=line)
        if options["revert"]:
            return services.revert_import(source=self._import(options["revert"]), at=timezone.now(), progress=line)
        if not options["file"]:
            raise CommandError('Name a file, or "-" for standard input.')
        is_piped = options["file"] == "-"
        return services.run_import(
            kind=self.kind,
            partner=self._partner(options["partner"]),
            source=sys.stdin.buffer if is_piped else Path(options["file"]),
            file_format=options["format"],
            options=Options(
                renamed=_renamed(options["map"]),
                time_zone=options["time_zone"],
                encoding=options["encoding"],
                delimiter=options["delimiter"].replace("\\t", "\t"),
            ),
            is_strict=options["strict"],
            is_dry_run=options["dry_run"],
            progress=line,
        )

    def _tell(self, source: Import, report: str | None) -> None:
        self.stdout.write(
            f"Import {source.pk} {source.get_state_display()}: {source.rows_read} rows read,"
            f" {source.rows_merged} merged, {source.rows_known} known already, {source.rows_rejected} rejected."
        )
        for code, count in source.rejection_counts.items():
            self.stdout.write(f"  {count} × {code}")
        if report:
            with Path(report).open("w", encoding="utf-8", newline="") as file:
                file.writelines(services.rejection_report(source=source))

    def _import(self, pk: int) -> Import:
        source = Import.objects.filter(pk=pk, kind=self.kind).first()
        if source is None:
            raise CommandError(f"There is no import {pk} of {self.kind}.")
        return source

    def _partner(self, slug: str | None) -> Partner:
        partners = list(Partner.objects.filter(slug=slug) if slug else Partner.objects.order_by("slug")[:2])
        if len(partners) != 1:
            slugs = ", ".join(Partner.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"Say which partner sends this: --partner SLUG. There are: {slugs}.")
        return partners[0]


class ProgressLine:
    """One line that is written over on a terminal, and a line every ten seconds in a log."""

    def __init__(self, stream: Any) -> None:  # Django's OutputWrapper, which has no type of its own for this
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._started = time.monotonic()
        self._told = self._started if not self._is_terminal else 0.0
        self._is_open = False

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told < (0.2 if self._is_terminal else 10):
            return
        self._told = now
        share = f" of {progress.total:,} ({progress.done / progress.total:.0%})" if progress.total else ""
        text = f"{progress.phase}: {progress.done:,}{share}, {now - self._started:.0f} s"
        self._stream.write(f"\r{text:<79}" if self._is_terminal else text, ending="" if self._is_terminal else "\n")
        self._is_open = self._is_terminal

    def end(self) -> None:
        if self._is_open:
            self._stream.write("")


def _renamed(pairs: list[str]) -> dict[str, str]:
    renamed = {}
    for pair in pairs:
        theirs, separator, ours = pair.partition("=")
        if not separator:
            raise CommandError(f"--map takes THEIRS=OURS, not {pair!r}.")
        renamed[theirs.strip()] = ours.strip()
    return renamed
