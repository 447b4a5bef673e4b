"""The endpoint that tells why a product is not recommended to a shopper."""

from typing import Any, ClassVar

from django.conf import settings
from django.utils import translation
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.base import ApiView, Data, Scopes, find_product, find_shopper, key_of, query_of
from catalog.api.schema import Tags
from catalog.api.serializers import ShopperQuery
from catalog.models import Scope
from explanations.absences import PERSONAL, WhyNot, why_not
from explanations.api import codes
from explanations.api.serializers import LanguageQuery, NamedProductSerializer
from explanations.phrasing import redacted
from explanations.phrasing.absences import cause_of, details_of
from explanations.phrasing.parts import part_name
from explanations.phrasing.text import bare_title
from recommendations.models import Placement


class WhyNotQuery(ShopperQuery, LanguageQuery):
    """Whose shopper, and in which language."""


class PartSerializer(serializers.Serializer[Any]):
    """One part of the difference in score."""

    code = serializers.CharField(
        help_text="id, an attribute of the product, bias, recent_popularity, or repeat: that it was bought before."
    )
    name = serializers.CharField()
    difference = serializers.FloatField(help_text="This product's part minus that of the last one shown.")


class RankedSerializer(serializers.Serializer[Any]):
    """Where the model ranks it. The parts add up to the gap."""

    rank = serializers.IntegerField()
    is_candidate = serializers.BooleanField(help_text="False: it could not be shown, but would stand at this rank.")
    candidates = serializers.IntegerField(help_text="How many products could be shown.")
    empty_rank = serializers.IntegerField(help_text="Its rank for somebody without a history.")
    last_shown = NamedProductSerializer(allow_null=True, help_text="The last one of the first ten.")
    last_rank = serializers.IntegerField(allow_null=True, help_text="The rank of that one.")
    gap = serializers.FloatField(allow_null=True, help_text="Its score minus that of the last one shown.")
    parts = PartSerializer(many=True, help_text="Largest first.")


class WhyNotSerializer(serializers.Serializer[Any]):
    """Why a product is not among the first ten of `home`."""

    placement = serializers.ChoiceField(choices=[(code, str(name)) for code, name in Placement.choices])
    language = serializers.CharField()
    cause = serializers.ChoiceField(choices=codes.choices(codes.ABSENCES))
    text = serializers.CharField(
        help_text="The cause as a sentence; where it is redacted, without what the shopper did or wished."
    )
    details = serializers.ListField(child=serializers.CharField(), help_text="What the model says, in sentences.")
    is_redacted = serializers.BooleanField(
        help_text="Whether the sentence leaves out what the shopper did or wished, since the key lacks "
        "explanations:evidence."
    )
    is_pending = serializers.BooleanField(help_text="The model has not answered within two seconds: ask again.")
    place = serializers.IntegerField(allow_null=True, help_text="Where it is shown, from 1.")
    recommendation_id = serializers.CharField(allow_null=True, help_text="Of the recommendation, if it is one.")
    lowered_for = serializers.CharField(
        allow_null=True,
        help_text="The category that less was wished of. Null where it is redacted, and for a sensitive category.",
    )
    ranked = RankedSerializer(allow_null=True, help_text="Null where the model was not asked or does not know it.")
    computed_at = serializers.DateTimeField(allow_null=True)


class WhyNotView(ApiView):
    """One product that one shopper does not see."""

    scopes: ClassVar[Scopes] = {"GET": (Scope.RECOMMENDATIONS_READ,)}
    statuses = (404, 409)

    @extend_schema(
        operation_id="get_why_not",
        summary="Tell why a product is not recommended to a shopper",
        tags=Tags.RECOMMENDATIONS,
        parameters=[WhyNotQuery],
        responses=WhyNotSerializer,
    )
    def get(self, request: Request, external_id: str, product: str) -> Response:
        """The true cause, and where the model ranks the product: it is asked at once, for at most two seconds."""
        query = query_of(request, WhyNotQuery)
        shopper = find_shopper(key=key_of(request), external_id=external_id, partner=query.get("partner"))
        found = find_product(product)
        language = str(query.get("language") or getattr(request, "LANGUAGE_CODE", settings.LANGUAGE_CODE))
        sees_evidence = Scope.EXPLANATIONS_EVIDENCE in key_of(request).scopes
        with translation.override(language):
            return Response(_data(why_not(shopper=shopper, product=found), language, sees_evidence=sees_evidence))


def _data(why: WhyNot, language: str, *, sees_evidence: bool) -> Data:
    is_redacted = why.absence in PERSONAL and not sees_evidence
    is_wish_told = why.wish is not None and why.is_wish_named and not is_redacted
    return {
        "placement": Placement.HOME,
        "language": language,
        "cause": why.absence,
        "text": redacted.absence_of(why.absence) if is_redacted else cause_of(why),
        "details": list(details_of(why)),
        "is_redacted": is_redacted,
        "is_pending": why.is_pending,
        "place": why.place,
        "recommendation_id": why.recommendation.id if why.recommendation is not None else None,
        "lowered_for": why.wish.path if why.wish is not None and is_wish_told else None,
        "ranked": _ranked(why),
        "computed_at": why.computed_at,
    }


def _ranked(why: WhyNot) -> Data | None:
    ranked, last = why.ranked, why.last
    if ranked is None:
        return None
    return {
        "rank": ranked.rank,
        "is_candidate": ranked.is_candidate,
        "candidates": ranked.candidates,
        "empty_rank": ranked.empty_rank,
        "last_shown": None
        if last is None
        else {"external_id": last.product.external_id, "title": bare_title(last.product)},
        "last_rank": ranked.last_rank,
        "gap": ranked.gap,
        "parts": [
            {"code": code, "name": part_name(code), "difference": difference} for code, difference in ranked.parts
        ],
    }
