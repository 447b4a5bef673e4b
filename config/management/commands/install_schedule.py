"""Put the nightly, hourly and reaper's tasks into beat's table."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config import schedule


class Command(BaseCommand):
    help = "Install the schedule into django-celery-beat; what staff edited or deleted stays as they left it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--restore", action="store_true", help="install entries again that staff deleted")

    def handle(self, *args: Any, **options: Any) -> None:
        for name, outcome in schedule.install(restore=options["restore"]).items():
            self.stdout.write(f"{name}: {outcome}")
