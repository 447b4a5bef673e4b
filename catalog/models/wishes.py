"""What shoppers asked for that is neither history nor a product."""

from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from catalog.models.accounts import Shopper
from catalog.models.products import Category


class LessOfGroup(models.Model):
    """ "Less of this group": what is in it, or below it, stands lower for this shopper."""

    shopper = models.ForeignKey(
        Shopper,
        on_delete=models.CASCADE,
        related_name="less_of",
        db_index=False,  # one_wish_per_shopper_and_group serves it
        verbose_name=_("shopper"),
    )
    category = models.ForeignKey(Category, on_delete=models.CASCADE, related_name="+", verbose_name=_("category"))
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("wish for less of a group")
        verbose_name_plural = _("wishes for less of a group")
        constraints = [
            models.UniqueConstraint(F("shopper"), F("category"), name="one_wish_per_shopper_and_group"),
        ]

    def __str__(self) -> str:
        return f"{self.shopper_id}: {self.category_id}"
