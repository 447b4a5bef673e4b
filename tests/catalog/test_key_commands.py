from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from catalog.models import PartnerKey, Scope
from tests.factories import PartnerFactory


def _run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, stderr=StringIO())
    return out.getvalue().strip()


def test_the_command_prints_a_key_that_works_and_nothing_else(db: None) -> None:
    PartnerFactory(slug="tinsmith")

    secret = _run("create_partner_key", "tinsmith", "--name=web", "--scope=events:write", "--days=30")

    key = PartnerKey.objects.usable(timezone.now()).get()
    assert key.matches(secret)
    assert key.scopes == [Scope.EVENTS_WRITE]
    assert key.expires_at is not None
    assert 29 <= (key.expires_at - timezone.now()).days <= 30


def test_all_scopes_can_be_given_at_once(db: None) -> None:
    PartnerFactory(slug="tinsmith")

    _run("create_partner_key", "tinsmith", "--name=web", "--scope=all", "--sees-all-shoppers")

    key = PartnerKey.objects.get()
    assert key.scopes == Scope.values
    assert key.sees_all_shoppers


def test_an_unknown_partner_is_answered_with_those_there_are(db: None) -> None:
    PartnerFactory(slug="tinsmith")

    with pytest.raises(CommandError, match=r"There is no partner 'tin'\. Known: tinsmith\."):
        _run("create_partner_key", "tin", "--name=web", "--scope=all")


def test_a_revoked_key_stays_revoked(db: None) -> None:
    PartnerFactory(slug="tinsmith")
    secret = _run("create_partner_key", "tinsmith", "--name=web", "--scope=all")
    prefix = secret.split("_")[1]

    assert _run("revoke_partner_key", prefix) == "Revoked."
    assert _run("revoke_partner_key", prefix) == "It was revoked before."
    assert not PartnerKey.objects.usable(timezone.now()).exists()
    with pytest.raises(CommandError, match=r"There is no key 'nothing'\."):
        _run("revoke_partner_key", "nothing")
