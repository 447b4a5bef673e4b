"""Make the run live again that was before."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from recommendations import services


class Command(BaseCommand):
    help = "Roll back: the run that was live before the present one is live again."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            run = services.roll_back(by=None, at=timezone.now())
        except services.NothingToRollBackTo as error:
            raise CommandError("No earlier run is kept.") from error
        self.stdout.write(f"{run} is live")
