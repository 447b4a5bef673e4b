"""Reads JSON bodies, as far as is reasonable."""

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser as PackagedParser


class TooLarge(APIException):
    """The body is larger than is read."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class JSONParser(PackagedParser):
    """The packaged one reads whatever comes, and stumbles over ten thousand brackets."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.API_MAX_BODY
        length = (parser_context or {})["request"].META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > limit:  # no more than this is ever read
            raise TooLarge(f"The body is larger than {limit} bytes. Send it in parts.")
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
