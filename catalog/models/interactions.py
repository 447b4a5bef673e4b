"""What shoppers did: the big table, and the words for its rows."""

from collections.abc import Collection
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from catalog.models.accounts import Partner, Shopper
from catalog.models.imports import Import
from catalog.models.products import Product


class EventType(models.Model):
    """A kind of interaction: a row, so that a travel site can add "stayed at"."""

    code = models.SlugField(_("code"), max_length=40, unique=True)
    verb_en = models.CharField(
        _("verb in English"),
        max_length=40,
        help_text=_("As in “you bought X”: bought."),
    )
    verb_zh_hans = models.CharField(_("verb in Chinese"), max_length=40, help_text=_("As in 您购买过: 购买过."))
    strength = models.FloatField(_("strength"), default=1.0, help_text=_("How much it counts in training."))
    polarity = models.SmallIntegerField(
        _("polarity"),
        choices=[
            (1, _("for the product")),
            (0, _("neutral")),
            (-1, _("against the product")),
        ],
        default=1,
    )
    is_target = models.BooleanField(_("target"), default=False, help_text=_("What the model learns to predict."))

    class Meta:
        verbose_name = _("event type")
        verbose_name_plural = _("event types")
        constraints = [
            models.CheckConstraint(
                condition=Q(polarity__in=[-1, 0, 1]),
                name="event_type_polarity_is_a_sign",
            ),
            models.CheckConstraint(condition=Q(strength__gte=0), name="event_type_strength_not_negative"),
            # Events of this name tell what a shopper was shown, see `catalog.impressions`.
            models.CheckConstraint(condition=~Q(code="shown"), name="event_type_code_is_not_reserved"),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def verb(self) -> str:
        """In the active language."""
        return self.verb_zh_hans if get_language() == "zh-hans" else self.verb_en


class InteractionQuerySet(models.QuerySet["Interaction"]):
    def visible(self) -> Self:
        """Without the rows of an import that has not finished."""
        return self.exclude(source__in=Import.objects.unfinished())

    def usable(self) -> Self:
        """Visible and not excluded by the shopper."""
        return self.visible().filter(excluded_at=None)

    def bought_by(self, shopper_ids: Collection[int], *, until: datetime) -> Self:
        """Purchases of these shoppers, excluded ones too: what is not used is still not new to them."""
        return self.visible().filter(shopper__in=shopper_ids, occurred_at__lt=until, event_type__is_target=True)

    def hidden_by(self, shopper_ids: Collection[int], *, until: datetime) -> Self:
        """What these shoppers do not want to see, as long as they have not taken it back."""
        return self.usable().filter(shopper__in=shopper_ids, occurred_at__lte=until, event_type__code="not_interested")

    def histories(self, shopper_ids: Collection[int], *, until: datetime) -> Self:
        """What counts as these shoppers' history before a moment, a shopper after the other, oldest first.

        Without wishes against a product, returns and what they cancel, and lines without quantity or price. With what
        a shopper excluded: its place in the history stays, see `recommendations.inference.shopper_lines`.
        """
        later_return = Interaction.objects.usable().filter(
            shopper=OuterRef("shopper"),
            product=OuterRef("product"),
            event_type__code="return",
            occurred_at__gte=OuterRef("occurred_at"),
            occurred_at__lt=until,
            quantity__gte=OuterRef("quantity"),
        )
        return (
            self.visible()
            .filter(
                ~Exists(later_return),
                Q(quantity=None) | Q(quantity__gt=0),
                Q(unit_price=None) | Q(unit_price__gt=0),
                shopper__in=shopper_ids,
                occurred_at__lt=until,
                event_type__polarity__gte=0,
            )
            .order_by("shopper", "occurred_at", "product", "pk")
        )


class Interaction(models.Model):
    """One thing a shopper did to a product at a time. Never changed but for `excluded_at` and `is_gift`."""

    partner = models.ForeignKey(
        Partner,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,  # one_interaction_per_partner_and_event_id serves it, and each index slows imports down
        verbose_name=_("partner"),
    )
    event_id = models.CharField(_("event id"), max_length=100)
    # Empty where the source did not know who it was: counted for popularity, never part of a history.
    shopper = models.ForeignKey(
        Shopper,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="interactions",
        db_index=False,  # interaction_history serves it
        verbose_name=_("shopper"),
    )
    product = models.ForeignKey(
        Product,
        on_delete=models.PROTECT,
        related_name="interactions",
        verbose_name=_("product"),
    )
    event_type = models.ForeignKey(
        EventType,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        verbose_name=_("event type"),
    )
    occurred_at = models.DateTimeField(_("occurred"))
    received_at = models.DateTimeField(_("received"), auto_now_add=True)
    quantity = models.IntegerField(_("quantity"), null=True, blank=True)
    unit_price = models.DecimalField(_("unit price"), max_digits=12, decimal_places=3, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    value = models.FloatField(_("value"), null=True, blank=True, help_text=_("A rating, for example."))
    basket = models.CharField(_("basket"), max_length=60, blank=True)
    recommendation = models.CharField(
        _("recommendation"),
        max_length=60,
        blank=True,
        help_text=_("The recommendation that led here."),
    )
    source = models.ForeignKey(
        Import,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="interactions",
        verbose_name=_("import"),
    )
    excluded_at = models.DateTimeField(_("excluded"), null=True, blank=True)
    # Excluded because it was for somebody else. The database fills it in: COPY and bulk inserts do not name it.
    is_gift = models.BooleanField(_("a gift"), db_default=False)

    objects = InteractionQuerySet.as_manager()

    class Meta:
        verbose_name = _("interaction")
        verbose_name_plural = _("interactions")
        constraints = [
            models.UniqueConstraint(
                F("partner"),
                F("event_id"),
                name="one_interaction_per_partner_and_event_id",
            ),
            models.CheckConstraint(condition=Q(is_gift=False) | Q(excluded_at__isnull=False), name="gift_is_not_used"),
        ]
        indexes = [
            # Read by snapshots, refreshes and "my history": one shopper's interactions in order.
            models.Index(fields=["shopper", "occurred_at", "id"], name="interaction_history"),
        ]

    def __str__(self) -> str:
        return f"{self.partner_id}/{self.event_id}"
