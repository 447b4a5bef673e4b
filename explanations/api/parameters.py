"""The endpoint that tells what recommendations are made of."""

from typing import Any, ClassVar

from django.conf import settings
from django.utils import translation
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.base import ApiView, Data, Scopes, query_of
from catalog.api.schema import Tags
from catalog.models import Scope
from explanations.api import codes
from explanations.api.serializers import LanguageQuery
from explanations.parameters import NotUsed, Option, Parameters, main_parameters
from explanations.phrasing.parameters import not_used, option
from explanations.phrasing.parts import part_name


class CriterionSerializer(serializers.Serializer[Any]):
    """One part of the score."""

    code = serializers.CharField(
        help_text="id, an attribute of products, bias, recent_popularity, or repeat: that it was bought before."
    )
    name = serializers.CharField()
    weight = serializers.FloatField(help_text="Its mean size over all personal recommendations, as a share of all.")
    depends_on_history = serializers.BooleanField(help_text="False: it is the same for everybody.")


class CauseShareSerializer(serializers.Serializer[Any]):
    """How often a cause stands behind what is shown."""

    cause = serializers.ChoiceField(choices=codes.choices(codes.CAUSES))
    name = serializers.CharField()
    count = serializers.IntegerField()
    share = serializers.FloatField()


class UsedDataSerializer(serializers.Serializer[Any]):
    """One kind of what shoppers do that counts."""

    code = serializers.CharField(help_text="Of the event type.")
    name = serializers.CharField()


class ProductDataSerializer(serializers.Serializer[Any]):
    """One thing that is known of products and weighs in their scores."""

    code = serializers.CharField(help_text="As in `criteria`.")
    name = serializers.CharField()


class UnusedDataSerializer(serializers.Serializer[Any]):
    """What no recommendation rests on."""

    code = serializers.ChoiceField(choices=codes.choices(codes.NOT_USED))
    text = serializers.CharField()


class ShopperOptionSerializer(serializers.Serializer[Any]):
    """What a shopper may change."""

    code = serializers.ChoiceField(choices=codes.choices(codes.OPTIONS))
    text = serializers.CharField()


class MainParametersSerializer(serializers.Serializer[Any]):
    """What recommendations are made of at the moment. Null and empty where nothing is published."""

    language = serializers.CharField()
    model_version = serializers.IntegerField(allow_null=True)
    run = serializers.IntegerField(allow_null=True)
    published_at = serializers.DateTimeField(allow_null=True)
    trained_until = serializers.DateTimeField(allow_null=True, help_text="What happened later is not in the weights.")
    recommendations = serializers.IntegerField(
        allow_null=True, help_text="How many the weights were measured on: all personal ones. Null: not measured."
    )
    criteria = CriterionSerializer(many=True, help_text="Heaviest first. The weights add up to 1.")
    history_weight = serializers.FloatField(allow_null=True, help_text="Of the criteria that depend on the history.")
    general_weight = serializers.FloatField(allow_null=True, help_text="Of those that are the same for everybody.")
    anyway_share = serializers.FloatField(
        allow_null=True, help_text="Of the first ten of everybody: how many would be there without a history too."
    )
    causes = CauseShareSerializer(many=True, help_text="Most frequent first.")
    data_used = UsedDataSerializer(many=True)
    product_data_used = ProductDataSerializer(many=True, help_text="Heaviest first.")
    data_not_used = UnusedDataSerializer(many=True)
    options = ShopperOptionSerializer(many=True)


class MainParametersView(ApiView):
    """What everybody may know."""

    scopes: ClassVar[Scopes] = {"GET": (Scope.RECOMMENDATIONS_READ,)}

    @extend_schema(
        operation_id="get_main_parameters",
        summary="Tell the main parameters of recommendations",
        tags=Tags.RECOMMENDATIONS,
        parameters=[LanguageQuery],
        responses=MainParametersSerializer,
    )
    def get(self, request: Request) -> Response:
        """What weighs how much, measured on the live run; causes and their shares; the data that are used and those
        that are not; what a shopper may change. The page `/how/` says the same.
        """
        query = query_of(request, LanguageQuery)
        language = str(query.get("language") or getattr(request, "LANGUAGE_CODE", settings.LANGUAGE_CODE))
        with translation.override(language):
            return Response(_data(main_parameters(), language))


def _data(found: Parameters, language: str) -> Data:
    run, weights = found.run, found.weights
    return {
        "language": language,
        "model_version": run.version_id if run is not None else None,
        "run": run.pk if run is not None else None,
        "published_at": run.published_at if run is not None else None,
        "trained_until": found.trained_until,
        "recommendations": weights.recommendations if weights is not None else None,
        "criteria": [
            {
                "code": part.code,
                "name": part_name(part.code),
                "weight": part.share,
                "depends_on_history": part.depends_on_history,
            }
            for part in (weights.parts if weights is not None else ())
        ],
        "history_weight": weights.history if weights is not None else None,
        "general_weight": weights.general if weights is not None else None,
        "anyway_share": weights.anyway if weights is not None else None,
        "causes": [
            {"cause": share.cause, "name": share.name, "count": share.count, "share": share.share}
            for share in found.causes
        ],
        "data_used": [{"code": event_type.code, "name": event_type.verb} for event_type in found.event_types],
        "product_data_used": [{"code": code, "name": part_name(code)} for code in found.known_of_products],
        "data_not_used": [{"code": what, "text": not_used(what)} for what in NotUsed],
        "options": [{"code": what, "text": option(what)} for what in Option],
    }
