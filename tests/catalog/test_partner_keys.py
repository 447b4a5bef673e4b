from datetime import UTC, datetime, timedelta

from catalog import services
from catalog.models import Partner, PartnerKey, Scope

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_the_secret_of_a_key_is_told_once_and_only_its_digest_is_stored(db: None) -> None:
    partner = Partner.objects.create(name="Tinsmith", slug="tinsmith")

    key, secret = services.issue_key(partner=partner, name="web", scopes=[Scope.EVENTS_WRITE])

    stored = PartnerKey.objects.get(pk=key.pk)
    assert secret.startswith(f"bc_{stored.prefix}_")
    assert stored.matches(secret)
    assert secret not in str(stored.__dict__)
    assert stored.scopes == ["events:write"]


def test_revoking_twice_keeps_the_first_time(db: None) -> None:
    partner = Partner.objects.create(name="Tinsmith", slug="tinsmith")
    key, _ = services.issue_key(partner=partner, name="web", scopes=[Scope.EVENTS_WRITE])

    first = services.revoke_keys(keys=[key], at=NOON)
    second = services.revoke_keys(keys=[key], at=NOON + timedelta(hours=1))

    assert (first, second) == (1, 0)
    assert PartnerKey.objects.get(pk=key.pk).revoked_at == NOON
    assert not PartnerKey.objects.usable(NOON).exists()
