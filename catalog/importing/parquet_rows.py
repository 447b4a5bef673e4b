"""Parquet files, read batch by batch."""

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any, BinaryIO

import pyarrow as pa
from pyarrow import parquet

from catalog.importing.rows import Row, Unreadable

_BATCH = 10_000
_UNDECODABLE = "\0not UTF-8"


class ParquetSource:
    """Rows of a Parquet file, numbered from 1. Values become the text that a CSV file would hold."""

    def __init__(self, file: BinaryIO) -> None:
        try:
            self._file = parquet.ParquetFile(file, pre_buffer=False)
        except pa.ArrowException as error:
            raise Unreadable(f"This is no Parquet file: {error}") from None
        self.headings = list(self._file.schema_arrow.names)
        self.total: int | None = self._file.metadata.num_rows

    def rows(self) -> Iterator[Row]:
        number = 0
        try:
            for batch in self._file.iter_batches(batch_size=_BATCH, use_threads=False):
                for values in zip(*(_texts(column) for column in batch.columns), strict=True):
                    number += 1
                    if any("\0" in value for value in values):
                        problem = "wrong_encoding" if _UNDECODABLE in values else "nul_byte"
                        yield Row(number, [], problem, ",".join(values)[:80].replace("\0", "␀"))
                    else:
                        yield Row(number, list(values))
        except pa.ArrowException as error:
            raise Unreadable(f"The Parquet file is damaged after row {number}: {error}") from None


def _texts(column: Any) -> list[str]:
    """One column as text; pyarrow has no types for mypy."""
    kind = column.type
    write: Callable[[Any], str]
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return ["" if value is None else value.strip() for value in _strings(column)]
    if pa.types.is_boolean(kind):
        write = _boolean
    elif pa.types.is_temporal(kind):
        write = _time
    elif pa.types.is_nested(kind):
        write = _json
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        write = _bytes
    elif pa.types.is_decimal(kind):
        write = _decimal
    elif pa.types.is_floating(kind):
        write = _number
    else:
        write = str
    return ["" if value is None else write(value) for value in column.to_pylist()]


def _strings(column: Any) -> list[str | None]:
    try:
        values: list[str | None] = column.to_pylist()
    except UnicodeDecodeError:  # Parquet promises UTF-8; a writer that broke the promise costs its own values only
        values = [None if value is None else _bytes(value) for value in column.cast(pa.large_binary()).to_pylist()]
    return values


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def _time(value: datetime | date | Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def _json(value: Any) -> str:
    return json.dumps(dict(value) if isinstance(value, list) and value and isinstance(value[0], tuple) else value)


def _bytes(value: bytes) -> str:
    try:
        return value.decode().strip()
    except UnicodeDecodeError:
        return _UNDECODABLE


def _decimal(value: Any) -> str:
    return format(value, "f")


def _number(value: float) -> str:
    """A whole number without its ".0": files write numbers as floats as soon as one is missing."""
    if value != value:  # noqa: PLR0124  not a number is how pandas says "missing"
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
