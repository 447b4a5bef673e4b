"""The endpoints that show recommendations with their reasons."""

from typing import ClassVar

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api.base import ApiView, Data, Scopes, find_shopper, key_of, query_of
from catalog.api.errors import invalid
from catalog.api.schema import Tags
from catalog.models import Product, Scope, Shopper
from explanations import services
from explanations.api import serializers as forms
from explanations.api.shown import Shown
from recommendations.models import Placement


class ShopperRecommendationsView(ApiView):
    """One shopper's recommendations."""

    scopes: ClassVar[Scopes] = {"GET": (Scope.RECOMMENDATIONS_READ,)}
    statuses = (404, 409)

    @extend_schema(
        operation_id="get_shopper_recommendations",
        summary="Fetch a shopper's recommendations",
        tags=Tags.RECOMMENDATIONS,
        parameters=[forms.ShopperRecommendationsQuery],
        responses=forms.RecommendationsSerializer,
    )
    def get(self, request: Request, external_id: str) -> Response:
        """Best first, each with the reason that was checked against the model. Where nothing personal is stored, or
        the shopper switched personalisation off, those for everybody, saying so. Evidence and the sentences that
        name it are for keys with `explanations:evidence`.
        """
        query = query_of(request, forms.ShopperRecommendationsQuery)
        shopper = find_shopper(key=key_of(request), external_id=external_id, partner=query.get("partner"))
        return _recommendations(request, query, shopper)


class RecommendationsView(ApiView):
    """Everybody's recommendations."""

    scopes: ClassVar[Scopes] = {"GET": (Scope.RECOMMENDATIONS_READ,)}

    @extend_schema(
        operation_id="get_recommendations",
        summary="Fetch recommendations for a visitor whom nobody knows",
        tags=Tags.RECOMMENDATIONS,
        parameters=[forms.RecommendationsQuery],
        responses=forms.RecommendationsSerializer,
    )
    def get(self, request: Request) -> Response:
        """The same for everybody."""
        return _recommendations(request, query_of(request, forms.RecommendationsQuery), None)


class ExplanationView(ApiView):
    """One recommendation."""

    scopes: ClassVar[Scopes] = {"GET": (Scope.RECOMMENDATIONS_READ,)}
    statuses = (404,)

    @extend_schema(
        operation_id="get_explanation",
        summary="Read one recommendation with its explanation",
        tags=Tags.RECOMMENDATIONS,
        parameters=[forms.LanguageQuery],
        responses=forms.SingleRecommendationSerializer,
    )
    def get(self, request: Request, recommendation_id: str) -> Response:
        """By the id it was shown with, also when another has taken its place since. One that may no longer be shown
        (what it cites was excluded or erased, or must not be named) is answered 404.
        """
        query = query_of(request, forms.LanguageQuery)
        try:
            found = services.visible_recommendation(recommendation_id=recommendation_id, key=key_of(request))
        except services.UnknownRecommendation as error:
            raise NotFound("There is no recommendation of this id.") from error
        return Response(_shown(request, query, found).single())


def _recommendations(request: Request, query: Data, shopper: Shopper | None) -> Response:
    context_product = None
    if "product" in query:
        context_product = Product.objects.filter(external_id=query["product"]).first()
        if context_product is None:
            raise invalid("product", "There is no such product.", code="unknown_product")
    found = services.recommendations_for(
        shopper=shopper,
        placement=Placement(query["placement"]),
        limit=query["limit"],
        context_product=context_product,
    )
    return Response(_shown(request, query, found).data())


def _shown(request: Request, query: Data, found: services.Recommendations) -> Shown:
    return Shown(
        found,
        language=str(query.get("language") or getattr(request, "LANGUAGE_CODE", settings.LANGUAGE_CODE)),
        sees_evidence=Scope.EXPLANATIONS_EVIDENCE in key_of(request).scopes,
    )
