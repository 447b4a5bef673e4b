"""Make a run the live one."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from recommendations import services
from recommendations.models import Run


class Command(BaseCommand):
    help = "Publish a run: the one given, or the latest that is ready."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", type=int, nargs="?", help="its id")

    def handle(self, *args: Any, **options: Any) -> None:
        runs = Run.objects.filter(pk=options["run"]) if options["run"] else Run.objects.filter(state=Run.State.READY)
        run = runs.order_by("-ready_at", "-pk").first()
        if run is None:
            raise CommandError("No such run. Remedy: manage.py precompute")
        try:
            services.publish(run=run, by=None, at=timezone.now())
        except services.NotPublishable as error:
            raise CommandError(
                f"{run} is {run.get_state_display()}: only a run that is ready and fully explained can be published"
            ) from error
        self.stdout.write(f"{run} is live")
