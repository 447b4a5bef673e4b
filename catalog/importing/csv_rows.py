"""CSV files, read so that one broken line costs one row and nothing more."""

import csv
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

from catalog.importing.rows import Row, Unreadable

MAX_LINE = 1 << 17  # bytes; a longer line is no data
MAX_RECORD_LINES = 1_000  # a quote that is still open after so many lines was never meant to be one
_SHOWN = 80
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class CsvSource:
    """Rows of a CSV file with a heading. A row's number is its line in the file, so the first one is 2.

    1. Lines are read as bytes and decoded one by one, so a wrong byte spoils its own line only.
    2. A record whose quote is open goes on in the next line, for MAX_RECORD_LINES lines at most. Where it is not
       closed by then, its first line is broken, and reading goes on with the second.
    """

    total: int | None = None

    def __init__(self, file: BinaryIO, *, encoding: str = "utf-8", delimiter: str = "") -> None:
        self._file = file
        self._encoding = encoding
        self._number = 0
        self._waiting: deque[tuple[int, bytes]] = deque()
        first = self._next_line()
        if first is None:
            raise Unreadable("The file is empty. It needs a line of headings and a line for each row.")
        try:
            text = first[1].removeprefix(_BYTE_ORDER_MARK).decode(encoding)
        except UnicodeDecodeError:
            raise Unreadable(
                f"The headings are not {encoding}. Save the file as UTF-8, or name its encoding."
            ) from None
        self._delimiter = delimiter or _guess_delimiter(text)
        try:
            self.headings = [heading.strip() for heading in next(self._reader(iter([text])))]
        except csv.Error:
            raise Unreadable("The quotes in the line of headings are broken.") from None

    def rows(self) -> Iterator[Row]:
        width, delimiter = len(self.headings), self._delimiter
        while (line := self._next_line()) is not None:
            number, data = line
            if not data:
                continue  # an empty line is no row
            if len(data) > MAX_LINE:
                yield self._broken(number, data, "too_long")
                continue
            try:
                text = data.decode(self._encoding)
            except UnicodeDecodeError:
                yield self._broken(number, data, "wrong_encoding")
                continue
            if '"' in text:
                record = self._record(text)
                if record is None:
                    yield self._broken(number, data, "broken_quotes")
                    continue
                values = record
            else:
                values = text.split(delimiter)
            if len(values) != width:
                yield self._broken(number, data, "wrong_number_of_columns")
            elif any("\0" in value for value in values):
                yield self._broken(number, data, "nul_byte")
            elif any(values):  # spreadsheets end in lines of nothing but separators
                yield Row(number, [value.strip() for value in values])

    def _record(self, text: str) -> list[str] | None:
        """The record that starts with this line, or None (and the lines after it are read again)."""
        taken: list[tuple[int, bytes]] = []
        try:
            return next(self._reader(self._continued(text, taken)))
        except csv.Error:
            self._waiting.extendleft(reversed(taken))
            return None

    def _continued(self, text: str, taken: list[tuple[int, bytes]]) -> Iterator[str]:
        """The line, and those after it for as long as the reader asks for more."""
        yield text + "\n"
        while len(taken) < MAX_RECORD_LINES and (line := self._next_line()) is not None:
            taken.append(line)
            try:
                yield line[1].decode(self._encoding) + "\n"
            except UnicodeDecodeError:
                return

    def _reader(self, lines: Iterator[str]) -> Iterator[list[str]]:
        return csv.reader(lines, delimiter=self._delimiter, strict=True)

    def _next_line(self) -> tuple[int, bytes] | None:
        if self._waiting:
            return self._waiting.popleft()
        data = self._file.readline(MAX_LINE + 2)
        if not data:
            return None
        self._number += 1
        rest = data
        while rest and not rest.endswith(b"\n"):
            rest = self._file.readline(MAX_LINE)  # thrown away, so that memory stays bounded
        return self._number, data.rstrip(b"\r\n")

    def _broken(self, number: int, data: bytes, problem: str) -> Row:
        shown = data[:_SHOWN].decode(self._encoding, errors="replace").replace("\0", "␀")
        return Row(number, [], problem, shown)


def _guess_delimiter(heading: str) -> str:
    """What separates the headings: spreadsheets also write semicolons and tabs."""
    return max(",;\t|", key=heading.count)
