"""Stored explanations: one row a slate."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from recommendations.models import Slate


class Explanation(models.Model):
    """The contracts of one slate, in rank order; `explanations.contract` defines their form."""

    slate = models.OneToOneField(
        Slate,
        on_delete=models.CASCADE,
        related_name="explanation",
        verbose_name=_("slate"),
    )
    format = models.PositiveSmallIntegerField(_("format"))
    contracts = models.JSONField(_("contracts"))
    # Columns, because a constraint needs them.
    is_personal = models.BooleanField(_("personal"))
    explained = models.PositiveSmallIntegerField(_("explained products"))
    verified = models.PositiveSmallIntegerField(_("with a verified reason"))
    fallback = models.PositiveSmallIntegerField(_("with a fallback cause"))
    withheld = models.PositiveSmallIntegerField(_("withheld"))
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("explanation")
        verbose_name_plural = _("explanations")
        constraints = [
            models.CheckConstraint(
                condition=Q(explained=models.F("verified") + models.F("fallback") + models.F("withheld")),
                name="explanation_counts_add_up",
            ),
        ]

    def __str__(self) -> str:
        return f"explanation of slate {self.slate_id}"
