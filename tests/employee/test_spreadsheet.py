"""Reading CSVs piece by piece, and writing lines that no spreadsheet takes for formulas (rule E50)."""

import csv
import io
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resolvers.employee.spreadsheet import LONGEST_ROW, Lines, Row, Sheet, lines_of
from resolvers.errors import ErrorCode, Refused

KNOWN = ("a", "b", "c")


def rows(text: str | bytes, piece: int = 1_000_000, needed: tuple[str, ...] = ()) -> list[Row]:
    """The rows of a CSV that comes in pieces of so many bytes."""
    raw = text if isinstance(text, bytes) else text.encode()
    sheet = Sheet(KNOWN, needed)
    found = [row for start in range(0, len(raw), piece) for row in sheet.feed(raw[start : start + piece])]
    return [*found, *sheet.end()]


def refusal(text: str | bytes, needed: tuple[str, ...] = ()) -> list[tuple[str, tuple[str, ...], str]]:
    with pytest.raises(Refused) as refused:
        rows(text, needed=needed)
    return [(error.code.name, error.path, error.message) for error in refused.value.errors]


@pytest.mark.parametrize("piece", [1, 2, 3, 1000])
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_quotes_separators_line_ends_and_byte_order_marks(piece: int, separator: str, line_end: str, mark: str) -> None:
    lines = ["a,b", "1,Åse", '"x,y","say ""hi"""', '"two\nlines",', ',"last"']
    text = mark + line_end.join(lines).replace(",", separator)
    assert rows(text, piece) == [
        Row(2, ["1", "Åse"]),
        Row(3, [f"x{separator}y", 'say "hi"']),
        Row(4, ["two\nlines", ""]),
        Row(6, ["", "last"]),
    ]


def test_rows_without_any_text_are_left_out_and_lines_still_count() -> None:
    assert rows("a,b\n\n1,2\n,\n \n  , \n3,4") == [Row(3, ["1", "2"]), Row(7, ["3", "4"])]


@pytest.mark.parametrize("bad", ["1", "1,2,3", '"x"y,2', '"1,2', "1,2\rx", '"1"","2'])
def test_a_malformed_row_is_an_error_of_that_row(bad: str) -> None:
    (row,) = rows(f"a,b\n{bad}")
    assert row == Row(2, error=ErrorCode.CSV_INVALID)
    if not bad.count('"') % 2:
        assert rows(f"a,b\n{bad}\n3,4")[1:] == [Row(3, ["3", "4"])]


def test_what_follows_an_open_quote_is_never_taken_for_rows() -> None:
    """Or what somebody wrote into a cell could become an employee."""
    assert rows('a,b\n1,"2\n3,4\n5,6') == [Row(2, error=ErrorCode.CSV_INVALID)]
    long = 'a,b\n1,"2\n' + "3,4\n" * LONGEST_ROW + '"\n7,8'
    assert rows(long) == [Row(2, error=ErrorCode.TEXT_TOO_LONG), Row(LONGEST_ROW + 4, ["7", "8"])]


@pytest.mark.parametrize("piece", [1_000, 1_000_000])
@pytest.mark.parametrize("row", ["x" * (LONGEST_ROW + 1), f'"{"x" * LONGEST_ROW}",2', f'1,"{"x,y" * LONGEST_ROW}"'])
def test_a_row_that_is_too_long_is_an_error_of_that_row(row: str, piece: int) -> None:
    assert rows(f"a,b\n{row}\n3,4", piece) == [Row(2, error=ErrorCode.TEXT_TOO_LONG), Row(3, ["3", "4"])]


def test_the_longest_row_is_read() -> None:
    cell = "x" * (LONGEST_ROW - 3)
    assert rows(f"a,b\n1,{cell}\n") == [Row(2, ["1", cell])]


