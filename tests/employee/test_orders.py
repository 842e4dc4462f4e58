"""createManualOrder and deleteManualOrder (rules E07, E14, E22, E30 to E33 and E40 to E44)."""

import asyncio
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import update

from datastore.database import Database
from datastore.employee import codes, personnel
from datastore.employee.rights import ManualOrder, StationPair, TicketRight, TicketRightsHolder
from tests.customer.mutations import (
    HOSTILE,
    NOW,
    answered,
    document,
    done,
    errors_of,
    events,
    freeze,
    not_executed,
    refused,
    unchanged,
)
from tests.employee.personnel import USER, rows
from tests.execute import FOREIGNER
from tests.factories.customer import MOMENT
from tests.factories.employee import (
    a_code,
    a_company,
    a_family_member,
    a_manual_order,
    a_rule,
    a_station,
    a_ticket_right,
    a_ticket_type,
    an_employee,
    holder_of,
    the_codes,
)

RIGHT = "validFrom validUntil ticketHolderId employeeId ticketRightRule { id } calculationTimestamp"
FIELDS = f"""
    id fromDate toDate issueDate ticketNo ticketType {{ code }} travelType {{ code }} fipTicketType {{ code }}
    employeeId stationPairs {{ fromStation {{ id }} toStation {{ id }} }} ticketRights {{ {RIGHT} }} isDeleted version
"""
CREATE = document("createManualOrder", f"manualOrder {{ {FIELDS} }}")
DELETE = document("deleteManualOrder", f"manualOrder {{ {FIELDS} }}")
OSLO, BERGEN = "NSR:StopPlace:1", "NSR:StopPlace:2"


