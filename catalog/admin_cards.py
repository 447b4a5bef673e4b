"""What the overview pages of the admin are made of."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    name: str
    value: str
    note: str = ""
    url: str = ""
    is_words: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Alert:
    """Something to look at; `kind` is its colour, `mend` what to do."""

    text: str
    mend: str = ""
    url: str = ""
    kind: str = "warning"