def test_a_row_of_many_megabytes_takes_no_memory() -> None:
    """Nor do many rows."""

    def peak(pieces: Iterator[bytes]) -> int:
        sheet = Sheet(KNOWN, ())
        tracemalloc.start()
        for piece in pieces:
            for _ in sheet.feed(piece):
                pass
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    small = peak(iter([b"a,b\n", *[b"1,2\n" * 1_000] * 4]))
    assert peak(iter([b"a,b\n", *[b"x" * 4_000] * 2_000])) < 2 * small + 100_000
    assert peak(iter([b"a,b\n", *[b"1,2\n" * 1_000] * 16])) < 2 * small


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The first line has no names of columns."),
        ("1,2\n3,4", "The first line has no names of columns."),
        ("a,Kari Nordmann\n", "The name of column 2 is not known."),
        ("a,b,a\n", "The name of column 3 is there already."),
        ("a,\n", "The name of column 2 is not known."),
        ("a" * (LONGEST_ROW + 1), "The line of column names is too long."),
        (b"a,b\n\xe6,2", "The text is not UTF-8."),
        (b"a,b\n1,\xc3", "The text is not UTF-8."),
        ("a,b\n".encode("utf-16"), "The text is not UTF-8."),
    ],
)
def test_what_is_no_csv_is_refused_without_quoting_it(text: str | bytes, message: str) -> None:
    assert refusal(text) == [("CSV_INVALID", (), message)]


def test_every_missing_column_is_named() -> None:
    assert refusal("b\n1", ("a", "b", "c")) == [("COLUMN_MISSING", ("a",), ""), ("COLUMN_MISSING", ("c",), "")]


def test_names_of_columns_may_be_quoted_and_have_spaces_around_them() -> None:
    assert rows('"a";  b ;"c"\n1,5;2;3') == [Row(2, ["1,5", "2", "3"])]


CELL = st.text(alphabet="ab,;\"\n\r '=", max_size=6)
SHEET = st.lists(st.tuples(CELL, CELL), max_size=6)


@given(SHEET, st.sampled_from([",", ";"]), st.integers(1, 9), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_what_the_standard_library_writes_is_read_back(
    sheet: list[tuple[str, str]], separator: str, piece: int, line_end: str, all_quoted: bool
) -> None:
    written = io.StringIO()
    has_return = any("\r" in cell for row in sheet for cell in row)  # for which the writer makes no quotes by itself
    quoting: Any = csv.QUOTE_ALL if all_quoted or has_return else csv.QUOTE_MINIMAL
    writer = csv.writer(written, delimiter=separator, lineterminator=line_end, quoting=quoting)
    writer.writerows([("a", "b"), *sheet])
    found = rows(written.getvalue(), piece)
    assert [tuple(row.cells) for row in found] == [row for row in sheet if any(map(str.strip, row))]
    assert all(row.error is None for row in found)


@given(st.text(alphabet='a,"\n', max_size=60), st.lists(st.integers(1, 7), max_size=12))
def test_text_is_cut_in_the_same_places_however_it_comes(text: str, sizes: list[int]) -> None:
    whole, parts = Lines(","), Lines(",")
    at = 0
    found: list[tuple[int, str | None]] = []
    for size in [*sizes, len(text) + 1]:
        found += parts.feed(text[at : at + size])
        at += size
    assert [*found, *parts.end()] == [*whole.feed(text), *whole.end()]


@given(st.text(alphabet='a,"\n', max_size=60))
def test_no_character_is_lost(text: str) -> None:
    lines = Lines(",")
    assert "".join(part or "" for _, part in [*lines.feed(text), *lines.end()]) == text


# Writing


@pytest.mark.rule("E50")
@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r"])
def test_formulas_get_an_apostrophe_and_every_cell_quotes(begins: str) -> None:
    assert lines_of([[f"{begins}1+1", 'say "hi"', -5, "a;b"]], ";") == f'"\'{begins}1+1";"say ""hi""";"-5";"a;b"\r\n'


@given(SHEET)
def test_what_is_written_is_read_back(sheet: list[tuple[str, str]]) -> None:
    found = list(csv.reader(io.StringIO(lines_of(sheet, ","), newline="")))
    assert [[cell.removeprefix("'") for cell in row] for row in found] == [
        [cell.removeprefix("'") for cell in row] for row in sheet
    ]
