"""What can be recommended, and the groups it belongs to."""

from typing import Self

from django.contrib.postgres.indexes import GinIndex
from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _


class Category(models.Model):
    """A group of products, in a tree; `path` joins the slugs from the root with `/`."""

    parent = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="children",
        verbose_name=_("parent"),
    )
    path = models.CharField(
        _("path"),
        max_length=200,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9-]+(/[a-z0-9-]+)*$", _("Lower-case words joined by - and /."))],
    )
    name_en = models.CharField(_("name in English"), max_length=100)
    name_zh_hans = models.CharField(_("name in Chinese"), max_length=100, blank=True)
    glyph = models.CharField(
        _("glyph"),
        max_length=30,
        blank=True,
        help_text=_("The sign on generated pictures."),
    )
    hue = models.PositiveSmallIntegerField(_("hue"), default=170, validators=[MaxValueValidator(359)])
    is_sensitive = models.BooleanField(
        _("sensitive"),
        default=False,
        help_text=_("Never named in a reason; holds for all groups below it."),
    )

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")

    def __str__(self) -> str:
        return self.path

    @property
    def name(self) -> str:
        """In the active language, English where it is not translated."""
        return self.name_zh_hans if get_language() == "zh-hans" and self.name_zh_hans else self.name_en


class ProductQuerySet(models.QuerySet["Product"]):
    def recommendable(self) -> Self:
        """What may be shown to a shopper now."""
        return self.filter(is_active=True, is_available=True)


class Product(models.Model):
    """What is recommended."""

    external_id = models.CharField(_("external id"), max_length=100, unique=True)
    title = models.CharField(_("title"), max_length=300)
    title_zh_hans = models.CharField(_("title in Chinese"), max_length=300, blank=True)
    description = models.TextField(_("description"), blank=True)
    category = models.ForeignKey(
        Category,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="products",
        verbose_name=_("category"),
    )
    brand = models.CharField(_("brand"), max_length=100, blank=True)
    price = models.DecimalField(_("price"), max_digits=12, decimal_places=2, null=True, blank=True)
    currency = models.CharField(
        _("currency"),
        max_length=3,
        blank=True,
        validators=[RegexValidator(r"^[A-Z]{3}$", _("Like GBP."))],
    )
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    is_active = models.BooleanField(_("active"), default=True, help_text=_("Inactive products are never shown."))
    is_available = models.BooleanField(_("in stock"), default=True)
    launched_at = models.DateTimeField(_("launched"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    objects = ProductQuerySet.as_manager()

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        constraints = [
            models.CheckConstraint(condition=~Q(external_id=""), name="product_has_external_id"),
            models.CheckConstraint(condition=~Q(title=""), name="product_has_title"),
            models.CheckConstraint(
                condition=Q(price=None) | Q(price__gte=0),
                name="product_price_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(price=None) | ~Q(currency=""),
                name="product_price_has_currency",
            ),
        ]
        indexes = [
            # Read by the search of pages, admin and API.
            GinIndex(
                fields=["title"],
                name="product_title_trigram",
                opclasses=["gin_trgm_ops"],
            ),
            # Read by the product list, newest first.
            models.Index(F("launched_at").desc(), F("id").desc(), name="product_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.external_id} {self.title}"

    @property
    def name(self) -> str:
        """The title in the active language, or the one there is."""
        return self.title_zh_hans if get_language() == "zh-hans" and self.title_zh_hans else self.title
