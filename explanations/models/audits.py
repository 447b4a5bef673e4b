"""Nightly audits: a sample of what the live run claims, checked by a forward of its own."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from recommendations.models import Run


class Audit(models.Model):
    """`checks`: code -> [how many checked, how many failed]. A failed one stops publishing until acknowledged."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="audits", verbose_name=_("run"))
    created_at = models.DateTimeField(_("created"))
    slates = models.PositiveIntegerField(_("slates"))
    moved_on = models.PositiveIntegerField(_("not comparable any more"))  # its history is not what it was
    checks = models.JSONField(_("checks"), default=dict)
    examples = models.JSONField(_("examples"), default=list)  # slate, rank, check, claimed, found
    is_passed = models.BooleanField(_("passed"))
    acknowledged_at = models.DateTimeField(_("acknowledged"), null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("acknowledged by"),
    )

    class Meta:
        verbose_name = _("audit of explanations")
        verbose_name_plural = _("audits of explanations")
        permissions = [("acknowledge_audit", "Can acknowledge a failed audit")]
        constraints = [
            models.CheckConstraint(
                condition=Q(acknowledged_at=None, acknowledged_by=None)
                | Q(acknowledged_at__isnull=False, acknowledged_by__isnull=False),
                name="audit_acknowledged_by_somebody",
            ),
        ]

    def __str__(self) -> str:
        return f"audit {self.pk}"

    @property
    def compared(self) -> int:
        """How many slates were made again; of the others only the words were checked."""
        return self.slates - self.moved_on

    @property
    def failures(self) -> str:
        """polarity 2/310, rank 1/2400"""
        return ", ".join(f"{code} {failed}/{checked}" for code, (checked, failed) in self.checks.items() if failed)
