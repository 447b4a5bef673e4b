"""Products of which somebody who bought them was erased: what goes with them is counted again."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from catalog.models import Product


class RecountQuerySet(models.QuerySet["Recount"]):
    def pending(self) -> "RecountQuerySet":
        return self.filter(counted_at=None)


class Recount(models.Model):
    """Nothing is shown beside the product until it is counted; afterwards nothing of what too few people bought.

    It holds for slates and for versions that were made before: what is trained later counts without the erased.
    """

    product = models.OneToOneField(
        Product, on_delete=models.CASCADE, related_name="+", primary_key=True, verbose_name=_("product")
    )
    asked_at = models.DateTimeField(_("asked"))
    counted_at = models.DateTimeField(_("counted"), null=True, blank=True)  # empty again whenever it is asked for
    # Too few people bought the product at all, or one of these companions together with it.
    is_too_few = models.BooleanField(_("too few people"), default=False)
    companions = ArrayField(models.BigIntegerField(), default=list, verbose_name=_("companions of too few people"))

    objects = RecountQuerySet.as_manager()

    class Meta:
        verbose_name = _("recount")
        verbose_name_plural = _("recounts")

    def __str__(self) -> str:
        return f"recount of product {self.product_id}"
