"""Precomputations: runs, the shards they are cut into, and the slates they write."""

from datetime import datetime
from typing import Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Product, Shopper
from recommendations.models.versions import ModelVersion


class Placement(models.TextChoices):
    """A named place that shows recommendations."""

    HOME = "home", _("New for you")
    BUY_AGAIN = "buy_again", _("Buy again")
    PRODUCT = "product", _("Similar to what you are viewing")


class RunQuerySet(models.QuerySet["Run"]):
    def live(self) -> Self:
        return self.filter(state=Run.State.LIVE)

    def ready(self) -> Self:
        """Complete and waiting, or live before and kept for roll-back."""
        return self.filter(state__in=[Run.State.READY, Run.State.RETIRED])

    def fully_explained(self) -> Self:
        """With slates, and none without its explanation: what the publishing UPDATE demands."""
        slates = Slate.objects.filter(run=OuterRef("pk"))
        return self.filter(Exists(slates), ~Exists(slates.filter(explained_at=None)))


class Run(models.Model):
    """One precomputation over all shoppers from one model version: what is published and rolled back."""

    class State(models.TextChoices):
        COMPUTING = "computing", _("computing")
        READY = "ready", _("ready to publish")
        LIVE = "live", _("live")
        RETIRED = "retired", _("retired")
        FAILED = "failed", _("failed")

    version = models.ForeignKey(
        ModelVersion,
        on_delete=models.PROTECT,
        related_name="runs",
        verbose_name=_("model version"),
    )
    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.COMPUTING)
    as_of = models.DateTimeField(_("as of"), help_text=_("The model's “now”; later interactions are not used."))
    is_publish_wanted = models.BooleanField(_("publish when ready"), default=False)
    summary = models.JSONField(_("summary"), default=dict, blank=True)  # coverage by cause, speeds, faithfulness
    error = models.TextField(_("error"), blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("created by"),
    )
    ready_at = models.DateTimeField(_("ready"), null=True, blank=True)
    published_at = models.DateTimeField(_("published"), null=True, blank=True)
    published_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("published by"),
    )
    retired_at = models.DateTimeField(_("retired"), null=True, blank=True)

    objects = RunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run")
        verbose_name_plural = _("runs")
        permissions = [  # what changes what shoppers see is granted by name
            ("publish_run", "Can publish a run"),
            ("roll_back_run", "Can roll back to the run before"),
        ]
        constraints = [
            models.UniqueConstraint(F("state"), condition=Q(state="live"), name="one_live_run"),
            models.CheckConstraint(
                condition=~Q(state__in=["live", "retired"]) | Q(published_at__isnull=False),
                name="published_run_has_time",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["ready", "live", "retired"]) | Q(ready_at__isnull=False),
                name="ready_run_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.pk}"


class ShardQuerySet(models.QuerySet["Shard"]):
    def claimable(self, at: datetime) -> Self:
        """Nobody holds them: pending, or the lease ran out."""
        # EXISTS and not a join, which would let two competing UPDATEs both claim the shard.
        computing = Run.objects.filter(pk=OuterRef("run"), state=Run.State.COMPUTING)
        return self.filter(
            Q(state=Shard.State.PENDING) | Q(state=Shard.State.LEASED, leased_until__lt=at),
            Exists(computing),
            attempts__lt=Shard.MAX_ATTEMPTS,
        )

    def held(self, at: datetime) -> Self:
        """A worker is computing them now."""
        return self.filter(state=Shard.State.LEASED, leased_until__gte=at)


class Shard(models.Model):
    """A range of shoppers or products of a run, claimed by a worker as a lease."""

    class Kind(models.TextChoices):
        SHOPPERS = "shoppers", _("shoppers")
        PRODUCTS = "products", _("products")
        NON_PERSONAL = "non_personal", _("non-personal")

    class State(models.TextChoices):
        PENDING = "pending", _("pending")
        LEASED = "leased", _("leased")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    MAX_ATTEMPTS = 5

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="shards", verbose_name=_("run"))
    number = models.PositiveIntegerField(_("number"))
    kind = models.CharField(_("kind"), max_length=20, choices=Kind.choices)
    first_id = models.BigIntegerField(_("first id"), default=0)  # shoppers or products, inclusive
    last_id = models.BigIntegerField(_("last id"), default=0)
    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.PENDING)
    lease_token = models.UUIDField(_("lease token"), null=True, blank=True)
    leased_until = models.DateTimeField(_("leased until"), null=True, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    slates = models.PositiveIntegerField(_("slates"), default=0)
    seconds = models.FloatField(_("seconds"), null=True, blank=True)
    summary = models.JSONField(_("summary"), default=dict, blank=True)
    error = models.TextField(_("error"), blank=True)

    objects = ShardQuerySet.as_manager()

    class Meta:
        verbose_name = _("shard")
        verbose_name_plural = _("shards")
        constraints = [
            models.UniqueConstraint(F("run"), F("number"), name="one_shard_per_run_and_number"),
            models.CheckConstraint(
                condition=Q(
                    state="leased",
                    lease_token__isnull=False,
                    leased_until__isnull=False,
                )
                | (~Q(state="leased") & Q(lease_token=None, leased_until=None)),
                name="shard_lease_is_whole",
            ),
        ]
        indexes = [
            # Read by claims and by the reaper.
            models.Index(F("run"), F("state"), F("number"), name="shard_claim"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.number}"


class SlateQuerySet(models.QuerySet["Slate"]):
    def live(self) -> Self:
        """Current slates of the live run."""
        return self.filter(run__state=Run.State.LIVE, superseded_at=None)

    def for_shopper(self, shopper: Shopper, placement: str) -> Self:
        """The live run's current slate: at most one row."""
        return self.live().filter(shopper=shopper, placement=placement)

    def for_product(self, product: Product) -> Self:
        """The live run's products similar to this one: at most one row."""
        return self.live().filter(context_product=product, shopper=None, placement=Placement.PRODUCT)

    def non_personal(self, placement: str) -> Self:
        """What anonymous, new and switched-off shoppers see: at most one row."""
        return self.live().filter(shopper=None, context_product=None, placement=placement)


class Slate(models.Model):
    """The ranked products of one run and placement, for a shopper, a context product, or everybody."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="slates", verbose_name=_("run"))
    placement = models.CharField(_("placement"), max_length=20, choices=Placement.choices)
    shopper = models.ForeignKey(
        Shopper,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="slates",
        verbose_name=_("shopper"),
    )
    context_product = models.ForeignKey(
        Product,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("context product"),
    )
    # Best first. Scores are the model's; probabilities are calibrated: P(in the shopper's next basket).
    product_ids = ArrayField(models.BigIntegerField(), verbose_name=_("products"))
    scores = ArrayField(models.FloatField(), verbose_name=_("scores"))
    probabilities = ArrayField(models.FloatField(), verbose_name=_("probabilities"))
    history_hash = models.CharField(_("history hash"), max_length=32, blank=True)
    computed_at = models.DateTimeField(_("computed"))
    explained_at = models.DateTimeField(_("explained"), null=True, blank=True)
    superseded_at = models.DateTimeField(_("superseded"), null=True, blank=True)

    objects = SlateQuerySet.as_manager()

    class Meta:
        verbose_name = _("slate")
        verbose_name_plural = _("slates")
        constraints = [
            models.UniqueConstraint(
                F("run"),
                F("placement"),
                F("shopper"),
                condition=Q(superseded_at=None, shopper__isnull=False),
                name="one_current_slate_per_shopper",
            ),
            models.UniqueConstraint(
                F("run"),
                F("placement"),
                F("context_product"),
                condition=Q(superseded_at=None, shopper=None, context_product__isnull=False),
                name="one_current_slate_per_product",
            ),
            models.UniqueConstraint(
                F("run"),
                F("placement"),
                condition=Q(superseded_at=None, shopper=None, context_product=None),
                name="one_current_non_personal_slate",
            ),
            models.CheckConstraint(
                condition=Q(
                    scores__len=F("product_ids__len"),
                    probabilities__len=F("product_ids__len"),
                    product_ids__len__lte=30,
                ),
                name="slate_arrays_are_parallel",
            ),
            models.CheckConstraint(
                condition=Q(shopper=None) | Q(context_product=None),
                name="slate_has_one_subject",
            ),
        ]
        indexes = [
            # Read by the publishing UPDATE: any slate of the run not explained?
            models.Index(F("run"), condition=Q(explained_at=None), name="slate_unexplained"),
        ]

    def __str__(self) -> str:
        return f"slate {self.pk}"
