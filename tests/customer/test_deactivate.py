"""deactivateCustomer and restoreCustomer (rules C50 to C58)."""

from datetime import date

import pytest

from datastore.customer import CustomerStatus, ProfileType
from datastore.database import Database
from resolvers.context import Context
from schema.root import schema
from tests.customer.mutations import (
    CREATE,
    DEACTIVATE,
    HOSTILE,
    KARI,
    NOW,
    RESTORE,
    Values,
    answered,
    done,
    events,
    everything,
    freeze,
    not_executed,
    refused,
    stored,
)
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer, an_address

STATE = ("status", "email", "emailOld", "username", "expirationDate", "version")
BY_USERNAME = "query($by: CustomerUsernameInput!) { customer(by: {username: $by}) { customerNumber } }"


def state(customer: Values) -> tuple[object, ...]:
    return tuple(customer[name] for name in STATE)


@pytest.mark.rule("C50")
@pytest.mark.rule("C51")
@pytest.mark.rule("C52")
async def test_a_deactivated_customer_is_deleted_and_its_email_free_at_once(database: Database) -> None:
    kari = await a_customer(database, email="kari@example.no")
    await an_address(database, kari)
    given = {"customerNumber": kari.customer_number, "expirationDate": "2099-12-31"}
    now = await done(database, DEACTIVATE, given)
    assert state(now) == ("DELETED", None, "kari@example.no", None, "2099-12-31", 2)
    assert len(now["postalAddresses"]) == 1
    row = await stored(database, kari.customer_number)
    assert (row.email_key, row.status_before_deletion) == (None, CustomerStatus.ACTIVE)
    by = {"organisationId": 1, "username": "kari@example.no"}
    assert await execute(database, BY_USERNAME, by=by) == {"customer": None}
    assert (await done(database, CREATE, {**KARI, "email": "kari@example.no"}))["username"] == "kari@example.no"


@pytest.mark.rule("C55")
@pytest.mark.rule("C57")
@pytest.mark.parametrize("status", [CustomerStatus.ACTIVE, CustomerStatus.PASSIVE])
async def test_a_restored_customer_is_what_it_was(database: Database, status: CustomerStatus) -> None:
    kari = await a_customer(database, email="Kari@example.no", status=status)
    given = {"customerNumber": kari.customer_number}
    before = await stored(database, kari.customer_number)
    await done(database, DEACTIVATE, {**given, "expirationDate": "2099-12-31"})
    now = await done(database, RESTORE, given)
    username = "Kari@example.no" if status is CustomerStatus.ACTIVE else None
    assert state(now) == (status.name, "Kari@example.no", None, username, None, 3)
    after = await stored(database, kari.customer_number)
    changed = {name for name, value in after._asdict().items() if value != before._asdict()[name]}
    assert changed == {"version", "changed_at", "changed_by", "changed_by_channel"}


@pytest.mark.rule("C57")
async def test_a_customer_whose_day_of_erasure_has_passed_can_be_restored_while_it_is_stored(
    database: Database,
) -> None:
    gone = await a_deleted_customer(database, expiration_date=date(2020, 1, 1), email_old=None)
    now = await done(database, RESTORE, {"customerNumber": gone.customer_number})
    assert state(now) == ("ACTIVE", None, None, None, None, 2)


@pytest.mark.rule("C56")
async def test_restoring_fails_where_the_email_is_taken_and_changes_nothing(database: Database) -> None:
    gone = await a_deleted_customer(database, email_old="kari@example.no")
    await a_customer(database, email="KARI@example.no", profile_type=ProfileType.PERSONNEL_TICKET)
    given = {"customerNumber": gone.customer_number}
    assert await refused(database, RESTORE, given) == [("EMAIL_TAKEN", "", [])]


@pytest.mark.rule("A01")
@pytest.mark.rule("C06")
async def test_restoring_works_where_the_email_is_elsewhere_or_temporary(database: Database) -> None:
    gone = await a_deleted_customer(database, email_old="kari@example.no")
    await a_customer(database, email="kari@example.no", organisation_id=2)
    await a_customer(database, email="kari@example.no", profile_type=ProfileType.TEMPORARY)
    await done(database, RESTORE, {"customerNumber": gone.customer_number})
    temporary = await a_deleted_customer(database, email_old="kari@example.no", profile_type=ProfileType.TEMPORARY)
    now = await done(database, RESTORE, {"customerNumber": temporary.customer_number})
    assert (now["email"], now["username"]) == ("kari@example.no", None)


@pytest.mark.rule("C53")
@pytest.mark.rule("C57")
async def test_neither_act_can_be_done_twice(database: Database) -> None:
    here, gone = await a_customer(database), await a_deleted_customer(database)
    given = {"customerNumber": gone.customer_number, "expirationDate": "2099-12-31"}
    error = ("CUSTOMER_DELETED", "customerNumber", [str(gone.customer_number)])
    assert await refused(database, DEACTIVATE, given) == [error]
    error = ("CUSTOMER_NOT_DELETED", "customerNumber", [str(here.customer_number)])
    assert await refused(database, RESTORE, {"customerNumber": here.customer_number}) == [error]


