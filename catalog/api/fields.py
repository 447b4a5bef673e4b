"""Fields that take what the schema says and nothing like it: "5" is no number, and 5 is no text."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.settings import api_settings

ID = r"[^\x00-\x20\x7f]([^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?"
# RFC 3339: an offset is a must, since a time without one means another moment elsewhere.
MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
BATCH = 1000  # rows of one request
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_storable(text: str) -> bool:
    """Whether Postgres takes it: no NUL, no half of a surrogate pair."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


class Text(serializers.CharField):
    """A JSON string; spaces at its ends are cut off."""

    default_error_messages = {"not_text": "This is not a text that can be stored."}

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if data is not serializers.empty and data is not None and not (isinstance(data, str) and is_storable(data)):
            self.fail("not_text")
        return super().run_validation(data)


class Filled(Text):
    """A text of which something is left when the spaces at its ends are cut off."""


@extend_schema_field({"type": "string", "minLength": 1, "maxLength": 100, "pattern": f"^{ID}$"})
class Identifier(serializers.Field[str, Any, str, Any]):
    """An id that a partner chose."""

    default_error_messages = {"not_an_id": "This is not an id."}
    pattern = re.compile(ID)

    def to_internal_value(self, data: Any) -> str:
        if (
            not isinstance(data, str)
            or len(data) > 100
            or self.pattern.fullmatch(data) is None
            or not is_storable(data)
        ):
            self.fail("not_an_id")
        return str(data)

    def to_representation(self, value: str) -> str:
        return value


class Flag(serializers.BooleanField):
    """true or false."""

    default_error_messages = {"not_a_flag": "This is neither true nor false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("not_a_flag")
        return bool(data)


class Whole(serializers.IntegerField):
    """A JSON number without a fraction."""

    default_error_messages = {"not_whole": "This is not a whole number."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, float) and data.is_integer():  # 3.0 is a whole number in JSON schema
            return int(data)
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("not_whole")
        return int(data)


class Number(serializers.FloatField):
    """A finite JSON number."""

    default_error_messages = {"not_a_number": "This is not a number."}

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("not_a_number")
        try:
            number = float(data)
        except OverflowError:
            self.fail("not_a_number")
        if not math.isfinite(number):
            self.fail("not_a_number")
        return number


class Amount(serializers.Field[Decimal, Any, str, Any]):
    """Money, exact: a string, or a JSON number. Of a number, what float arithmetic leaves behind is cut off."""

    default_error_messages = {"not_an_amount": "This is not an amount of money that can be stored."}
    whole = 10
    places = 2

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, str):
            if re.fullmatch(rf"[0-9]{{1,{self.whole}}}(\.[0-9]{{1,{self.places}}})?", data, re.ASCII) is None:
                self.fail("not_an_amount")
            return Decimal(data)
        if isinstance(data, bool) or not isinstance(data, int | float) or not 0 <= data < 10**self.whole:
            self.fail("not_an_amount")
        exact = Decimal(repr(data))
        amount = round(exact, self.places)
        if abs(exact - amount) > Decimal("1e-6") * Decimal(10) ** -self.places or amount >= 10**self.whole:
            self.fail("not_an_amount")
        return amount

    def to_representation(self, value: Decimal) -> str:
        return str(value)


def _amount(whole: int, places: int) -> dict[str, Any]:
    """Only bodies have such fields, so the schema is that of what is taken."""
    return {
        "oneOf": [
            {"type": "string", "pattern": rf"^[0-9]{{1,{whole}}}(\.[0-9]{{1,{places}}})?$"},
            {"type": "number", "minimum": 0, "exclusiveMaximum": True, "maximum": 10**whole, "multipleOf": 10**-places},
        ]
    }


@extend_schema_field(_amount(10, 2))
class Price(Amount):
    """Of a product."""


@extend_schema_field(_amount(9, 3))
class UnitPrice(Amount):
    """Of what was bought, where a third place is known."""

    whole = 9
    places = 3


class Moment(serializers.DateTimeField):
    """A point in time with its offset, from 1970 on."""

    default_error_messages = {
        "not_a_moment": "This is not a time with its offset.",
        "before_1970": "This is before 1970.",
    }

    def to_internal_value(self, value: Any) -> datetime:
        if not isinstance(value, str) or MOMENT.fullmatch(value) is None:
            self.fail("not_a_moment")
        try:
            moment = datetime.fromisoformat(str(value).upper())
            if moment < EPOCH:
                self.fail("before_1970")
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):  # the 31st of February; the last day of 9999 west of Greenwich
            self.fail("not_a_moment")


ATTRIBUTE_TEXT = {"type": "string", "maxLength": 500}


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": 50,
        "additionalProperties": {
            "oneOf": [
                ATTRIBUTE_TEXT,
                {"type": "number"},
                {"type": "boolean"},
                {"type": "array", "items": ATTRIBUTE_TEXT, "maxItems": 50},
            ]
        },
    }
)
class Attributes(serializers.Field[dict[str, Any], Any, dict[str, Any], Any]):
    """What else is known of a product, by name."""

    default_error_messages = {"not_attributes": "These are not attributes that can be stored."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping) or len(data) > 50:
            self.fail("not_attributes")
        for name, value in data.items():
            if not is_storable(name) or not _is_attribute(value):
                self.fail("not_attributes")
        return dict(data)

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        return value


def _is_attribute(value: Any) -> bool:
    match value:
        case bool():
            return True
        case int():
            return abs(value) < 10**100  # a number of thousands of digits is an attack
        case float():
            return math.isfinite(value)
        case str():
            return len(value) <= 500 and is_storable(value)
        case list():
            return len(value) <= 50 and all(isinstance(text, str) and _is_attribute(text) for text in value)
        case _:
            return False


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know: a misspelt one would be lost in silence."""

    default_error_messages = {"not_an_object": "This is not an object.", "unknown_field": "There is no such field."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            message = {api_settings.NON_FIELD_ERRORS_KEY: [self.error_messages["not_an_object"]]}
            raise serializers.ValidationError(message, code="not_an_object")
        unknown = {name: [self.error_messages["unknown_field"]] for name in data if name not in self.fields}
        if unknown:
            raise serializers.ValidationError(unknown, code="unknown_field")
        return super().to_internal_value(dict(data))
