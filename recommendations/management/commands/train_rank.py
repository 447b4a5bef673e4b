"""One of several processes of a training; started by the one that leads it."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from recommendations.models import ModelVersion


class Command(BaseCommand):
    help = "Take a share of a training that another process leads. Nobody calls this by hand: see TRAINING_PROCESSES."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("version", type=int)
        parser.add_argument("--rank", type=int, required=True)
        parser.add_argument("--size", type=int, required=True)
        parser.add_argument("--port", type=int, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        from recommendations import ranks, training  # torch: not in the web
        from recommendations.ml import parallel

        version = ModelVersion.objects.select_related("snapshot", "started_from").get(pk=options["version"])
        device = ranks.own_device(training.choose_device(settings.TRAINING_DEVICE), options["rank"])
        group = parallel.join(rank=options["rank"], size=options["size"], port=options["port"], device=device)
        try:
            training.run_beside(version, group, device=device)
        finally:
            parallel.leave()
