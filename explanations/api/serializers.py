"""Recommendations with their explanations, as the API says them."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from catalog.api.fields import Identifier, StrictSerializer
from catalog.api.serializers import ShopperQuery
from explanations.api import codes
from explanations.services import SHOWN
from recommendations.models import Placement


class LanguageQuery(StrictSerializer):
    """In which language."""

    language = serializers.ChoiceField(
        choices=[code for code, _ in settings.LANGUAGES],
        required=False,
        help_text="Of titles and sentences; without it the one that `Accept-Language` prefers.",
    )


class RecommendationsQuery(LanguageQuery):
    """Which recommendations."""

    placement = serializers.ChoiceField(choices=[(code, str(name)) for code, name in Placement.choices])
    limit = serializers.IntegerField(default=10, min_value=1, max_value=SHOWN)
    product = Identifier(
        required=False, help_text="With the placement `product`: the external id of the product that is being viewed."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["placement"] == Placement.PRODUCT and "product" not in attrs:
            raise serializers.ValidationError({"product": ["This placement needs it."]}, code="product_missing")
        if attrs["placement"] != Placement.PRODUCT and "product" in attrs:
            raise serializers.ValidationError({"product": ["This placement has none."]}, code="product_not_taken")
        return attrs


class ShopperRecommendationsQuery(ShopperQuery, RecommendationsQuery):
    """Which recommendations, and whose shopper."""


class RecommendedProductSerializer(serializers.Serializer[Any]):
    """What is recommended."""

    external_id = serializers.CharField()
    title = serializers.CharField(help_text="In the asked language where there is one.")
    category = serializers.CharField(allow_null=True, help_text="The path of its category.")
    price = serializers.DecimalField(max_digits=12, decimal_places=2, allow_null=True)
    currency = serializers.CharField()


class NamedProductSerializer(serializers.Serializer[Any]):
    """A product that a reason names."""

    external_id = serializers.CharField()
    title = serializers.CharField()


class EvidenceSerializer(serializers.Serializer[Any]):
    """All interactions of the shopper with one product; or the product that is being viewed."""

    product = NamedProductSerializer(
        allow_null=True, help_text="Null where it is no longer in the catalogue, or must not be named."
    )
    event_type = serializers.CharField(allow_null=True)
    times = serializers.IntegerField(allow_null=True)
    last_at = serializers.DateTimeField(allow_null=True)


class ReasonSerializer(serializers.Serializer[Any]):
    """One checked statement: leaving the evidence out of the history changes the recommendation so much."""

    type = serializers.ChoiceField(choices=codes.choices(codes.REASON_TYPES))
    is_verified = serializers.BooleanField()
    delta = serializers.FloatField(
        help_text="Log-probability with everything minus that without the evidence; above 0 it supports."
    )
    threshold = serializers.FloatField(allow_null=True, help_text="What `delta` had to reach.")
    rank_without = serializers.IntegerField(
        allow_null=True, help_text="Its rank in the catalogue without the evidence."
    )
    rank_only = serializers.IntegerField(allow_null=True, help_text="Its rank with nothing but the evidence.")
    share = serializers.FloatField(allow_null=True, help_text="Part of the score; see `shares`.")
    effect = serializers.CharField(help_text="What the check showed, as a sentence.")
    text = serializers.CharField(help_text="What the evidence is; where it is redacted, that there is some.")
    category = serializers.CharField(allow_null=True, help_text="Of a category reason. Null where it is redacted.")
    every_days = serializers.IntegerField(
        allow_null=True, help_text="Of a repeat: median days between purchases. Null where it is redacted."
    )
    evidence = EvidenceSerializer(many=True, allow_null=True, help_text="Null where it is redacted.")


class CounterfactualSerializer(serializers.Serializer[Any]):
    """The smallest change found that moves the product away, replayed on the whole catalogue."""

    strength = serializers.ChoiceField(choices=codes.choices(codes.STRENGTHS))
    rank = serializers.IntegerField(help_text="Where it would stand.")
    replacement = NamedProductSerializer(allow_null=True, help_text="What would take its place.")
    removed = NamedProductSerializer(
        many=True, allow_null=True, help_text="What would have to be left out. Null where redacted."
    )
    category = serializers.CharField(
        allow_null=True, help_text="Where everything from one is left out. Null where it is redacted."
    )
    text = serializers.CharField(allow_null=True, help_text="As a sentence; where it is redacted, it names nothing.")


class SplitSerializer(serializers.Serializer[Any]):
    """The score by parts of the product: baseline, parts and residual add up to it."""

    baseline = serializers.FloatField(help_text="What an average product has.")
    parts = serializers.DictField(child=serializers.FloatField(), help_text="Centred on their catalogue means.")
    residual = serializers.FloatField()


class SharesSerializer(serializers.Serializer[Any]):
    """The score by history, in steps that add up: nothing, then the rest, then the reasons from last to first."""

    nothing = serializers.FloatField()
    rest = serializers.FloatField()
    reasons = serializers.ListField(
        child=serializers.FloatField(), help_text="From the first; also at each reason as `share`."
    )


class TargetSerializer(serializers.Serializer[Any]):
    """What is explained."""

    log_probability = serializers.FloatField(help_text="Among the shopper's candidates.")
    rank = serializers.IntegerField(help_text="Among the shopper's candidates, from 1.")
    empty_rank = serializers.IntegerField(allow_null=True, help_text="Its rank for somebody without a history.")
    runner_up = NamedProductSerializer(allow_null=True, help_text="The next one.")


class ConfidenceSerializer(serializers.Serializer[Any]):
    """How likely it is that the product is in the shopper's next basket."""

    probability = serializers.FloatField(help_text="Calibrated.")
    band = serializers.ChoiceField(choices=codes.choices(codes.BANDS))
    text = serializers.CharField()


