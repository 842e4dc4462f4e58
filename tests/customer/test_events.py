"""Which events each mutation posts (rules V01, V02, C16, C32): every mutation of the graph is in the table here."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import select
from strawberry.types.base import get_object_definition
from strawberry.utils.str_converters import to_camel_case

from datastore import customer as stored
from datastore.bookkeeping import OutboxEvent
from datastore.customer import ProfileType
from datastore.database import Database
from datastore.viewer import Viewer
from resolvers.context import Context
from schema.root import Mutation, schema
from tests.customer.mutations import HOME, KARI, NOW, Values, events, everything, freeze, new_values
from tests.customer.passwords import PASSWORD, a_user
from tests.customer.passwords import cheap as cheap
from tests.execute import FOREIGNER, REASON, VIEWER
from tests.factories.customer import (
    a_choice,
    a_customer,
    a_deleted_customer,
    a_note,
    a_preference,
    an_account,
    an_address,
    an_ecard,
    next_number,
)

pytestmark = pytest.mark.usefixtures("cheap")

BY = {"changedBy": "ola", "changedByChannel": "crm"}
NEW = 0
"""Stands for the number of the customer that a mutation has created."""
Expected = list[tuple[str, int]]
Case = Callable[[Database], Awaitable[tuple[Values, Expected]]]
CASES: dict[str, Case] = {}
"""Mutation -> an input that a caller of organisation 1 may give and one of organisation 2 may not, with type and
customer number of the events that it posts."""


def case(made: Case) -> Case:
    """The function is named like the mutation."""
    first, *others = made.__name__.split("_")
    CASES[first + "".join(map(str.title, others))] = made
    return made


def number(customer: stored.Customer) -> Values:
    return {"customerNumber": customer.customer_number}


def updates(*customers: stored.Customer) -> Expected:
    return [("UPDATE", customer.customer_number) for customer in customers]


async def temporary_profile(database: Database) -> stored.Customer:
    return await a_customer(database, profile_type=ProfileType.TEMPORARY)


@case
async def create_customer(database: Database) -> tuple[Values, Expected]:
    return {**KARI, "postalAddresses": [HOME, HOME], "password": PASSWORD}, [("CREATE", NEW)]


@case
async def update_customer(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    return new_values(kari, surname="Ny", postalAddresses=[HOME, HOME]), updates(kari)


@case
async def deactivate_customer(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    return {**number(kari), "expirationDate": "2099-12-31"}, updates(kari)


@case
async def restore_customer(database: Database) -> tuple[Values, Expected]:
    gone = await a_deleted_customer(database, email_old=None)
    return number(gone), updates(gone)


@case
async def create_postal_address(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    return {**number(kari), **HOME}, updates(kari)


@case
async def update_postal_address(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    home = await an_address(database, kari)
    return {**number(kari), **HOME, "postalAddressId": str(home.id)}, updates(kari)


@case
async def delete_postal_address(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    home = await an_address(database, kari)
    return {**number(kari), "postalAddressId": str(home.id)}, updates(kari)


@case
async def create_temporary_customer(database: Database) -> tuple[Values, Expected]:
    by = {"createdBy": "ola", "createdByChannel": "crm"}
    return {**by, "organisationId": 1, "expirationDate": "2099-12-31"}, [("CREATE", NEW)]


@case
async def update_temporary_customer(database: Database) -> tuple[Values, Expected]:
    someone = await temporary_profile(database)
    return {**BY, **number(someone), "expirationDate": "2099-12-31"}, updates(someone)


@case
async def convert_temporary_customer(database: Database) -> tuple[Values, Expected]:
    someone = await temporary_profile(database)
    return {**BY, **number(someone), "firstName": "Kari", "surname": "N", "password": PASSWORD}, updates(someone)


@case
async def connect_customer(database: Database) -> tuple[Values, Expected]:
    kari, someone = await a_customer(database), await temporary_profile(database)
    return {**number(kari), "customerNumberToConnect": someone.customer_number}, updates(kari, someone)


@case
async def merge_customers(database: Database) -> tuple[Values, Expected]:
    kari, merged = await a_customer(database), await personnel_profile(database)
    return {**number(kari), "pticketCustomerNumber": merged.customer_number}, updates(kari, merged)


@case
async def unmerge_customers(database: Database) -> tuple[Values, Expected]:
    given, expected = await merge_customers(database)
    assert await errors(database, "mergeCustomers", given) == []
    return {"customerNumber": given["pticketCustomerNumber"]}, expected


@case
async def create_preference(database: Database) -> tuple[Values, Expected]:
    """The catalogue is the organisation's: no customer has changed."""
    return {"organisationId": 1, "preferenceCode": code(database), "preferenceType": "TRAVEL"}, []


