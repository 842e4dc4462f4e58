"""mergeCustomers and mergeCustomersPreview (rules C40, C41, C93, C94)."""

from collections import Counter
from itertools import count
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import select

from datastore import customer as rows
from datastore.base import Base
from datastore.customer import Customer, CustomerStatus, OwnedByCustomer, ProfileType
from datastore.customer_merge import CustomerMerge, Undeclared, referring, rules_of
from datastore.database import Database
from datastore.own_profiles import own_profiles
from datastore.viewer import Viewer
from schema.permission import permission_table
from schema.root import schema
from tests.customer.merging import (
    MERGE,
    MERGE_RESULT,
    PREVIEW,
    a_ticket_profile,
    numbers,
    owners,
    with_everything,
)
from tests.customer.mutations import (
    HOSTILE,
    NOW,
    UPDATE,
    Values,
    answered,
    document,
    done,
    events,
    everything,
    freeze,
    new_values,
    refused,
    stored,
)
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute, refusal
from tests.factories.customer import (
    MOMENT,
    a_customer,
    a_deleted_customer,
    a_merged_customer,
    a_personnel_ticket,
    a_preference,
    an_account,
    an_ecard,
    some_customers,
)
from tests.statements import statements

FIND = """query($number: Long!, $ref: String!, $uuid: String!, $card: String!) {
    number: customer(by: {customerNumber: $number}) { ...found }
    ref: customer(by: {customerRef: {customerRef: $ref}}) { ...found }
    uuid: customer(by: {uuid: $uuid}) { ...found }
    card: customer(by: {ecardNumber: $card}) { ...found }
}
fragment found on Customer { customerNumber relatedCustomerNumbers }"""
UNKNOWN = 9_999_999_999


async def preview(database: Database, into: Customer, merged: Customer, viewer: Viewer = VIEWER) -> Any:
    given = {"into": into.customer_number, "merged": merged.customer_number}
    answer = (await execute(database, PREVIEW, viewer, **given))["mergeCustomersPreview"]
    return {each["object"]: (each["moves"], each["clashes"], each["clashingKeys"]) for each in answer}


# What a merge does


@pytest.mark.rule("C93")
@pytest.mark.rule("V01")
async def test_the_merged_profile_becomes_passive_and_the_survivor_is_not_touched(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database, email="kari@example.no")
    ticket = await a_ticket_profile(database, email="Kari@jobb.no", version=3)
    before = await stored(database, kari.customer_number)
    payload, errors = await answered(database, MERGE, numbers(kari, ticket, changedBy="ola", changedByChannel="crm"))
    assert errors == []
    assert payload["mergedCustomer"] == {
        "customerNumber": ticket.customer_number,
        "status": "PASSIVE",
        "version": 4,
        "email": None,
        "emailOld": "Kari@jobb.no",
        "username": None,
        "changedBy": "ola",
        "changedByChannel": "crm",
        "relatedCustomerNumbers": [],
    }
    assert payload["customer"]["relatedCustomerNumbers"] == [ticket.customer_number]
    assert payload["moved"] == []
    assert await stored(database, kari.customer_number) == before
    row = await stored(database, ticket.customer_number)
    assert (row.merged_into_id, row.email_key, row.changed_at, row.created_at) == (kari.id, None, NOW, MOMENT)
    both = [kari.customer_number, ticket.customer_number]
    assert [(kind, number, when) for kind, number, _, when, _ in await events(database)] == [
        ("UPDATE", number, NOW) for number in both
    ]
    (merge,) = await database.fetch(select(CustomerMerge.__table__))
    assert (merge.customer_id, merge.merged_id, merge.merged_at, merge.undone_at) == (kari.id, ticket.id, NOW, None)
    assert (merge.merged_by, merge.merged_by_channel) == ("ola", "crm")


