"""What was measured of a model version's explanations before it may explain."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from recommendations.models import ModelVersion


class VersionCheck(models.Model):
    """Measured once a version, on a sample of shoppers: the placebo floor and the faithfulness of its reasons."""

    version = models.OneToOneField(
        ModelVersion, on_delete=models.CASCADE, related_name="check_of_explanations", verbose_name=_("model version")
    )
    # 95th percentile of Δ log p when the masked interaction is one that was inserted at random.
    placebo_floor = models.FloatField(_("placebo floor"))
    measures = models.JSONField(_("measures"), default=dict)  # DEL@k, INS@k of ours, recency and random
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("check of explanations")
        verbose_name_plural = _("checks of explanations")

    def __str__(self) -> str:
        return f"v{self.version_id}"
