"""Reading CSV: one broken line costs one row."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.importing import csv_rows
from catalog.importing.csv_rows import CsvSource
from catalog.importing.rows import Row, Unreadable


def read(data: bytes, **options: str) -> list[Row]:
    return list(CsvSource(io.BytesIO(data), **options).rows())


def test_a_row_is_numbered_by_its_line_and_values_are_stripped() -> None:
    rows = read(b"id,title\n1, Cup \n\n2,Plate\n")

    assert rows == [Row(2, ["1", "Cup"]), Row(4, ["2", "Plate"])]


def test_quoted_values_may_hold_separators_quotes_and_line_ends() -> None:
    rows = read(b'id,title\r\n1,"Cup, ""blue""\r\nwith lid"\r\n2,Plate\r\n')

    assert rows == [Row(2, ["1", 'Cup, "blue"\nwith lid']), Row(4, ["2", "Plate"])]


def test_an_inch_sign_in_an_unquoted_value_is_no_quote() -> None:
    assert read(b'id,title\n1,Frame 7" single\n2,Plate\n') == [Row(2, ["1", 'Frame 7" single']), Row(3, ["2", "Plate"])]


def test_a_quote_that_is_never_closed_breaks_its_own_line_only() -> None:
    rows = read(b'id,title\n1,"Cup\n2,Plate\n3,Bowl\n')

    assert rows == [Row(2, [], "broken_quotes", '1,"Cup'), Row(3, ["2", "Plate"]), Row(4, ["3", "Bowl"])]


def test_text_after_a_closing_quote_breaks_its_own_line_only() -> None:
    rows = read(b'id,title\n1,"Cup" blue\n2,Plate\n')

    assert rows == [Row(2, [], "broken_quotes", '1,"Cup" blue'), Row(3, ["2", "Plate"])]


def test_bytes_that_are_no_text_break_their_own_line_only() -> None:
    rows = read(b"id,title\n1,Caf\xe9\n2,Plate\n")

    assert rows == [Row(2, [], "wrong_encoding", "1,Caf\ufffd"), Row(3, ["2", "Plate"])]


def test_another_encoding_can_be_named() -> None:
    assert read("id,title\n1,茶杯\n".encode("gb18030"), encoding="gb18030") == [Row(2, ["1", "茶杯"])]


def test_a_nul_byte_breaks_its_own_line_only() -> None:
    rows = read(b"id,title\n1,Cu\x00p\n2,Plate\n")

    assert rows == [Row(2, [], "nul_byte", "1,Cu␀p"), Row(3, ["2", "Plate"])]


def test_too_many_and_too_few_columns_break_their_own_line_only() -> None:
    rows = read(b"id,title\n1\n2,Plate,blue\n3,Bowl\n")

    assert [(row.number, row.problem) for row in rows] == [
        (2, "wrong_number_of_columns"),
        (3, "wrong_number_of_columns"),
        (4, ""),
    ]


def test_a_line_without_end_is_thrown_away_in_bounded_memory() -> None:
    rows = read(b"id,title\n1," + b"x" * (5 * csv_rows.MAX_LINE) + b"\n2,Plate\n")

    assert [(row.number, row.problem, len(row.value)) for row in rows] == [(2, "too_long", 80), (3, "", 0)]


def test_a_byte_order_mark_and_semicolons_are_understood() -> None:
    assert read(b"\xef\xbb\xbfid;title\n1;Cup, blue\n") == [Row(2, ["1", "Cup, blue"])]


def test_lines_of_nothing_but_separators_are_no_rows() -> None:
    assert read(b"id,title\n1,Cup\n,\n,\n") == [Row(2, ["1", "Cup"])]


def test_an_empty_file_is_refused_with_what_it_needs() -> None:
    with pytest.raises(Unreadable, match="It needs a line of headings"):
        read(b"")


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=["Cs"]), max_size=20)


@given(table=st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=20))
def test_what_the_csv_module_writes_is_read_back(table: list[list[str]]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerows([["a", "b", "c"], *table])

    rows = read(buffer.getvalue().encode(), delimiter=",")

    assert [row.values for row in rows] == [[cell.strip() for cell in cells] for cells in table if any(cells)]


@given(data=st.binary(max_size=300))
def test_any_bytes_give_rows_or_problems_and_every_line_is_accounted_for(data: bytes) -> None:
    lines = data.replace(b"\r", b"").split(b"\n")

    rows = read(b"a,b\n" + b"\n".join(lines), delimiter=",")

    numbers = [row.number for row in rows]
    assert numbers == sorted(set(numbers))
    assert all(row.problem or len(row.values) == 2 for row in rows)
    assert all(2 <= number <= len(lines) + 1 for number in numbers)
    plain = [n for n, line in enumerate(lines, 2) if line.isalnum() and b'"' not in data]
    assert set(plain) <= set(numbers)


@given(lines=st.lists(st.sampled_from([b'"', b'x,"y"', b'x,"', b"x,y", b'"a,b', b'""",']), max_size=30))
def test_quotes_in_any_disorder_never_swallow_the_rows_that_follow_them(lines: list[bytes]) -> None:
    good = b"good,row"

    rows = read(b"a,b\n" + b"\n".join([*lines, good, good]), delimiter=",")

    assert rows[-1].values == ["good", "row"]
