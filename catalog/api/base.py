"""What every view of the API shares."""

from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.views import APIView

from catalog.api.errors import Ambiguous
from catalog.api.fields import is_storable
from catalog.models import PartnerKey, Product, Scope, Shopper

Data = dict[str, Any]
Scopes = Mapping[str, tuple[Scope, ...]]
S = TypeVar("S", bound=serializers.Serializer[Any])


class ApiView(APIView):
    """Declares the scopes of its methods; messages are in English, whatever the shopper's language."""

    scopes: ClassVar[Scopes] = {}
    statuses: ClassVar[tuple[int, ...]] = ()  # errors beyond those of every operation, for the schema
    http_method_names = ["get", "head", "post", "put", "patch", "delete"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with translation.override("en"):
            return super().dispatch(request, *args, **kwargs)


class NoSuchShopper(NotFound):
    """Or one of somebody else: the answer does not tell."""

    default_detail = "There is no shopper of this id."


class NoSuchEndpoint(ApiView):
    """Every path that is not of this version."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("There is no such endpoint. Those there are: /api/v1/docs/.")


def key_of(request: Request) -> PartnerKey:
    """The key that authentication left: without one, no view is reached."""
    key = request.auth
    if not isinstance(key, PartnerKey):
        raise TypeError("This view is open to keys only.")
    return key


def query_of(request: Request, serializer: type[S]) -> Data:
    """The checked query string. Raises ValidationError."""
    checked = serializer(data=request.query_params.dict())
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


def body_of(request: Request, serializer: type[S]) -> Data:
    """The checked body. Raises ValidationError."""
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


def find_shopper(*, key: PartnerKey, external_id: str, partner: str | None) -> Shopper:
    """One that the key may see: the partner's own first, then the only one of that id.

    Raises NotFound for unknown and foreign ones alike, and Ambiguous where several partners know that id.
    """
    if not is_storable(external_id):
        raise NoSuchShopper
    shoppers = Shopper.objects.visible_to(key).filter(external_id=external_id)
    if partner is not None:
        shoppers = shoppers.filter(partner__slug=partner)
    found = list(shoppers.select_related("partner").order_by("pk"))
    own = [shopper for shopper in found if shopper.partner_id == key.partner_id]
    if len(own or found) > 1:
        raise Ambiguous("Several partners know a shopper of this id. Name one with ?partner=.")
    if not found:
        raise NoSuchShopper
    return (own or found)[0]


def find_product(external_id: str) -> Product:
    """With its category. Raises NotFound."""
    rows = Product.objects.select_related("category")
    product = rows.filter(external_id=external_id).first() if is_storable(external_id) else None
    if product is None:
        raise NotFound("There is no product of this id.")
    return product