class ChanceSerializer(serializers.Serializer[Any]):
    """How likely it is that the product is among what the shopper does next of one kind."""

    probability = serializers.FloatField(help_text="Calibrated on shoppers who did something of this kind.")
    band = serializers.ChoiceField(choices=codes.choices(codes.BANDS))
    text = serializers.CharField(help_text="In plain words.")


class ProvenanceSerializer(serializers.Serializer[Any]):
    """What it was computed with."""

    model_version = serializers.IntegerField()
    run = serializers.IntegerField()
    history_hash = serializers.CharField(help_text="Of the history that was explained.")
    candidates = serializers.IntegerField(help_text="How many products were ranked.")
    torch = serializers.CharField()
    device = serializers.CharField()
    computed_at = serializers.DateTimeField()


class ExplanationSerializer(serializers.Serializer[Any]):
    """Why a product stands in its place: facts that were checked, and sentences made of them."""

    cause = serializers.ChoiceField(choices=codes.choices(codes.CAUSES))
    status = serializers.ChoiceField(choices=codes.choices(codes.STATUSES))
    label = serializers.CharField(  # type: ignore[assignment]
        allow_null=True, help_text="A word for causes that are not personal; show it."
    )
    text = serializers.CharField(help_text="The line to show; where it is redacted, it names no evidence.")
    claim = serializers.CharField(help_text="The line with what was tested.")
    is_redacted = serializers.BooleanField(
        help_text="Whether evidence is left out, since the key lacks explanations:evidence."
    )
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Rounded counts that the cause names.")
    target = TargetSerializer()
    confidence = ConfidenceSerializer()
    reasons = ReasonSerializer(many=True, help_text="Strongest first.")
    opposing = ReasonSerializer(many=True, help_text="What speaks against it, strongest first.")
    counterfactual = CounterfactualSerializer(allow_null=True)
    split = SplitSerializer(allow_null=True)
    shares = SharesSerializer(allow_null=True)
    provenance = ProvenanceSerializer()


class RecommendationSerializer(serializers.Serializer[Any]):
    """One product at one rank."""

    id = serializers.CharField(help_text="Never changes its meaning. Send it with the events that follow from it.")
    rank = serializers.IntegerField(
        help_text="The model's. Has gaps where a product is no longer shown; where less of its category was wished, it "
        "stands lower than its rank."
    )
    lowered_for = serializers.CharField(
        allow_null=True,
        help_text="The category that the shopper wished to see less of: ten others go ahead of each in it. Null for "
        "keys without explanations:evidence, and for a sensitive category.",
    )
    score = serializers.FloatField(help_text="The model's; comparable within one answer.")
    probability = serializers.FloatField(help_text="Calibrated: that the product is in the shopper's next basket.")
    chances = serializers.DictField(
        child=ChanceSerializer(),
        help_text="By the code of the event type, of personal recommendations. Types that the model does not predict, "
        "or that too few shoppers did for a calibration, are absent.",
    )
    product = RecommendedProductSerializer()
    explanation = ExplanationSerializer()


class RecommendationsSerializer(serializers.Serializer[Any]):
    """What a placement shows."""

    placement = serializers.ChoiceField(choices=[(code, str(name)) for code, name in Placement.choices])
    language = serializers.CharField()
    is_personal = serializers.BooleanField(help_text="False: the same for everybody.")
    is_stale = serializers.BooleanField(help_text="Something happened since; a refresh is under way.")
    computed_at = serializers.DateTimeField(allow_null=True, help_text="Null where nothing is published yet.")
    recommendations = RecommendationSerializer(many=True)


class SingleRecommendationSerializer(RecommendationSerializer):
    """One recommendation, in its placement."""

    placement = serializers.ChoiceField(choices=[(code, str(name)) for code, name in Placement.choices])
    language = serializers.CharField()
    is_personal = serializers.BooleanField()
    is_current = serializers.BooleanField(help_text="False where a later one took its place.")
