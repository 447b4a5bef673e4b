"""Frozen training data and the models trained on it."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.models import QualityReport


class Snapshot(models.Model):
    """The frozen training data of model versions: cut-off, split, counts, checks.

    The arrays themselves are rebuilt from this row on any node, and `checksum` tells that they are the same.
    """

    cutoff_at = models.DateTimeField(_("cut-off"), help_text=_("Nothing later is used."))
    validation_from = models.DateTimeField(_("validation from"))
    test_from = models.DateTimeField(_("test from"))
    report = models.ForeignKey(QualityReport, on_delete=models.PROTECT, verbose_name=_("data-quality report"))
    counts = models.JSONField(_("counts"), default=dict)
    checksum = models.CharField(_("checksum"), max_length=64, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")
        constraints = [
            models.CheckConstraint(
                condition=Q(validation_from__lt=F("test_from"), test_from__lt=F("cutoff_at")),
                name="snapshot_split_is_ordered",
            )
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.cutoff_at:%Y-%m-%d}"


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def passed(self) -> Self:
        return self.filter(state=ModelVersion.State.PASSED)

    def trained(self) -> Self:
        """Measured, whatever the gate said."""
        return self.filter(state__in=[ModelVersion.State.PASSED, ModelVersion.State.REJECTED])

    def beginnings(self) -> Self:
        """Whose weights a training can begin with."""
        return self.filter(
            state__in=[ModelVersion.State.PASSED, ModelVersion.State.REJECTED, ModelVersion.State.FOREIGN]
        )

    def own(self) -> Self:
        """Trained here, or to be."""
        return self.exclude(state=ModelVersion.State.FOREIGN)

    def unfinished(self) -> Self:
        return self.filter(state__in=[ModelVersion.State.QUEUED, ModelVersion.State.TRAINING])

    def claimable(self, at: datetime) -> Self:
        """Wanted, and nobody holds them: queued, or the lease ran out."""
        return self.unfinished().filter(
            Q(leased_until=None) | Q(leased_until__lt=at),
            cancel_requested_at=None,
            attempts__lt=ModelVersion.MAX_ATTEMPTS,
        )

    def held(self, at: datetime) -> Self:
        """A worker is training them now."""
        return self.unfinished().filter(leased_until__gte=at)


class ModelVersion(models.Model):
    """Trained weights, with configuration, snapshot, metrics and state."""

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        TRAINING = "training", _("training")
        PASSED = "passed", _("passed the gate")
        REJECTED = "rejected", _("rejected by the gate")
        CANCELLED = "cancelled", _("cancelled")
        FAILED = "failed", _("failed")
        FOREIGN = "foreign", _("from another shop")  # weights to begin with; never measured, run or published

    MAX_ATTEMPTS = 25  # a killed training resumes from its checkpoint; one that kills its worker must end

    snapshot = models.ForeignKey(
        Snapshot,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="versions",
        verbose_name=_("snapshot"),
    )
    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.QUEUED)
    config = models.JSONField(_("configuration"))
    seed = models.PositiveIntegerField(_("seed"), default=1)
    started_from = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("started from"),
        help_text=_("The version whose weights it began with."),
    )
    shares_product_ids = models.BooleanField(
        _("same product ids"),
        default=False,
        help_text=_("The ids of the other shop's version that it began with are those of the same products here."),
    )
    origin = models.JSONField(
        _("origin"), default=dict, blank=True, help_text=_("What a file from another shop says of itself.")
    )
    is_publish_wanted = models.BooleanField(
        _("publish when ready"),
        default=False,
        help_text=_("Precompute and publish once the gate is passed."),
    )
    metrics = models.JSONField(_("metrics"), default=dict, blank=True)
    calibration = models.JSONField(_("calibration"), default=dict, blank=True)
    gate = models.JSONField(_("gate"), default=dict, blank=True)
    weights = models.CharField(
        _("weights"),
        max_length=200,
        blank=True,
        help_text=_("Name in the artifact storage."),
    )
    weights_checksum = models.CharField(_("checksum of the weights"), max_length=64, blank=True)
    code_revision = models.CharField(_("code revision"), max_length=60, blank=True)
    device = models.CharField(_("device"), max_length=60, blank=True)
    torch_version = models.CharField(_("torch version"), max_length=40, blank=True)
    error = models.TextField(_("error"), blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        verbose_name=_("created by"),
    )
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    cancel_requested_at = models.DateTimeField(_("cancel requested"), null=True, blank=True)
    # The lease of the worker that trains it; the reaper sends it again when the lease runs out.
    sent_at = models.DateTimeField(null=True, blank=True)
    lease_token = models.UUIDField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        verbose_name = _("model version")
        verbose_name_plural = _("model versions")
        constraints = [
            models.CheckConstraint(
                condition=~Q(state__in=["passed", "rejected"])
                | (~Q(weights="") & ~Q(weights_checksum="") & Q(finished_at__isnull=False, snapshot__isnull=False)),
                name="trained_version_has_weights",
            ),
            # Whatever is tried, what came from elsewhere is never what was trained and measured here, and the reverse.
            models.CheckConstraint(
                condition=Q(origin={}) & ~Q(state="foreign")
                | Q(state="foreign", snapshot=None, started_from=None, is_publish_wanted=False)
                & ~Q(origin={})
                & ~Q(weights="")
                & ~Q(weights_checksum=""),
                name="foreign_version_is_weights_alone",
            ),
            models.CheckConstraint(
                condition=Q(lease_token=None, leased_until=None)
                | Q(
                    lease_token__isnull=False,
                    leased_until__isnull=False,
                    state="training",
                ),
                name="version_lease_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return f"v{self.pk}"

    @property
    def trained_until(self) -> datetime | None:
        """What happened later is not in the weights: it measured them, and chose them if they did not catch up."""
        if self.snapshot is None:
            return None
        has_caught_up = self.config.get("training", {}).get("catching_up", 0) > 0
        return self.snapshot.test_from if has_caught_up else self.snapshot.validation_from


class TrainingEpoch(models.Model):
    """Progress of a training, a row an epoch."""

    version = models.ForeignKey(
        ModelVersion,
        on_delete=models.CASCADE,
        related_name="epochs",
        verbose_name=_("model version"),
    )
    number = models.PositiveIntegerField(_("epoch"))
    loss = models.FloatField(_("loss"))
    validation_ndcg = models.FloatField(_("validation NDCG@10"))
    seconds = models.FloatField(_("seconds"))

    class Meta:
        verbose_name = _("training epoch")
        verbose_name_plural = _("training epochs")
        constraints = [models.UniqueConstraint(F("version"), F("number"), name="one_row_per_version_and_epoch")]

    def __str__(self) -> str:
        return f"v{self.version_id} epoch {self.number}"


class ArtifactChunk(models.Model):
    """A piece of a stored artifact, such as weights, in Postgres."""

    name = models.CharField(_("name"), max_length=200)
    index = models.PositiveIntegerField(_("index"))
    data = models.BinaryField(_("data"))
    checksum = models.CharField(_("checksum"), max_length=64)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("artifact chunk")
        verbose_name_plural = _("artifact chunks")
        constraints = [models.UniqueConstraint(F("name"), F("index"), name="one_chunk_per_name_and_index")]

    def __str__(self) -> str:
        return f"{self.name}[{self.index}]"
