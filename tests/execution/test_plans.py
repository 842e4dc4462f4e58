"""Planned answers are the ordinary ones: the values, the relations and the documents that plans got wrong, or could."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from datastore import customer as stored
from datastore.database import Database
from datastore.viewer import TenantKind
from schema.node import written
from tests.execution.asking import INTERNAL, Asked, a_role, both, data_of, errors_of, headers_of, same
from tests.execution.world import revealed
from tests.factories.customer import (
    a_customer,
    a_deleted_customer,
    a_merged_customer,
    a_note,
    a_personnel_ticket,
    a_traveller_info,
    an_address,
    an_ecard,
    some_customers,
)

Both = tuple[Asked, Asked]
FIRST = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)


@pytest.fixture
async def gateways(url: str) -> AsyncIterator[Both]:
    async with both(url) as made:
        yield made


def of(customer: stored.Customer, fields: str) -> str:
    return f"{{ customer(by: {{customerNumber: {customer.customer_number}}}) {{ {fields} }} }}"


# Values


async def test_the_first_and_the_last_day_are_days_and_not_infinity(database: Database, gateways: Both) -> None:
    kari = await a_customer(database, date_of_birth=date.min, expiration_date=date.max)
    await an_ecard(database, kari, booking_date=date.min, shipping_date=date.max, expiration_date=date.max)
    answer = await same(gateways, of(kari, "expirationDate dateOfBirth { year } ecards { bookingDate shippingDate }"))
    assert data_of(answer)["customer"] == {
        "expirationDate": "9999-12-31",
        "dateOfBirth": {"year": 1},
        "ecards": [{"bookingDate": "0001-01-01", "shippingDate": "9999-12-31"}],
    }


@pytest.mark.parametrize("time", [FIRST, LAST])
async def test_the_first_and_the_last_time_are_times_and_not_infinity(
    database: Database, gateways: Both, time: datetime
) -> None:
    kari = await a_customer(database, email_verified_at=time, created_at=time)
    answer = await same(gateways, of(kari, "createdAt emailVerifiedAt"))
    assert data_of(answer)["customer"]["createdAt"][:4] == f"{time.year:04}"


async def test_a_row_with_the_first_time_does_not_vanish_from_a_list(database: Database, gateways: Both) -> None:
    kari = await a_customer(database)
    for time in (FIRST, datetime(2026, 1, 31, tzinfo=UTC), LAST):
        await an_address(database, kari, created_at=time, changed_at=time)
    answer = await same(gateways, of(kari, "postalAddresses { id createdAt changedAt }"))
    assert len(data_of(answer)["customer"]["postalAddresses"]) == 3


async def test_a_row_with_a_value_that_its_type_does_not_know_does_not_vanish_from_a_list(
    database: Database, gateways: Both
) -> None:
    kari = await a_customer(database)
    for _ in range(3):
        broken = await an_address(database, kari)
    await store_unchecked(database, broken, "Q")
    answer = await same(gateways, of(kari, "uuid postalAddresses { id typeOfAddress }"), is_planned=False)
    assert errors_of(answer), "the ordinary execution tells that it cannot read the row"


async def store_unchecked(database: Database, address: stored.PostalAddress, letter: str) -> None:
    """Store a type of address that there is none of."""
    async with database.engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        if database.dialect == "sqlite":
            await connection.exec_driver_sql("PRAGMA ignore_check_constraints = ON")
        else:
            names = await connection.scalars(
                sa.text(
                    "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid = 'postal_address'::regclass"
                )
            )
            for name in names.all():
                await connection.exec_driver_sql(f'ALTER TABLE postal_address DROP CONSTRAINT "{name}"')
        await connection.exec_driver_sql(
            f"UPDATE postal_address SET type_of_address = '{letter}' WHERE id = {address.id}"
        )


async def test_what_is_not_text_in_a_stored_list_of_texts_is_answered_as_text(
    database: Database, gateways: Both
) -> None:
    kari = await a_customer(database)
    await a_traveller_info(database, kari, legs=[1, True, "x", 1.5])
    answer = await same(gateways, of(kari, "travellerInfos { legs }"))
    assert data_of(answer)["customer"]["travellerInfos"] == [{"legs": ["1", "true", "x", "1.5"]}]


# Conditions and arguments


@pytest.mark.parametrize("default", ["true", "false"])
@pytest.mark.parametrize("directive", ["skip", "include"])
async def test_null_for_a_condition_with_a_default_is_refused(gateways: Both, directive: str, default: str) -> None:
    text = f"query ($x: Boolean = {default}) {{ viewer {{ subject @{directive}(if: $x) mode }} }}"
    for value in (True, None, False, None):
        answer = await same(gateways, text, {"x": value}, is_planned=value is not None)
        assert bool(errors_of(answer)) is (value is None)


async def test_conditions_choose_the_fields_each_time_anew(database: Database, gateways: Both) -> None:
    kari = await a_customer(database)
    text = (
        "query ($n: Long!, $a: Boolean!, $b: Boolean = true) { customer(by: {customerNumber: $n}) {"
        " uuid @include(if: $a) version @skip(if: $b) ... @include(if: $b) { surname } ...F @skip(if: $a) } }"
        " fragment F on Customer { firstName }"
    )
    seen = set()
    for given in ({"a": True}, {"a": False}, {"a": True, "b": False}, {"a": False, "b": False}, {"a": True}):
        answer = await same(gateways, text, {"n": kari.customer_number, **given})
        seen.add(tuple(data_of(answer)["customer"]))
    assert seen == {("uuid", "surname"), ("surname", "firstName"), ("uuid", "version"), ("version", "firstName")}


async def test_a_deleted_customer_is_answered_only_while_it_is_asked_for(database: Database, gateways: Both) -> None:
    kari, gone = await a_customer(database), await a_deleted_customer(database)
    text = "query ($n: Long!, $d: Boolean!) { customer(by: {customerNumber: $n}, includeDeleted: $d) { uuid } }"
    for number, is_asked_for, is_there in (
        (gone.customer_number, True, True),
        (gone.customer_number, False, False),
        (kari.customer_number, False, True),
        (gone.customer_number, True, True),
    ):
        answer = await same(gateways, text, {"n": number, "d": is_asked_for}, is_planned=is_there)
        assert bool(data_of(answer)["customer"]) is is_there


async def test_one_document_serves_every_key_and_every_page(database: Database, gateways: Both) -> None:
    customers = await some_customers(database, *[{"surname": f"Nordmann {place}"} for place in range(7)])
    text = "query ($by: CustomerLookup!) { customer(by: $by) { uuid customerNumber } }"
    for each in customers[:2]:
        for by in (
            {"customerNumber": each.customer_number},
            {"uuid": each.uuid},
            {"customerRef": {"organisationId": 1, "customerRef": each.customer_ref}},
        ):
            assert data_of(await same(gateways, text, {"by": by}))["customer"]["uuid"] == each.uuid
    text = (
        "query ($f: Int, $a: String, $l: Int, $b: String) { customers(first: $f, after: $a, last: $l, before: $b,"
        " orderBy: {field: SURNAME}) { edges { cursor node { surname } } totalItems totalPages"
        " pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"
    )
    seen: list[str] = []
    after = None
    for _ in range(3):
        page = data_of(await same(gateways, text, {"f": 3, "a": after}))["customers"]
        seen += [each["node"]["surname"] for each in page["edges"]]
        after = page["pageInfo"]["endCursor"]
    assert seen == [f"Nordmann {place}" for place in range(7)]
    page = data_of(await same(gateways, text, {"l": 2, "b": after}))["customers"]
    assert [each["node"]["surname"] for each in page["edges"]] == ["Nordmann 4", "Nordmann 5"]


# Selections


async def test_nodes_may_be_selected_beside_the_edges_nodes(database: Database, gateways: Both) -> None:
    await some_customers(database, {}, {}, {})
    text = "{ customers { nodes { uuid } nodes { version } edges { cursor node { uuid surname } } a: nodes { id } } }"
    page = data_of(await same(gateways, text, is_planned=False))["customers"]
    assert [list(page[each][0]) for each in ("nodes", "a")] == [["uuid", "version"], ["id"]]
    assert [list(each["node"]) for each in page["edges"]] == [["uuid", "surname"]] * 3


async def test_one_relation_may_be_selected_twice(database: Database, gateways: Both) -> None:
    kari = await a_customer(database)
    await an_ecard(database, kari)
    await an_address(database, kari)
    fields = (
        "a: ecards { ecardNumber } b: ecards { id customer { uuid ecards { id } } } consents { consentCode }"
        " customerConsents { consentCode } c: postalAddresses { town } postalAddresses { town id }"
    )
    found = data_of(await same(gateways, of(kari, fields)))["customer"]
    assert found["a"] == [{"ecardNumber": "0700000001"}]
    assert found["b"][0]["customer"] == {"uuid": kari.uuid, "ecards": [{"id": found["b"][0]["id"]}]}


async def test_fields_of_one_key_are_merged(database: Database, gateways: Both) -> None:
    kari = await a_customer(database, email="kari@example.no")
    await an_ecard(database, kari)
    text = (
        "{{ a: {} ...F ... on Query {{ a: {} }} }} fragment F on Query {{ a: {} }}".format(
            *tuple(
                of(kari, fields)[2:-2]
                for fields in (
                    "ecards { id } version",
                    "ecards { ecardNumber customer { uuid } } ...G",
                    "ecards { id customer { email } }",
                )
            )
        )
        + " fragment G on Node { id ... on Customer { ecards { customer { version } } version } }"
    )
    found = data_of(await same(gateways, text))["a"]
    assert list(found) == ["ecards", "version", "id"]
    assert list(found["ecards"][0]) == ["id", "customer", "ecardNumber"]
    assert list(found["ecards"][0]["customer"]) == ["email", "uuid", "version"]


async def test_a_node_answers_what_its_type_is_asked_for(database: Database, gateways: Both) -> None:
    kari = await a_customer(database, surname="Nordmann")
    gone = await a_merged_customer(database, kari)
    text = (
        "query ($id: ID!) { node(id: $id) { __typename id ... on Customer { surname parent { uuid } ecards { id } }"
        " ... on Node { again: id } } }"
    )
    for each in (kari, gone):
        found = data_of(await same(gateways, text, {"id": written("Customer", each.customer_number)}))["node"]
        assert found["surname"] == "Nordmann"
        assert found["id"] == found["again"] == written("Customer", kari.customer_number)
    assert data_of(await same(gateways, text, {"id": written("Customer", 7)}))["node"] is None
    await same(gateways, text, {"id": "nothing"}, is_planned=False)


async def test_a_user_finds_the_own_profile_in_the_viewer(database: Database, gateways: Both) -> None:
    kari = await a_customer(database, surname="Nordmann")
    old = await a_merged_customer(database, kari)
    await an_ecard(database, kari)
    text = "{ viewer { subject customer { uuid ecards { ecardNumber } relatedCustomers { uuid } } mode permissions } }"
    for number in (kari.customer_number, old.customer_number):
        answer = await same(gateways, text, headers=headers_of(a_role(TenantKind.TRAVELLER, 1, number)))
        assert data_of(answer)["viewer"]["customer"]["uuid"] == kari.uuid
    assert data_of(await same(gateways, text))["viewer"]["customer"] is None


async def test_the_audit_log_is_paged_and_planned(database: Database, gateways: Both) -> None:
    await some_customers(database, *[{} for _ in range(6)])
    await revealed(database)
    headers = headers_of(INTERNAL)
    text = (
        "query ($a: String, $f: AuditLogFilterInput) { auditLog(first: 4, after: $a, filter: $f) { totalItems"
        " pageInfo { hasNextPage endCursor } nodes { number kind operation loggedAt subject clientName reason fields"
        " correlationId customer { uuid surname } } } }"
    )
    numbers: list[int] = []
    after = None
    for _ in range(3):
        page: Any = data_of(await same(gateways, text, {"a": after}, headers))["auditLog"]
        numbers += [each["number"] for each in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert len(numbers) == len(set(numbers)) > 8
    assert numbers == sorted(numbers, reverse=True)
    one = data_of(await same(gateways, text, {"f": {"operation": "Look5"}}, headers))["auditLog"]
    assert {each["operation"] for each in one["nodes"]} == {"Look5"}


async def test_who_read_what_is_told_to_the_user_it_is_about(database: Database, gateways: Both) -> None:
    kari = (await some_customers(database, *[{} for _ in range(6)]))[0]
    await revealed(database)
    headers = headers_of(a_role(TenantKind.TRAVELLER, 1, kari.customer_number))
    text = "{ viewer { dataAccessLog(first: 2) { totalItems nodes { __typename } pageInfo { hasNextPage } } } }"
    page = data_of(await same(gateways, text, headers=headers, is_planned=False))["viewer"]["dataAccessLog"]
    assert page["totalItems"] == 6
    assert page["pageInfo"] == {"hasNextPage": True}


@pytest.mark.parametrize("reason", ["", "complaint 17"])
async def test_sealed_notes_are_opened_or_masked_alike(database: Database, gateways: Both, reason: str) -> None:
    kari = await a_customer(database)
    for text in ("First.", "\u0001\u0002 {} \\", ""):
        await a_note(database, kari, text=text)
    answer = await same(
        gateways, of(kari, "a: notes { text } notes { b: text id }"), None, headers_of(INTERNAL, reason)
    )
    assert bool(answer.reveals) is bool(reason)
    assert data_of(answer)["customer"]["a"][1]["text"] == ("\u0001\u0002 {} \\" if reason else None)


# Depth


@pytest.mark.parametrize("depth", [3, 8, 11])
async def test_a_deep_document_is_answered_without_a_failure(database: Database, gateways: Both, depth: int) -> None:
    """SQLite's parser has a stack of a fixed size."""
    grandmother = await a_customer(database)
    mother = await a_customer(database, parent_id=grandmother.id)
    kari = await a_customer(database, parent_id=mother.id)
    await an_address(database, kari)
    await an_ecard(database, kari)
    for levels in (["parent"], ["ecards", "customer", "postalAddresses", "customer"]):
        fields = "uuid" if depth % 2 or levels == ["parent"] else "id"
        for place in reversed(range(depth)):
            below = "uuid" if levels[place % len(levels)] in ("parent", "customer") else "id"
            inner = fields if place < depth - 1 else below
            fields = f"{levels[place % len(levels)]} {{ {inner} }}"
        await same(gateways, of(kari, fields), is_planned=depth == 3)


