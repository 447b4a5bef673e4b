"""Make partner keys useless, at once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from catalog import services
from catalog.models import PartnerKey


class Command(BaseCommand):
    """`manage.py revoke_partner_key 1f0c22aa`."""

    help = "Revoke a partner key. It stops working at once and for good."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prefix", help="the part of the key between the first two underscores")

    def handle(self, *_: Any, **options: Any) -> None:
        keys = list(PartnerKey.objects.filter(prefix=options["prefix"]))
        if not keys:
            raise CommandError(f"There is no key {options['prefix']!r}.")
        revoked = services.revoke_keys(keys=keys, at=timezone.now())
        self.stdout.write("Revoked." if revoked else "It was revoked before.")
