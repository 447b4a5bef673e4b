"""What the schema says of every operation: its scope, and each error it may answer."""

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema as PackagedSchema
from drf_spectacular.utils import Direction, OpenApiResponse
from rest_framework import serializers

from catalog.api.authentication import PartnerKeyAuthentication
from catalog.api.errors import MEANINGS
from catalog.api.fields import BATCH
from catalog.models import Scope


class FieldErrorSerializer(serializers.Serializer[Any]):
    """A field that cannot be used, and what would mend it."""

    row = serializers.IntegerField(allow_null=True, help_text="In a batch: the index of the row, from 0.")
    field = serializers.CharField(help_text="Empty where the row or the body as a whole is meant.")
    code = serializers.CharField()
    message = serializers.CharField()
    remedy = serializers.CharField()


class ErrorBodySerializer(serializers.Serializer[Any]):
    """What went wrong."""

    code = serializers.ChoiceField(choices=[(code.value, meaning) for code, meaning in MEANINGS.items()])
    message = serializers.CharField(help_text="For developers, in English.")
    fields = FieldErrorSerializer(many=True)  # type: ignore[assignment]
    request_id = serializers.CharField(help_text="Tell us this when you ask about it.")


class ErrorSerializer(serializers.Serializer[Any]):
    """The one shape of every error."""

    error = ErrorBodySerializer()


DESCRIPTIONS = {
    400: "A parameter or the body cannot be used as sent.",
    401: "No key, or one that is unknown, expired or revoked.",
    403: "The key lacks the scope.",
    404: "There is no such thing, or it is not this partner's.",
    406: "The answer is JSON only.",
    409: "Several partners know a shopper of this id: name one.",
    413: "The body is too large.",
    415: "The body must be JSON.",
    429: "Too many requests; `Retry-After` tells when to go on.",
    500: "Something failed on our side.",
}
ALWAYS = (400, 401, 403, 406, 429, 500)
WITH_BODY = (413, 415)


class AutoSchema(PackagedSchema):
    """Adds what the views need not repeat."""

    def get_description(self) -> str:  # type: ignore[override]  # as the packaged one does
        scopes: Mapping[str, tuple[Scope, ...]] = getattr(self.view, "scopes", {})
        needed = " or ".join(f"`{scope.value}`" for scope in scopes.get(self.method, ()))
        return f"{super().get_description()}\n\nScope: {needed}." if needed else super().get_description()

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        statuses = [*ALWAYS, *getattr(self.view, "statuses", ())]
        if self.method in ("PUT", "POST", "PATCH"):
            statuses += WITH_BODY
        for status in sorted(set(statuses)):
            answer = OpenApiResponse(ErrorSerializer, DESCRIPTIONS[status])
            bodies[str(status)] = self._get_response_for_code(answer, str(status), direction=direction)  # type: ignore[no-untyped-call]
        bodies["429"]["headers"] = RETRY_AFTER
        return bodies


RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}


def tell_limits(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Request bodies are strict and batches are bounded: true of the serializers, but not told by them."""
    for name, component in result["components"]["schemas"].items():
        if name.endswith("Request"):
            component["additionalProperties"] = False
        if name.endswith("BatchRequest"):
            for rows in component["properties"].values():
                rows |= {"minItems": 1, "maxItems": BATCH}
    return result


class FilledSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Something must be left of the text when the spaces at its ends are cut off."""

    target_class = "catalog.api.fields.Filled"

    def map_serializer_field(self, auto_schema: PackagedSchema, direction: Direction) -> dict[str, Any]:
        return {"type": "string", "pattern": r"[^\s\x00-\x20\x85\xa0]"}


class PartnerKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """The key in the schema."""

    target_class = PartnerKeyAuthentication
    name = "partnerKey"

    def get_security_definition(self, auto_schema: PackagedSchema) -> dict[str, object]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "bc_<prefix>_<secret>",
            "description": "A partner key. Each operation names the scope that the key must have.",
        }


class Tags:
    """The chapters of the documentation."""

    PRODUCTS: ClassVar[list[str]] = ["Products"]
    EVENTS: ClassVar[list[str]] = ["Events"]
    SHOPPERS: ClassVar[list[str]] = ["Shoppers"]
    RECOMMENDATIONS: ClassVar[list[str]] = ["Recommendations"]
