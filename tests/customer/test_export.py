"""exportCustomer: all that is stored about a person, for that person."""

from typing import Any

import pytest
from sqlalchemy import select

from datastore import customer as rows
from datastore.audit import AuditLogEntry
from datastore.audit_check import verify
from datastore.base import rfc3339
from datastore.database import Database
from datastore.erasure import RULES
from datastore.export import EXPORTED, HELD, list_name
from datastore.sealing import Keyring
from datastore.viewer import TenantKind, Viewer
from resolvers.context import Context
from schema.root import schema
from tests.customer.mutations import (
    NOW,
    UPDATE,
    Values,
    document,
    done,
    events,
    everything,
    freeze,
    new_values,
    refused,
)
from tests.execute import FOREIGNER, INTERNAL, REASON, VIEWER, execute
from tests.factories.customer import (
    MOMENT,
    a_choice,
    a_customer,
    a_deleted_customer,
    a_merged_customer,
    a_note,
    a_preference,
    an_address,
    an_ecard,
    inserted,
)
from tests.statements import statements

EXPORT = document("exportCustomer", "document")
EXPORT_KEYED = document("exportCustomer", "document", ' @idempotent(key: "x1")')
AT = rfc3339(MOMENT)


async def exported(database: Database, customer: rows.Customer, viewer: Viewer = VIEWER) -> Any:
    return await done(database, EXPORT, {"customerNumber": customer.customer_number}, viewer)


async def test_the_document_has_the_person_with_all_profiles_and_rows(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database, email="kari@example.no", password_hash="hidden", vipps_id="v1")
    merged = await a_merged_customer(database, kari, first_name="Kari Anne")
    home = await an_address(database, merged, town="Ørsta")
    note = await a_note(database, kari, text="Called about a refund.")
    await an_ecard(database, kari)
    offered = await a_preference(database)
    await a_choice(database, kari, offered)
    await a_note(database, await a_customer(database), text="About somebody else.")
    told = await exported(database, kari)
    assert (told["customerNumber"], told["exportedAt"]) == (kari.customer_number, rfc3339(NOW))
    profiles = [(each["customerNumber"], each["firstName"], each["status"]) for each in told["profiles"]]
    assert profiles == [
        (kari.customer_number, "Kari", "ACTIVE"),
        (merged.customer_number, "Kari Anne", "PASSIVE"),
    ]
    assert told["postalAddresses"] == [
        {
            "id": home.id,
            "customerId": merged.id,
            "typeOfAddress": "PRIVATE",
            "addressLine1": "Storgata 1",
            "addressLine2": None,
            "postCode": "0155",
            "town": "Ørsta",
            "countryCode": "NOR",
            "verifiedAt": None,
            "version": 1,
            "createdAt": AT,
            "changedAt": AT,
        }
    ]
    assert [(each["id"], each["text"]) for each in told["notes"]] == [(note.id, "Called about a refund.")]
    assert [each["preferenceCode"] for each in told["preferences"]] == ["SEAT"]
    assert [each["preferenceValue"] for each in told["customerPreferences"]] == ["window"]
    assert [each["ecardName"] for each in told["ecards"]] == [None]
    assert set(told) == {
        *("customerNumber", "exportedAt", "profiles", "preferences", "dataAccessLog"),
        *(list_name(rule.row) for rule in EXPORTED),
        *(list_name(row) for row, _, _ in HELD),
    }


async def test_no_hash_is_handed_over_and_no_column_forgotten(database: Database) -> None:
    kari = await a_customer(database, email="kari@example.no", password_hash="hidden")
    (profile,) = (await exported(database, kari))["profiles"]
    assert {"email", "vippsId", "lastSignInFrom", "expirationDate", "languagePreferenceIso6393"} <= set(profile)
    assert [name for name in profile if name.endswith(("Key", "Hash"))] == []
    assert "hidden" not in str(profile)


def test_what_an_erasure_takes_an_export_shows() -> None:
    others = {rule.row.__name__ for rule in RULES} - {rule.row.__name__ for rule in EXPORTED}
    assert others == {"Customer", "AuditLogEntry", "SignInFailure"}


