"""Measure how far reasons depend on the seed of the training."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from recommendations.models import ModelVersion


class Command(BaseCommand):
    help = "Compare the reasons of versions that differ in their seed alone, as `train --seeds` makes them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", type=int, help="the number of one of them; the result is kept with its check")

    def handle(self, *args: Any, **options: Any) -> None:
        from explanations import agreement  # torch: not for other commands

        version = ModelVersion.objects.trained().filter(pk=options["version"]).first()
        if version is None:
            raise CommandError(f"There is no trained version {options['version']}.")
        try:
            found = agreement.ensure(version, now=timezone.now())
        except agreement.NothingToCompare:
            raise CommandError(
                f"No other version differs from {version} in its seed alone. Remedy: manage.py train --seeds 3"
            ) from None
        names = ", ".join(f"v{pk}" for pk in found["versions"])
        self.stdout.write(
            f"{names}, {found['shoppers']} shoppers: {found['same_products']:.1%} of the first ten products are the "
            f"same; of these {found['same_first']:.1%} have the same strongest reason, and the up to three reasons "
            f"agree by {found['likeness@3']:.2f} (Jaccard)"
        )
