"""Sensitive values: masked, or shown to whoever may see them and says why, with a line that the person can read."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update

from datastore.audit import AuditKind, AuditLogEntry, Reveal, record_reveals
from datastore.audit_check import verify
from datastore.customer import Customer, Note
from datastore.database import Database
from datastore.own_profiles import own_profiles
from datastore.sealing import CannotOpen, Keyring
from datastore.viewer import GRANTABLE, Permission, TenantKind, Viewer
from gateway.errors import error_entries
from resolvers.context import Context
from schema.root import schema
from tests.customer.mutations import DEACTIVATE, done
from tests.execute import INTERNAL, VIEWER
from tests.factories.customer import a_customer, a_merged_customer, a_note, some_customers
from tests.statements import statements

SECRET = "Hemmelig: ring Kari etter kl. 18."
NOTES = "query Notes($numbers: [Long!]!) { customersByKey(customerNumbers: $numbers) { notes { id text createdBy } } }"
LOG = "{ viewer { dataAccessLog { totalItems nodes { organisationId clientName reason fields } } } }"
READER = Viewer(1, TenantKind.PARTNER, GRANTABLE, subject="ola", client_id="crm", issuer="https://issuer")


def request(database: Database, viewer: Viewer = READER, reason: str = "complaint 17") -> Context:
    return Context(database, viewer, "correlation-1", "CRM", reason)


async def asked(context: Context, document: str, **variables: Any) -> Any:
    """The data of a document, which must have no errors, once its reveals are written."""
    result = await schema.execute(document, variable_values=variables, context_value=context)
    assert not result.errors
    await context.finish()
    return result.data


async def notes(context: Context, *customers: Customer) -> list[str | None]:
    """The texts of the customers' notes."""
    data = await asked(context, NOTES, numbers=[each.customer_number for each in customers])
    return [note["text"] for customer in data["customersByKey"] for note in customer["notes"]]


async def logged(database: Database) -> list[Any]:
    return list(await database.fetch(select(AuditLogEntry.__table__).order_by(AuditLogEntry.id)))


def user(*customers: Customer, **values: Any) -> Viewer:
    given: Mapping[str, Any] = {"permissions": GRANTABLE, "customer_ids": frozenset(each.id for each in customers)}
    return Viewer(1, **{"kind": TenantKind.TRAVELLER, **given, **values})


async def log_of(database: Database, viewer: Viewer) -> list[Any]:
    found = (await asked(Context(database, viewer), LOG))["viewer"]["dataAccessLog"]
    assert found["totalItems"] == len(found["nodes"])
    return list(found["nodes"])


# Masking


@pytest.mark.parametrize(
    ("permissions", "reason"),
    [(GRANTABLE - {Permission.NOTE_REVEAL}, "complaint 17"), (GRANTABLE, ""), (frozenset({Permission.NOTE_READ}), "")],
    ids=["without permission", "without reason", "without both"],
)
async def test_a_value_is_masked_without_permission_or_reason(
    database: Database, permissions: frozenset[Permission], reason: str
) -> None:
    kari = await a_customer(database)
    await a_note(database, kari, text=SECRET)
    context = request(database, replace(READER, permissions=permissions), reason)
    assert await notes(context, kari) == [None]
    assert context.masked == {"Note.text"}
    assert await logged(database) == []


async def test_masking_does_not_open_anything(database: Database) -> None:
    kari = await a_customer(database)
    await a_note(database, kari, text=SECRET)
    database.keys = Keyring()
    assert await notes(request(database, reason=""), kari) == [None]


async def test_other_fields_are_not_masked(database: Database) -> None:
    kari = await a_customer(database)
    await a_note(database, kari)
    context = request(database, reason="")
    data = await asked(context, NOTES.replace("text ", ""), numbers=[kari.customer_number])
    assert data["customersByKey"][0]["notes"][0]["createdBy"] == "ola"
    assert context.masked == set()


# Revealing


async def test_a_reveal_shows_the_value_and_is_logged(database: Database) -> None:
    kari = await a_customer(database)
    for text in (SECRET, "", "x" * 10_000):
        await a_note(database, kari, text=text)
    context = request(database)
    assert await notes(context, kari) == [SECRET, "", "x" * 10_000]
    assert context.masked == set()
    (entry,) = await logged(database)
    assert (entry.kind, entry.operation, entry.customer_id) == (AuditKind.REVEAL, "Notes", kari.id)
    assert (entry.organisation_id, entry.subject, entry.client_id) == (1, "ola", "crm")
    assert (entry.issuer, entry.tenant_kind) == ("https://issuer", TenantKind.PARTNER)
    assert (entry.client_name, entry.correlation_id) == ("CRM", "correlation-1")
    del entry.details["salt"]
    assert entry.details == {"reason": "complaint 17", "fields": ["Note.text"]}
    assert SECRET not in str(entry)


async def test_nothing_is_logged_where_there_is_nothing_to_see(database: Database) -> None:
    kari = await a_customer(database)
    assert await notes(request(database), kari) == []
    assert await logged(database) == []


async def test_an_operation_without_a_name_and_one_with_a_long_one_are_logged(database: Database) -> None:
    kari = await a_customer(database)
    await a_note(database, kari)
    for name in ("", "N" * 300):
        document = NOTES.replace("query Notes", f"query {name}")
        await asked(request(database), document, numbers=[kari.customer_number])
    assert [entry.operation for entry in await logged(database)] == ["", "N" * 100]


async def test_each_operation_is_logged_once_for_each_person(database: Database) -> None:
    kari, ola, per = await some_customers(database, {}, {}, {})
    for customer in (kari, kari, ola):
        await a_note(database, customer)
    for _ in range(2):
        await notes(request(database), kari, ola, per)
    assert [entry.customer_id for entry in await logged(database)] == [kari.id, ola.id] * 2


