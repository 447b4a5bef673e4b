"""Say what is wrong with this installation and how to mend it."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from config.diagnosis import CHECKS, Level


class Command(BaseCommand):
    help = "Check database, extensions, broker, workers, beat, live run, translations and disk."
    requires_system_checks: list[str] = []  # a broken installation is what it is for

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = [check(timezone.now()) for check in CHECKS]
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        else:
            styles = {Level.OK: self.style.SUCCESS, Level.WARNING: self.style.WARNING, Level.ERROR: self.style.ERROR}
            for finding in findings:
                remedy = f" → {finding.remedy}" if finding.remedy else ""
                level = styles[finding.level](f"{finding.level:<8}")
                self.stdout.write(f"{level} {finding.check:<13} {finding.detail}{remedy}")
        if any(finding.level is Level.ERROR for finding in findings):
            sys.exit(1)
