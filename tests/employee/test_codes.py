"""The mutations of the code lists (rules E10, E40, E44 to E46 and F08)."""

import asyncio
from datetime import date
from typing import Any

import pytest

from datastore.database import Database
from datastore.employee import codes
from resolvers.employee.codes import ROWS, PersonnelCodeList
from schema.permission import permission_table
from schema.root import schema
from tests.customer.mutations import HOSTILE, NOW, Error, answered, document, done, errors_of, events, freeze, unchanged
from tests.employee.personnel import rows
from tests.execute import INTERNAL
from tests.factories.customer import MOMENT
from tests.factories.employee import a_code, a_postal_place, a_product, a_station, a_ticket_type

CODE_FIELDS = "list id code description isPensioner isDeleted version"
CREATE = document("createPersonnelCode", f"personnelCode {{ {CODE_FIELDS} }}")
UPDATE = document("updatePersonnelCode", f"personnelCode {{ {CODE_FIELDS} }}")
TYPE_FIELDS = "code description countryCode canHaveStationPairs generatesTicketRights ticketRightType isDeleted version"
CREATE_TYPE = document("createTicketType", f"ticketType {{ id {TYPE_FIELDS} }}")
UPDATE_TYPE = document("updateTicketType", f"ticketType {{ id {TYPE_FIELDS} }}")
CREATE_PRODUCT = document("createProduct", "product { id name validFrom validUntil version }")
UPDATE_PRODUCT = document("updateProduct", "product { id name validFrom validUntil version }")
SAVE_PLACE = document("savePostalPlace", "postalPlace { code place country isDeleted version }")
SAVE_STATION = document("saveStation", "station { id name version }")


@pytest.fixture(autouse=True)
def in_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)


async def made(database: Database, text: str, given: dict[str, Any]) -> Any:
    return await done(database, text, given, INTERNAL)


@pytest.mark.rule("E10")
@pytest.mark.rule("E14")
async def test_every_list_takes_codes_and_changes_of_them(database: Database) -> None:
    for which in PersonnelCodeList:
        flag = False if which is PersonnelCodeList.EMPLOYMENT_TYPE else None
        given = {"list": which.name, "code": " A1 "}
        first = await made(database, CREATE, given)
        shown = {"list": which.name, "id": "1", "code": "A1", "description": None, "isPensioner": flag}
        assert first == {**shown, "isDeleted": False, "version": 1}
        errors = await errors_of(database, CREATE, given, INTERNAL)
        assert errors == [("CODE_TAKEN", "code", ["A1"])]
        change = {"list": which.name, "code": "A1", "description": "Én", "isDeleted": True}
        second = await made(database, UPDATE, change)
        assert second == {**shown, "description": "Én", "isDeleted": True, "version": 2}
        assert await errors_of(database, CREATE, given, INTERNAL) == errors  # of a deleted one, too
        third = await made(database, UPDATE, {"list": which.name, "code": "A1", "expectedVersion": 2})
        assert third == {**second, "version": 3}
        cleared = {"list": which.name, "code": "A1", "description": None, "isDeleted": False}
        assert await made(database, UPDATE, cleared) == {**first, "version": 4}
        (row,) = await rows(database, ROWS[which])
        assert (row.created_at, row.changed_at) == (NOW, NOW)
    assert await events(database) == []


@pytest.mark.rule("E22")
async def test_an_employment_type_tells_whether_it_is_that_of_pensioners(database: Database) -> None:
    given = {"list": "EMPLOYMENT_TYPE", "code": "P", "isPensioner": True}
    assert (await made(database, CREATE, given))["isPensioner"] is True
    assert (await made(database, UPDATE, {**given, "isPensioner": False}))["isPensioner"] is False
    wrong: list[Error] = [("REQUIRED", "isPensioner", [])]
    assert await errors_of(database, UPDATE, {**given, "isPensioner": None}, INTERNAL) == wrong
    wrong = [("VALUE_INVALID", "isPensioner", [])]
    for text in (CREATE, UPDATE):
        assert await errors_of(database, text, {**given, "list": "PAY_TYPE"}, INTERNAL) == wrong


