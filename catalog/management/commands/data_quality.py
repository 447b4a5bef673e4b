"""Prints what cleaning finds: every rule with its count and samples."""

import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from catalog import quality
from catalog.models import QualityReport


class Command(BaseCommand):
    help = "Clean the interactions up to a cut-off, store the data-quality report and print it. Nothing is deleted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cutoff", help="a day, or a time with its zone: 2011-09-30T17:00:00Z (default: now)")
        parser.add_argument("--report", type=int, metavar="ID", help="print a stored report instead of making one")
        parser.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:  # Django's signature
        report = self._report(options)
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(report), ensure_ascii=False, indent=2))
            return
        self.stdout.write(
            f"Report {report.pk}, cut-off {report.cutoff_at:%Y-%m-%d %H:%M} UTC:"
            f" {report.rows_read:,} rows read, {report.rows_usable:,} usable."
        )
        for rule in report.rules:
            self.stdout.write(_line(rule))
            for sample in rule["samples"]:
                self.stdout.write(
                    f"      {sample['event_id']}  {sample['occurred_at']}"
                    f"  quantity {sample['quantity']}  price {sample['unit_price']}"
                )

    def _report(self, options: dict[str, Any]) -> QualityReport:
        if options["report"]:
            report = QualityReport.objects.filter(pk=options["report"]).first()
            if report is None:
                raise CommandError(f"There is no report {options['report']}.")
            return report
        try:
            return quality.clean(cutoff_at=_time(options["cutoff"]))
        except quality.StillWriting as error:
            raise CommandError(str(error)) from error


def _time(text: str | None) -> datetime:
    if not text:
        return timezone.now()
    try:
        at = parse_datetime(f"{text}T00:00:00Z" if "T" not in text else text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise CommandError(f"{text!r} is no day and no time with a zone. Write 2011-09-30 or 2011-09-30T17:00:00Z.")
    return at


def _line(rule: dict[str, Any]) -> str:
    what = "left out" if rule["is_left_out"] else "kept"
    if not rule["count"]:
        return f"{0:>10,}  {rule['title']}: 0, {rule['because']}"
    return f"{rule['count']:>10,}  {rule['title']} ({rule['share']:.2%}, {what}): {rule['description']}"


def _as_json(report: QualityReport) -> dict[str, Any]:
    return {
        "id": report.pk,
        "cutoff_at": report.cutoff_at.isoformat(),
        "created_at": report.created_at.isoformat(),
        "rows_read": report.rows_read,
        "rows_usable": report.rows_usable,
        "rules": report.rules,
    }