@pytest.mark.rule("C53")
async def test_the_day_of_erasure_is_needed_and_has_not_passed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database)
    given = {"customerNumber": kari.customer_number}
    assert "expirationDate" in await not_executed(database, DEACTIVATE, given)
    assert "expirationDate" in await not_executed(database, DEACTIVATE, {**given, "expirationDate": None})
    late = await refused(database, DEACTIVATE, {**given, "expirationDate": "2026-06-30"})
    assert late == [("DATE_INVALID", "expirationDate", ["2026-06-30"])]
    assert (await done(database, DEACTIVATE, {**given, "expirationDate": "2026-07-01"}))["status"] == "DELETED"


@pytest.mark.rule("C58")
@pytest.mark.rule("T04")
async def test_unknown_erased_foreign_and_merged_customers_are_refused(database: Database) -> None:
    kari, gone = await a_customer(database), await a_deleted_customer(database)
    merged = await a_merged_customer(database, kari)
    day = {"expirationDate": "2099-12-31"}
    for text, customer, more in ((DEACTIVATE, kari, day), (RESTORE, gone, {})):
        number = customer.customer_number
        unknown = ("CUSTOMER_NOT_FOUND", "customerNumber", [str(number)])
        assert await refused(database, text, {"customerNumber": number, **more}, FOREIGNER) == [unknown]
        assert await refused(database, text, {"customerNumber": 1, **more}) == [
            ("CUSTOMER_NOT_FOUND", "customerNumber", ["1"])
        ]
        assert await refused(database, text, {"customerNumber": merged.customer_number, **more}) == [
            ("CUSTOMER_MERGED", "customerNumber", [str(merged.customer_number)])
        ]
        await done(database, text, {"customerNumber": number, **more}, INTERNAL)


@pytest.mark.rule("C11")
@pytest.mark.rule("V01")
async def test_both_acts_say_who_and_when_and_post_update(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database)
    number = kari.customer_number

    async def trace(text: str, client: str, **given: object) -> tuple[object, ...]:
        context = Context(database, VIEWER, correlation_id="corr-1", client_name=client)
        wanted = {"customerNumber": number, **given}
        result = await schema.execute(text, variable_values={"input": wanted}, context_value=context)
        assert not result.errors
        row = await stored(database, number)
        assert row.changed_at == NOW
        return row.changed_by, row.changed_by_channel

    day = {"expirationDate": "2099-12-31"}
    assert await trace(DEACTIVATE, "shop", **day, changedBy=" per ", changedByChannel="crm") == ("per", "crm")
    assert await trace(RESTORE, "shop") == ("shop", "graphql")
    assert await trace(DEACTIVATE, "", **day) == ("graphql", "graphql")
    assert await trace(RESTORE, "", changedBy="per") == ("per", "graphql")
    assert await events(database) == [("UPDATE", number, 1, NOW, "corr-1")] * 4


@pytest.mark.rule("C12")
async def test_the_trace_is_bounded_and_not_blank(database: Database) -> None:
    kari, gone = await a_customer(database), await a_deleted_customer(database)
    for text, customer, more in ((DEACTIVATE, kari, {"expirationDate": "2099-12-31"}), (RESTORE, gone, {})):
        given = {"customerNumber": customer.customer_number, **more}
        for field in ("changedBy", "changedByChannel"):
            for value, code in [(" ", "REQUIRED"), ("x" * 101, "TEXT_TOO_LONG"), *HOSTILE]:
                assert await refused(database, text, {**given, field: value}) == [(code, field, [])]
        await done(database, text, {**given, "changedBy": "x" * 100, "changedByChannel": None})


async def test_another_version_is_a_conflict_and_shows_the_current_values(database: Database) -> None:
    kari, gone = await a_customer(database, version=3), await a_deleted_customer(database, version=3)
    day = {"expirationDate": "2099-12-31"}
    before = await everything(database)
    for text, customer, status, more in ((DEACTIVATE, kari, "ACTIVE", day), (RESTORE, gone, "DELETED", {})):
        given = {"customerNumber": customer.customer_number, "expectedVersion": 2}
        payload, errors = await answered(database, text, {**given, **more})
        assert errors == [("VERSION_CONFLICT", "expectedVersion", ["2"])]
        assert (payload["customer"]["status"], payload["customer"]["version"]) == (status, 3)
        assert await everything(database) == before
    now = await done(database, DEACTIVATE, {**day, "customerNumber": kari.customer_number, "expectedVersion": 3})
    assert now["version"] == 4
