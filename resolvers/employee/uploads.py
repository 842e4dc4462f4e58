"""Rows of employees on their way into the database: from a CSV that is uploaded, or from a list in a mutation."""

import asyncio
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import orjson
import strawberry
from strawberry.types.base import get_object_definition

from datastore.employee import bulk as stored
from datastore.employee import personnel
from datastore.employee.calculation import visible_company
from datastore.text import nfc
from resolvers.context import Context
from resolvers.customer.changing import CHANNEL
from resolvers.employee.importing import NUMBER_LENGTH, prefixed
from resolvers.employee.inputs import EmployeeFields
from resolvers.employee.spreadsheet import LONGEST_ROW, Row, Sheet
from resolvers.errors import ErrorCode, refuse
from resolvers.given import given_fields, graphql_name

MOST_ROWS = 100_000
ROWS_A_CHUNK = 500
CHARACTERS_A_CHUNK = 1_000_000
"""Of a chunk that has fewer rows, because they are long."""
HALF = re.compile("[\ud800-\udfff]")
PIECE = 65_536
"""Bytes that are read before other requests have their turn."""


@strawberry.input(description="One employee of an import; what is absent is empty then.")
class ImportEmployeeRow(EmployeeFields):
    pass


FIELDS: Mapping[str, str] = {
    graphql_name(each): each.python_name for each in get_object_definition(ImportEmployeeRow, strict=True).fields
}
"""Name of a column -> attribute."""
NEEDED = (
    *("employeeNo", "ssn", "firstName", "surname", "postalCode", "addressLine", "dateOfBirth", "employmentTypeId"),
    *("employmentPercentage", "hireStartDate", "isDeleted"),
)
"""Columns that a CSV must have (rule E03)."""
KNOWN = frozenset({*FIELDS, "companyId", "id"})
"""Columns that a CSV may have. Employees are found by their numbers: a cell of `id` is to be empty."""


class Packer:
    """Packs rows into chunks of JSON, and finds employee numbers that came before.

    A chunk is `{"columns": [...], "rows": [[line, [cell, ...]] or [line, error code, column], ...]}`.
    """

    def __init__(self, prefix: str | None) -> None:
        self.rows = 0
        self._prefix = prefix
        self._seen: set[int] = set()
        self._chunk: list[Any] = []
        self._size = 0

    def add(self, columns: Sequence[str], row: Row) -> Iterator[str]:
        """The chunk that the row completes, if it does. Raises `Refused`: TOO_MANY_ROWS."""
        self.rows += 1
        if self.rows > MOST_ROWS:
            raise refuse(ErrorCode.TOO_MANY_ROWS)
        packed: list[Any] = [row.line, row.error.name, None] if row.error else [row.line, list(row.cells)]
        if not row.error and self._came_before(row.cells[columns.index("employeeNo")]):
            packed = [row.line, ErrorCode.EMPLOYEE_NO_TAKEN.name, "employeeNo"]
        self._chunk.append(packed)
        self._size += sum(map(len, row.cells))
        if len(self._chunk) >= ROWS_A_CHUNK or self._size >= CHARACTERS_A_CHUNK:
            yield from self.rest(columns)

    def rest(self, columns: Sequence[str]) -> Iterator[str]:
        """What is left, as the last chunk."""
        if self._chunk:
            yield orjson.dumps({"columns": list(columns), "rows": self._chunk}).decode()
            self._chunk, self._size = [], 0

    def _came_before(self, cell: str) -> bool:
        """Of a hundred thousand numbers only hashes are kept. Two of 64 bits are never equal by chance."""
        number = nfc(cell.strip()) if len(cell) <= 4 * NUMBER_LENGTH else ""
        if not number:
            return False  # what is wrong with it is found out later
        raw = prefixed(self._prefix, number).encode()
        key = int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest())
        if key in self._seen:
            return True
        self._seen.add(key)
        return False


class Upload:
    """A CSV that comes in pieces, for a company: `begin`, `add` each piece, then `end`; or `abandon` it."""

    def __init__(self, context: Context, import_id: int, prefix: str | None) -> None:
        self.import_id = import_id
        self._database = context.database
        self._sheet = Sheet(KNOWN, NEEDED)
        self._packer = Packer(prefix)
        self._hash = hashlib.sha256()
        self._chunks = 0

    @classmethod
    async def begin(cls, context: Context, company_id: int) -> "Upload":
        """An upload for a company. Raises `Refused`: COMPANY_NOT_FOUND, for a foreign one too (T04), and
        COMPANY_DELETED."""
        company = await company_for(context, company_id)
        import_id = await stored.begin(
            context.database, company.id, (context.client_name or CHANNEL)[:100], datetime.now(UTC)
        )
        return cls(context, import_id, company.employee_no_prefix)

    async def add(self, data: bytes) -> None:
        """Take in a part of it. Raises `Refused`: what `Sheet` and `Packer` refuse."""
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            self._hash.update(piece)
            await self._store(self._sheet.feed(piece))
            await asyncio.sleep(0)

    async def end(self) -> None:
        """It is there as a whole. Raises `Refused`: as `add` does, and CSV_INVALID for one without rows."""
        await self._store(self._sheet.end())
        for content in self._packer.rest(self._sheet.columns):
            await self._keep(content)
        if not self._packer.rows:
            raise refuse(ErrorCode.CSV_INVALID, message="There are no rows.")
        fingerprint = self._database.keys.fingerprint(self._hash.hexdigest())
        await stored.complete(self._database, self.import_id, self._packer.rows, fingerprint)

    async def abandon(self) -> None:
        """Leave nothing of it."""
        await stored.remove(self._database, self.import_id)

    async def _store(self, rows: Iterable[Row]) -> None:
        for row in rows:
            for content in self._packer.add(self._sheet.columns, row):
                await self._keep(content)

    async def _keep(self, content: str) -> None:
        await stored.add_chunk(self._database, self.import_id, self._chunks, content)
        self._chunks += 1


async def company_for(context: Context, company_id: int) -> personnel.Company:
    """The company to import for. Raises `Refused`: COMPANY_NOT_FOUND, for a foreign one too (T04), COMPANY_DELETED."""
    company = await visible_company(context.database.fetch, context.viewer, company_id)
    if company is None:
        raise refuse(ErrorCode.COMPANY_NOT_FOUND, "companyId", rejected=[company_id])
    if company.is_deleted:
        raise refuse(ErrorCode.COMPANY_DELETED, "companyId", rejected=[company_id])
    return company


def chunks_of(employees: Iterable[ImportEmployeeRow], prefix: str | None) -> list[str]:
    """The chunks that a list of employees is, as if it had come as a CSV; the lines count from 1 on."""
    columns = list(FIELDS)
    packer = Packer(prefix)
    chunks: list[str] = []
    for line, each in enumerate(employees, 1):
        given = {name: as_cell(value) for _, name, value in given_fields(each)}
        row = Row(line, [given.get(name, "") for name in columns])
        if sum(map(len, row.cells)) > LONGEST_ROW:
            row = Row(line, error=ErrorCode.TEXT_TOO_LONG)
        chunks += packer.add(columns, row)
    return [*chunks, *packer.rest(columns)]


def as_cell(value: object) -> str:
    """A value as it would stand in a CSV. Half characters, which could not, become others that are refused, too."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else HALF.sub("\0", str(value))
