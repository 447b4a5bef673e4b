"""The catalogue's endpoints."""

from typing import ClassVar

from django.db.models import Q
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from catalog import services
from catalog.api import serializers as forms
from catalog.api.base import ApiView, Scopes, body_of, find_product, find_shopper, key_of, query_of
from catalog.api.pagination import page_of
from catalog.api.schema import Tags
from catalog.models import Category, EventType, Product, Scope
from catalog.products import ProductRow, Unusable, put_products


class ProductsView(ApiView):
    """Products."""

    scopes: ClassVar[Scopes] = {"GET": (Scope.PRODUCTS_READ,), "PUT": (Scope.PRODUCTS_WRITE,)}

    @extend_schema(
        operation_id="list_products",
        summary="List products",
        tags=Tags.PRODUCTS,
        parameters=[forms.ProductQuery],
        responses=forms.ProductPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """By external id, page by page."""
        query = query_of(request, forms.ProductQuery)
        rows = Product.objects.select_related("category")
        if "q" in query:
            rows = rows.filter(Q(title__icontains=query["q"]) | Q(title_zh_hans__icontains=query["q"]))
        if "category" in query:
            path = query["category"]
            rows = rows.filter(Q(category__path=path) | Q(category__path__startswith=f"{path}/"))
        if "is_active" in query:
            rows = rows.filter(is_active=query["is_active"] == "true")
        if "updated_since" in query:
            rows = rows.filter(updated_at__gte=query["updated_since"])
        page = page_of(rows, key="external_id", cursor=query.get("cursor"), limit=query["limit"], request=request)
        return Response(forms.ProductPageSerializer(page).data)

    @extend_schema(
        operation_id="put_products",
        summary="Create or replace products",
        tags=Tags.PRODUCTS,
        request=forms.ProductBatchSerializer,
        responses=forms.StoredSerializer,
    )
    def put(self, request: Request) -> Response:
        """Up to 1,000 at once, all or none: when a row cannot be stored, the answer is 400, names every such row by
        its index, and nothing is written. Sending the same batch again changes nothing. Each row states the whole
        product: what it leaves out gets its default.
        """
        query_of(request, forms.NoQuery)
        rows = [ProductRow(**row) for row in body_of(request, forms.ProductBatchSerializer)["products"]]
        try:
            stored = put_products(rows=rows)
        except Unusable as unusable:
            raise _refusal(unusable) from unusable
        return Response(forms.StoredSerializer(stored).data)


class ProductView(ApiView):
    """One product."""

    scopes: ClassVar[Scopes] = {"GET": (Scope.PRODUCTS_READ,)}
    statuses = (404,)

    @extend_schema(
        operation_id="get_product", summary="Read a product", tags=Tags.PRODUCTS, responses=forms.ProductSerializer
    )
    def get(self, request: Request, external_id: str) -> Response:
        """By the external id it was sent with."""
        query_of(request, forms.NoQuery)
        return Response(forms.ProductSerializer(find_product(external_id)).data)


class CategoriesView(ApiView):
    """Categories."""

    scopes: ClassVar[Scopes] = {"GET": (Scope.PRODUCTS_READ, Scope.PRODUCTS_WRITE)}

    @extend_schema(
        operation_id="list_categories",
        summary="List categories",
        tags=Tags.PRODUCTS,
        parameters=[forms.ListQuery],
        responses=forms.CategoryPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """By path, page by page; staff and imports add them."""
        query = query_of(request, forms.ListQuery)
        page = page_of(
            Category.objects.all(), key="path", cursor=query.get("cursor"), limit=query["limit"], request=request
        )
        return Response(forms.CategoryPageSerializer(page).data)


class EventTypesView(ApiView):
    """Event types."""

    scopes: ClassVar[Scopes] = {"GET": (Scope.EVENTS_WRITE, Scope.PRODUCTS_READ)}

    @extend_schema(
        operation_id="list_event_types",
        summary="List event types",
        tags=Tags.EVENTS,
        parameters=[forms.ListQuery],
        responses=forms.EventTypePageSerializer,
    )
    def get(self, request: Request) -> Response:
        """By code, page by page; staff add them."""
        query = query_of(request, forms.ListQuery)
        page = page_of(
            EventType.objects.all(), key="code", cursor=query.get("cursor"), limit=query["limit"], request=request
        )
        return Response(forms.EventTypePageSerializer(page).data)


class ShopperView(ApiView):
    """One shopper."""

    scopes: ClassVar[Scopes] = {
        "GET": (Scope.SHOPPERS_READ,),
        "PATCH": (Scope.SHOPPERS_WRITE,),
        "DELETE": (Scope.SHOPPERS_WRITE,),
    }
    statuses = (404, 409)

    @extend_schema(
        operation_id="get_shopper",
        summary="Read a shopper",
        tags=Tags.SHOPPERS,
        parameters=[forms.ShopperQuery],
        responses=forms.ShopperSerializer,
    )
    def get(self, request: Request, external_id: str) -> Response:
        """Whether they are personalised, and how much is known of them."""
        query = query_of(request, forms.ShopperQuery)
        shopper = find_shopper(key=key_of(request), external_id=external_id, partner=query.get("partner"))
        return Response(forms.ShopperSerializer(services.profile_of(shopper=shopper)).data)

    @extend_schema(
        operation_id="change_shopper",
        summary="Switch personalisation",
        tags=Tags.SHOPPERS,
        parameters=[forms.ShopperQuery],
        request=forms.ShopperChangeSerializer,
        responses=forms.ShopperSerializer,
    )
    def patch(self, request: Request, external_id: str) -> Response:
        """Off: from the next request on, this shopper gets what everybody gets; what they were shown is deleted, and
        noted no more.
        """
        query = query_of(request, forms.ShopperQuery)
        change = body_of(request, forms.ShopperChangeSerializer)
        shopper = find_shopper(key=key_of(request), external_id=external_id, partner=query.get("partner"))
        services.set_personalised(shopper=shopper, is_personalised=change["is_personalised"], at=timezone.now())
        return Response(forms.ShopperSerializer(services.profile_of(shopper=shopper)).data)

    @extend_schema(
        operation_id="erase_shopper",
        summary="Erase a shopper",
        tags=Tags.SHOPPERS,
        parameters=[forms.ShopperQuery],
        responses={204: OpenApiResponse(description="Erased.")},
    )
    def delete(self, request: Request, external_id: str) -> Response:
        """For good, in one transaction: the shopper, all interactions, recommendations and explanations, what they were
        shown, and the account they signed in with. The model forgets them with the next training.
        """
        query = query_of(request, forms.ShopperQuery)
        shopper = find_shopper(key=key_of(request), external_id=external_id, partner=query.get("partner"))
        services.erase_shopper(shopper=shopper)
        return Response(status=status.HTTP_204_NO_CONTENT)


MESSAGES = {
    "repeated": "This id stands in the batch twice.",
    "unknown_category": "There is no such category.",
    "unknown_event_type": "There is no such event type.",
    "unknown_product": "There is no such product.",
    "future": "This is in the future.",
    "shopper_missing": "Nobody is named to whom it was shown.",
    "not_personalised": "The shopper switched personalisation off: what they are shown is not noted.",
}


def _refusal(unusable: Unusable) -> ValidationError:
    rows: dict[int, dict[str, list[ErrorDetail]]] = {}
    for fault in unusable.faults:
        detail = ErrorDetail(MESSAGES[fault.code], fault.code)
        rows.setdefault(fault.row, {}).setdefault(fault.field, []).append(detail)
    return ValidationError({"products": rows})  # type: ignore[dict-item]  # rows are numbered
