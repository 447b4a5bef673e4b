"""The main parameters of what is recommended now: what weighs, what is used, what is not, what may be changed.

One source for the public page and the API.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from catalog.models import EventType
from explanations.causes import CauseShare, live_run, shares_by_cause
from explanations.weights import Weights, weights_in
from recommendations.models import Run


class NotUsed(StrEnum):
    """What no recommendation rests on."""

    TRAITS = "traits"
    CONTACT = "contact"
    DEVICE = "device"
    ELSEWHERE = "elsewhere"
    LEFT_OUT = "left_out"
    SWITCHED_OFF = "switched_off"
    PRICES = "prices"


class Option(StrEnum):
    """What a shopper may change."""

    SWITCH_OFF = "switch_off"
    NOT_INTERESTED = "not_interested"
    LEAVE_OUT = "leave_out"
    GIFT = "gift"
    LESS_OF_GROUP = "less_of_group"


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameters:
    """What the live run is made of; without one, what would be used."""

    run: Run | None
    trained_until: datetime | None
    weights: Weights | None  # None: nothing is published, or the run did not measure them
    causes: tuple[CauseShare, ...]
    event_types: tuple[EventType, ...]  # what the version learnt from of what shoppers did, the most frequent first

    @property
    def known_of_products(self) -> tuple[str, ...]:
        """The parts of a product that weigh in the scores of the live version, heaviest first."""
        parts = self.weights.parts if self.weights is not None else ()
        return tuple(part.code for part in parts if part.code != "repeat")


def main_parameters() -> Parameters:
    run = live_run()
    return Parameters(
        run=run,
        trained_until=run.version.trained_until if run is not None else None,
        weights=weights_in(run.summary) if run is not None else None,
        causes=tuple(shares_by_cause(run)) if run is not None else (),
        event_types=tuple(_event_types(run)),
    )


def _event_types(run: Run | None) -> list[EventType]:
    """Those that the snapshot of the live version counted, also one that has another name by now; else today's."""
    snapshot = run.version.snapshot if run is not None else None
    counts: dict[str, int] | None = snapshot.counts.get("event_types") if snapshot is not None else None
    if counts is None:  # nothing is live, or the snapshot is older than this count
        return list(EventType.objects.filter(polarity=1).order_by("-strength", "code"))
    today = {event_type.code: event_type for event_type in EventType.objects.filter(code__in=counts)}
    codes = sorted((code for code, count in counts.items() if count), key=lambda code: (-counts[code], code))
    return [today.get(code) or EventType(code=code, verb_en=code, verb_zh_hans=code) for code in codes]
