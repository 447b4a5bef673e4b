"""What a run knows of all shoppers together, as it was when the run began."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from recommendations.models import Run


class OfferedProducts(models.Model):
    """Which products could be recommended when slates of a run were computed: what an audit ranks them among.

    Kept once however many slates were made from it; stock changes between shards and between refreshes.
    """

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="offered_products", verbose_name=_("run"))
    digest = models.CharField(_("digest"), max_length=32)
    products = models.BinaryField(_("products"))  # a bit for each of the version's product numbers, deflated
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("products on offer")
        verbose_name_plural = _("products on offer")
        constraints = [
            models.UniqueConstraint(fields=["run", "digest"], name="products_on_offer_are_kept_once_a_run"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.digest}"


class FrozenCounts(models.Model):
    """One row a run: nothing that others do afterwards changes a score or a sentence of it."""

    run = models.OneToOneField(
        Run, on_delete=models.CASCADE, related_name="frozen_counts", verbose_name=_("run"), primary_key=True
    )
    # log(1 + purchases in the four weeks before), float32, by the version's product numbers.
    recent_popularity = models.BinaryField(_("recent popularity"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("frozen counts")
        verbose_name_plural = _("frozen counts")

    def __str__(self) -> str:
        return f"counts of run {self.run_id}"
