"""Pages of customers: every row once, whatever happens between two pages; cursors that cannot be forged."""

import base64
import string
from datetime import date
from typing import Any

import pytest
from sqlalchemy import delete

from datastore import customer as stored
from datastore.database import Database
from datastore.viewer import Viewer
from resolvers.errors import ErrorCode
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute, refusal
from tests.factories.customer import a_customer, some_customers
from tests.statements import statements

PAGE = """
query (
  $filter: CustomerFilterInput, $orderBy: CustomerOrder
  $first: Int, $after: String, $last: Int, $before: String
) {
  customers(filter: $filter, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
    edges { cursor node { customerNumber } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""

TOTALS = "query ($first: Int, $filter: CustomerFilterInput) { customers(first: $first, filter: $filter) { %s } }"

FIELDS = ["CUSTOMER_NUMBER", "FIRST_NAME", "SURNAME", "EMAIL", "DATE_OF_BIRTH", "ORGANISATION_ID"]
DIRECTIONS = ["ASC", "DESC"]
SIZES = [1, 2, 3, 7]

ALPHABET = string.ascii_letters + string.digits + "-_+/=!"

MANY_EQUAL: list[dict[str, Any]] = [
    {"customer_number": 2**63 - 1, "surname": "Ås", "email": "a@example.no", "date_of_birth": date(1990, 1, 1)},
    {"customer_number": 8, "surname": "Aas", "email": "ø@example.no", "date_of_birth": date(1990, 1, 1)},
    {"customer_number": -5, "surname": "ås", "first_name": "Åse"},
    {"customer_number": 4, "surname": None, "first_name": None},
    {"customer_number": 3_000_000_000, "surname": None, "first_name": None, "date_of_birth": date(1890, 1, 1)},
    {"customer_number": 6, "first_name": "😀"},
    {"customer_number": 7, "email": "😀@example.no"},
]
"""Seven customers of whom most share a surname, a birth date, or the lack of one."""


def numbers(page: dict[str, Any]) -> list[int]:
    return [edge["node"]["customerNumber"] for edge in page["edges"]]


async def page(database: Database, viewer: Viewer = VIEWER, **variables: Any) -> dict[str, Any]:
    customers: dict[str, Any] = (await execute(database, PAGE, viewer, **variables))["customers"]
    return customers


async def walk(database: Database, size: int, **variables: Any) -> list[list[int]]:
    """All pages from the first to the last."""
    pages, after, more = [], None, True
    while more:
        read = await page(database, first=size, after=after, **variables)
        pages.append(numbers(read))
        assert read["pageInfo"]["hasPreviousPage"] is (after is not None)
        after, more = read["pageInfo"]["endCursor"], read["pageInfo"]["hasNextPage"]
        assert len(pages) < 20, "the walk does not end"
    return pages


async def walk_back(database: Database, size: int, **variables: Any) -> list[list[int]]:
    """All pages from the last to the first, each in the order of the list."""
    pages, before, more = [], None, True
    while more:
        read = await page(database, last=size, before=before, **variables)
        pages.append(numbers(read))
        assert read["pageInfo"]["hasNextPage"] is (before is not None)
        before, more = read["pageInfo"]["startCursor"], read["pageInfo"]["hasPreviousPage"]
        assert len(pages) < 20, "the walk does not end"
    return pages


def sliced(rows: list[int], size: int) -> list[list[int]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


@pytest.mark.rule("C49")
class TestWalks:
    @pytest.mark.parametrize("direction", DIRECTIONS)
    @pytest.mark.parametrize("field", FIELDS)
    async def test_walks_in_both_directions_meet_every_row_once_and_in_order(
        self, database: Database, field: str, direction: str
    ) -> None:
        await some_customers(database, *MANY_EQUAL)
        order = {"field": field, "direction": direction}

        rows = numbers(await page(database, orderBy=order))

        assert sorted(rows) == sorted(values["customer_number"] for values in MANY_EQUAL)
        for size in SIZES:
            assert await walk(database, size, orderBy=order) == sliced(rows, size)
            backwards = [part[::-1] for part in await walk_back(database, size, orderBy=order)]
            assert backwards == sliced(rows[::-1], size)

    async def test_page_that_ends_with_the_list_has_no_next_one(self, database: Database) -> None:
        rows = [row.customer_number for row in await some_customers(database, {}, {}, {})]

        all_of_them = await page(database, first=3)
        two = await page(database, first=2)

        assert numbers(all_of_them) == rows
        assert all_of_them["pageInfo"] == {
            "hasNextPage": False,
            "hasPreviousPage": False,
            "startCursor": all_of_them["edges"][0]["cursor"],
            "endCursor": all_of_them["edges"][2]["cursor"],
        }
        assert two["pageInfo"]["hasNextPage"] is True
        assert two["pageInfo"]["endCursor"] == all_of_them["edges"][1]["cursor"]

    async def test_empty_list_has_a_page_without_cursors(self, database: Database) -> None:
        nothing = {"hasNextPage": False, "hasPreviousPage": False, "startCursor": None, "endCursor": None}

        assert await page(database, first=1) == {"edges": [], "pageInfo": nothing}
        assert await page(database, last=1) == {"edges": [], "pageInfo": nothing}

    async def test_fifty_is_the_size_of_a_page_if_none_is_given(self, database: Database) -> None:
        await some_customers(database, *[{}] * 51)

        read = await page(database)

        assert len(read["edges"]) == 50
        assert read["pageInfo"]["hasNextPage"] is True

    async def test_every_edge_has_the_cursor_that_leads_on_from_it(self, database: Database) -> None:
        rows = [row.customer_number for row in await some_customers(database, *[{"surname": "Ås"}] * 5)]
        order = {"field": "SURNAME"}

        for place, edge in enumerate((await page(database, orderBy=order))["edges"]):
            after = await page(database, first=9, after=edge["cursor"], orderBy=order)
            before = await page(database, last=9, before=edge["cursor"], orderBy=order)
            assert numbers(before) == rows[:place]
            assert numbers(after) == rows[place + 1 :]

    async def test_what_comes_or_goes_between_two_pages_repeats_and_loses_no_other_row(
        self, database: Database
    ) -> None:
        order = {"field": "SURNAME"}
        rows = await some_customers(database, *[{"surname": name} for name in ["B", "D", "F", "H", "J"]])
        b, d, f, h, j = [row.customer_number for row in rows]
        first = await page(database, first=2, orderBy=order)

        await a_customer(database, surname="A")
        last_seen = stored.Customer.customer_number == d
        async with database.write() as session:
            await session.execute(delete(stored.Customer).where(last_seen))
        g = (await a_customer(database, surname="G")).customer_number
        rest = await page(database, first=9, after=first["pageInfo"]["endCursor"], orderBy=order)

        assert numbers(first) == [b, d]
        assert numbers(rest) == [f, g, h, j]

    async def test_filter_holds_on_every_page(self, database: Database) -> None:
        rows = await some_customers(database, *[{"surname": name} for name in ["Ås", "Berg", "Aas", "Åsen", "Berg"]])
        expected = [rows[0].customer_number, rows[2].customer_number, rows[3].customer_number]

        assert await walk(database, 1, filter={"surname": "aas"}) == [[number] for number in expected]


class TestTotals:
    async def test_totals_count_all_pages_of_the_filtered_list(self, database: Database) -> None:
        await some_customers(database, *[{"surname": "Ås"}] * 7, {"surname": "Berg"}, {"organisation_id": 2})
        document = TOTALS % "totalItems totalPages"

        async def totals(first: int, surname: str) -> tuple[int, int]:
            data = await execute(database, document, first=first, filter={"surname": surname})
            return data["customers"]["totalItems"], data["customers"]["totalPages"]

        assert await totals(1, "ås") == (7, 7)
        assert await totals(3, "ås") == (7, 3)
        assert await totals(7, "ås") == (7, 1)
        assert await totals(1000, "ås") == (7, 1)
        assert await totals(5, "nobody") == (0, 0)

    async def test_totals_are_the_same_on_every_page(self, database: Database) -> None:
        await some_customers(database, *[{}] * 3)
        document = "query ($after: String) { customers(first: 2, after: $after) { totalItems pageInfo { endCursor } } }"

        first = await execute(database, document)
        second = await execute(database, document, after=first["customers"]["pageInfo"]["endCursor"])

        assert first["customers"]["totalItems"] == second["customers"]["totalItems"] == 3

    @pytest.mark.parametrize(
        ("selected", "cost"),
        [
            ("nodes { customerNumber }", 1),
            ("edges { cursor } pageInfo { hasNextPage }", 1),
            ("nodes { customerNumber } totalItems", 2),
            ("totalPages", 2),
        ],
    )
    async def test_totals_cost_a_statement_only_when_selected(
        self, database: Database, selected: str, cost: int
    ) -> None:
        await some_customers(database, {}, {})
        await page(database)  # reads the cursor key

        with statements(database) as seen:
            await execute(database, TOTALS % selected)

        assert len(seen) == cost

    async def test_both_totals_cost_one_statement(self, database: Database) -> None:
        await page(database)

        with statements(database) as seen:
            await execute(database, TOTALS % "totalItems totalPages")

        assert len(seen) == 2

    async def test_cursor_key_is_read_once(self, database: Database) -> None:
        with statements(database) as first:
            await page(database)
        with statements(database) as second:
            await page(database)

        assert (len(first), len(second)) == (2, 1)


class TestCursors:
    async def cursor(self, database: Database, viewer: Viewer = VIEWER, **variables: Any) -> str:
        """A cursor after which there is one more row."""
        if viewer is VIEWER:
            await some_customers(database, {"surname": "Ås"}, {"surname": "Øst"})
        cursor: str = (await page(database, viewer, first=1, **variables))["pageInfo"]["endCursor"]
        return cursor

    async def refused(self, database: Database, viewer: Viewer = VIEWER, **variables: Any) -> bool:
        return await refusal(database, PAGE, viewer, **variables) is ErrorCode.CURSOR_INVALID

    async def test_cursor_with_any_byte_changed_is_refused(self, database: Database) -> None:
        cursor = await self.cursor(database, orderBy={"field": "SURNAME"})
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))

        for place in range(len(raw)):
            for bit in (0x01, 0x80):
                changed = bytes([*raw[:place], raw[place] ^ bit, *raw[place + 1 :]])
                forged = base64.urlsafe_b64encode(changed).decode().rstrip("=")
                assert await self.refused(database, first=1, after=forged, orderBy={"field": "SURNAME"})

    async def test_cursor_with_any_letter_changed_is_refused(self, database: Database) -> None:
        cursor = await self.cursor(database)

        for place, letter in enumerate(cursor):
            last = place == len(cursor) - 1
            for other in set(ALPHABET if last else "AQ-!") - {letter}:
                forged = f"{cursor[:place]}{other}{cursor[place + 1 :]}"
                assert await self.refused(database, first=1, after=forged), forged

    async def test_cursor_cut_short_or_drawn_out_is_refused(self, database: Database) -> None:
        cursor = await self.cursor(database)

        for length in range(len(cursor)):
            assert await self.refused(database, first=1, after=cursor[:length])
        for longer in (cursor + "A", cursor + "AAAA", cursor + "=", "A" + cursor, cursor + cursor, cursor + "\n"):
            assert await self.refused(database, first=1, after=longer)

    async def test_garbage_is_refused(self, database: Database) -> None:
        letters = ("A" * 21, "A" * 22, "A" * 23, "A" * 1_000_000, "=" * 1_000_000, "é" * 100_000)
        for garbage in ("", " ", "=", "null", "0", "Møøse", "\0", "\ud800", *letters):
            assert await self.refused(database, first=1, after=garbage), garbage[:20]
            assert await self.refused(database, last=1, before=garbage), garbage[:20]

    async def test_cursor_of_another_query_is_refused(self, database: Database) -> None:
        by_surname: dict[str, Any] = {"orderBy": {"field": "SURNAME"}}
        cursor = await self.cursor(database, **by_surname)

        assert len((await page(database, first=1, after=cursor, **by_surname))["edges"]) == 1
        assert await self.refused(database, first=1, after=cursor)
        assert await self.refused(database, first=1, after=cursor, orderBy={"field": "FIRST_NAME"})
        assert await self.refused(database, first=1, after=cursor, orderBy={"field": "SURNAME", "direction": "DESC"})
        for criteria in ({"surname": "a"}, {"includeTemporary": True}, {"includeDeleted": True}, {"postCode": "0155"}):
            assert await self.refused(database, first=1, after=cursor, filter=criteria, **by_surname)

    async def test_query_that_means_the_same_takes_the_cursor(self, database: Database) -> None:
        cursor = await self.cursor(database, filter={"surname": "ås"})

        again: dict[str, Any] = {
            "filter": {"surname": " AAS ", "organisationId": 1, "includeDeleted": False, "countryCode": "+47"}
        }
        assert numbers(await page(database, first=5, after=cursor, **again)) == []

    async def test_cursor_of_another_organisation_is_refused(self, database: Database) -> None:
        cursor = await self.cursor(database)

        assert await self.refused(database, FOREIGNER, first=1, after=cursor)
        assert await self.refused(database, INTERNAL, first=1, after=cursor)
        assert await self.refused(database, INTERNAL, first=1, after=cursor, filter={"organisationId": 2})
        own = await page(database, INTERNAL, first=1, after=cursor, filter={"organisationId": 1})
        assert len(own["edges"]) == 1

    async def test_cursor_of_another_database_is_refused(self, database: Database) -> None:
        cursor = await self.cursor(database)
        assert database.cursor_key is not None

        database.cursor_key = bytes(reversed(database.cursor_key))

        assert await self.refused(database, first=1, after=cursor)

    async def test_cursor_is_good_for_another_process_over_the_same_database(
        self, database: Database, url: str
    ) -> None:
        cursor = await self.cursor(database)
        other = Database(url)

        assert len((await page(other, first=1, after=cursor))["edges"]) == 1
        await other.close()

    async def test_cursor_on_the_wrong_side_is_refused(self, database: Database) -> None:
        cursor = await self.cursor(database)

        assert await self.refused(database, first=1, before=cursor)
        assert await self.refused(database, last=1, after=cursor)
        assert await self.refused(database, before=cursor)
        assert await self.refused(database, first=1, before="")
        assert await self.refused(database, last=1, after="")


class TestSizes:
    async def test_size_out_of_range_is_refused(self, database: Database) -> None:
        for first in (0, -1, 1001, -(2**31), 2**31 - 1):
            assert await refusal(database, PAGE, first=first) is ErrorCode.PAGE_SIZE_INVALID, first
            assert await refusal(database, PAGE, last=first) is ErrorCode.PAGE_SIZE_INVALID, first
        assert await refusal(database, PAGE, first=1, last=1) is ErrorCode.PAGE_SIZE_INVALID
        assert await refusal(database, PAGE, first=0, last=1) is ErrorCode.PAGE_SIZE_INVALID

    async def test_size_that_is_no_32_bit_number_is_refused(self, database: Database) -> None:
        for first in (2**31, 2**63, "ten", 1.5):
            assert await refusal(database, PAGE, first=first) is ErrorCode.VALUE_INVALID, first
            assert await refusal(database, PAGE, last=first) is ErrorCode.VALUE_INVALID, first

    async def test_thousand_is_the_largest_page(self, database: Database) -> None:
        kari = await a_customer(database)

        assert numbers(await page(database, first=1000)) == [kari.customer_number]
        assert numbers(await page(database, last=1000)) == [kari.customer_number]
