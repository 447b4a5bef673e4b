"""Which products were shown as recommendations: a row for each shopper and day, not for each showing."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.models.accounts import Shopper


class Impression(models.Model):
    """What a shopper was shown on one day (UTC): a set, so that what is told twice changes nothing."""

    shopper = models.ForeignKey(
        Shopper,
        on_delete=models.CASCADE,
        related_name="impressions",
        db_index=False,  # one_impression_per_shopper_and_day serves it
        verbose_name=_("shopper"),
    )
    shown_date = models.DateField(_("day"))
    product_ids = ArrayField(models.BigIntegerField(), verbose_name=_("products"))

    class Meta:
        verbose_name = _("impression")
        verbose_name_plural = _("impressions")
        constraints = [
            models.UniqueConstraint(F("shopper"), F("shown_date"), name="one_impression_per_shopper_and_day"),
            models.CheckConstraint(condition=~Q(product_ids__len=0), name="impression_has_products"),
        ]
        indexes = [
            # Read by the nightly clean-up.
            models.Index(fields=["shown_date"], name="impression_day"),
        ]

    def __str__(self) -> str:
        return f"{self.shopper_id}: {self.shown_date}"
