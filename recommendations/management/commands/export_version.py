"""Write a version into a file that another shop can begin a training with."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from recommendations import artifacts
from recommendations.management.versions import trained


class Command(BaseCommand):
    help = "Write a trained version into a file that another shop can begin a training with: train --from FILE."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("version", help="the number of a trained version, or live")
        parser.add_argument("file", type=Path, help="a new file, such as because-v3.safetensors")
        parser.add_argument(
            "--without-products",
            action="store_true",
            help="leave out ids and vectors of products; what shops share is in the rest",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from recommendations import exporting  # torch: not for other commands

        version, path = trained(options["version"]), options["file"]
        if version is None:
            raise CommandError(f"There is no trained version {options['version']}. Remedy: give its number, or live")
        try:
            exported = exporting.export(version, path, with_products=not options["without_products"])
        except FileExistsError as error:
            raise CommandError(f"{path} exists already. Remedy: choose another name, or delete it") from error
        except (exporting.NotExportable, artifacts.ArtifactDamaged, OSError) as error:
            raise CommandError(str(error)) from error
        values = sum(map(len, exported.labels.values()))
        self.stdout.write(
            f"{path}: {version}, {len(exported.keys)} products and {values} values of attributes that more than "
            f"{exporting.FEWEST_BUYERS} shoppers bought, {path.stat().st_size:,} bytes"
        )
