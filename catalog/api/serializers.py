"""What goes in and out of the catalogue's endpoints."""

from typing import Any

from rest_framework import serializers

from catalog.api.fields import (
    BATCH,
    Attributes,
    Filled,
    Flag,
    Identifier,
    Moment,
    Number,
    Price,
    StrictSerializer,
    Text,
    UnitPrice,
    Whole,
)

INTEGER = 2**31 - 1
CURRENCY = r"^[A-Z]{3}$"


class NoQuery(StrictSerializer):
    """No parameters."""


class ListQuery(StrictSerializer):
    """Which page of a list."""

    cursor = Filled(required=False, max_length=500, help_text="From `next`; without it the list begins.")
    limit = serializers.IntegerField(default=50, min_value=1, max_value=200)


class ProductQuery(ListQuery):
    """Which products."""

    q = Text(required=False, max_length=100, help_text="Part of the title.")
    category = Text(required=False, max_length=200, help_text="The path of a category; those below it count too.")
    is_active = serializers.ChoiceField(choices=["true", "false"], required=False)
    updated_since = Moment(required=False, help_text="Only what changed at or after this moment.")


class ProductSerializer(serializers.Serializer[Any]):
    """A product as it is stored."""

    external_id = serializers.CharField()
    title = serializers.CharField()
    title_zh_hans = serializers.CharField(help_text="In Chinese; empty where there is none.")
    description = serializers.CharField()
    category = serializers.CharField(
        source="category.path", allow_null=True, default=None, help_text="The path of its category."
    )
    brand = serializers.CharField()
    price = serializers.DecimalField(max_digits=12, decimal_places=2, allow_null=True)
    currency = serializers.CharField()
    attributes = Attributes()
    is_active = serializers.BooleanField()
    is_available = serializers.BooleanField()
    launched_at = serializers.DateTimeField(allow_null=True)
    updated_at = serializers.DateTimeField()


class ProductPageSerializer(serializers.Serializer[Any]):
    """A page of products, by external id."""

    results = ProductSerializer(many=True)
    next = serializers.URLField(allow_null=True)


class ProductRowSerializer(StrictSerializer):
    """A product as a partner states it: what is left out gets its default."""

    external_id = Identifier()
    title = Filled(max_length=300)
    title_zh_hans = Text(max_length=300, allow_blank=True, default="")
    description = Text(max_length=5000, allow_blank=True, default="")
    category = Filled(max_length=200, allow_null=True, default=None, help_text="The path of a category.")
    brand = Text(max_length=100, allow_blank=True, default="")
    price = Price(allow_null=True, default=None)
    currency = serializers.RegexField(CURRENCY, allow_blank=True, default="")
    attributes = Attributes(default=dict)
    is_active = Flag(default=True, help_text="Inactive products are never shown.")
    is_available = Flag(default=True, help_text="Whether it is in stock.")
    launched_at = Moment(allow_null=True, default=None)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["price"] is not None and not attrs["currency"]:
            raise serializers.ValidationError({"currency": ["A price needs a currency."]}, code="currency_missing")
        return attrs


class ProductBatchSerializer(StrictSerializer):
    """Up to 1,000 products."""

    products: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=ProductRowSerializer(), min_length=1, max_length=BATCH
    )


class StoredSerializer(serializers.Serializer[Any]):
    """What became of the products."""

    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()


class CategorySerializer(serializers.Serializer[Any]):
    """A group of products."""

    path = serializers.CharField(help_text="From the root, joined with /.")
    name_en = serializers.CharField()
    name_zh_hans = serializers.CharField()
    is_sensitive = serializers.BooleanField(help_text="Never named in a reason; holds for all groups below it.")


class CategoryPageSerializer(serializers.Serializer[Any]):
    """A page of categories, by path."""

    results = CategorySerializer(many=True)
    next = serializers.URLField(allow_null=True)


class EventTypeSerializer(serializers.Serializer[Any]):
    """A kind of event."""

    code = serializers.CharField()
    verb_en = serializers.CharField(help_text="As in “you bought X”: bought.")
    verb_zh_hans = serializers.CharField()
    polarity = serializers.IntegerField(help_text="1 for the product, 0 neutral, -1 against it.")
    is_target = serializers.BooleanField(help_text="Whether the model learns to predict it.")


class EventTypePageSerializer(serializers.Serializer[Any]):
    """A page of event types, by code."""

    results = EventTypeSerializer(many=True)
    next = serializers.URLField(allow_null=True)


class EventSerializer(StrictSerializer):
    """One thing that a shopper did to a product."""

    event_id = Identifier(help_text="Unique per partner. An event that is sent again changes nothing.")
    type = Filled(max_length=40, help_text="The code of an event type, such as `purchase`; or `shown`.")
    shopper = Identifier(
        allow_null=True, default=None, help_text="Created when it is new; null where you do not know who it was."
    )
    product = Identifier(help_text="The external id of a product.")
    occurred_at = Moment()
    quantity = Whole(allow_null=True, default=None, min_value=-INTEGER, max_value=INTEGER)
    unit_price = UnitPrice(allow_null=True, default=None)
    currency = serializers.RegexField(CURRENCY, allow_blank=True, default="")
    value = Number(allow_null=True, default=None, help_text="A rating, for example.")
    basket = Text(max_length=60, allow_blank=True, default="", help_text="What was bought together has one basket.")
    recommendation = Text(
        max_length=60, allow_blank=True, default="", help_text="The id of the recommendation that led here."
    )


class EventBatchSerializer(StrictSerializer):
    """Up to 1,000 events."""

    events: serializers.ListSerializer[Any] = serializers.ListSerializer(
        child=EventSerializer(), min_length=1, max_length=BATCH
    )


class EventBatchShape(StrictSerializer):
    """The same without a look into its rows: one that cannot be used does not stop the others."""

    events = serializers.ListField(min_length=1, max_length=BATCH)


class RejectedSerializer(serializers.Serializer[Any]):
    """An event that was not taken, and what would mend it."""

    row = serializers.IntegerField(help_text="Its index in the batch, from 0.")
    event_id = serializers.CharField(allow_null=True)
    field = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()
    remedy = serializers.CharField()


class RecordedSerializer(serializers.Serializer[Any]):
    """What became of the events: each is accepted, known, or among the rejected."""

    accepted = serializers.IntegerField()
    known = serializers.IntegerField(help_text="Sent before; the first one stands.")
    rejected = serializers.IntegerField()
    errors = RejectedSerializer(many=True)  # type: ignore[assignment]


class ShopperQuery(StrictSerializer):
    """Whose shopper."""

    partner = serializers.SlugField(
        required=False,
        max_length=50,
        help_text="The slug of the partner who sent the shopper, for keys that see all shoppers.",
    )


class ShopperSerializer(serializers.Serializer[Any]):
    """A shopper, and how much is known of them."""

    external_id = serializers.CharField()
    partner = serializers.CharField(source="partner.slug")
    is_personalised = serializers.BooleanField()
    interactions = serializers.IntegerField()
    last_interaction_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class ShopperChangeSerializer(StrictSerializer):
    """What can be changed of a shopper."""

    is_personalised = Flag(help_text="Off: recommendations are the same as everybody's, from the next request on.")
