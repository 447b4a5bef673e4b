"""Who signs in, who uses the API, and who receives recommendations."""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Self

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    """An account that signs in: staff, or a shopper's own."""


class Partner(models.Model):
    """An organisation that uses the API; the shop itself is one."""

    name = models.CharField(_("name"), max_length=100)
    slug = models.SlugField(_("slug"), unique=True)
    is_active = models.BooleanField(_("active"), default=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("partner")
        verbose_name_plural = _("partners")

    def __str__(self) -> str:
        return self.name


class Scope(models.TextChoices):
    """What a partner key may do."""

    PRODUCTS_READ = "products:read", _("read products")
    PRODUCTS_WRITE = "products:write", _("write products")
    EVENTS_WRITE = "events:write", _("send events")
    SHOPPERS_READ = "shoppers:read", _("read shoppers")
    SHOPPERS_WRITE = "shoppers:write", _("switch personalisation and erase shoppers")
    RECOMMENDATIONS_READ = "recommendations:read", _("read recommendations")
    EXPLANATIONS_EVIDENCE = "explanations:evidence", _("read the evidence of explanations")


class PartnerKeyQuerySet(models.QuerySet["PartnerKey"]):
    def usable(self, at: datetime) -> Self:
        """Neither revoked nor expired, of an active partner."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=at), revoked_at=None, partner__is_active=True)


class PartnerKey(models.Model):
    """A credential with scopes. Only a digest of the secret is stored."""

    partner = models.ForeignKey(Partner, on_delete=models.CASCADE, related_name="keys", verbose_name=_("partner"))
    name = models.CharField(_("name"), max_length=100)
    prefix = models.CharField(_("prefix"), max_length=12, unique=True)
    digest = models.CharField(_("digest"), max_length=64)
    scopes = ArrayField(models.CharField(max_length=40, choices=Scope.choices), verbose_name=_("scopes"))
    sees_all_shoppers = models.BooleanField(
        _("sees all shoppers"), default=False, help_text=_("Otherwise only those that this partner sent.")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)

    objects = PartnerKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("partner key")
        verbose_name_plural = _("partner keys")
        constraints = [
            models.CheckConstraint(condition=~Q(scopes__len=0), name="partner_key_has_scopes"),
            models.CheckConstraint(condition=Q(digest__regex=r"^[0-9a-f]{64}$"), name="partner_key_digest_is_sha256"),
        ]

    def __str__(self) -> str:
        return f"{self.prefix}… ({self.name})"

    @staticmethod
    def digest_of(secret: str) -> str:
        """SHA-256 is enough for 256 random bits; a slow hash would cost every request."""
        return hashlib.sha256(secret.encode()).hexdigest()

    def matches(self, secret: str) -> bool:
        return hmac.compare_digest(self.digest, self.digest_of(secret))

    def note_use(self, at: datetime) -> None:
        """`last_used_at` is true to the minute: a write for every request would be the most of its cost."""
        if self.last_used_at is not None and self.last_used_at > at - timedelta(minutes=1):
            return
        PartnerKey.objects.filter(pk=self.pk).update(last_used_at=at)
        self.last_used_at = at


class ShopperQuerySet(models.QuerySet["Shopper"]):
    def visible_to(self, key: PartnerKey) -> Self:
        """A partner sees only the shoppers it sent, unless its key says otherwise."""
        return self if key.sees_all_shoppers else self.filter(partner=key.partner_id)


class Shopper(models.Model):
    """The subject of recommendations; known by an external id, may never sign in."""

    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="shoppers", verbose_name=_("partner"))
    external_id = models.CharField(_("external id"), max_length=100)
    user = models.OneToOneField(
        User, on_delete=models.SET_NULL, null=True, blank=True, related_name="shopper", verbose_name=_("account")
    )
    is_personalised = models.BooleanField(_("personalised"), default=True)
    # Moves with every accepted event, exclusion or switch: what was computed before it is stale.
    changed_at = models.DateTimeField(_("changed"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    objects = ShopperQuerySet.as_manager()

    class Meta:
        verbose_name = _("shopper")
        verbose_name_plural = _("shoppers")
        constraints = [
            models.UniqueConstraint(F("partner"), F("external_id"), name="one_shopper_per_partner_and_external_id"),
            models.CheckConstraint(condition=~Q(external_id=""), name="shopper_has_external_id"),
        ]

    def __str__(self) -> str:
        return self.external_id
