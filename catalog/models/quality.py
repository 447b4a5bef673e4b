"""The stored data-quality report."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class QualityReport(models.Model):
    """What cleaning found up to a cut-off: one entry a rule, with its count, samples and reason for a zero."""

    cutoff_at = models.DateTimeField(_("cut-off"))
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    rows_read = models.PositiveBigIntegerField(_("rows read"))
    rows_usable = models.PositiveBigIntegerField(_("rows usable"))
    rules = models.JSONField(_("rules"))
    bounds = models.JSONField(
        _("bounds"),
        help_text=_("Outlier bounds of price and quantity, and price bands."),
    )

    class Meta:
        verbose_name = _("data-quality report")
        verbose_name_plural = _("data-quality reports")

    def __str__(self) -> str:
        return f"{self.pk} {self.cutoff_at:%Y-%m-%d}"
