"""The shop's capital titles, shown as a shop would print them, and the choice of one title for a product."""

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

_WORDS = tomllib.loads((Path(__file__).parent / "data" / "words.toml").read_text(encoding="utf-8"))
_INSTEAD: dict[str, str] = _WORDS["instead"]
_CAPITALS = frozenset(_WORDS["capitals"]["words"])
_ABBREVIATIONS = frozenset(_WORDS["abbreviations"]["words"])
_PHRASES: dict[str, str] = _WORDS["phrases"]
_ANY_PHRASE = re.compile(
    r"(?<![\w'])(" + "|".join(re.escape(phrase) for phrase in sorted(_PHRASES, key=len, reverse=True)) + r")(?![\w'])"
)

# In this order, on lower-case text whose runs of spaces are single spaces.
_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\s\d{5}$", ""),  # "set 10 cards jingle bells 16957" repeats a stock code
        (r"\.{2,}", "…"),
        (r"\bneckl\.?(?=\d)", "necklace "),
        (r'(\d+")(?=\w)', r"\1 "),
        (r"(?<=[a-z]{3})\.(?=\s)", ""),  # "colour glass. star"
        (r"\s*,\s*", ", "),
        (r" - ", " – "),
        (r"\s*\+\s*", " + "),
        (r"(?<=\w)\(", " ("),
        (r'\s*(?<!\d)"([^"]+)"\s*', r" “\1” "),
        (r"\b(\d+)'s\b", r"\1s"),  # "50's"
        (r"\bs/(?=\d)", "set of "),
        (r"\bset(?: of)?[ /]?(\d+)\b(?! ?(?:piece|pc))", r"set of \1"),
        (r"\b(pack|box|basket)[ /](\d+)\b", r"\1 of \2"),
        (r"\bw/(?=\w)", "with "),
        (r"\b(\d+) ?pcs\b", r"\1 pieces"),
        (r"\b(\d+) ?pc\b", r"\1 piece"),
        (r"\b(\d+)(light)\b", r"\1 \2"),
        (r"\b(\d+)cm ?x ?(\d+)cm\b", r"\1 x \2cm"),
        (r"(?<=\d) ?x ?(?=\d)", " × "),
        (r"\b(\d+(?:\.\d+)?) ?(cm|mm|ml|kg|g|m)\b", r"\1 \2"),
        (r"\b(\d+) ?w\b", r"\1 W"),
        (r"^[\s,.*-]+|[\s,.*/-]+$", ""),
        (r"\s{2,}", " "),
    )
)
# Not a single letter in quotes: 'letter "w" key ring' is no "with".
_WORD = re.compile(r"(?!(?<=“)[a-z]”)[^\s,()“”/\0]+(?:/[^\s,()“”/\0]+)*")
_PLACEHOLDER = re.compile(r"\0(\d+)\0")


def show(raw: str) -> str:
    """Turn "  SET/6 RED SPOTTY T-LIGHTS, 15CM " into "Set of 6 red spotty t-lights, 15 cm".

    1. Spaces, punctuation, sets, packs and units are written in one way.
    2. Names of several words are set aside, so that no later step touches them.
    3. Each word is replaced when the shop shortened or misspelt it, and capitalised when it is a name.
    4. The first letter becomes a capital.
    """
    text = " ".join(raw.replace("\0", " ").split()).lower()
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    names: list[str] = []

    def set_aside(match: re.Match[str]) -> str:
        names.append(_PHRASES[match[1]])
        return f"\0{len(names) - 1}\0"

    text = _ANY_PHRASE.sub(set_aside, text)
    text = _WORD.sub(lambda match: _word(match[0]), text)
    text = _PLACEHOLDER.sub(lambda match: names[int(match[1])], text)
    text = re.sub(r"(?<=[^\W\d] )([b-z])$", lambda match: match[1].upper(), text)  # a size: "holly star S"
    text = re.sub(r"\bno$", "No", text)  # a house number's "No"
    return re.sub(r"^“?[^\W\d]|“[^\W\d]", lambda match: match[0].upper(), text)


def _word(word: str) -> str:
    if word in _INSTEAD:
        return _INSTEAD[word]
    if "/" in word:
        return "/".join(_word(part) for part in word.split("/"))
    if word in _ABBREVIATIONS or (word.startswith("i'") and len(word) > 2):
        return word.upper() if word in _ABBREVIATIONS else "I" + word[1:]
    if word in _CAPITALS or word.removesuffix("'s") in _CAPITALS:
        return "-".join(part[:1].upper() + part[1:] for part in word.split("-"))
    return word


def is_real(description: str | None) -> bool:
    """Tell a product's title from what staff typed into the same field ("damaged", "?", "Sold as C", "nan").

    Titles are typed in capitals, or with a capital on each of three words or more; notes are not.
    A note in capitals ("MISSING", "DOTCOM SETS") says one of a few words at its start.
    """
    text = " ".join((description or "").split()).lstrip("*")
    letters = [character for character in text if character.isalpha()]
    if len(letters) < 3 or "?" in text or _NOTE.match(text):
        return False
    if sum(letter.isupper() for letter in letters) * 2 >= len(letters):
        return True
    words = [word for word in text.split() if word[0].isalpha()]
    return len(words) >= 3 and all(word[0].isupper() for word in words)


_NOTE = re.compile(
    r"(missing|found|damaged|damages|lost|check(ed)?$|adjust\w*|dotcom sets|fba$|mia$|amazon|test\b)", re.IGNORECASE
)


def choose(descriptions: Mapping[str, int]) -> str | None:
    """Pick the title shown for one stock code from its descriptions and their counts; None when all are notes.

    Descriptions that are shown alike count together; among equals the alphabetically first wins.
    """
    shown: Counter[str] = Counter()
    for description, count in descriptions.items():
        if is_real(description):
            shown[show(description)] += count
    return min(shown, key=lambda title: (-shown[title], title)) if shown else None
