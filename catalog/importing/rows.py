"""What every format is turned into: numbered rows of text, or a row that could not be read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file. An empty text means that nothing was given."""

    number: int
    values: list[str]
    problem: str = ""  # a code of `problems`, when the row could not be read; then `value` shows its beginning
    value: str = ""


class Unreadable(Exception):
    """The file as a whole cannot be read; the message says why and what would mend it."""


class Source(Protocol):
    """A file that is open for reading."""

    headings: list[str]
    total: int | None  # how many rows it has, where the format tells

    def rows(self) -> Iterator[Row]:
        """Yield every row once, each with as many values as there are headings unless it has a problem."""
        ...
