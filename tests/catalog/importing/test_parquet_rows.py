"""Reading Parquet: typed values become the text of a CSV file."""

import io
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from pyarrow import parquet

from catalog.importing.parquet_rows import ParquetSource
from catalog.importing.rows import Row, Unreadable


def source(table: pa.Table) -> ParquetSource:
    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    buffer.seek(0)
    return ParquetSource(buffer)


def test_every_type_becomes_the_text_that_the_checks_expect() -> None:
    table = pa.table(
        {
            "text": [" Cup ", None],
            "whole": [12, None],
            "float": [6.95, float("nan")],
            "whole_as_float": [3.0, None],
            "decimal": [Decimal("0.001"), None],
            "flag": [True, False],
            "time": [datetime(2011, 1, 2, 3, 4, 5, tzinfo=UTC), None],
            "naive": [datetime(2011, 1, 2, 3, 4, 5), None],  # noqa: DTZ001  the file did not say
            "day": [date(2011, 1, 2), None],
            "facts": [{"colour": "red"}, None],
        }
    )

    first = ["Cup", "12", "6.95", "3", "0.001", "true", "2011-01-02T03:04:05+00:00", "2011-01-02T03:04:05"]
    first += ["2011-01-02", '{"colour": "red"}']

    opened = source(table)

    assert opened.total == 2
    assert list(opened.rows()) == [
        Row(1, first),
        Row(2, ["", "", "", "", "", "false", "", "", "", ""]),
    ]


def test_a_nul_byte_breaks_its_own_row_only() -> None:
    rows = list(source(pa.table({"a": ["x\0y", "z"]})).rows())

    assert rows == [Row(1, [], "nul_byte", "x␀y"), Row(2, ["z"])]


def test_bytes_that_are_no_text_break_their_own_row_only() -> None:
    table = pa.table({"a": pa.array([b"caf\xe9", b"cup"], pa.binary())})

    rows = list(source(table).rows())

    assert [(row.number, row.problem, row.values) for row in rows] == [(1, "wrong_encoding", []), (2, "", ["cup"])]


def test_another_file_is_refused_with_what_it_is_not() -> None:
    with pytest.raises(Unreadable, match="no Parquet file"):
        ParquetSource(io.BytesIO(b"id,title\n1,Cup\n"))
