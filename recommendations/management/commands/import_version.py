"""Take in another shop's version, to begin trainings with."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand

from recommendations.management.foreign import import_file


class Command(BaseCommand):
    help = "Take in a file of export_version. It is never shown to anybody: train --from NUMBER begins with it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        version = import_file(options["file"])
        shop, theirs = version.origin.get("shop"), version.origin.get("version")
        self.stdout.write(f"{version} is {theirs} of {shop}; begin with it: manage.py train --from {version.pk}")