@pytest.mark.rule("C05")
async def test_the_email_of_the_merged_profile_is_free(database: Database) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database, email="kari@example.no")
    await done(database, MERGE, numbers(kari, ticket))
    assert (await done(database, UPDATE, new_values(kari, email="KARI@example.no")))["email"] == "KARI@example.no"


@pytest.mark.rule("C40")
@pytest.mark.rule("C41")
@pytest.mark.rule("T05")
async def test_every_key_of_the_merged_profile_leads_to_the_survivor(database: Database) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database, customer_ref="old-ref")
    older = await a_merged_customer(database, ticket)
    card = await an_ecard(database, ticket)
    await done(database, MERGE, numbers(kari, ticket))
    related = sorted([ticket.customer_number, older.customer_number])
    for profile, ref in ((ticket, "old-ref"), (older, older.customer_ref)):
        keys: Values = {"number": profile.customer_number, "ref": ref, "uuid": profile.uuid, "card": card.ecard_number}
        found = await execute(database, FIND, **keys)
        expected = {"customerNumber": kari.customer_number, "relatedCustomerNumbers": related}
        assert found == dict.fromkeys(["number", "ref", "uuid", "card"], expected)
        own = await own_profiles(database, 1, profile.customer_number)
        assert own is not None
        assert own.customer_number == kari.customer_number
        assert own.customer_ids == {kari.id, ticket.id, older.id}
    assert (await stored(database, older.customer_number)).merged_into_id == ticket.id


@pytest.mark.rule("C93")
async def test_everything_moves_but_what_clashes_and_the_addresses(database: Database) -> None:
    seat, meal, quiet = [await a_preference(database, preference_code=code) for code in ("SEAT", "MEAL", "QUIET")]
    kari, ticket, other = await a_customer(database), await a_ticket_profile(database), await a_customer(database)
    child = await a_customer(database, profile_type=ProfileType.TEMPORARY, parent_id=ticket.id)
    await with_everything(
        database, kari, [seat, meal], cards=["0700000001"], consents=["NEWS", "SMS"], accounts=["A1", "A2"]
    )
    await with_everything(
        database, ticket, [meal, quiet], cards=["0700000002", "0700000003"], consents=["SMS", "PUSH"], accounts=["B1"]
    )
    await an_account(database, ticket, customer_account_id="A2", alias="hers")
    await a_personnel_ticket(database, other, bearer_customer_id=ticket.id)
    k, t, o = kari.id, ticket.id, other.id
    expected = {
        "Customer": (1, 0, []),
        "CustomerAccount": (1, 1, ["A2"]),
        "CustomerConsent": (2, 2, ["SMS", "SMS"]),
        "CustomerConsentAnswer": (2, 2, ["SMS", "SMS"]),
        "CustomerPreference": (1, 1, [str(meal.id)]),
        "Ecard": (2, 0, []),
        "Note": (2, 0, []),
        "PersonnelTicketBearer": (2, 0, []),
        "TravellerInfo": (1, 0, []),
    }
    before = await everything(database)
    assert await preview(database, kari, ticket) == expected
    assert await everything(database) == before

    payload, errors = await answered(database, MERGE, numbers(kari, ticket))
    assert errors == []
    assert {each["object"]: each["moves"] for each in payload["moved"]} == {
        name: moves for name, (moves, *_) in expected.items()
    }
    assert await owners(database, rows.Ecard) == [k, k, k]
    assert await owners(database, rows.Note) == [k, k, k, k]
    assert await owners(database, rows.TravellerInfo) == [k, k]
    assert await owners(database, rows.PersonnelTicketBearer) == [k, k, o]
    assert await owners(database, rows.PersonnelTicketBearer, "bearer_customer_id") == [k, k, k]
    assert await owners(database, rows.CustomerPreference) == [k, k, t, k]
    assert await owners(database, rows.CustomerConsent) == [k, k, k, k, t, t, k, k]
    assert await owners(database, rows.CustomerConsentAnswer) == [k, k, k, k, t, t, k, k]
    assert await owners(database, rows.CustomerAccount) == [k, k, k, t]
    assert await owners(database, rows.CustomerAccount, "is_default") == [True, False, False, False]
    assert await owners(database, rows.CustomerAccount, "version") == [1, 1, 2, 1]
    assert await owners(database, rows.PostalAddress) == [k, t]
    assert (await stored(database, child.customer_number)).parent_id == k