@case
async def update_preference(database: Database) -> tuple[Values, Expected]:
    """The catalogue is the organisation's: no customer has changed."""
    seat = await a_preference(database, preference_code=code(database))
    return {"preferenceId": str(seat.id), "isActive": False}, []


@case
async def replace_customer_preferences(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    offered = [await a_preference(database, preference_code=code(database)) for _ in range(3)]
    await a_choice(database, kari, offered[0])
    chosen = [{"preferenceId": str(each.id)} for each in offered[1:]]
    return {**number(kari), "preferences": chosen}, updates(kari)


@case
async def create_customer_preference(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    seat = await a_preference(database, preference_code=code(database))
    return {**number(kari), "preferenceId": str(seat.id)}, updates(kari)


@case
async def update_customer_preference(database: Database) -> tuple[Values, Expected]:
    given, expected = await delete_customer_preference(database)
    return {**given, "preferenceValue": "aisle"}, expected


@case
async def delete_customer_preference(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    seat = await a_preference(database, preference_code=code(database))
    await a_choice(database, kari, seat)
    return {**number(kari), "preferenceId": str(seat.id)}, updates(kari)


@case
async def add_ecard(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    return {**number(kari), **card(database)}, updates(kari)


@case
async def update_ecard(database: Database) -> tuple[Values, Expected]:
    """A move is a change of both."""
    kari, ola = await a_customer(database), await a_customer(database)
    moved = card(database)
    await an_ecard(database, ola, moved["ecardNumber"])
    return {**number(kari), **moved}, updates(kari, ola)


@case
async def set_customer_consent(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    return {**number(kari), "consentCode": "NEWSLETTER", "consentChoice": True}, updates(kari)


@case
async def create_note(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    return {**number(kari), "text": "Called.", "createdBy": "ola"}, updates(kari)


@case
async def update_note(database: Database) -> tuple[Values, Expected]:
    given, expected = await delete_note(database)
    return {**given, "text": "Called again.", "changedBy": "ola"}, expected


@case
async def delete_note(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    note = await a_note(database, kari)
    return {**number(kari), "noteId": str(note.id)}, updates(kari)


@case
async def create_customer_account(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    return {**number(kari), "accountId": "ABT-2", "createdBy": "ola"}, updates(kari)


@case
async def update_customer_account(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    account, _ = await an_account(database, kari), await an_account(database, kari, customer_account_id="2")
    return {**number(kari), "customerAccountId": str(account.id), "isDefault": True}, updates(kari)


@case
async def verify_credentials(database: Database) -> tuple[Values, Expected]:
    """Signing in is no change of the profile, and happens too often to tell everybody."""
    kari = await a_user(database, email=f"{next_number(database)}@example.no")
    return {"email": kari.email, "password": PASSWORD}, []


@case
async def change_password(database: Database) -> tuple[Values, Expected]:
    kari = await a_user(database, email=None)
    return {**number(kari), "oldPassword": PASSWORD, "newPassword": "another"}, updates(kari)


@case
async def set_password(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    return {**number(kari), "newPassword": "another"}, updates(kari)


@case
async def generate_password(database: Database) -> tuple[Values, Expected]:
    kari = await a_user(database, email=f"{next_number(database)}@example.no")
    return {"email": kari.email}, updates(kari)


@case
async def erase_customer(database: Database) -> tuple[Values, Expected]:
    kari = await a_customer(database)
    await an_address(database, kari)
    return number(kari), updates(kari)


@case
async def export_customer(database: Database) -> tuple[Values, Expected]:
    """Nothing has changed; the audit log tells of it."""
    return number(await a_customer(database)), []


async def personnel_profile(database: Database) -> stored.Customer:
    return await a_customer(database, profile_type=ProfileType.PERSONNEL_TICKET)


def code(database: Database) -> str:
    return f"P{next_number(database)}"


def card(database: Database) -> Values:
    """A card of its own each time; the e-cards of the builders have the same operator."""
    moment = "2026-01-31T12:00:00Z"
    return {"ecardOperator": "16160", "ecardNumber": str(next_number(database)), "startOfOwnership": moment}


async def errors(
    database: Database, mutation: str, given: Values, viewer: Viewer = VIEWER, key: str = "", correlation_id: str = "c"
) -> list[str]:
    """The codes that a mutation is refused with."""
    directive = f' @idempotent(key: "{key}")' if key else ""
    variable = f"$input: {mutation[0].upper()}{mutation[1:]}Input!"
    text = f"mutation({variable}) {{ {mutation}(input: $input){directive} {{ userErrors {{ code }} }} }}"
    context = Context(database, viewer, correlation_id, "a-test", REASON)
    result = await schema.execute(text, variable_values={"input": given}, context_value=context)
    assert not result.errors, (mutation, result.errors, [error.original_error for error in result.errors])
    assert result.data
    return [error["code"] for error in result.data[mutation]["userErrors"]]


async def customer_numbers(database: Database) -> set[int]:
    return {row[0] for row in await database.fetch(select(stored.Customer.customer_number))}


def mutations() -> set[str]:
    """Those of the customer domain."""
    classes = [each for each in Mutation.__mro__ if each.__module__.startswith("schema.customer.")]
    names = {field.python_name for each in classes for field in get_object_definition(each, strict=True).fields}
    return {to_camel_case(name) for name in names}


def test_every_mutation_has_its_events_here() -> None:
    assert mutations() == CASES.keys()


def test_no_other_domain_posts_events_about_customers() -> None:
    """A domain that begins to do so has to have its mutations in a table like this one."""
    resolvers = Path(__file__).parents[2] / "resolvers"
    posting = {path for path in resolvers.rglob("*.py") if "customer_changed(" in path.read_text()}
    assert {path.parent.name for path in posting} == {"customer"}


@pytest.mark.rule("V01")
@pytest.mark.rule("V02")
@pytest.mark.rule("C16")
@pytest.mark.rule("C32")
async def test_each_mutation_posts_its_events_once_and_none_when_it_is_refused(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    for mutation, made in CASES.items():
        given, expected = await made(database)
        before, known = await events(database), await customer_numbers(database)
        assert await errors(database, mutation, given, FOREIGNER) != [], mutation
        assert await events(database) == before, mutation
        for _ in ("the first time", "a repeat"):
            assert await errors(database, mutation, given, VIEWER, mutation, f"c-{mutation}") == [], mutation
            posted = (await events(database))[len(before) :]
            (new,) = await customer_numbers(database) - known or {NEW}
            assert sorted(posted) == sorted(
                (kind, about or new, 1, NOW, f"c-{mutation}") for kind, about in expected
            ), mutation


@pytest.mark.rule("V02")
async def test_the_events_of_a_customer_are_in_the_order_of_its_changes(database: Database) -> None:
    assert await errors(database, "createCustomer", KARI, correlation_id="c-0") == []
    (number_,) = await customer_numbers(database)
    other = await a_customer(database)
    acts: list[tuple[str, Values]] = [
        ("updateCustomer", {"firstName": "Kari", "surname": "Ny", **BY}),
        ("createPostalAddress", HOME),
        ("setPassword", {"newPassword": "another"}),
        ("deactivateCustomer", {"expirationDate": "2099-12-31"}),
        ("restoreCustomer", {}),
    ]
    for place, (mutation, given) in enumerate(acts, start=1):
        for each in (number_, other.customer_number):
            given = {**given, "customerNumber": each}
            assert await errors(database, mutation, given, correlation_id=f"c-{place}") == []
    posted = await events(database)
    expected = [("CREATE", "c-0"), *(("UPDATE", f"c-{place}") for place in range(1, 6))]
    assert [(kind, correlation_id) for kind, about, _, _, correlation_id in posted if about == number_] == expected
    moments = [moment for _, about, _, moment, _ in posted if about == number_]
    assert moments == sorted(moments)


@pytest.mark.rule("V02")
async def test_an_event_tells_who_changed_and_not_what(database: Database) -> None:
    assert {column.name for column in OutboxEvent.__table__.columns} == {
        *("id", "queue", "type", "customer_number", "organisation_id"),
        *("changed_at", "correlation_id", "published_at"),
    }
    assert await errors(database, "createCustomer", {**KARI, "email": "kari@example.no"}) == []
    (event,) = (await everything(database))["outbox"]
    assert "customer-changed" in event
    assert not {"Kari", "Nordmann", "kari@example.no", "ola"}.intersection(map(str, event))
