"""Imports and what they rejected."""

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.models.accounts import Partner


class ImportQuerySet(models.QuerySet["Import"]):
    def unfinished(self) -> Self:
        """Whose rows must not be seen yet (or, once reverted, any more)."""
        return self.exclude(state=Import.State.FINISHED)


class Import(models.Model):
    """One file on its way into the catalogue; what it wrote is visible only once it is finished."""

    class Kind(models.TextChoices):
        PRODUCTS = "products", _("products")
        INTERACTIONS = "interactions", _("interactions")

    class State(models.TextChoices):
        STAGING = "staging", _("reading the file")
        MERGING = "merging", _("merging")
        FINISHED = "finished", _("finished")
        CHECKED = "checked", _("dry run finished")
        FAILED = "failed", _("failed")
        REVERTED = "reverted", _("reverted")

    partner = models.ForeignKey(
        Partner,
        on_delete=models.PROTECT,
        related_name="imports",
        verbose_name=_("partner"),
    )
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.STAGING)
    filename = models.CharField(_("file"), max_length=300)
    file_format = models.CharField(_("format"), max_length=20)
    is_strict = models.BooleanField(_("strict"), default=False, help_text=_("One bad row rejects the whole file."))
    is_dry_run = models.BooleanField(_("dry run"), default=False)
    rows_read = models.PositiveBigIntegerField(_("rows read"), default=0)
    rows_accepted = models.PositiveBigIntegerField(_("rows accepted"), default=0)
    rows_known = models.PositiveBigIntegerField(_("rows already known"), default=0)
    rows_rejected = models.PositiveBigIntegerField(_("rows rejected"), default=0)
    rows_merged = models.PositiveBigIntegerField(_("rows merged"), default=0)
    rejection_counts = models.JSONField(
        _("rejections"), default=dict, blank=True, help_text=_("How often each problem occurred.")
    )
    # Up to this row of the staged file everything is merged: a resumed import goes on after it.
    merged_through = models.PositiveBigIntegerField(_("merged up to row"), default=0)
    options = models.JSONField(
        _("options"), default=dict, blank=True, help_text=_("How to read the file, and where it lies, to resume it.")
    )
    error = models.TextField(_("error"), blank=True)
    started_at = models.DateTimeField(_("started"), auto_now_add=True)
    heartbeat_at = models.DateTimeField(_("last sign of life"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        verbose_name=_("started by"),
    )

    objects = ImportQuerySet.as_manager()

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="finished") | Q(finished_at__isnull=False),
                name="finished_import_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.filename}"


class ImportRejection(models.Model):
    """A row that was not taken, and what would mend it."""

    source = models.ForeignKey(
        Import,
        on_delete=models.CASCADE,
        related_name="rejections",
        verbose_name=_("import"),
    )
    row = models.PositiveBigIntegerField(_("row"))
    field = models.CharField(_("field"), max_length=60)
    value = models.CharField(_("value"), max_length=200, blank=True)
    code = models.CharField(_("code"), max_length=40)
    remedy = models.CharField(_("remedy"), max_length=300)

    class Meta:
        verbose_name = _("rejected row")
        verbose_name_plural = _("rejected rows")
        indexes = [models.Index(F("source"), F("row"), name="rejection_report")]  # the downloadable report

    def __str__(self) -> str:
        return f"{self.source_id}:{self.row} {self.field}"
