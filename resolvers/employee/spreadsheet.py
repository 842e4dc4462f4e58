"""Reading a CSV of any size, piece by piece, in memory that a row bounds (RFC 4180), and writing the lines of one."""

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from resolvers.errors import ErrorCode, Refused, UserError, refuse

LONGEST_ROW = 16_384
"""Characters; a longer one is an error of that row."""
SEPARATORS = ",;"
BEGINS_FORMULA = tuple("=+-@\t\r")
"""What makes a spreadsheet take a cell for a formula."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a sheet: the line on which it begins and its cells, or what is wrong with it."""

    line: int
    cells: Sequence[str] = ()
    error: ErrorCode | None = None


COMMA_OR_LINE_BREAK = re.compile("[,\n]")
SEMICOLON_OR_LINE_BREAK = re.compile("[;\n]")
CELL_ENDS = {",": COMMA_OR_LINE_BREAK, ";": SEMICOLON_OR_LINE_BREAK}
"""Separator -> what ends a cell that is not in quotes."""


class Place(Enum):
    """Where in a row one is."""

    CELL_BEGINS = 0
    IN_CELL = 1
    IN_QUOTES = 2
    AFTER_QUOTE = 3


class Lines:
    """Cuts text into rows at the line breaks that are not in quotes. Quotes begin at the beginning of a cell only, and
    a quote in quotes is doubled; whatever else is wrong in a row is left to the reader of that row."""

    def __init__(self, separator: str, line: int = 1) -> None:
        self._separator = separator
        self._cell_ends = CELL_ENDS[separator]
        self._place = Place.CELL_BEGINS
        self._line = self._begins = line
        self._parts: list[str] | None = []  # None: the row is too long to be kept
        self._size = 0

    def feed(self, text: str) -> Iterator[tuple[int, str | None]]:
        """The rows that end in the text: where each begins, and what it has; None for one that is too long."""
        at = 0
        while at < len(text):
            end = self._row_ends(text, at)
            part = text[at : end or len(text)]
            at += len(part)
            self._line += part.count("\n")
            self._size += len(part)
            if self._size > LONGEST_ROW:
                self._parts = None
            if self._parts is not None:
                self._parts.append(part)
            if end:
                yield self._taken()

    def end(self) -> Iterator[tuple[int, str | None]]:
        """The last row, if no line break came after it."""
        if self._size:
            yield self._taken()

    def _taken(self) -> tuple[int, str | None]:
        found = self._begins, None if self._parts is None else "".join(self._parts)
        self._begins, self._parts, self._size = self._line, [], 0
        return found

    def _row_ends(self, text: str, at: int) -> int:
        """The place behind the line break that ends the row; 0 if that is still to come. Each character is looked at
        once, and a part without quotes by two searches."""
        place = self._place
        if place in (Place.CELL_BEGINS, Place.IN_CELL):
            end = text.find("\n", at) + 1
            if text.find('"', at, end or len(text)) < 0:
                begins = end or text.endswith(self._separator)
                self._place = Place.CELL_BEGINS if begins else Place.IN_CELL
                return end
        while at < len(text):
            if place is Place.IN_QUOTES:
                at = text.find('"', at) + 1
                if not at:
                    break
                place = Place.AFTER_QUOTE
            elif text[at] == '"' and place is not Place.IN_CELL:
                place = Place.IN_QUOTES
                at += 1
            else:
                found = self._cell_ends.search(text, at)
                place = Place.CELL_BEGINS if found else Place.IN_CELL
                at = found.end() if found else len(text)
                if found and found[0] == "\n":
                    self._place = place
                    return at
        self._place = place
        return 0


class Sheet:
    """A CSV as it comes in. Its first line has the names of the columns: `known` ones only, and all that are `needed`.

    UTF-8, with or without a byte order mark. The separator is the one of `,` and `;` that finds more known names. Rows
    without any text in them are left out.
    """

    def __init__(self, known: Collection[str], needed: Collection[str]) -> None:
        self.columns: Sequence[str] = ()
        self._known, self._needed = frozenset(known), needed
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._head = ""
        self._separator = SEPARATORS[0]
        self._lines: Lines | None = None

    def feed(self, piece: bytes) -> Iterator[Row]:
        """The rows that end in a piece. Raises `Refused`: CSV_INVALID for text that is not UTF-8, and what `_begin`
        refuses."""
        return self._read(self._decoded(piece))

    def end(self) -> Iterator[Row]:
        """The last row, if no line break came after it. Raises `Refused`, as `feed` does."""
        yield from self._read(self._decoded(b"", is_last=True))
        if self._lines is None:
            self._begin(self._head)
            return
        for line, text in self._lines.end():
            yield from self._row(line, text)

    def _decoded(self, piece: bytes, is_last: bool = False) -> str:
        try:
            return self._decoder.decode(piece, is_last)
        except UnicodeDecodeError:
            pass  # the exception has what it could not read
        raise refuse(ErrorCode.CSV_INVALID, message="The text is not UTF-8.")

    def _read(self, text: str) -> Iterator[Row]:
        if self._lines is None:
            self._head += text
            head, line_break, text = self._head.partition("\n")
            if len(head) > LONGEST_ROW:
                raise refuse(ErrorCode.CSV_INVALID, message="The line of column names is too long.")
            if not line_break:
                return
            self._head = ""
            self._begin(head)
        assert self._lines
        for line, part in self._lines.feed(text):
            yield from self._row(line, part)

    def _begin(self, head: str) -> None:
        """Read the line of column names. Raises `Refused`, without what is in it, for it may be somebody's row:
        CSV_INVALID for a name that is unknown or there twice, COLUMN_MISSING at each column that is needed."""
        read = {each: [name.strip() for name in cells(head, each) or ()] for each in SEPARATORS}
        self._separator = max(SEPARATORS, key=lambda each: len(self._known & set(read[each])))
        columns = read[self._separator]
        if not self._known & set(columns):
            raise refuse(ErrorCode.CSV_INVALID, message="The first line has no names of columns.")
        for place, name in enumerate(columns):
            if name not in self._known or name in columns[:place]:
                what = "is not known" if name not in self._known else "is there already"
                raise refuse(ErrorCode.CSV_INVALID, message=f"The name of column {place + 1} {what}.")
        if missing := [name for name in self._needed if name not in columns]:
            raise Refused(*(UserError(ErrorCode.COLUMN_MISSING, (name,)) for name in missing))
        self.columns = columns
        self._lines = Lines(self._separator, 2)

    def _row(self, line: int, text: str | None) -> Iterator[Row]:
        if text is None:
            yield Row(line, error=ErrorCode.TEXT_TOO_LONG)
            return
        found = cells(text, self._separator)
        if found is not None and not any(map(str.strip, found)):
            return
        if found is None or len(found) != len(self.columns):
            yield Row(line, error=ErrorCode.CSV_INVALID)
        else:
            yield Row(line, found)


def cells(row: str, separator: str) -> list[str] | None:
    """The cells of a row; None for one that is not of the form."""
    try:
        found = list(csv.reader([row], delimiter=separator, strict=True))
    except csv.Error:
        return None
    return found[0] if len(found) == 1 else [] if not found else None


def lines_of(rows: Iterable[Sequence[object]], separator: str) -> str:
    """The lines of a CSV, every cell in quotes. Texts that a spreadsheet would take for formulas get a ' in front."""
    written = io.StringIO()
    writer = csv.writer(written, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return written.getvalue()


def harmless(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(BEGINS_FORMULA) else cell
