"""Pieces of sentences: clean titles, typed slots, ordinals, dates."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _

from catalog.models import Product

ELLIPSIS = "…"
GROUP_CHARACTERS = 30
SLOT = re.compile(r"%\((\w+)\)s")
UNWANTED = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}  # control, bidi override, zero width, private, line separators
RIGHT_TO_LEFT = {"R", "AL", "AN"}
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"
MARKS_IN_A_ROW = 2  # what real writing needs; more is a tower of marks over its neighbours


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A piece of a sentence; with `product` it names one and may be a link. `slot` is what it fills in a template."""

    text: str
    product: Product | None = None
    slot: str = ""
    is_title: bool = True  # False: it says that there is none to name, and is not quoted as one


def plain(segments: Iterable[Segment]) -> str:
    """The sentence as text."""
    return "".join(segment.text for segment in segments)


def compose(template: str, slots: Mapping[str, str | int | Segment]) -> tuple[Segment, ...]:
    """Fill `%(name)s` slots. What is filled in is never read as a template again."""
    pieces: list[Segment] = []
    for number, piece in enumerate(SLOT.split(template)):
        if number % 2:
            value = slots[piece]
            segment = value if isinstance(value, Segment) else Segment(text=str(value))
            pieces.append(replace(segment, slot=piece))
        else:
            pieces.append(Segment(text=piece.replace("%%", "%")))
    for before, segment, after in zip(range(len(pieces)), pieces[1:], range(2, len(pieces)), strict=False):
        if not segment.is_title:
            pieces[before] = replace(pieces[before], text=pieces[before].text.removesuffix("“").removesuffix("「"))
            pieces[after] = replace(pieces[after], text=pieces[after].text.removeprefix("”").removeprefix("」"))
    return tuple(segment for segment in pieces if segment.text)


def clean(title: str) -> str:
    """One line without invisible or overriding characters: titles come from outside."""
    kept: list[str] = []
    marks = 0
    for character in unicodedata.normalize("NFC", title):
        category = unicodedata.category(character)
        marks = marks + 1 if category in {"Mn", "Me"} else 0
        if category == "Cc":
            kept.append(" ")
        elif category not in UNWANTED and marks <= MARKS_IN_A_ROW:
            kept.append(character)
    return " ".join("".join(kept).split())


def isolated(title: str) -> str:
    """Writing from right to left, between marks that keep it from turning round what stands beside it."""
    if any(unicodedata.bidirectional(character) in RIGHT_TO_LEFT for character in title):
        return FIRST_STRONG_ISOLATE + title + POP_ISOLATE
    return title


def title_of(product: Product) -> str:
    """The title in the active language, on one line and without invisible characters."""
    return isolated(bare_title(product))


def bare_title(product: Product) -> str:
    """The same as a field of its own, where no sentence stands beside it that has to be kept apart."""
    return clean(product.name) or clean(product.external_id) or _("a product without a name")


def short_title(product: Product, *, characters: int) -> str:
    """As a sentence names it."""
    return isolated(shorten(bare_title(product), characters=characters))


def short_group(name: str) -> str:
    return isolated(shorten(clean(name), characters=GROUP_CHARACTERS, words=5))


def shorten(text: str, *, characters: int, words: int = 9) -> str:
    """At most so many characters, the ellipsis included, cut between words where that leaves enough."""
    pieces = text.split(" ")
    is_cut = len(pieces) > words
    text = " ".join(pieces[:words])
    if len(text) + is_cut > characters:
        is_cut = True
        head = text[: characters - 1]
        at_word = head.rpartition(" ")[0] if not text[characters - 1 : characters].isspace() else head
        text = at_word if len(at_word) > characters // 2 else head
    return text.rstrip(" ,;:-–—&/(（，、") + ELLIPSIS if is_cut else text


def is_chinese() -> bool:
    return (get_language() or "").startswith("zh")


def grouped(number: int) -> str:
    return f"{number:,}"


def ordinal(number: int) -> str:
    """2nd in English; in Chinese the figure, which its templates put between 第 and 位."""
    if is_chinese():
        return grouped(number)
    suffix = "th" if number % 100 in {11, 12, 13} else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{grouped(number)}{suffix}"


def date_of(seconds: int) -> str:
    moment = timezone.localtime(datetime.fromtimestamp(seconds, tz=UTC))
    return format_date(moment, pgettext("date format", "j F Y"))


def time_of(seconds: int) -> str:
    moment = timezone.localtime(datetime.fromtimestamp(seconds, tz=UTC))
    return format_date(moment, pgettext("date and time format", "j F Y, H:i"))
