"""Lines as a language model reworded them."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Rewriting(models.Model):
    """What the checker made of the answer for one contract in one language: a text, or why there is none."""

    contract_hash = models.CharField(_("contract"), max_length=32)
    language = models.CharField(_("language"), max_length=10)
    source = models.TextField(_("template"))  # with placeholders; another release may say it otherwise
    text = models.TextField(_("text"), blank=True)  # with placeholders
    rejection = models.CharField(_("rejected for"), max_length=20, blank=True)
    answer = models.CharField(_("answer"), max_length=500, blank=True)  # for staff, of a rejected one
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("rewriting")
        verbose_name_plural = _("rewritings")
        constraints = [
            models.UniqueConstraint(fields=["contract_hash", "language"], name="one_rewriting_a_contract_and_language"),
            models.CheckConstraint(
                condition=Q(text="", rejection__gt="") | Q(text__gt="", rejection=""),
                name="rewriting_is_accepted_or_rejected",
            ),
        ]
        indexes = [
            # explanations.rewriting.store.rewrite: an accepted text of the same template is used again
            models.Index(fields=["language", "created_at"], name="rewriting_by_language"),
        ]

    def __str__(self) -> str:
        return f"{self.language} {self.contract_hash}"