async def test_a_wide_document_is_planned(database: Database, gateways: Both) -> None:
    """PostgreSQL functions take 100 arguments at most."""
    kari = await a_customer(database)
    await same(gateways, of(kari, " ".join(f"a{place}: customerRef" for place in range(300))))


async def test_a_ticket_leads_to_its_bearer(database: Database, gateways: Both) -> None:
    kari, ola = await some_customers(database, {}, {"first_name": "Ola"})
    await a_personnel_ticket(database, kari, bearer_customer_id=ola.id)
    fields = "personnelTicketBearers { ticketRightOwner ticketRightBearer }"
    found = data_of(await same(gateways, of(kari, fields)))
    assert found["customer"]["personnelTicketBearers"][0]["ticketRightOwner"] == "E1"


# Several root fields


async def test_no_statement_goes_on_after_another_root_field_could_not_be_planned(
    database: Database, gateways: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    kari = await a_customer(database)
    text = '{{ a: customers(first: 1, after: "none") {{ nodes {{ uuid }} }} b: {} }}'.format(of(kari, "uuid")[2:-2])
    await same(gateways, text, is_planned=False)
    fetch = gateways[1].reads.fetch
    started = ended = 0

    async def slowly(*given: Any) -> Any:
        nonlocal started, ended
        started += 1
        try:
            await asyncio.sleep(0.2)
            return await fetch(*given)
        finally:
            ended += 1

    monkeypatch.setattr(gateways[1].reads, "fetch", slowly)
    before = asyncio.all_tasks()
    assert errors_of(await same(gateways, text, is_planned=False))
    assert started == ended
    assert asyncio.all_tasks() == before


async def test_many_root_fields_come_in_their_order(database: Database, gateways: Both) -> None:
    customers = await some_customers(database, *[{} for _ in range(8)])
    keys = [f"k{place}" for place in reversed(range(8))]
    parts = [f"{key}: {of(each, '__typename uuid')[2:-2]}" for key, each in zip(keys, customers, strict=True)]
    found = data_of(await same(gateways, f"{{ __typename {' '.join(parts)} t: __typename }}"))
    assert list(found) == ["__typename", *keys, "t"]
    assert [found[key]["uuid"] for key in keys] == [each.uuid for each in customers]