@pytest.mark.rule("C100")
async def test_a_default_account_stays_the_default_where_the_survivor_has_none(database: Database) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    await an_account(database, kari)
    await an_account(database, ticket, customer_account_id="B1", is_default=True)
    await done(database, MERGE, numbers(kari, ticket))
    assert await owners(database, rows.CustomerAccount, "is_default") == [False, True]
    assert await owners(database, rows.CustomerAccount) == [kari.id, kari.id]


async def test_a_survivor_that_is_connected_to_the_merged_profile_is_not_connected_to_itself(
    database: Database,
) -> None:
    ticket = await a_ticket_profile(database)
    kari = await a_customer(database, parent_id=ticket.id)
    assert await preview(database, kari, ticket) == {}
    made = await done(database, MERGE, numbers(kari, ticket))
    assert made["relatedCustomerNumbers"] == [ticket.customer_number]
    assert (await stored(database, kari.customer_number)).parent_id == ticket.id


async def test_nothing_personal_is_kept_of_how_it_was(database: Database) -> None:
    kari = await a_customer(database)
    ticket = await a_ticket_profile(database, email="kari@example.no", email_old="older@example.no")
    await with_everything(database, ticket, [], cards=["0700000001"], consents=["NEWS"], accounts=["B1"])
    await done(database, MERGE, numbers(kari, ticket))
    (merge,) = await database.fetch(select(CustomerMerge.__table__))
    kept = {name for entry in merge.before for name in entry["values"]}
    by = {"changed_at", "changed_by", "changed_by_channel"}
    assert kept == {"customer_id", "bearer_customer_id", "version", "status", "merged_into_id", "email_old"} | by
    assert "@" not in str(merge.before)


@pytest.mark.rule("A08")
async def test_a_repeat_with_the_same_key_answers_the_first_result(database: Database) -> None:
    keyed = document("mergeCustomers", MERGE_RESULT, ' @idempotent(key: "key-1")')
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    await an_ecard(database, ticket)
    first = await answered(database, keyed, numbers(kari, ticket))
    before = await everything(database)
    assert await answered(database, keyed, numbers(kari, ticket)) == first
    assert await everything(database) == before
    assert first[0]["moved"] == [{"object": "Ecard", "moves": 1}]


@pytest.mark.parametrize("mode", ["preview", "merge"])
async def test_statements_do_not_grow_with_what_moves(database: Database, mode: str) -> None:
    """But for those that move a row with a version: whether it was still there is asked of each one."""
    counts, cards = [], count(1_000_000_000)
    for many in (1, 1, 30):  # the first act of an organisation takes more
        kari, ticket = await a_customer(database), await a_ticket_profile(database)
        for _ in range(many):
            await an_ecard(database, ticket, str(next(cards)))
            await a_personnel_ticket(database, ticket)
        with statements(database) as seen:
            if mode == "preview":
                await preview(database, kari, ticket)
            else:
                await done(database, MERGE, numbers(kari, ticket))
        counts.append(Counter(text.split()[0] for text in seen))
    per_row = 29 if mode == "merge" else 0
    _, few, most = counts
    assert most["SELECT"] == few["SELECT"]
    assert most["UPDATE"] == few["UPDATE"] + per_row
    assert most.total() == few.total() + per_row


# Refusals


