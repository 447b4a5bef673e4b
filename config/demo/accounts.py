"""The demo's accounts and partner key, with random passwords kept in one private file."""

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import DatabaseError, transaction
from django.db.models import Count, Max

from catalog.models import Interaction, Partner, PartnerKey, Scope, Shopper, User
from catalog.services import PURCHASE, issue_key, shop_partner

STAFF = "staff"
KEY = "key"  # how the file calls the partner key's secret
NEWCOMER = "newcomer"
PARTNER = "demo-partner"


@dataclass(frozen=True, kw_only=True, slots=True)
class Persona:
    """A shopper whose account can be signed in to: with about so many baskets."""

    username: str
    baskets: int
    about: str


PERSONAS = (
    Persona(username="regular", baskets=20, about="a shopper with about twenty baskets"),
    Persona(username="occasional", baskets=4, about="a shopper with four baskets"),
    Persona(username="once", baskets=1, about="a shopper with a single basket"),
)


def file() -> Path:
    return settings.LOCAL_DIR / "demo.json"


def read() -> dict[str, str]:
    """Passwords by user name, and the key."""
    return dict(json.loads(file().read_text())) if file().exists() else {}


def is_ours() -> bool:
    """Whether this database was filled by this demo: it holds the key that our file knows."""
    secret = read().get(KEY, "")
    prefix = secret.split("_")[1] if secret.count("_") >= 2 else ""
    try:
        return bool(prefix) and PartnerKey.objects.filter(prefix=prefix).exists()
    except DatabaseError:
        return False


def has_staff() -> bool:
    return is_ours() and STAFF in read() and User.objects.filter(username=STAFF).exists()


def create_staff() -> None:
    """The account for the admin, and the key for the API."""
    password = secrets.token_urlsafe(12)
    with transaction.atomic():
        User.objects.update_or_create(
            username=STAFF, defaults={"is_staff": True, "is_superuser": True, "password": make_password(password)}
        )
        partner, _ = Partner.objects.get_or_create(slug=PARTNER, defaults={"name": "Demo partner"})
        PartnerKey.objects.filter(partner=partner).delete()
        _, secret = issue_key(partner=partner, name="make demo", scopes=list(Scope), sees_all_shoppers=True)
        _remember({STAFF: password, KEY: secret})  # inside: a row without its secret would be of no use


def has_shoppers() -> bool:
    names = {NEWCOMER, *(persona.username for persona in PERSONAS)}
    known = User.objects.filter(username__in=names, shopper__isnull=False).count()
    return known == len(names) and names <= read().keys()


def create_shoppers() -> None:
    """Accounts for real shoppers of each kind, and for one who never bought anything."""
    with transaction.atomic():
        newcomer, _ = Shopper.objects.get_or_create(partner=shop_partner(), external_id=NEWCOMER)
        chosen = {NEWCOMER: newcomer, **dict(_choose())}
        passwords = {username: secrets.token_urlsafe(9) for username in chosen}
        for username, shopper in chosen.items():
            user, _ = User.objects.update_or_create(
                username=username, defaults={"password": make_password(passwords[username])}
            )
            Shopper.objects.filter(user=user).exclude(pk=shopper.pk).update(user=None)
            Shopper.objects.filter(pk=shopper.pk).update(user=user)
        _remember(passwords)


def _choose() -> Iterator[tuple[str, Shopper]]:
    """Of the shoppers with a persona's number of baskets (or the nearest below), the one who came last."""
    shoppers = (
        Interaction.objects.usable()
        .filter(shopper__isnull=False, event_type__code=PURCHASE)
        .values("shopper")
        .annotate(baskets=Count("basket", distinct=True), last_at=Max("occurred_at"))
    )
    taken: list[int] = []
    for persona in PERSONAS:
        found = (
            shoppers.filter(baskets__lte=persona.baskets)
            .exclude(shopper__in=taken)
            .order_by("-baskets", "-last_at", "shopper")
            .first()
        )
        if found is not None:
            taken.append(found["shopper"])
            yield persona.username, Shopper.objects.get(pk=found["shopper"])


def _remember(entries: Mapping[str, str]) -> None:
    entries = {**read(), **entries}
    draft = file().with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        json.dump(entries, opened, indent=2)
    draft.replace(file())


def lines() -> list[str]:
    """What is printed under the Ready line."""
    known = read()
    about = {STAFF: "staff, for /admin/", NEWCOMER: "a shopper without any history"}
    about |= {persona.username: persona.about for persona in PERSONAS}
    width = max(map(len, about))
    found = [f"  {name.ljust(width)}  {known[name]}  {what}" for name, what in about.items() if name in known]
    return ["Accounts", *found, "Partner key", f"  {known.get(KEY, '')}"]