async def test_the_look_is_logged_with_its_reason_and_is_in_the_next_document(database: Database) -> None:
    kari = await a_customer(database)
    await a_note(database, kari)
    assert (await exported(database, kari))["dataAccessLog"] == []
    (look,) = (await exported(database, kari))["dataAccessLog"]
    assert (look["reason"], look["fields"]) == (REASON, ["exportCustomer", "Note.text"])
    assert (look["organisationId"], look["operation"]) == (1, "exportCustomer")
    user = Viewer(1, TenantKind.TRAVELLER, VIEWER.permissions, customer_ids=frozenset({kari.id}))
    seen = await execute(database, "{ viewer { dataAccessLog { nodes { reason fields } } } }", user)
    assert (
        seen["viewer"]["dataAccessLog"]["nodes"] == [{"reason": REASON, "fields": ["exportCustomer", "Note.text"]}] * 2
    )
    kinds = await database.fetch(select(AuditLogEntry.kind))
    assert [row.kind.name for row in kinds] == ["REVEAL", "REVEAL"]
    assert await events(database) == []
    assert {each.problem async for each in verify(database)} == {""}


async def test_without_a_reason_nothing_is_handed_over(database: Database) -> None:
    kari = await a_customer(database)
    before = await everything(database)
    for number in (kari.customer_number, 1):
        context = Context(database, VIEWER)
        result = await schema.execute(
            EXPORT, variable_values={"input": {"customerNumber": number}}, context_value=context
        )
        assert result.data is not None
        payload = result.data["exportCustomer"]
        assert payload["document"] is None
        assert payload["userErrors"] == [{"code": "ACCESS_REASON_INVALID", "field": [], "rejectedValues": []}]
    assert await everything(database) == before


@pytest.mark.rule("T04")
@pytest.mark.rule("C40")
async def test_only_those_whom_the_caller_may_see_are_exported(database: Database) -> None:
    kari = await a_customer(database)
    merged = await a_merged_customer(database, kari)
    for customer, code, viewer in ((kari, "CUSTOMER_NOT_FOUND", FOREIGNER), (merged, "CUSTOMER_MERGED", VIEWER)):
        number = customer.customer_number
        error = (code, "customerNumber", [str(number)])
        assert await refused(database, EXPORT, {"customerNumber": number}, viewer) == [error]
    await exported(database, kari, INTERNAL)
    await exported(database, await a_deleted_customer(database))


async def test_a_repeat_under_a_key_is_another_export_and_the_document_is_kept_nowhere(database: Database) -> None:
    kari = await a_customer(database, vipps_id="unique-vipps")
    given: Values = {"customerNumber": kari.customer_number}
    first = await done(database, EXPORT_KEYED, given)
    await done(database, UPDATE, new_values(kari, landlineNumber="22000000"))
    again = await done(database, EXPORT_KEYED, given)
    assert (first["profiles"][0]["landlineNumber"], again["profiles"][0]["landlineNumber"]) == (None, "22000000")
    stored = await everything(database)
    assert "unique-vipps" not in str({name: rows for name, rows in stored.items() if name != "customer"})
    assert [row.operation for row in await database.fetch(select(AuditLogEntry.operation).order_by("id"))] == [
        "exportCustomer",
        "updateCustomer",
        "exportCustomer",
    ]


async def test_ten_thousand_rows_are_exported_with_as_many_statements_as_one(database: Database) -> None:
    kari = await a_customer(database)
    await exported(database, kari)
    counts = []
    for many in (1, 10_000):
        travels = {"customer_id": kari.id, "order_id": "O", "organisation_id": 1, "legs": []}
        await inserted(database, rows.TravellerInfo, *[travels] * many)
        with statements(database) as seen:
            told = await exported(database, kari)
        counts.append(len(seen))
    assert len(told["travellerInfo"]) == 10_001
    assert counts[0] == counts[1] <= 30


async def test_a_value_that_cannot_be_opened_fails_the_export(database: Database) -> None:
    kari = await a_customer(database)
    await a_note(database, kari)
    database.keys = Keyring({"another": b"n" * 32})
    context = Context(database, VIEWER, reason=REASON)
    given = {"input": {"customerNumber": kari.customer_number}}
    result = await schema.execute(EXPORT, variable_values=given, context_value=context)
    assert result.errors
    assert (await everything(database))["audit_log"] == []