@pytest.mark.rule("C94")
async def test_what_cannot_be_merged_is_refused_by_both(database: Database) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    other, gone = await a_ticket_profile(database), await a_deleted_customer(database)
    passive = await a_customer(database, status=CustomerStatus.PASSIVE)
    merged = await a_merged_customer(database, kari)
    temporary = await a_customer(database, profile_type=ProfileType.TEMPORARY)
    tickets = {"profile_type": ProfileType.PERSONNEL_TICKET}
    passive_ticket = await a_ticket_profile(database, status=CustomerStatus.PASSIVE)
    merged_ticket = await a_merged_customer(database, kari, **tickets)
    gone_ticket = await a_deleted_customer(database, **tickets)
    for into, of, *errors in (
        (other, ticket, ("PROFILE_TYPE_NOT_ALLOWED", "customerNumber", other)),
        (temporary, ticket, ("PROFILE_TYPE_NOT_ALLOWED", "customerNumber", temporary)),
        (gone, ticket, ("CUSTOMER_DELETED", "customerNumber", gone)),
        (passive, ticket, ("CUSTOMER_NOT_ACTIVE", "customerNumber", passive)),
        (merged, ticket, ("CUSTOMER_MERGED", "customerNumber", merged)),
        (kari, temporary, ("PROFILE_TYPE_NOT_ALLOWED", "pticketCustomerNumber", temporary)),
        (kari, await a_customer(database), ("PROFILE_TYPE_NOT_ALLOWED", "pticketCustomerNumber", None)),
        (kari, gone_ticket, ("CUSTOMER_DELETED", "pticketCustomerNumber", gone_ticket)),
        (kari, passive_ticket, ("CUSTOMER_NOT_ACTIVE", "pticketCustomerNumber", passive_ticket)),
        (kari, merged_ticket, ("CUSTOMER_MERGED", "pticketCustomerNumber", merged_ticket)),
        (kari, kari, ("SAME_CUSTOMER", "pticketCustomerNumber", kari)),
        (ticket, ticket, ("SAME_CUSTOMER", "pticketCustomerNumber", ticket)),
        (
            gone,
            temporary,
            ("CUSTOMER_DELETED", "customerNumber", gone),
            ("PROFILE_TYPE_NOT_ALLOWED", "pticketCustomerNumber", temporary),
        ),
    ):
        expected = [(code, path, [str((about or of).customer_number)]) for code, path, about in errors]
        assert await refused(database, MERGE, numbers(into, of)) == expected
        if len(errors) == 1:
            given: Values = {"into": into.customer_number, "merged": of.customer_number}
            assert (await refusal(database, PREVIEW, **given)).name == expected[0][0]


@pytest.mark.rule("C94")
async def test_a_profile_is_merged_once_and_not_in_a_circle(database: Database) -> None:
    kari, ticket, second = await a_customer(database), await a_ticket_profile(database), await a_customer(database)
    await done(database, MERGE, numbers(kari, ticket))
    merged = ("CUSTOMER_MERGED", "pticketCustomerNumber", [str(ticket.customer_number)])
    assert await refused(database, MERGE, numbers(kari, ticket)) == [merged]
    assert await refused(database, MERGE, numbers(second, ticket)) == [merged]
    own = ("CUSTOMER_MERGED", "customerNumber", [str(ticket.customer_number)])
    type_ = ("PROFILE_TYPE_NOT_ALLOWED", "pticketCustomerNumber", [str(kari.customer_number)])
    assert await refused(database, MERGE, numbers(ticket, kari)) == [own, type_]


