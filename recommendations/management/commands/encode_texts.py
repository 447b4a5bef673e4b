"""Encode the texts of products that have no vector yet; a training does the same before it begins."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Encode titles and descriptions with TEXT_ENCODER, each text once."

    def handle(self, *args: Any, **options: Any) -> None:
        from recommendations import texts  # numpy and, once something is encoded, torch
        from recommendations.ml.encoders import NoEncoder

        if not settings.TEXT_ENCODER:
            raise CommandError("TEXT_ENCODER is not set. Remedy: see the README's table of settings")
        try:
            encoded = texts.encode_missing(settings.TEXT_ENCODER, self._report)
        except NoEncoder as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{encoded} texts encoded")

    def _report(self, done: int, products: int) -> None:
        self.stdout.write(f"{done} of {products} products")
