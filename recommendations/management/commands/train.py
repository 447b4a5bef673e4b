"""Train a model version, on a worker or in this process."""

import json
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from recommendations import figures, progress, services, snapshots, trainings
from recommendations.management.foreign import import_file
from recommendations.management.versions import trained
from recommendations.models import ModelVersion, Snapshot


class Command(BaseCommand):
    help = "Train a model version: on the workers of queue gpu, or with --inline in this process."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--config",
            type=json.loads,
            default=settings.TRAINING_CONFIG,
            help='JSON, such as {"size": "base"} or {"model": {"width": 128}}; default: TRAINING_CONFIG',
        )
        parser.add_argument("--seed", type=int, default=1)
        parser.add_argument(
            "--seeds",
            type=int,
            default=1,
            metavar="N",
            help="train N versions that differ in their seed alone (SEED, SEED + 1, …) on one snapshot",
        )
        parser.add_argument(
            "--from",
            dest="started_from",
            metavar="VERSION",
            help="begin with the weights of an earlier version: its number, or live; or of another shop's: a file that "
            "export_version wrote, or the number it was imported under",
        )
        parser.add_argument(
            "--same-ids",
            action="store_true",
            help="with --from another shop's version: a product id there is that of the same product here",
        )
        parser.add_argument(
            "--incremental",
            type=float,
            default=0.0,
            metavar="DAYS",
            help="with --from: train on the baskets of so many last days and a sample of older ones",
        )
        parser.add_argument("--publish", action="store_true", help="precompute and publish it if it passes its gate")
        parser.add_argument("--inline", action="store_true", help="train here instead of on a worker")
        parser.add_argument("--no-wait", action="store_true", help="return as soon as it is queued")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["seeds"] < 1:
            raise CommandError("--seeds must be at least 1")
        earlier = self._earlier(options["started_from"])
        if options["same_ids"] and (earlier is None or earlier.state != ModelVersion.State.FOREIGN):
            raise CommandError("--same-ids needs --from another shop's version: own ids are always the same")
        if options["incremental"]:
            if earlier is None:
                raise CommandError("--incremental needs --from: there is nothing to continue")
            if earlier.state == ModelVersion.State.FOREIGN:
                raise CommandError("--incremental needs --from an own version: another shop's knows none of this data")
            training = {**options["config"].get("training", {}), "fresh_days": options["incremental"]}
            options["config"] = {**options["config"], "training": training}
        shared = snapshots.freeze(at=timezone.now()) if options["seeds"] > 1 else None
        seeds = range(options["seed"], options["seed"] + options["seeds"])
        versions = [self._request(options, seed, snapshot=shared, started_from=earlier) for seed in seeds]
        if options["no_wait"]:
            for version in versions:
                self.stdout.write(f"{version} queued")
            return
        for version in versions:
            if options["inline"]:
                self._train(version)
            else:
                self._watch(version)
            version.refresh_from_db()
        for line in figures.of_seeds(versions[0]):
            self.stdout.write(line)
        lost = [version for version in versions if version.state != ModelVersion.State.PASSED]
        if lost:
            raise CommandError(
                "; ".join(f"{one} {one.get_state_display()}: {one.error or _failed(one)}" for one in lost)
            )

    def _earlier(self, wanted: str | None) -> ModelVersion | None:
        if wanted is None:
            return None
        if found := trained(wanted):
            return found
        if wanted.isdecimal() and (found := ModelVersion.objects.beginnings().filter(pk=int(wanted)).first()):
            return found
        if Path(wanted).is_file():
            return import_file(Path(wanted))
        raise CommandError(
            f"--from: no trained version {wanted}, and no file. Remedy: give the number of one, live, or the file of "
            "another shop's"
        )

    def _request(
        self, options: dict[str, Any], seed: int, *, snapshot: Snapshot | None, started_from: ModelVersion | None
    ) -> ModelVersion:
        """The first of several is the one that may be published."""
        try:
            return services.request_training(
                config=options["config"],
                seed=seed,
                by=None,
                at=timezone.now(),
                publish_when_ready=options["publish"] and seed == options["seed"],
                is_sent=not options["inline"],
                snapshot=snapshot,
                started_from=started_from,
                shares_product_ids=options["same_ids"],
            )
        except services.BadConfiguration as error:
            raise CommandError(f"--config: {error}") from error

    def _train(self, version: ModelVersion) -> None:
        """In this thread, so that Ctrl-C and errors arrive where they should; another one tells of progress."""
        from recommendations import training  # torch: not in the web

        watcher = threading.Thread(target=self._watch_beside, args=(version.pk,), daemon=True)
        watcher.start()
        try:
            trainings.work(version_id=version.pk, train=training.run)
        finally:
            watcher.join(timeout=5)
        services.advance(at=timezone.now())

    def _watch(self, version: ModelVersion) -> None:
        for line in progress.watch_training(version):
            self.stdout.write(line)

    def _watch_beside(self, version_id: int) -> None:
        try:
            self._watch(ModelVersion.objects.get(pk=version_id))
        finally:
            connection.close()


def _failed(version: ModelVersion) -> str:
    """The checks of the gate that it did not pass."""
    checks = [check for check in version.gate.get("checks", ()) if not check["passed"]]
    return ", ".join(f"{check['text']}: {check['value']}, bound {check['bound']}" for check in checks)
