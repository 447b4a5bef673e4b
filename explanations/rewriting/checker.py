"""Accepts a rewriting only if it can claim nothing that its template does not."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from enum import StrEnum

from explanations.phrasing.text import Segment, plain
from explanations.rewriting.lexicon import CAUSAL, CONCLUSIONS, FRAME, NUMBERS, SENSITIVE, SUPERLATIVES, TRAITS
from explanations.rewriting.shapes import KNOWN, shape
from explanations.rewriting.sources import PLACEHOLDER, Source, filled

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
PUNCTUATION = set(" ,.;:!-–—'’“”，。；：、！（）()「」")
WORDS, CHARACTERS = 25, 60


class Rejection(StrEnum):
    """Why a rewriting was refused; counted in the admin. The values are stored."""

    UNREACHABLE = "unreachable"  # no answer, or none that is one
    SLOW = "slow"
    EMPTY = "empty"
    CHARACTERS = "characters"  # markup, invisible or unknown signs
    ENTITY = "entity"  # a name or a word that the template does not have
    NUMBER = "number"
    CAUSAL = "causal"  # claims a cause that was not verified
    SUPERLATIVE = "superlative"
    TRAIT = "trait"
    SENSITIVE = "sensitive"
    LOST = "lost"  # something mandatory is gone, doubled, or stands elsewhere
    LENGTH = "length"


class Refused(Exception):
    """The template stands."""

    def __init__(self, *, rejection: Rejection):
        super().__init__(rejection.value)
        self.rejection = rejection


def check(text: str, source: Source, segments: Sequence[Segment], *, sensitive: Iterable[str] = ()) -> str:
    """The text as it may be stored. `sensitive`: names of groups that are never named. Raises Refused.

    1. Only letters, usual punctuation and the placeholders of the template. 2. No number, neither in figures nor in
    words. 3. No sensitive word, trait or superlative; causal words if and only if the template has verified ones.
    4. No word that is not known: names cannot be told from other words, so every word must be. 5. The template's own
    words, who did what included, and every placeholder stand there once, as in the template, a cause directly before
    them; around them are only words that say that this is shown. 6. Within its length.
    """
    text = " ".join(text.split())
    if not text:
        raise Refused(rejection=Rejection.EMPTY)
    bare = PLACEHOLDER.sub(" ", text)
    if any(unicodedata.category(sign)[0] not in "LN" and sign not in PUNCTUATION for sign in bare):
        raise Refused(rejection=Rejection.CHARACTERS)
    if any(unicodedata.category(sign)[0] == "N" for sign in bare):
        raise Refused(rejection=Rejection.NUMBER)
    _check_words(bare, source, sensitive)
    _check_shape(text, source)
    line = plain(filled(text, segments))
    if (len(line.split()) > WORDS) if source.language == "en" else (len(line) > CHARACTERS):
        raise Refused(rejection=Rejection.LENGTH)
    return text


def _check_words(bare: str, source: Source, sensitive: Iterable[str]) -> None:
    language = source.language
    own = PLACEHOLDER.sub(" ", source.text)
    groups = frozenset(name.lower() for name in sensitive if name)
    forbidden = [
        (Rejection.SENSITIVE, SENSITIVE[language] | groups),
        (Rejection.TRAIT, TRAITS[language]),
        (Rejection.SUPERLATIVE, SUPERLATIVES[language]),
    ]
    if not source.is_causal:
        forbidden.append((Rejection.CAUSAL, CAUSAL[language]))
    for rejection, words in forbidden:
        if any(_holds(bare, word, language) and not _holds(own, word, language) for word in words):
            raise Refused(rejection=rejection)
    if language == "en":
        unknown = {word.lower() for word in WORD.findall(bare)} - KNOWN[language]
        unknown -= {word.lower() for word in WORD.findall(own)}
    else:
        unknown = _rest(bare, KNOWN[language] | frozenset(own))
    if unknown & NUMBERS[language]:
        raise Refused(rejection=Rejection.NUMBER)
    if unknown:
        raise Refused(rejection=Rejection.ENTITY)


def _holds(text: str, word: str, language: str) -> bool:
    if language == "en":
        return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text.lower()) is not None
    return word in text.lower()


def _rest(text: str, known: Iterable[str]) -> set[str]:
    """Chinese has no spaces: take the longest known word off again and again; what is left is unknown."""
    longest = sorted(known, key=len, reverse=True)
    rest: set[str] = set()
    at = 0
    while at < len(text):
        word = next((word for word in longest if text.startswith(word, at)), None)
        if word is None and text[at] not in PUNCTUATION:
            rest.add(text[at])
        at += len(word) if word else 1
    return rest


def _check_shape(text: str, source: Source) -> None:
    found = shape(source).fullmatch(text if source.language == "en" else text.replace(" ", ""))
    if found is None:
        raise Refused(rejection=Rejection.LOST)
    around = FRAME[source.language], FRAME[source.language] | CONCLUSIONS[source.language]
    for said, allowed in zip((found["before"], found["after"]), around, strict=True):
        words = (
            {word.lower() for word in re.findall(r"[\w\[\]]+", said)} - allowed
            if source.language == "en"
            else _rest(said, allowed)
        )
        if words:
            raise Refused(rejection=Rejection.LOST)
