"""Issue a partner key; its secret is printed once."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from catalog import services
from catalog.models import Partner, Scope


class Command(BaseCommand):
    """`manage.py create_partner_key shop --name "web shop" --scope recommendations:read`."""

    help = "Issue a partner key. The secret is printed once and cannot be read again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("partner", help="slug of the partner")
        parser.add_argument("--name", required=True, help="what the key is for")
        parser.add_argument(
            "--scope",
            dest="scopes",
            action="append",
            required=True,
            choices=[*Scope.values, "all"],
            help="what it may do; give it once for each scope",
        )
        parser.add_argument("--sees-all-shoppers", action="store_true", help="also those of other partners")
        parser.add_argument("--days", type=int, help="it expires after so many days (default: never)")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            partner = Partner.objects.get(slug=options["partner"])
        except Partner.DoesNotExist:
            known = ", ".join(Partner.objects.order_by("slug").values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no partner {options['partner']!r}. Known: {known}.") from None
        days = options["days"]
        if days is not None and days < 1:
            raise CommandError("--days must be at least 1.")
        scopes = list(Scope) if "all" in options["scopes"] else sorted(set(map(Scope, options["scopes"])))
        key, secret = services.issue_key(
            partner=partner,
            name=options["name"],
            scopes=scopes,
            sees_all_shoppers=options["sees_all_shoppers"],
            expires_at=timezone.now() + timedelta(days=days) if days is not None else None,
        )
        self.stderr.write(
            f"Key {key.prefix} of {partner.slug}: {', '.join(key.scopes)}. This is the only time you see it:"
        )
        self.stdout.write(secret)