async def test_five_hundred_persons_take_as_many_statements_as_one(database: Database) -> None:
    customers = await some_customers(database, *[{}] * 500)
    for customer in customers:
        await a_note(database, customer)
    await notes(request(database), customers[0])
    counts = []
    for some in (customers[:1], customers):
        with statements(database) as seen:
            assert len(await notes(request(database), *some)) == len(some)
        counts.append(len(seen))
        assert len([each for each in seen if "audit_" in each]) == 3
    assert counts[0] == counts[1]
    assert len(await logged(database)) == 502
    assert [each.problem async for each in verify(database)][-1] == ""


async def test_a_reveal_that_cannot_be_logged_fails_and_goes_on_failing(database: Database) -> None:
    kari = await a_customer(database)
    await a_note(database, kari)
    context = request(database)
    result = await schema.execute(NOTES, variable_values={"numbers": [kari.customer_number]}, context_value=context)
    assert not result.errors
    known, database.keys = database.keys, Keyring()
    for _ in range(2):
        with pytest.raises(CannotOpen):
            await context.finish()
    assert await logged(database) == []
    database.keys = known
    for _ in range(2):
        await context.finish()
    assert len(await logged(database)) == 1


@pytest.mark.parametrize("stored", ["gone.QUJD", "test.QUJD", "Hemmelig, but not sealed"])
async def test_a_value_that_cannot_be_opened_is_an_error_without_it(
    database: Database, stored: str, caplog: pytest.LogCaptureFixture
) -> None:
    kari = await a_customer(database)
    await a_note(database, kari)
    async with database.write() as session:
        await session.execute(update(Note).values(text=stored))
    context = request(database)
    variables = {"numbers": [kari.customer_number]}
    result = await schema.execute(NOTES, variable_values=variables, context_value=context)
    assert result.data is not None
    assert result.data["customersByKey"][0]["notes"][0]["text"] is None
    (entry,) = error_entries(result.errors or [], has_run=True)
    assert (entry["message"], entry["extensions"]["errorCode"]) == ("Internal error", "INTERNAL")
    assert stored not in str(result.errors)
    assert stored not in caplog.text
    await context.finish()
    assert await logged(database) == []


# What the person sees


async def test_the_person_sees_who_read_what_and_why(database: Database) -> None:
    kari, ola = await some_customers(database, {}, {})
    for customer in (kari, ola):
        await a_note(database, customer)
    await notes(request(database, reason="first"), kari)
    both = {customer.id: Reveal("", {"Note.text"}) for customer in (kari, ola)}
    await record_reveals(database, INTERNAL, "CRM", "", "second", both)
    seen = {"clientName": "CRM", "fields": ["Note.text"]}
    second = {"organisationId": "99", "reason": "second", **seen}
    first = {"organisationId": "1", "reason": "first", **seen}
    as_texts = [{**each, "organisationId": str(each["organisationId"])} for each in await log_of(database, user(kari))]
    assert as_texts == [second, first]
    assert [each["reason"] for each in await log_of(database, user(ola))] == ["second"]
    assert await log_of(database, user()) == []


async def test_changes_are_not_in_it(database: Database) -> None:
    kari = await a_customer(database)
    await done(database, DEACTIVATE, {"customerNumber": kari.customer_number, "expirationDate": "2099-12-31"})
    assert [entry.kind for entry in await logged(database)] == [AuditKind.CHANGE]
    assert await log_of(database, user(kari)) == []


async def test_clients_see_an_empty_one(database: Database) -> None:
    kari = await a_customer(database)
    await a_note(database, kari)
    await notes(request(database), kari)
    for viewer in (VIEWER, INTERNAL, Viewer(1, TenantKind.PERSON, GRANTABLE, employee_id="E1")):
        assert await log_of(database, viewer) == []


async def test_after_a_merge_a_user_sees_the_log_of_all_own_profiles(database: Database) -> None:
    last = await a_customer(database)
    middle = await a_merged_customer(database, last)
    first = await a_merged_customer(database, middle)
    stranger = await a_customer(database)
    for customer in (first, middle, last, stranger):
        about = {customer.id: Reveal("", {"Note.text"})}
        await record_reveals(database, READER, "CRM", "", f"about {customer.id}", about)
    own = await own_profiles(database, 1, first.customer_number)
    assert own is not None
    viewer = user(customer_number=own.customer_number, customer_ids=own.customer_ids)
    reasons = [each["reason"] for each in await log_of(database, viewer)]
    assert reasons == [f"about {each.id}" for each in (last, middle, first)]


async def test_the_log_of_the_person_is_read_in_pages(database: Database) -> None:
    kari = await a_customer(database)
    await a_note(database, kari)
    for n in range(3):
        await notes(request(database, reason=f"reason {n}"), kari)
    document = """query($after: String) { viewer { dataAccessLog(first: 2, after: $after) {
        pageInfo { hasNextPage endCursor } nodes { reason accessedAt } } } }"""
    page = (await asked(Context(database, user(kari)), document))["viewer"]["dataAccessLog"]
    assert [node["reason"] for node in page["nodes"]] == ["reason 2", "reason 1"]
    after = page["pageInfo"]["endCursor"]
    page = (await asked(Context(database, user(kari)), document, after=after))["viewer"]["dataAccessLog"]
    assert [node["reason"] for node in page["nodes"]] == ["reason 0"]
    assert not page["pageInfo"]["hasNextPage"]
    stranger = user(await a_customer(database))
    result = await schema.execute(document, variable_values={"after": after}, context_value=Context(database, stranger))
    (entry,) = error_entries(result.errors or [], has_run=True)
    assert entry["extensions"]["errorCode"] == "CURSOR_INVALID"
