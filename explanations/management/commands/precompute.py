"""Compute and explain every slate of a model version, on the workers or in this process."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from explanations import precompute
from recommendations import progress, services
from recommendations.models import ModelVersion, Run


class Command(BaseCommand):
    help = "Precompute a run: on the workers of queue precompute, or with --inline in this process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--version-id", type=int, help="of the model; the latest that passed its gate if not given")
        parser.add_argument("--publish", action="store_true", help="make it live when it is complete")
        parser.add_argument("--inline", action="store_true", help="compute here instead of on workers")
        parser.add_argument("--no-wait", action="store_true", help="return as soon as it is planned")

    def handle(self, *args: Any, **options: Any) -> None:
        versions = ModelVersion.objects.passed()
        if options["version_id"]:
            versions = versions.filter(pk=options["version_id"])
        version = versions.order_by("-finished_at", "-pk").first()
        if version is None:
            raise CommandError("No such version that passed its gate. Remedy: manage.py train")
        run = services.start_run(
            version=version,
            by=None,
            at=timezone.now(),
            publish_when_ready=options["publish"],
            is_sent=not options["inline"],
        )
        if options["inline"]:
            self._compute(run)
        elif options["no_wait"]:
            self.stdout.write(progress.of_run(run))
            return
        for line in progress.watch_run(run):
            self.stdout.write(line)
        if run.state == Run.State.FAILED or (options["publish"] and run.state != Run.State.LIVE):
            raise CommandError(run.error)

    def _compute(self, run: Run) -> None:
        from explanations import engine  # torch: not in the web

        for shard_id in list(run.shards.order_by("number").values_list("pk", flat=True)):
            precompute.work(shard_id=shard_id, compute=engine.compute)
            self.stdout.write(progress.of_run(run))
        services.complete_run_if_done(run=run, at=timezone.now())