@pytest.fixture(autouse=True)
def in_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Norway it is the first of July."""
    freeze(monkeypatch)


async def ola_and(database: Database, **values: Any) -> tuple[personnel.Employee, codes.TicketType]:
    """An employee, and a ticket type whose orders make rights."""
    await the_codes(database)
    ola = await an_employee(database, await a_company(database), **values)
    return ola, await a_ticket_type(database, generates_ticket_rights=True, can_have_station_pairs=True)


def order(employee: Any, kind: Any, first: str = "2026-08-01", last: str = "2026-08-31", **more: Any) -> dict[str, Any]:
    return {"employeeId": employee.id, "ticketTypeId": str(kind.id), "fromDate": first, "toDate": last, **more}


async def changed(database: Database, row: Any, **values: Any) -> None:
    """Give the rows of a class other values."""
    async with database.write() as session:
        await session.execute(update(row.__table__).values(**values))


async def days(database: Database) -> list[tuple[str, str]]:
    """First day and end of all rights."""
    return [(str(each.valid_from), str(each.valid_until)) for each in await rows(database, TicketRight)]


@pytest.mark.rule("E30")
@pytest.mark.rule("E42")
@pytest.mark.rule("E43")
@pytest.mark.rule("A24")
@pytest.mark.rule("E44")
async def test_an_order_makes_a_right_from_its_first_day_to_its_last(database: Database) -> None:
    ola, kind = await ola_and(database)
    await a_station(database, OSLO)
    await a_station(database, BERGEN)
    travel, fip = await a_code(database, codes.TravelType, "PRIVATE"), await a_code(database, codes.FipTicketType, "50")
    holder = await holder_of(database, ola)
    pair = {"fromStationId": OSLO, "toStationId": BERGEN}
    more: dict[str, Any] = {"stationPairs": [pair], "travelTypeId": str(travel.id), "fipTicketTypeId": str(fip.id)}
    made = await done(database, CREATE, order(ola, kind, **more, issueDate="2026-06-01", ticketNo=" A-1 "))
    right = {"validFrom": "2026-08-01", "validUntil": "2026-09-01", "ticketHolderId": holder.id, "employeeId": ola.id}
    right |= {"ticketRightRule": None, "calculationTimestamp": "2026-06-30T22:30:00.123Z"}
    assert made == {
        "id": made["id"],
        "fromDate": "2026-08-01",
        "toDate": "2026-08-31",
        "issueDate": "2026-06-01",
        "ticketNo": "A-1",
        "ticketType": {"code": "NO2"},
        "travelType": {"code": "PRIVATE"},
        "fipTicketType": {"code": "50"},
        "employeeId": ola.id,
        "isDeleted": False,
        "version": 1,
        "stationPairs": [{"fromStation": {"id": OSLO}, "toStation": {"id": BERGEN}}],
        "ticketRights": [right],
    }
    (row,) = await rows(database, ManualOrder)
    assert (row.created_at, row.changed_at, row.family_member_id) == (NOW, NOW, None)
    assert await events(database) == []


@pytest.mark.rule("E31")
@pytest.mark.rule("E33")
async def test_no_right_goes_beyond_a_new_year(database: Database) -> None:
    ola, kind = await ola_and(database)
    kari = await a_family_member(database, ola)
    holder = await holder_of(database, kari)
    given = order(ola, kind, "2026-12-31", "2028-01-01", familyMemberId=kari.id)
    made = await done(database, CREATE, given)
    assert await days(database) == [
        ("2026-12-31", "2027-01-01"),
        ("2027-01-01", "2028-01-01"),
        ("2028-01-01", "2028-01-02"),
    ]
    assert {each["ticketHolderId"] for each in made["ticketRights"]} == {holder.id}
    assert (made["issueDate"], made["ticketNo"]) == ("2026-07-01", None)
    for right in await rows(database, TicketRight):
        assert (right.employee_id, right.family_member_id, right.manual_order_id) == (ola.id, kari.id, int(made["id"]))


@pytest.mark.rule("E42")
async def test_an_order_of_another_ticket_type_makes_no_right(database: Database) -> None:
    ola, _ = await ola_and(database)
    kind = await a_ticket_type(database, "FIP")
    made = await done(database, CREATE, order(ola, kind, "2026-08-01", "2026-08-01"))
    assert made["ticketRights"] == []
    assert await days(database) == []


@pytest.mark.rule("E41")
@pytest.mark.rule("E43")
@pytest.mark.rule("E44")
async def test_what_is_wrong_is_named(database: Database) -> None:
    ola, kind = await ola_and(database)
    plain = await a_ticket_type(database, "PLAIN")
    gone = await a_ticket_type(database, "GONE", is_deleted=True)
    old = await a_code(database, codes.TravelType, "OLD", is_deleted=True)
    await a_station(database, OSLO)
    await a_station(database, BERGEN)
    pair, same = {"fromStationId": OSLO, "toStationId": BERGEN}, {"fromStationId": OSLO, "toStationId": OSLO}
    unknown = {"fromStationId": "NSR:StopPlace:9", "toStationId": "a\x00b"}
    async with unchanged(database):
        for wrong, errors in (
            ({"toDate": "2026-07-31"}, [("DATES_REVERSED", "toDate", ["2026-07-31"])]),
            ({"toDate": "2031-08-01"}, [("VALUE_INVALID", "toDate", ["2031-08-01"])]),
            (
                {"fromDate": "9999-12-31", "toDate": "9999-12-31"},
                [("VALUE_INVALID", "fromDate", ["9999-12-31"]), ("VALUE_INVALID", "toDate", ["9999-12-31"])],
            ),
            ({"issueDate": "0001-01-01"}, [("VALUE_INVALID", "issueDate", ["0001-01-01"])]),
            ({"ticketTypeId": str(gone.id)}, [("TICKET_TYPE_NOT_FOUND", "ticketTypeId", [str(gone.id)])]),
            ({"ticketTypeId": "x"}, [("TICKET_TYPE_NOT_FOUND", "ticketTypeId", ["x"])]),
            ({"travelTypeId": str(old.id)}, [("CODE_UNKNOWN", "travelTypeId", [str(old.id)])]),
            ({"fipTicketTypeId": "x"}, [("CODE_UNKNOWN", "fipTicketTypeId", ["x"])]),
            (
                {"ticketTypeId": str(plain.id), "stationPairs": [pair]},
                [("STATION_PAIRS_NOT_ALLOWED", "stationPairs", [])],
            ),
            ({"stationPairs": [pair] * 51}, [("VALUE_INVALID", "stationPairs", ["51"])]),
            ({"stationPairs": [pair, same]}, [("STATIONS_EQUAL", "stationPairs.1.toStationId", [OSLO])]),
            (
                {"stationPairs": [unknown], "ticketNo": "x" * 41},
                [
                    ("STATION_NOT_FOUND", "stationPairs.0.fromStationId", ["NSR:StopPlace:9"]),
                    ("STATION_NOT_FOUND", "stationPairs.0.toStationId", []),
                    ("TEXT_TOO_LONG", "ticketNo", []),
                ],
            ),
        ):
            assert sorted(await errors_of(database, CREATE, order(ola, kind) | wrong)) == errors
        for value, code in HOSTILE:
            assert await errors_of(database, CREATE, order(ola, kind, ticketNo=value)) == [(code, "ticketNo", [])]
    for field in ("employeeId", "ticketTypeId", "fromDate", "toDate"):
        assert field in await not_executed(database, CREATE, order(ola, kind) | {field: None})


@pytest.mark.rule("E07")
@pytest.mark.rule("A19")
@pytest.mark.rule("E22")
async def test_who_has_left_or_opted_out_gets_nothing(database: Database) -> None:
    ola, kind = await ola_and(database)
    kari = await a_family_member(database, ola)
    own, hers = order(ola, kind), order(ola, kind, familyMemberId=kari.id)
    left = ("HOLDER_HAS_LEFT", "employeeId", [str(ola.id)])
    await changed(database, personnel.Employee, hire_end_date=date(2026, 8, 30))
    for given in (own, hers):
        assert await refused(database, CREATE, given) == [left]
    await changed(database, personnel.Employee, hire_end_date=date(2026, 8, 31), abstain_from_ticket=True)
    assert await refused(database, CREATE, own) == [("HOLDER_ABSTAINS", "employeeId", [])]
    await changed(database, personnel.FamilyMember, abstain_from_ticket=True, is_deleted=True)
    gone = ("HOLDER_HAS_LEFT", "familyMemberId", [str(kari.id)])
    assert await refused(database, CREATE, hers) == [gone, ("HOLDER_ABSTAINS", "employeeId", [])]
    await changed(database, personnel.Employee, abstain_from_ticket=False)
    assert await refused(database, CREATE, hers) == [gone, ("HOLDER_ABSTAINS", "familyMemberId", [])]
    await changed(database, personnel.Employee, is_deleted=True, abstain_from_ticket=False)
    assert await refused(database, CREATE, own) == [left]
    pensioner = {"employment_type_id": "PENSIONER", "hire_end_date": date(2020, 1, 2), "is_deleted": False}
    await changed(database, personnel.Employee, **pensioner)
    assert len((await done(database, CREATE, own))["ticketRights"]) == 1


@pytest.mark.rule("E33")
@pytest.mark.rule("T04")
async def test_foreign_holders_are_unknown_and_others_families_are_refused(database: Database) -> None:
    ola, kind = await ola_and(database)
    company = await a_company(database)
    per = await an_employee(database, company)
    kari = await a_family_member(database, per)
    abroad = await a_company(database, organisation_id=2)
    foreign = await a_family_member(database, await an_employee(database, abroad))
    async with unchanged(database):
        error = ("HOLDER_NOT_FAMILY", "familyMemberId", [str(kari.id)])
        assert await errors_of(database, CREATE, order(ola, kind, familyMemberId=kari.id)) == [error]
        for unknown in (foreign.id, 999):
            error = ("FAMILY_MEMBER_NOT_FOUND", "familyMemberId", [str(unknown)])
            assert await errors_of(database, CREATE, order(ola, kind, familyMemberId=unknown)) == [error]
        for viewer in (FOREIGNER, USER):
            error = ("EMPLOYEE_NOT_FOUND", "employeeId", [str(ola.id)])
            assert await errors_of(database, CREATE, order(ola, kind, toDate="2000-01-01"), viewer) == [error]


@pytest.mark.rule("E30")
async def test_rights_to_one_ticket_type_do_not_overlap(database: Database) -> None:
    ola, kind = await ola_and(database)
    kari = await a_family_member(database, ola)
    await a_ticket_right(database, ola, kind, valid_from=date(2026, 8, 10), valid_until=date(2026, 8, 20))
    for first, last in (("2026-08-01", "2026-08-10"), ("2026-08-19", "2026-08-19"), ("2026-08-01", "2026-12-31")):
        errors = await refused(database, CREATE, order(ola, kind, first, last))
        assert errors == [("TICKET_RIGHT_OVERLAPS", "fromDate", [first])]
    await done(database, CREATE, order(ola, kind, "2026-08-20", "2026-08-31"))
    await done(database, CREATE, order(ola, kind, "2026-08-01", "2026-08-09"))
    await done(database, CREATE, order(ola, kind, familyMemberId=kari.id))
    await done(database, CREATE, order(ola, await a_ticket_type(database, "NO1", generates_ticket_rights=True)))


@pytest.mark.rule("E30")
async def test_one_of_many_orders_for_one_time_wins(database: Database) -> None:
    ola, kind = await ola_and(database)
    given = [order(ola, kind, f"2026-08-0{n}", "2026-08-31") for n in range(1, 9)]
    answers = await asyncio.gather(*(answered(database, CREATE, each) for each in given))
    assert sorted(errors[0][0] if errors else "done" for _, errors in answers) == ["TICKET_RIGHT_OVERLAPS"] * 7 + [
        "done"
    ]
    assert (len(await days(database)), len(await rows(database, ManualOrder))) == (1, 1)


async def test_an_order_does_not_wait_for_the_rights_of_other_companies(database: Database) -> None:
    if database.dialect == "sqlite":
        pytest.skip("there is one writer at a time anyway")
    ola, kind = await ola_and(database)
    kari = await an_employee(database, await a_company(database))
    holder = await holder_of(database, ola)
    days = {"valid_from": date(2026, 8, 1), "valid_until": date(2026, 9, 1), "calculation_timestamp": MOMENT}
    async with database.write() as session:
        session.add(TicketRight(employee_id=ola.id, ticket_holder_id=holder.id, ticket_type_id=kind.id, **days))
        await session.flush()
        async with asyncio.timeout(5):
            await done(database, CREATE, order(kari, kind))


@pytest.mark.rule("E14")
async def test_a_deleted_order_ends_its_rights_today(database: Database) -> None:
    ola, kind = await ola_and(database)
    made = await done(database, CREATE, order(ola, kind, "2025-05-01", "2027-03-31"))
    sent = {"ticket_sync_timestamp": MOMENT, "customer_is_ready_to_sync": True}
    await changed(database, TicketRight, **sent)
    gone = await done(database, DELETE, {"manualOrderId": made["id"], "expectedVersion": 1})
    assert (gone["isDeleted"], gone["version"]) == (True, 2)
    withdrawn = ("2027-01-01", "2027-01-01")
    assert await days(database) == [("2025-05-01", "2026-01-01"), ("2026-01-01", "2026-07-01"), withdrawn]
    past, ended, _ = await rows(database, TicketRight)
    assert (past.version, past.ticket_sync_timestamp, past.ticket_is_ready_to_sync) == (1, MOMENT, False)
    assert (ended.version, ended.ticket_sync_timestamp, ended.ticket_is_ready_to_sync) == (2, None, True)
    assert (ended.customer_sync_timestamp, ended.customer_is_ready_to_sync) == (None, True)
    error = ("MANUAL_ORDER_NOT_FOUND", "manualOrderId", [made["id"]])
    assert await refused(database, DELETE, {"manualOrderId": made["id"]}) == [error]
    await done(database, CREATE, order(ola, kind, "2026-07-01", "2026-07-31"))


@pytest.mark.rule("E14")
@pytest.mark.rule("E34")
@pytest.mark.parametrize(
    "told", [{"ticket_sync_timestamp": MOMENT}, {"customer_is_ready_to_sync": True}, {"customer_error_message": "No."}]
)
async def test_the_right_of_a_deleted_order_that_others_know_of_is_withdrawn(
    database: Database, told: dict[str, Any]
) -> None:
    ola, kind = await ola_and(database)
    made = await done(database, CREATE, order(ola, kind, "2026-08-01", "2026-08-31"))
    await changed(database, TicketRight, **told)
    await done(database, DELETE, {"manualOrderId": made["id"]})
    (withdrawn,) = await rows(database, TicketRight)
    assert (withdrawn.valid_from, withdrawn.valid_until, withdrawn.version) == (date(2026, 8, 1), date(2026, 8, 1), 2)
    assert withdrawn.ticket_sync_timestamp is None
    assert withdrawn.ticket_is_ready_to_sync is ("ticket_sync_timestamp" in told)
    for start in ("2026-08-01", "2026-07-15"):  # nobody has it, so it is in nobody's way
        again = await done(database, CREATE, order(ola, kind, start, "2026-08-31"))
        await done(database, DELETE, {"manualOrderId": again["id"]})
    assert [row.id for row in await rows(database, TicketRight)] == [withdrawn.id]


@pytest.mark.rule("T04")
async def test_foreign_orders_are_unknown(database: Database) -> None:
    ola, kind = await ola_and(database)
    mine = await a_manual_order(database, ola, kind)
    async with unchanged(database):
        for key, viewer in ((str(mine.id), FOREIGNER), (str(mine.id), USER)):
            error = ("MANUAL_ORDER_NOT_FOUND", "manualOrderId", [key])
            assert await errors_of(database, DELETE, {"manualOrderId": key, "expectedVersion": 9}, viewer) == [error]
        for key in ("999", "x"):
            error = ("MANUAL_ORDER_NOT_FOUND", "manualOrderId", [key])
            assert await errors_of(database, DELETE, {"manualOrderId": key}) == [error]
        payload, errors = await answered(database, DELETE, {"manualOrderId": str(mine.id), "expectedVersion": 2})
        assert errors == [("VERSION_CONFLICT", "expectedVersion", ["2"])]
        assert payload["manualOrder"]["isDeleted"] is False


@pytest.mark.rule("E21")
async def test_a_holder_who_came_without_a_code_gets_one(database: Database) -> None:
    ola, kind = await ola_and(database)
    async with database.write() as session:
        await session.execute(TicketRightsHolder.__table__.delete())  # type: ignore[attr-defined]
    await done(database, CREATE, order(ola, kind))
    (holder,) = await rows(database, TicketRightsHolder)
    assert (holder.employee_id, len(holder.ticket_holder_code)) == (ola.id, 17)
    assert await rows(database, StationPair) == []


@pytest.mark.rule("E30")
async def test_orders_and_a_calculation_at_once_give_nobody_a_day_twice(database: Database) -> None:
    ola, kind = await ola_and(database)
    await a_rule(database, kind, conditions={"holder_kinds": ["EMPLOYEE"]})
    calculate = document("calculateTicketRights", "calculation { inserted }")
    given = [order(ola, kind, f"2026-0{month}-01", f"2026-0{month}-20") for month in (7, 8, 9)]
    both = ((CREATE, each) for each in given), ((calculate, {"companyId": ola.company_id}) for _ in given)
    answers = await asyncio.gather(*(answered(database, *each) for pair in zip(*both, strict=True) for each in pair))
    codes_of = {error[0] for _, errors in answers for error in errors}
    assert codes_of <= {"TICKET_RIGHT_OVERLAPS", "CALCULATION_RUNNING"}
    await done(database, calculate, {"companyId": ola.company_id})
    found = sorted(await days(database))
    assert all(end <= start for (_, end), (start, _) in pairwise(found))
    assert found[-1][1] == "2027-01-01"