@pytest.mark.rule("T04")
async def test_foreign_customers_are_unknown_and_internal_callers_do_not_mix_organisations(database: Database) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    theirs, gone = await some_customers(
        database,
        {"organisation_id": 2, "profile_type": ProfileType.PERSONNEL_TICKET},
        {"organisation_id": 2, "status": CustomerStatus.DELETED},
    )
    unknown = "CUSTOMER_NOT_FOUND"
    for number in (theirs.customer_number, gone.customer_number, UNKNOWN):
        into = {"customerNumber": number, "pticketCustomerNumber": ticket.customer_number}
        assert await refused(database, MERGE, into) == [(unknown, "customerNumber", [str(number)])]
        of = {"customerNumber": kari.customer_number, "pticketCustomerNumber": number, "expectedVersion": 9}
        assert await refused(database, MERGE, of) == [(unknown, "pticketCustomerNumber", [str(number)])]
        same = {"customerNumber": number, "pticketCustomerNumber": number}
        both = [(unknown, name, [str(number)]) for name in ("customerNumber", "pticketCustomerNumber")]
        assert await refused(database, MERGE, same) == both
        assert (await refusal(database, PREVIEW, into=number, merged=ticket.customer_number)).name == unknown
    assert [code for code, *_ in await refused(database, MERGE, numbers(kari, ticket), FOREIGNER)] == [unknown] * 2
    other = ("OTHER_ORGANISATION", "pticketCustomerNumber", [str(theirs.customer_number)])
    assert await refused(database, MERGE, numbers(kari, theirs), INTERNAL) == [other]
    await done(database, MERGE, numbers(kari, ticket), INTERNAL)


@pytest.mark.rule("A10")
@pytest.mark.rule("C11")
async def test_who_merges_is_a_text_of_bounded_length(database: Database) -> None:
    kari, ticket = await a_customer(database), await a_ticket_profile(database)
    for field in ("changedBy", "changedByChannel"):
        for value, code in [*HOSTILE, ("x" * 101, "TEXT_TOO_LONG"), (" ", "REQUIRED")]:
            assert await refused(database, MERGE, numbers(kari, ticket, **{field: value})) == [(code, field, [])]
    await done(database, MERGE, numbers(kari, ticket))
    row = await stored(database, ticket.customer_number)
    assert (row.changed_by, row.changed_by_channel) == ("graphql", "graphql")


async def test_another_version_of_the_survivor_is_refused_with_the_current_one(database: Database) -> None:
    kari, ticket = await a_customer(database, version=2), await a_ticket_profile(database)
    before = await everything(database)
    payload, errors = await answered(database, MERGE, numbers(kari, ticket, expectedVersion=1))
    assert errors == [("VERSION_CONFLICT", "expectedVersion", ["1"])]
    assert (payload["customer"]["version"], payload["mergedCustomer"], payload["moved"]) == (2, None, None)
    assert await everything(database) == before
    await done(database, MERGE, numbers(kari, ticket, expectedVersion=2))


# Nothing is forgotten


def test_every_row_class_says_what_a_merge_does_with_it() -> None:
    """By each foreign key to a customer; `referring` raises otherwise, and so does every merge."""
    declared = dict(referring())
    assert {each for each in OwnedByCustomer.__subclasses__() if issubclass(each, Base)} <= set(declared)
    for mapper in Base.registry.mappers:
        table = mapper.local_table
        keys = {key.parent.name for key in table.foreign_keys if key.column is Customer.__table__.c.id}
        assert keys == set(declared.get(mapper.class_, {}))


def test_a_row_class_that_does_not_say_it_is_found() -> None:
    owner: sa.Column[int] = sa.Column("owner", sa.ForeignKey(Customer.__table__.c.id))
    forgotten = type("Forgotten", (), {"__table__": sa.Table("forgotten", sa.MetaData(), owner)})
    with pytest.raises(Undeclared, match=r"Forgotten\.__on_merge__ must say .* by each of \['owner'\]"):
        rules_of([forgotten])


# Who may


@pytest.mark.rule("T05")
def test_merging_is_for_clients_with_a_permission_of_its_own() -> None:
    table = permission_table(schema._schema).fields
    fields = [("Mutation", "mergeCustomers"), ("Mutation", "unmergeCustomers"), ("Query", "mergeCustomersPreview")]
    fields += [("MergePreviewObjects", "clashingKeys"), ("MovedObjects", "moves")]
    assert {str(table[type_name][field]) for type_name, field in fields} == {"customer:merge CLIENTS"}
