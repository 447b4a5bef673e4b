"""The one shape of every error."""

import logging
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.http import Http404
from rest_framework import status
from rest_framework.exceptions import APIException, ErrorDetail, NotFound, PermissionDenied, ValidationError
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import exception_handler as default_handler
from rest_framework.views import set_rollback

logger = logging.getLogger(__name__)


class ErrorCode(StrEnum):
    """What went wrong, for programs."""

    INVALID = "invalid"
    MALFORMED = "malformed"
    UNAUTHENTICATED = "unauthenticated"
    MISSING_SCOPE = "missing_scope"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    NOT_ACCEPTABLE = "not_acceptable"
    AMBIGUOUS = "ambiguous"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    THROTTLED = "throttled"
    INTERNAL = "internal"


MEANINGS = {
    ErrorCode.INVALID: "`fields` names what cannot be used",
    ErrorCode.MALFORMED: "the body is no JSON",
    ErrorCode.UNAUTHENTICATED: "no key, or one that is unknown, expired or revoked",
    ErrorCode.MISSING_SCOPE: "the key lacks the scope that the message names",
    ErrorCode.NOT_FOUND: "there is no such thing, or it is not this partner's",
    ErrorCode.METHOD_NOT_ALLOWED: "`Allow` lists the methods there are",
    ErrorCode.NOT_ACCEPTABLE: "the answer is JSON only",
    ErrorCode.AMBIGUOUS: "several partners know a shopper of this id: name one",
    ErrorCode.TOO_LARGE: "send the body in parts",
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: "the body must be JSON",
    ErrorCode.THROTTLED: "wait for the seconds of `Retry-After`",
    ErrorCode.INTERNAL: "something failed on our side",
}
CODES = {
    400: ErrorCode.MALFORMED,
    401: ErrorCode.UNAUTHENTICATED,
    403: ErrorCode.MISSING_SCOPE,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    406: ErrorCode.NOT_ACCEPTABLE,
    409: ErrorCode.AMBIGUOUS,
    413: ErrorCode.TOO_LARGE,
    415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
    429: ErrorCode.THROTTLED,
    500: ErrorCode.INTERNAL,
}

# What would mend a field, by the code of its error.
REMEDIES = {
    "ambiguous_row": "Send one of the two.",
    "before_1970": "Check the year.",
    "blank": "Send at least one character.",
    "currency_missing": "Send the currency of the price, like GBP.",
    "empty": "Send at least one entry.",
    "future": "Check the clock and the offset of the sender; up to 5 minutes ahead are taken.",
    "invalid_choice": "Send one of the values that the schema lists.",
    "max_length": "Send less.",
    "max_value": "Send a smaller number.",
    "min_length": "Send more.",
    "min_value": "Send a larger number.",
    "not_a_currency": "Send three capital letters, like GBP.",
    "not_a_cursor": "Follow `next` as it is, or leave the cursor out to begin.",
    "not_a_flag": "Send true or false.",
    "not_a_list": "Send a JSON array.",
    "not_a_moment": "Send it like 2026-03-02T12:00:00Z, with Z or an offset.",
    "not_a_number": "Send a finite JSON number.",
    "not_an_amount": 'Send it like 12.50 or "12.50", without a sign, a currency or thousands separators.',
    "not_an_id": "Send 1 to 100 characters without control characters, and none that is a space at either end.",
    "not_an_object": "Send a JSON object.",
    "not_attributes": "Send an object of up to 50 names with texts, numbers, true, false or lists of texts.",
    "not_text": "Send a JSON string without the character NUL.",
    "not_whole": "Send a whole JSON number.",
    "not_personalised": "Leave it out; whether the switch is on stands under GET shoppers.",
    "null": "Send a value, or leave the field out if it is optional.",
    "product_missing": "Send the external id of the product that is being viewed.",
    "product_not_taken": "Leave it out, or ask for the placement product.",
    "repeated": "Send each id once.",
    "required": "Send this field.",
    "shopper_missing": "Send the shopper's id, or leave the event out.",
    "unknown_category": "Send the path of one of GET categories; staff add others.",
    "unknown_event_type": "Send the code of one of GET event-types; staff add others.",
    "unknown_field": "Leave it out, or check its spelling against the schema.",
    "unknown_product": "Send the product first, with PUT products.",
}
OTHERWISE = "Compare what you sent with the schema at /api/v1/docs/."


class Ambiguous(APIException):
    """The request fits more than one thing."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "ambiguous"


def invalid(field: str, message: str, *, code: str) -> ValidationError:
    """One field that cannot be used."""
    return ValidationError({field: [ErrorDetail(message, code)]})


def exception_handler(exception: Exception, context: dict[str, Any]) -> Response:
    """Every failure becomes an answer of the one shape; what nobody expected is logged with its traceback."""
    if isinstance(exception, Http404):
        exception = NotFound()
    elif isinstance(exception, DjangoPermissionDenied):
        exception = PermissionDenied()
    response = default_handler(exception, context)
    if response is None or not isinstance(exception, APIException):
        logger.error("The API failed.", exc_info=exception)
        set_rollback()
        return Response(_body(ErrorCode.INTERNAL, "Something failed on our side. Try again later."), status=500)
    if isinstance(exception, ValidationError):
        fields = list(_flatten(exception.detail))
        many = f"{len(fields)} fields" if len(fields) > 1 else "A field"
        response.data = _body(ErrorCode.INVALID, f"{many} cannot be used as sent.", fields)
    else:
        response.data = _body(CODES.get(response.status_code, ErrorCode.INVALID), str(exception.detail))
    return response


def _body(code: ErrorCode, message: str, fields: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    return {"error": {"code": code.value, "message": message, "fields": fields or [], "request_id": request_id}}


def errors_of(exception: ValidationError, *, row: int) -> list[dict[str, Any]]:
    """Of one row of a batch."""
    return list(_flatten(exception.detail, row))


def _flatten(detail: Any, row: int | None = None, path: tuple[str, ...] = ()) -> Iterator[dict[str, Any]]:
    """One entry a message; a number among the keys is the row of a batch."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            if isinstance(key, int) and row is None:
                yield from _flatten(value, key, ())
            elif key == api_settings.NON_FIELD_ERRORS_KEY:
                yield from _flatten(value, row, path)
            else:
                yield from _flatten(value, row, (*path, str(key)))
    elif isinstance(detail, list):
        for value in detail:
            yield from _flatten(value, row, path)
    else:
        yield field_error(detail, row=row, field=".".join(path))


def field_error(detail: ErrorDetail, *, row: int | None, field: str) -> dict[str, Any]:
    """A field that cannot be used, and what would mend it."""
    return {
        "row": row,
        "field": field,
        "code": detail.code,
        "message": str(detail),
        "remedy": REMEDIES.get(detail.code or "", OTHERWISE),
    }
