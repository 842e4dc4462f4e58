"""createPostalAddress, updatePostalAddress and deletePostalAddress (rules C31, C80 to C82)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from datastore.customer import PostalAddress
from datastore.database import Database
from datastore.text import LAST
from resolvers.context import Context
from schema.root import schema
from tests.customer.mutations import (
    CREATE_ADDRESS,
    DELETE_ADDRESS,
    HOME,
    HOSTILE,
    NOW,
    UPDATE_ADDRESS,
    answered,
    done,
    events,
    everything,
    freeze,
    not_executed,
    refused,
    stored,
)
from tests.execute import FOREIGNER, INTERNAL, VIEWER
from tests.factories.customer import (
    MOMENT,
    a_customer,
    a_deleted_customer,
    a_merged_customer,
    address_of,
    an_address,
    inserted,
)

SEEN = "2026-02-01T08:00:00.000Z"


async def addresses(database: Database) -> list[Any]:
    return list(await database.fetch(select(PostalAddress.__table__).order_by(PostalAddress.id)))


@pytest.mark.rule("C80")
@pytest.mark.rule("C82")
async def test_an_address_is_added_with_everything_given(database: Database) -> None:
    kari = await a_customer(database)
    given = {"customerNumber": kari.customer_number, **HOME, "postCode": " 0155 ", "countryCode": "nor"}
    made = await done(database, CREATE_ADDRESS, given)
    rest = {"id": made["id"], "version": 1, "addressLine1": None, "addressLine2": None, "verifiedAt": None}
    assert made == {**HOME, **rest}
    more = {"typeOfAddress": "SHADOW", "addressLine1": " Åsveien 1", "addressLine2": "c/o Ola", "verifiedAt": SEEN}
    made = await done(database, CREATE_ADDRESS, {**given, **more})
    assert made == {**HOME, **more, "addressLine1": "Åsveien 1", "id": made["id"], "version": 1}
    assert [row.address_line1_key for row in await addresses(database)] == [LAST, "}sveien 1"]


@pytest.mark.rule("A04")
async def test_an_absent_field_stays_and_null_clears(database: Database) -> None:
    kari = await a_customer(database)
    home = await an_address(database, kari, address_line2="c/o Ola", verified_at=datetime(2026, 2, 1, 8, tzinfo=UTC))
    given = {"customerNumber": kari.customer_number, "postalAddressId": str(home.id), **HOME}
    shown = {**HOME, "id": str(home.id), "addressLine1": "Storgata 1", "addressLine2": "c/o Ola", "verifiedAt": SEEN}
    assert await done(database, UPDATE_ADDRESS, given) == {**shown, "version": 2}
    new = {"addressLine1": "Ny gate 2", "town": "Bergen", "postCode": "5003", "typeOfAddress": "INVOICE"}
    assert await done(database, UPDATE_ADDRESS, {**given, **new}) == {**shown, **new, "version": 3}
    empty = dict.fromkeys(["addressLine1", "addressLine2", "verifiedAt"])
    assert await done(database, UPDATE_ADDRESS, {**given, **empty}) == {**shown, **empty, "version": 4}
    (row,) = await addresses(database)
    assert row.address_line1_key == LAST


async def test_a_deleted_address_is_gone_and_the_others_stay(database: Database) -> None:
    kari = await a_customer(database)
    home, other = await an_address(database, kari), await an_address(database, kari, town="Bergen")
    given = {"customerNumber": kari.customer_number, "postalAddressId": str(home.id)}
    payload, errors = await answered(database, DELETE_ADDRESS, given)
    assert errors == []
    assert payload["deletedPostalAddressId"] == str(home.id)
    assert payload["customer"]["customerNumber"] == kari.customer_number
    assert [address["id"] for address in payload["customer"]["postalAddresses"]] == [str(other.id)]
    error = ("POSTAL_ADDRESS_NOT_FOUND", "postalAddressId", [str(home.id)])
    assert await refused(database, DELETE_ADDRESS, given) == [error]


@pytest.mark.rule("V01")
async def test_each_act_posts_one_update_of_the_customer(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database)
    context = Context(database, VIEWER, correlation_id="corr-1")
    customer = {"customerNumber": kari.customer_number}
    known: dict[str, Any] = {}
    acts = [(CREATE_ADDRESS, HOME), (UPDATE_ADDRESS, HOME), (UPDATE_ADDRESS, HOME), (DELETE_ADDRESS, {})]
    for version, (text, values) in enumerate(acts, start=1):
        given = {**customer, **known, **values}
        result = await schema.execute(text, variable_values={"input": given}, context_value=context)
        assert not result.errors
        assert await events(database) == [("UPDATE", kari.customer_number, 1, NOW, "corr-1")] * version
        for row in await addresses(database):
            assert (row.created_at, row.changed_at, row.version) == (NOW, NOW, version)
            known = {"postalAddressId": str(row.id)}
    row = await stored(database, kari.customer_number)
    assert (row.version, row.changed_at) == (1, MOMENT)


# Formats


@pytest.mark.rule("A10")
@pytest.mark.rule("C80")
@pytest.mark.rule("C81")
@pytest.mark.rule("C12")
async def test_a_wrong_field_is_refused_by_both_acts(database: Database) -> None:
    kari = await a_customer(database)
    home = await an_address(database, kari)
    new = {"customerNumber": kari.customer_number, **HOME}
    for text, given in ((CREATE_ADDRESS, new), (UPDATE_ADDRESS, {**new, "postalAddressId": str(home.id)})):
        for wrong, errors in (
            ({"postCode": "155"}, [("POST_CODE_INVALID", "postCode", ["155"])]),
            ({"postCode": "٠١٥٥"}, [("POST_CODE_INVALID", "postCode", ["٠١٥٥"])]),
            ({"postCode": ""}, [("REQUIRED", "postCode", [])]),
            ({"postCode": "0" * 11}, [("TEXT_TOO_LONG", "postCode", [])]),
            ({"countryCode": "NO"}, [("COUNTRY_CODE_INVALID", "countryCode", ["NO"])]),
            ({"countryCode": " "}, [("REQUIRED", "countryCode", [])]),
            ({"town": " \t"}, [("REQUIRED", "town", [])]),
            ({"town": "x" * 101}, [("TEXT_TOO_LONG", "town", [])]),
            ({"addressLine1": "x" * 101}, [("TEXT_TOO_LONG", "addressLine1", [])]),
            ({"town": "", "postCode": "1"}, [("POST_CODE_INVALID", "postCode", ["1"]), ("REQUIRED", "town", [])]),
        ):
            assert sorted(await refused(database, text, {**given, **wrong})) == errors
        for field in ("town", "postCode", "countryCode", "addressLine1", "addressLine2"):
            for value, code in HOSTILE:
                assert await refused(database, text, {**given, field: value}) == [(code, field, [])]
        for field in ("town", "postCode", "countryCode", "typeOfAddress", "customerNumber"):
            assert field in await not_executed(database, text, {**given, field: None})
        assert "typeOfAddress" in await not_executed(database, text, {**given, "typeOfAddress": "P"})
        await done(database, text, {**given, "town": "x" * 100, "addressLine1": "x" * 100, "addressLine2": "x" * 100})


@pytest.mark.rule("C81")
async def test_only_norwegian_post_codes_have_four_digits(database: Database) -> None:
    kari = await a_customer(database)
    given = {"customerNumber": kari.customer_number, **HOME}
    for code, country in (("0001", "NOR"), ("SW1A 1AA", "GBR"), ("1", "SWE"), ("0123456789", "USA")):
        made = await done(database, CREATE_ADDRESS, {**given, "postCode": code, "countryCode": country})
        assert (made["postCode"], made["countryCode"]) == (code, country)


# Which address, of whom


@pytest.mark.rule("C31")
async def test_only_ones_own_addresses_are_found(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    his = await an_address(database, ola)
    for text, more in ((UPDATE_ADDRESS, HOME), (DELETE_ADDRESS, {})):
        for wrong in (str(his.id), "0", "-1", "x", "", "१", "9" * 19):
            given = {"customerNumber": kari.customer_number, "postalAddressId": wrong, **more}
            error = ("POSTAL_ADDRESS_NOT_FOUND", "postalAddressId", [wrong])
            assert await refused(database, text, given) == [error]


@pytest.mark.rule("T04")
@pytest.mark.rule("C40")
async def test_addresses_of_unknown_foreign_merged_and_deleted_customers_stay(database: Database) -> None:
    kari, deleted = await a_customer(database), await a_deleted_customer(database)
    merged = await a_merged_customer(database, kari)
    for customer, code, viewer in (
        (kari, "CUSTOMER_NOT_FOUND", FOREIGNER),
        (merged, "CUSTOMER_MERGED", VIEWER),
        (deleted, "CUSTOMER_DELETED", VIEWER),
    ):
        home = await an_address(database, customer)
        number = customer.customer_number
        error = (code, "customerNumber", [str(number)])
        known = {"customerNumber": number, "postalAddressId": str(home.id)}
        assert await refused(database, CREATE_ADDRESS, {"customerNumber": number, **HOME}, viewer) == [error]
        assert await refused(database, UPDATE_ADDRESS, {**known, **HOME}, viewer) == [error]
        assert await refused(database, DELETE_ADDRESS, known, viewer) == [error]
    await done(database, CREATE_ADDRESS, {"customerNumber": kari.customer_number, **HOME}, INTERNAL)


async def test_a_customer_gets_no_51st_address(database: Database) -> None:
    kari = await a_customer(database)
    await inserted(database, PostalAddress, *[address_of(kari)] * 49)
    given = {"customerNumber": kari.customer_number, **HOME}
    made = await done(database, CREATE_ADDRESS, given)
    assert await refused(database, CREATE_ADDRESS, given) == [("TOO_MANY_POSTAL_ADDRESSES", "", [])]
    await done(database, UPDATE_ADDRESS, {**given, "postalAddressId": made["id"]})
    await done(database, DELETE_ADDRESS, {"customerNumber": kari.customer_number, "postalAddressId": made["id"]})
    await done(database, CREATE_ADDRESS, given)


async def test_another_version_is_a_conflict_and_shows_the_current_values(database: Database) -> None:
    kari = await a_customer(database)
    home = await an_address(database, kari, version=3)
    known = {"customerNumber": kari.customer_number, "postalAddressId": str(home.id)}
    before = await everything(database)
    conflict = [("VERSION_CONFLICT", "expectedVersion", ["2"])]
    payload, errors = await answered(database, UPDATE_ADDRESS, {**known, **HOME, "expectedVersion": 2})
    assert errors == conflict
    assert (payload["postalAddress"]["version"], payload["postalAddress"]["addressLine1"]) == (3, "Storgata 1")
    payload, errors = await answered(database, DELETE_ADDRESS, {**known, "expectedVersion": 2})
    assert errors == conflict
    assert payload["deletedPostalAddressId"] is None
    assert [address["version"] for address in payload["customer"]["postalAddresses"]] == [3]
    assert await everything(database) == before
    assert (await done(database, UPDATE_ADDRESS, {**known, **HOME, "expectedVersion": 3}))["version"] == 4
    await done(database, DELETE_ADDRESS, {**known, "expectedVersion": 4})
