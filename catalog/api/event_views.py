"""The endpoint that takes events."""

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from catalog.api import serializers as forms
from catalog.api.base import ApiView, Scopes, key_of, query_of
from catalog.api.errors import errors_of, field_error
from catalog.api.schema import Tags
from catalog.api.views import MESSAGES
from catalog.events import Event, Recorded, record_events
from catalog.models import Scope


class EventsView(ApiView):
    """Events."""

    scopes: ClassVar[Scopes] = {"POST": (Scope.EVENTS_WRITE,)}

    @extend_schema(
        operation_id="send_events",
        summary="Send events",
        tags=Tags.EVENTS,
        request=forms.EventBatchSerializer,
        responses=forms.RecordedSerializer,
    )
    def post(self, request: Request) -> Response:
        """Up to 1,000 at once. A row that cannot be taken is named among the errors and does not stop the others, so
        the answer is 200 as soon as the body is a list of rows. Send a batch again whenever you are not sure that it
        arrived: events are known by their ids. Those of a shopper refresh their recommendations within seconds.

        The type `shown` tells that a recommended product came into the shopper's view. Fetching recommendations does
        not count as showing them, for they are often fetched ahead. A product counts once a day (UTC) for a shopper,
        whatever the ids of the events. Shown on three days of 28, and neither viewed nor bought since, it counts a
        little against itself in the next training.
        """
        query_of(request, forms.NoQuery)
        events, errors = _read(request.data)
        recorded = record_events(partner=key_of(request).partner, events=events, at=timezone.now())
        errors = sorted([*errors, *map(_error, recorded.rejected)], key=lambda error: error["row"])
        return Response(forms.RecordedSerializer(_answer(recorded, errors)).data)


def _read(body: Any) -> tuple[dict[int, Event], list[dict[str, Any]]]:
    """The usable events by their row, and what is wrong with the others. Raises ValidationError for no list at all."""
    rows = forms.EventBatchShape(data=body)
    rows.is_valid(raise_exception=True)
    form = forms.EventSerializer()
    events: dict[int, Event] = {}
    errors: list[dict[str, Any]] = []
    for number, row in enumerate(rows.validated_data["events"]):
        try:
            events[number] = Event(**form.run_validation(row))
        except ValidationError as error:
            sent_id = row.get("event_id") if isinstance(row, dict) else None
            event_id = sent_id if isinstance(sent_id, str) else None
            errors += [{**found, "event_id": event_id} for found in errors_of(error, row=number)]
    return events, errors


def _error(rejection: Any) -> dict[str, Any]:
    detail = ErrorDetail(MESSAGES[rejection.code], rejection.code)
    return {**field_error(detail, row=rejection.row, field=rejection.field), "event_id": rejection.event_id}


def _answer(recorded: Recorded, errors: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "accepted": recorded.accepted,
        "known": recorded.known,
        "rejected": len({error["row"] for error in errors}),
        "errors": errors,
    }
