"""Every mutation leaves entries in the audit log, with what it changed; internal callers read them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update

from datastore import audit
from datastore.audit import Act, AuditKind, AuditLogEntry, append
from datastore.audit_check import verify
from datastore.bookkeeping import AuditChain
from datastore.changes import HIDDEN, Unnoted
from datastore.customer import (
    AddressType,
    Customer,
    CustomerStatus,
    Ecard,
    Note,
    PostalAddress,
    Preference,
    TravellerInfo,
)
from datastore.database import Database
from datastore.sealing import CannotOpen, Keyring
from datastore.viewer import GRANTABLE, TenantKind, Viewer
from datastore.writing import Write
from resolvers import carry_out
from resolvers.audit import AuditLogFilterInput, audit_log
from resolvers.context import Context
from tests.conftest import KEYS
from tests.customer.mutations import (
    CREATE,
    CREATE_ADDRESS,
    DEACTIVATE,
    DELETE_ADDRESS,
    HOME,
    KARI,
    NOW,
    UPDATE,
    Values,
    answered,
    document,
    done,
    everything,
    freeze,
    new_values,
    refused,
)
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute, refusal
from tests.factories.customer import (
    MOMENT,
    a_customer,
    a_deleted_customer,
    a_merged_customer,
    an_address,
    an_ecard,
    some_customers,
)
from tests.statements import statements

CREATE_KEYED = document("createCustomer", "customer { customerNumber }", ' @idempotent(key: "key-1")')
HOME_ROW: Values = {
    "type_of_address": AddressType.PRIVATE,
    "post_code": "0155",
    "town": "Oslo",
    "country_code": "NOR",
    "created_at": MOMENT,
    "changed_at": MOMENT,
}
Fields = dict[str, tuple[Any, Any]]
ActOf = Callable[[Write], Awaitable[Any]]


async def logged(database: Database) -> list[Any]:
    found = await database.fetch(select(AuditLogEntry.__table__).order_by(AuditLogEntry.id))
    return list(found)


async def is_whole(database: Database) -> bool:
    return not any([each.problem async for each in verify(database)])


def changes(entry: Any) -> dict[tuple[str, str], Fields]:
    """What an entry tells: `(object, action)` -> name -> before and after; one object of each kind."""
    return {
        (each["object"], each["action"]): {f["name"]: (f["before"], f["after"]) for f in each["fields"]}
        for each in entry.details["changes"]
    }


async def carried_out(database: Database, act: ActOf, viewer: Viewer = VIEWER) -> list[Any]:
    """The entries that an act leaves."""

    async def wrapped(write: Write, _: Any) -> Any:
        return await act(write)

    before = len(await logged(database))
    await carry_out.carry_out(Context(database, viewer, "c-1", "CRM"), "test", wrapped, None)
    return (await logged(database))[before:]


async def the(write: Write, row: type, key: int) -> Any:
    return await write.session.get_one(row, key)


# What a mutation leaves


async def test_a_creation_tells_every_value_that_is_stored(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    given = {**KARI, "email": "kari@example.no", "password": "hunter2", "postalAddresses": [HOME]}
    made = await done(database, CREATE, given)
    (entry,) = await logged(database)
    found = changes(entry)
    assert found.keys() == {("Customer", "CREATE"), ("PostalAddress", "CREATE")}
    customer = found["Customer", "CREATE"]
    expected = {"first_name": "Kari", "email": "kari@example.no", "password_hash": HIDDEN, "created_by": "ola"}
    expected |= {"status": "ACTIVE", "profile_type": "STANDARD", "language_preference": "NO"}
    expected |= {"customer_number": str(made["customerNumber"]), "created_at": "2026-06-30T22:30:00.123Z"}
    assert {name: customer[name] for name in expected} == {name: (None, value) for name, value in expected.items()}
    assert not {"id", "version", "surname_key", "first_name_key", "email_key", "date_of_birth"} & customer.keys()
    assert found["PostalAddress", "CREATE"]["town"] == (None, "Oslo")
    assert "argon2" not in str(await logged(database))
    (row,) = await database.fetch(select(Customer.id))
    assert (entry.kind, entry.operation, entry.customer_id) == (AuditKind.CHANGE, "createCustomer", row.id)


async def test_a_change_tells_the_values_before_and_after(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database, email="kari@example.no")
    await done(database, UPDATE, new_values(kari, surname="Ny", email=None, nationality="NOR"))
    (entry,) = await logged(database)
    assert changes(entry) == {
        ("Customer", "UPDATE"): {
            "surname": ("Nordmann", "Ny"),
            "nationality": (None, "NOR"),
            "email": ("kari@example.no", None),
            "changed_at": ("2026-01-31T12:00:00.123Z", "2026-06-30T22:30:00.123Z"),
            "changed_by": ("web", "per"),
        }
    }
    assert entry.logged_at == NOW
    assert entry.details["changes"][0]["id"] == str(kari.id)


async def test_a_deletion_tells_what_was_there(database: Database) -> None:
    kari = await a_customer(database)
    home = await an_address(database, kari)
    await done(database, DELETE_ADDRESS, {"customerNumber": kari.customer_number, "postalAddressId": str(home.id)})
    (entry,) = await logged(database)
    gone = changes(entry)["PostalAddress", "DELETE"]
    assert gone["town"] == ("Oslo", None)
    assert gone["type_of_address"] == ("PRIVATE", None)
    assert "address_line1_key" not in gone
    assert entry.customer_id == kari.id


async def test_an_entry_tells_who_with_what(database: Database) -> None:
    viewer = Viewer(1, TenantKind.PARTNER, GRANTABLE, subject="ola", client_id="crm", issuer="https://issuer")

    async def nothing(write: Write) -> None:
        pass

    (entry,) = await carried_out(database, nothing, viewer)
    assert (entry.organisation_id, entry.tenant_kind, entry.issuer) == (1, TenantKind.PARTNER, "https://issuer")
    assert (entry.subject, entry.client_id) == ("ola", "crm")
    assert (entry.client_name, entry.correlation_id, entry.operation) == ("CRM", "c-1", "test")


async def test_an_act_that_changes_nothing_has_an_entry_without_changes(database: Database) -> None:
    async def nothing(write: Write) -> None:
        pass

    (entry,) = await carried_out(database, nothing)
    assert (entry.customer_id, entry.details["changes"]) == (None, [])


# Several changes in one transaction


async def test_several_flushes_are_one_change(database: Database) -> None:
    kari = await a_customer(database)

    async def twice(write: Write) -> None:
        customer = await the(write, Customer, kari.id)
        for name in ("Once", "Twice"):
            customer.first_name = name
            await write.session.flush()

    (entry,) = await carried_out(database, twice)
    assert changes(entry) == {("Customer", "UPDATE"): {"first_name": ("Kari", "Twice")}}


async def test_a_value_set_and_set_back_is_no_change(database: Database) -> None:
    kari = await a_customer(database)

    async def back(write: Write) -> None:
        customer = await the(write, Customer, kari.id)
        for name in ("Other", "Kari"):
            customer.first_name, customer.nationality = name, "NOR"
            await write.session.flush()

    (entry,) = await carried_out(database, back)
    assert changes(entry) == {("Customer", "UPDATE"): {"nationality": (None, "NOR")}}


async def test_a_row_created_and_changed_was_created_as_it_ended(database: Database) -> None:
    kari = await a_customer(database)

    async def both(write: Write) -> None:
        address = PostalAddress(**HOME_ROW, customer_id=kari.id)
        write.session.add(address)
        await write.session.flush()
        address.town = "Bergen"

    (entry,) = await carried_out(database, both)
    assert changes(entry)["PostalAddress", "CREATE"]["town"] == (None, "Bergen")


async def test_a_row_created_and_deleted_has_never_been(database: Database) -> None:
    kari = await a_customer(database)

    async def both(write: Write) -> None:
        address = PostalAddress(**HOME_ROW, customer_id=kari.id)
        write.session.add(address)
        await write.session.flush()
        await write.session.delete(address)

    (entry,) = await carried_out(database, both)
    assert changes(entry) == {}


@pytest.mark.parametrize("flushes", [False, True])
async def test_a_row_changed_and_deleted_was_deleted_as_it_began(database: Database, flushes: bool) -> None:
    kari = await a_customer(database)
    home = await an_address(database, kari)

    async def both(write: Write) -> None:
        address = await the(write, PostalAddress, home.id)
        address.town = "Bergen"
        if flushes:
            await write.session.flush()
        await write.session.delete(address)

    (entry,) = await carried_out(database, both)
    assert changes(entry)["PostalAddress", "DELETE"]["town"] == ("Oslo", None)


async def test_a_row_deleted_and_created_again_was_changed(database: Database) -> None:
    kari = await a_customer(database)
    home = await an_address(database, kari)

    async def both(write: Write) -> None:
        await write.session.delete(await the(write, PostalAddress, home.id))
        await write.session.flush()
        again = {**HOME_ROW, "town": "Bergen", "address_line1": "Storgata 1"}
        write.session.add(PostalAddress(**again, id=home.id, customer_id=kari.id))

    (entry,) = await carried_out(database, both)
    assert changes(entry) == {("PostalAddress", "UPDATE"): {"town": ("Oslo", "Bergen")}}


async def test_what_was_not_loaded_is_read_before_it_is_overwritten(database: Database) -> None:
    kari = await a_customer(database)

    async def blindly(write: Write) -> None:
        customer = await the(write, Customer, kari.id)
        write.session.expire(customer, ["first_name", "surname"])
        customer.first_name, customer.surname = "Ola", "Nordmann"

    (entry,) = await carried_out(database, blindly)
    assert changes(entry) == {("Customer", "UPDATE"): {"first_name": ("Kari", "Ola")}}


async def test_what_was_not_loaded_is_read_before_it_is_deleted(database: Database) -> None:
    kari = await a_customer(database)
    home = await an_address(database, kari)

    async def blindly(write: Write) -> None:
        address = await the(write, PostalAddress, home.id)
        write.session.expire(address, ["town", "post_code"])
        await write.session.delete(address)

    (entry,) = await carried_out(database, blindly)
    gone = changes(entry)["PostalAddress", "DELETE"]
    assert (gone["town"], gone["post_code"]) == (("Oslo", None), ("0155", None))


async def test_values_of_every_kind_are_told_as_texts(database: Database) -> None:
    kari = await a_customer(database)

    async def several(write: Write) -> None:
        customer = await the(write, Customer, kari.id)
        customer.date_of_birth, customer.status = NOW.date(), CustomerStatus.PASSIVE
        write.session.add(TravellerInfo(customer_id=kari.id, order_id="1", organisation_id=1, legs=["1", "æ"]))
        offered = {"preference_code": "SEAT", "preference_type": "T", "created_at": NOW, "changed_at": NOW}
        write.session.add(Preference(organisation_id=1, is_active=False, **offered))

    about_kari, about_none = sorted(await carried_out(database, several), key=lambda entry: entry.customer_id is None)
    found = changes(about_kari)
    assert found["Customer", "UPDATE"]["date_of_birth"] == (None, "2026-06-30")
    assert found["Customer", "UPDATE"]["status"] == ("ACTIVE", "PASSIVE")
    assert found["TravellerInfo", "CREATE"]["legs"] == (None, '["1","æ"]')
    assert changes(about_none)["Preference", "CREATE"]["is_active"] == (None, False)
    assert (about_kari.customer_id, about_none.customer_id) == (kari.id, None)


async def test_sealed_and_secret_values_are_hidden(database: Database) -> None:
    kari = await a_customer(database, password_hash="old hash")

    async def secretly(write: Write) -> None:
        (await the(write, Customer, kari.id)).password_hash = "new hash"
        text = KEYS.seal("Hemmelig", Note.text)
        by = {"created_at": NOW, "changed_at": NOW, "created_by": "ola", "changed_by": "ola"}
        write.session.add(Note(customer_id=kari.id, text=text, **by))

    (entry,) = await carried_out(database, secretly)
    assert changes(entry)["Customer", "UPDATE"] == {"password_hash": (HIDDEN, HIDDEN)}
    assert changes(entry)["Note", "CREATE"]["text"] == (None, HIDDEN)
    assert 'hash"' not in str(entry.details)
    assert "test." not in str(entry.details)


async def test_each_customer_has_an_entry_of_its_own(database: Database) -> None:
    customers = await some_customers(database, {}, {}, {})

    async def all_of_them(write: Write) -> None:
        for each in customers:
            (await the(write, Customer, each.id)).first_name = f"Ola {each.id}"

    found = await carried_out(database, all_of_them)
    assert [entry.customer_id for entry in found] == [each.id for each in customers]
    assert [changes(entry)["Customer", "UPDATE"]["first_name"] for entry in found] == [
        ("Kari", f"Ola {each.id}") for each in customers
    ]
    assert await is_whole(database)


async def test_a_row_that_changes_hands_concerns_both(database: Database) -> None:
    kari, ola = await some_customers(database, {}, {})
    card = await an_ecard(database, kari)

    async def give(write: Write) -> None:
        (await the(write, Ecard, card.id)).customer_id = ola.id

    found = await carried_out(database, give)
    assert {entry.customer_id for entry in found} == {kari.id, ola.id}
    assert all(changes(e) == {("Ecard", "UPDATE"): {"customer_id": (str(kari.id), str(ola.id))}} for e in found)


@pytest.mark.parametrize(
    "statement",
    [
        update(Customer).values(first_name="X"),
        delete(PostalAddress),
        insert(Preference.__table__),  # type: ignore[arg-type]
    ],
    ids=["update", "delete", "insert"],
)
async def test_rows_cannot_be_changed_past_the_log(database: Database, statement: Any) -> None:
    async def past(write: Write) -> None:
        await write.session.execute(statement)

    with pytest.raises(Unnoted, match=r"^rows of (customer|postal_address|preference) can"):
        await carried_out(database, past)
    assert await logged(database) == []


@pytest.mark.parametrize("expression", [Customer.email_old, func.lower("NOR")], ids=["column", "function"])
async def test_a_value_that_only_the_database_would_know_is_refused(database: Database, expression: Any) -> None:
    kari = await a_customer(database)

    async def by_expression(write: Write) -> None:
        (await the(write, Customer, kari.id)).nationality = expression

    with pytest.raises(Unnoted, match=r"^nationality was set to an SQL expression"):
        await carried_out(database, by_expression)
    assert await logged(database) == []


async def test_a_mutation_has_no_savepoints(database: Database) -> None:
    kari = await a_customer(database)

    async def partly(write: Write) -> None:
        async with write.session.begin_nested():
            (await the(write, Customer, kari.id)).first_name = "Ola"

    with pytest.raises(Unnoted, match="cannot be rolled back on its own"):
        await carried_out(database, partly)
    assert await logged(database) == []


async def test_a_session_that_is_not_a_mutation_may_do_anything(database: Database) -> None:
    await a_customer(database)
    async with database.write() as session:
        await session.execute(update(Customer).values(first_name="X"))


# Whole or not at all, once


async def test_a_refused_mutation_leaves_no_entry(database: Database) -> None:
    kari = await a_customer(database)
    await refused(database, UPDATE, new_values(kari, email="kari"))
    _, errors = await answered(database, UPDATE, new_values(kari, expectedVersion=7, surname="Ny"))
    assert [code for code, *_ in errors] == ["VERSION_CONFLICT"]
    assert await logged(database) == []


async def test_a_failed_mutation_leaves_no_entry(database: Database) -> None:
    kari = await a_customer(database)

    async def fail(write: Write) -> None:
        (await the(write, Customer, kari.id)).first_name = "Ola"
        await write.session.flush()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await carried_out(database, fail)
    assert await logged(database) == []


@pytest.mark.parametrize("fails", ["keys", "append"])
async def test_a_mutation_that_cannot_be_logged_is_not_done(
    database: Database, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    kari = await a_customer(database)
    before = await everything(database)

    async def change(write: Write) -> None:
        (await the(write, Customer, kari.id)).first_name = "Ola"
        write.customer_changed(kari)

    if fails == "keys":
        database.keys = Keyring()
        with pytest.raises(CannotOpen):
            await carried_out(database, change)
    else:
        monkeypatch.setattr(audit, "digest", lambda _: "x" * 1_000 if database.dialect == "postgresql" else None)
        with pytest.raises(Exception, match=r"details_digest|value too long"):
            await carried_out(database, change)
    assert await everything(database) == before


async def test_a_repeat_leaves_no_second_entry(database: Database) -> None:
    for _ in range(3):
        await done(database, CREATE_KEYED, KARI)
    assert len(await logged(database)) == 1
    assert await is_whole(database)


async def test_requests_with_one_key_at_the_same_time_leave_one_entry(database: Database) -> None:
    await asyncio.gather(*(done(database, CREATE_KEYED, KARI) for _ in range(10)))
    assert len(await logged(database)) == 1


async def test_mutations_of_many_processes_leave_one_whole_chain(database: Database) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    others = [Database(url, keys=KEYS) for _ in range(2)]
    kari, ola = await some_customers(database, {}, {})
    wanted = [
        each
        for n in range(8)
        for process in (database, *others)
        for each in (
            done(process, CREATE, KARI),
            done(process, UPDATE, new_values((kari, ola)[n % 2], surname=f"Ny {n}")),
            done(process, UPDATE, new_values((ola, kari)[n % 2], surname=f"Ny {n}")),
        )
    ]
    await asyncio.gather(*wanted)
    for process in others:
        await process.close()
    found = await logged(database)
    assert [entry.number for entry in found] == list(range(1, 73))
    assert await is_whole(database)
    for customer in (kari, ola):
        surnames = ["Nordmann"]
        for entry in found:
            if entry.customer_id == customer.id and "surname" in (f := changes(entry)["Customer", "UPDATE"]):
                assert f["surname"][0] == surnames[-1]
                surnames.append(f["surname"][1])


async def test_the_log_costs_a_mutation_three_statements(database: Database) -> None:
    kari = await a_customer(database)
    home = await an_address(database, kari)
    await done(database, UPDATE, new_values(kari))
    address = {"customerNumber": kari.customer_number, "postalAddressId": str(home.id)}
    many = {**KARI, "postalAddresses": [HOME] * 20}
    for text, given in (
        (UPDATE, new_values(kari, surname="Ny")),
        (CREATE, many),
        (CREATE_ADDRESS, {"customerNumber": kari.customer_number, **HOME}),
        (DELETE_ADDRESS, address),
        (DEACTIVATE, {"customerNumber": kari.customer_number, "expirationDate": "2099-12-31"}),
    ):
        with statements(database) as seen:
            await done(database, text, given)
        of_the_log = [each for each in seen if "audit_" in each and "max(audit_log.customer_id)" not in each]
        assert len(of_the_log) == 3, seen


# Reading the log

LOG = """query($filter: AuditLogFilterInput, $first: Int, $after: String, $last: Int, $before: String) {
    auditLog(filter: $filter, first: $first, after: $after, last: $last, before: $before) {
        totalItems pageInfo { hasNextPage endCursor startCursor } nodes { organisationId number operation }
    }
}"""


async def several(database: Database) -> None:
    """Five entries: of organisation 1 number 1 to 3, of 2 number 1 and 2, about customers 1 to 5 in turn."""
    for n, (viewer, kind) in enumerate(
        [(VIEWER, "C"), (FOREIGNER, "R"), (VIEWER, "R"), (VIEWER, "C"), (FOREIGNER, "C")], start=1
    ):
        by = Viewer(viewer.organisation_id, viewer.kind, subject=f"subject-{n % 2}")
        details = {"reason": "r", "fields": []} if kind == "R" else {"changes": []}
        async with database.write() as session:
            act = Act(AuditKind(kind), f"operation{n}", n, details)
            moment = MOMENT.replace(day=n)
            await append(session, database.keys, by, "", f"correlation-{n}", moment, [act])


async def operations(database: Database, **filter: Any) -> str:
    """The numbers of the operations that are found, as they come."""
    found = await execute(database, LOG, INTERNAL, filter=filter)
    assert found["auditLog"]["totalItems"] == len(found["auditLog"]["nodes"])
    return "".join(node["operation"][-1] for node in found["auditLog"]["nodes"])


async def test_the_log_is_read_with_the_newest_first_and_filters(database: Database) -> None:
    numbers = [each.customer_number for each in await some_customers(database, *[{}] * 5)]
    await several(database)
    assert await operations(database) == "54321"
    assert await operations(database, organisationId=1) == "431"
    assert await operations(database, organisationId=3) == ""
    assert await operations(database, kind="REVEAL") == "32"
    assert await operations(database, operation="operation4") == "4"
    assert await operations(database, subject="subject-1") == "531"
    assert await operations(database, correlationId="correlation-2") == "2"
    assert await operations(database, customerNumber=numbers[2]) == "3"
    assert await operations(database, customerNumber=1) == ""
    day = "2026-01-0{}T12:00:00.123Z".format
    assert await operations(database, loggedFrom=day(3)) == "543"
    assert await operations(database, loggedBefore=day(3)) == "21"
    assert await operations(database, loggedFrom=day(2), loggedBefore=day(5), organisationId=1) == "43"


async def test_the_log_is_read_in_pages(database: Database) -> None:
    await several(database)
    seen, after = "", None
    for _ in range(3):
        page = (await execute(database, LOG, INTERNAL, first=2, after=after))["auditLog"]
        seen += "".join(node["operation"][-1] for node in page["nodes"])
        after = page["pageInfo"]["endCursor"]
    assert (seen, page["pageInfo"]["hasNextPage"]) == ("54321", False)
    page = (await execute(database, LOG, INTERNAL, last=2))["auditLog"]
    assert [node["operation"] for node in page["nodes"]] == ["operation2", "operation1"]
    before = page["pageInfo"]["startCursor"]
    page = (await execute(database, LOG, INTERNAL, last=2, before=before))["auditLog"]
    assert [node["operation"] for node in page["nodes"]] == ["operation4", "operation3"]


async def test_a_cursor_of_another_filter_is_refused(database: Database) -> None:
    await several(database)
    cursor = (await execute(database, LOG, INTERNAL, first=1))["auditLog"]["pageInfo"]["endCursor"]
    other = {"filter": {"organisationId": 1}, "first": 1, "after": cursor}
    assert (await refusal(database, LOG, INTERNAL, **other)).name == "CURSOR_INVALID"
    assert (await refusal(database, LOG, INTERNAL, first=0)).name == "PAGE_SIZE_INVALID"


async def test_changes_are_shown_with_their_values(database: Database) -> None:
    kari = await a_customer(database)

    async def change(write: Write) -> None:
        (await the(write, Customer, kari.id)).first_name = "Ola"
        offered = {"preference_code": "SEAT", "preference_type": "T", "created_at": NOW, "changed_at": NOW}
        write.session.add(Preference(organisation_id=1, is_active=False, **offered))

    await carried_out(database, change)
    wanted = "reason fields customer { customerNumber } changes { object objectId action values { name before after } }"
    document = f"{{ auditLog {{ nodes {{ {wanted} }} }} }}"
    nodes = (await execute(database, document, INTERNAL))["auditLog"]["nodes"]
    about_kari, about_none = sorted(nodes, key=lambda node: node["customer"] is None)
    assert about_kari == {
        "reason": None,
        "fields": [],
        "customer": {"customerNumber": kari.customer_number},
        "changes": [
            {
                "object": "Customer",
                "objectId": str(kari.id),
                "action": "UPDATE",
                "values": [{"name": "first_name", "before": "Kari", "after": "Ola"}],
            }
        ],
    }
    values = {each["name"]: each["after"] for each in about_none["changes"][0]["values"]}
    assert values["is_active"] == "false"


async def test_an_entry_tells_whom_it_is_about_whatever_became_of_them(database: Database) -> None:
    kari = await a_customer(database)
    merged = await a_merged_customer(database, into=kari)
    deleted = await a_deleted_customer(database)
    acts = [Act(AuditKind.CHANGE, "test", each, {"changes": []}) for each in (None, kari.id, merged.id, deleted.id)]
    async with database.write() as session:
        await append(session, database.keys, VIEWER, "", "", MOMENT, acts)
    document = "{ auditLog { nodes { customerNumber customer { customerNumber } } } }"
    nodes = (await execute(database, document, INTERNAL))["auditLog"]["nodes"]
    found = [(node["customerNumber"], (node["customer"] or {}).get("customerNumber")) for node in reversed(nodes)]
    assert found == [
        (None, None),
        (kari.customer_number, kari.customer_number),
        (merged.customer_number, kari.customer_number),
        (deleted.customer_number, None),
    ]


@pytest.mark.parametrize("kind", [TenantKind.PARTNER, TenantKind.TRAVELLER, TenantKind.PERSON])
async def test_only_internal_callers_see_the_log(database: Database, kind: TenantKind) -> None:
    """The permission is checked before anything runs; this is what is left where that were forgotten."""
    await several(database)
    page = await audit_log(Context(database, Viewer(1, kind, GRANTABLE)), AuditLogFilterInput())
    assert page.edges == []
    assert await page.total_items() == 0


async def test_heads_are_for_nobody(database: Database) -> None:
    with pytest.raises(NotImplementedError):
        AuditChain.visible_to(INTERNAL)
