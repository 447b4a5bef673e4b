"""Pages of a list that stay right while rows come and go."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.request import Request

from catalog.api.errors import invalid
from catalog.api.fields import is_storable

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows, and where those after them are."""

    results: Sequence[Row]
    next: str | None


def page_of(rows: QuerySet[Row], *, key: str, cursor: str | None, limit: int, request: Request) -> Page[Row]:
    """`limit` rows after the cursor, in the order of `key`, which must be unique and a text."""
    if cursor is not None:
        rows = rows.filter(**{f"{key}__gt": _key_of(cursor)})
    found = list(rows.order_by(key)[: limit + 1])
    if len(found) <= limit:
        return Page(found, None)
    query = request.query_params.copy()
    query["cursor"] = base64.urlsafe_b64encode(str(getattr(found[limit - 1], key)).encode()).decode()
    return Page(found[:limit], request.build_absolute_uri(f"{request.path}?{query.urlencode()}"))


def _key_of(cursor: str) -> str:
    try:
        key = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        raise invalid("cursor", "This is not a cursor.", code="not_a_cursor") from None
    if not is_storable(key):
        raise invalid("cursor", "This is not a cursor.", code="not_a_cursor")
    return key
