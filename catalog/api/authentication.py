"""Who calls: a partner, by the key in its `Authorization: Bearer` header."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

import structlog
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from catalog.models import Partner, PartnerKey

# Checked before anything is looked up: what is not of this form is no key of ours.
KEY = re.compile(r"bc_(?P<prefix>[a-z0-9]{1,12})_[A-Za-z0-9_-]{16,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class PartnerPrincipal:
    """What `request.user` is in the API: no account, and nothing of the admin opens for it."""

    partner: Partner
    is_authenticated: ClassVar[bool] = True
    is_anonymous: ClassVar[bool] = False
    is_active: ClassVar[bool] = True
    is_staff: ClassVar[bool] = False

    def __str__(self) -> str:
        return self.partner.slug


class PartnerKeyAuthentication(BaseAuthentication):
    """`request.auth` is the key, `request.user` its partner."""

    def authenticate(self, request: Request) -> tuple[PartnerPrincipal, PartnerKey] | None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        now = timezone.now()
        key = _usable_key(token.strip(), now)
        if key is None:
            raise AuthenticationFailed("This key is unknown, expired or revoked.")
        structlog.contextvars.bind_contextvars(partner_id=key.partner_id, key_id=key.pk)
        key.note_use(now)
        return PartnerPrincipal(key.partner), key

    def authenticate_header(self, request: Request) -> str:
        """Makes an unauthenticated request a 401."""
        return 'Bearer realm="api"'


def _usable_key(token: str, at: datetime) -> PartnerKey | None:
    form = KEY.fullmatch(token)
    if form is None:
        return None
    key = PartnerKey.objects.usable(at).select_related("partner").filter(prefix=form["prefix"]).first()
    return key if key is not None and key.matches(token) else None