async def test_what_is_wrong_is_named(database: Database) -> None:
    await a_code(database, codes.PayType, "MONTHLY")
    async with unchanged(database):
        pay = {"list": "PAY_TYPE", "code": "NEW"}
        unknown = [("CODE_UNKNOWN", "code", ["NEW"])]
        assert await errors_of(database, UPDATE, pay, INTERNAL) == unknown
        assert await errors_of(database, CREATE, {**pay, "code": " "}, INTERNAL) == [("REQUIRED", "code", [])]
        long = {**pay, "code": "x" * 61}
        assert await errors_of(database, CREATE, long, INTERNAL) == [("TEXT_TOO_LONG", "code", [])]
        for value, code in HOSTILE:
            for text, given in ((CREATE, pay), (UPDATE, {**pay, "code": "MONTHLY"})):
                wrong = await errors_of(database, text, {**given, "description": value}, INTERNAL)
                assert wrong == [(code, "description", [])]
            assert await errors_of(database, UPDATE, {**pay, "code": value}, INTERNAL) == [(code, "code", [])]
        old: dict[str, Any] = {**pay, "code": "MONTHLY", "expectedVersion": 2}
        payload, errors = await answered(database, UPDATE, old, INTERNAL)
        assert errors == [("VERSION_CONFLICT", "expectedVersion", ["2"])]
        assert payload["personnelCode"]["list"] == "PAY_TYPE"


async def test_one_of_many_creates_of_one_code_wins(database: Database) -> None:
    given = {"list": "PAY_TYPE", "code": "NEW"}
    answers = await asyncio.gather(*(answered(database, CREATE, given, INTERNAL) for _ in range(8)))
    assert sorted(each for _, errors in answers for each in errors) == [("CODE_TAKEN", "code", ["NEW"])] * 7


@pytest.mark.rule("E40")
async def test_a_ticket_type_is_created_and_changed(database: Database) -> None:
    least = dict.fromkeys(["description", "countryCode", "ticketRightType"])
    flags = {"canHaveStationPairs": False, "generatesTicketRights": False}
    first = await made(database, CREATE_TYPE, {"code": "NO2"})
    assert first == {**least, **flags, "id": first["id"], "code": "NO2", "isDeleted": False, "version": 1}
    more: dict[str, Any] = {"description": "Annen klasse", "countryCode": "NOR", "code": "NO1"}
    more |= {"ticketRightType": "SILVER", "canHaveStationPairs": True, "generatesTicketRights": True}
    second = await made(database, CREATE_TYPE, more)
    assert second == {**more, "id": second["id"], "isDeleted": False, "version": 1}
    key = {"ticketTypeId": first["id"]}
    third = await made(database, UPDATE_TYPE, {**key, **more, "code": "NO3", "isDeleted": True, "expectedVersion": 1})
    assert third == {**more, "code": "NO3", "id": first["id"], "isDeleted": True, "version": 2}
    fourth = await made(database, UPDATE_TYPE, {**key, **least, **flags, "isDeleted": False})
    assert fourth == {**first, "code": "NO3", "version": 3}
    async with unchanged(database):
        taken = [("CODE_TAKEN", "code", ["NO1"])]
        assert await errors_of(database, CREATE_TYPE, {"code": "NO1"}, INTERNAL) == taken
        assert await errors_of(database, UPDATE_TYPE, {**key, "code": "NO1"}, INTERNAL) == taken
        for unknown in ("999", "x"):
            errors = await errors_of(database, UPDATE_TYPE, {"ticketTypeId": unknown}, INTERNAL)
            assert errors == [("TICKET_TYPE_NOT_FOUND", "ticketTypeId", [unknown])]
        errors = await errors_of(database, UPDATE_TYPE, {**key, "countryCode": "NORG", "code": None}, INTERNAL)
        assert sorted(errors) == [("REQUIRED", "code", []), ("TEXT_TOO_LONG", "countryCode", [])]
        _, errors = await answered(database, UPDATE_TYPE, {**key, "expectedVersion": 1}, INTERNAL)
        assert errors == [("VERSION_CONFLICT", "expectedVersion", ["1"])]


@pytest.mark.rule("E46")
async def test_a_product_is_valid_for_a_day_at_least(database: Database) -> None:
    new = {"name": "Personalbillett", "validFrom": "2026-01-01"}
    first = await made(database, CREATE_PRODUCT, new)
    assert first == {**new, "id": first["id"], "validUntil": None, "version": 1}
    key = {"productId": first["id"]}
    second = await made(database, UPDATE_PRODUCT, {**key, "validUntil": "2026-01-02"})
    assert second == {**first, "validUntil": "2026-01-02", "version": 2}
    async with unchanged(database):
        for wrong in ({"validFrom": "2026-01-02"}, {"validUntil": "2026-01-01"}):
            (error,) = await errors_of(database, UPDATE_PRODUCT, {**key, **wrong}, INTERNAL)
            assert error[:2] == ("DATES_REVERSED", "validUntil")
        wrong = {**new, "validUntil": "2026-01-01"}
        errors = await errors_of(database, CREATE_PRODUCT, wrong, INTERNAL)
        assert errors == [("DATES_REVERSED", "validUntil", ["2026-01-01"])]
        errors = await errors_of(database, UPDATE_PRODUCT, {"productId": "x"}, INTERNAL)
        assert errors == [("PRODUCT_NOT_FOUND", "productId", ["x"])]
        errors = await errors_of(database, UPDATE_PRODUCT, {**key, "name": " ", "validFrom": None}, INTERNAL)
        assert sorted(errors) == [("REQUIRED", "name", []), ("REQUIRED", "validFrom", [])]
    third = await made(database, UPDATE_PRODUCT, {**key, "validUntil": None, "name": "Ny"})
    assert third == {**first, "name": "Ny", "version": 3}
    assert (await rows(database, codes.Product))[0].valid_from == date(2026, 1, 1)
    assert (await a_product(database)).id != int(first["id"])


@pytest.mark.rule("E45")
@pytest.mark.rule("F06")
async def test_a_postal_place_is_saved_by_code_and_country(database: Database) -> None:
    await a_postal_place(database)
    first = await made(database, SAVE_PLACE, {"code": "0155", "place": "OSLO", "expectedVersion": 1})
    assert first == {"code": "0155", "place": "OSLO", "country": "NOR", "isDeleted": False, "version": 2}
    other = {"code": "0155", "place": "Stockholm", "country": "swe", "isDeleted": True, "expectedVersion": 0}
    second = await made(database, SAVE_PLACE, other)
    assert second == {"code": "0155", "place": "Stockholm", "country": "SWE", "isDeleted": True, "version": 1}
    async with unchanged(database):
        for wrong, error in (
            ({"code": "155"}, ("POST_CODE_INVALID", "code", ["155"])),
            ({"country": "NO"}, ("COUNTRY_CODE_INVALID", "country", ["NO"])),
            ({"place": " "}, ("REQUIRED", "place", [])),
            ({"expectedVersion": 1}, ("VERSION_CONFLICT", "expectedVersion", ["1"])),
            ({"code": "5003", "expectedVersion": 1}, ("VERSION_CONFLICT", "expectedVersion", ["1"])),
        ):
            _, errors = await answered(database, SAVE_PLACE, {"code": "0155", "place": "Oslo", **wrong}, INTERNAL)
            assert errors == [error]


@pytest.mark.rule("E44")
@pytest.mark.rule("F08")
async def test_a_station_is_saved_by_its_netex_id(database: Database) -> None:
    station = await a_station(database)
    first = await made(database, SAVE_STATION, {"id": station.id, "name": "Oslo sentralstasjon"})
    assert first == {"id": station.id, "name": "Oslo sentralstasjon", "version": 2}
    assert (await rows(database, codes.Station))[0].created_at == MOMENT
    new = {"id": "NSR:StopPlace:337", "name": "Bergen"}
    answers = await asyncio.gather(*(made(database, SAVE_STATION, new) for _ in range(5)))
    assert sorted(each["version"] for each in answers) == [1, 2, 3, 4, 5]
    async with unchanged(database):
        for wrong in ("NSR:337", "nsr:StopPlace:1", "NSR:Stop1:1", "NSR:StopPlace:å"):
            (error,) = await errors_of(database, SAVE_STATION, {**new, "id": wrong}, INTERNAL)
            assert error == ("NETEX_ID_INVALID", "id", [wrong])
        for value, code in HOSTILE:
            assert await errors_of(database, SAVE_STATION, {**new, "id": value}, INTERNAL) == [(code, "id", [])]


def test_only_internal_callers_maintain_the_lists() -> None:
    needs = permission_table(schema._schema).fields["Mutation"]
    names = ("PersonnelCode", "TicketType", "Product")
    fields = [f"{verb}{name}" for name in names for verb in ("create", "update")]
    found = {str(needs[field]) for field in (*fields, "savePostalPlace", "saveStation")}
    assert found == {"personnel-code:write INTERNAL"}


async def test_a_deleted_ticket_type_stays_in_the_list(database: Database) -> None:
    kind = await a_ticket_type(database)
    await made(database, UPDATE_TYPE, {"ticketTypeId": str(kind.id), "isDeleted": True})
    (row,) = await rows(database, codes.TicketType)
    assert (row.code, row.is_deleted) == ("NO2", True)
