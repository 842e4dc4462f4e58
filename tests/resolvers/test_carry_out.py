"""How every mutation runs: once for each idempotency key, in one transaction, tried again where two meet."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError

from datastore.bookkeeping import OutboxEvent
from datastore.customer import Customer
from datastore.database import Database
from datastore.viewer import Viewer
from datastore.writing import Write
from resolvers import carry_out, formats
from resolvers.context import Context
from resolvers.customer import writes
from resolvers.customer.inputs import DeactivateCustomerInput
from schema.root import schema
from tests.customer.mutations import (
    CREATE,
    HOME,
    KARI,
    NOW,
    Error,
    Values,
    answered,
    document,
    done,
    events,
    everything,
    freeze,
    new_values,
    refused,
)
from tests.execute import FOREIGNER, VIEWER
from tests.factories.customer import a_customer, an_address

KEYED, KEY = ' @idempotent(key: "key-1")', ", $key: String!"
CREATED = "customer { customerNumber surname version }"
CREATE_KEYED = document("createCustomer", CREATED, KEYED)
CREATE_BY_VARIABLE = document("createCustomer", CREATED, " @idempotent(key: $key)", KEY)
UPDATE_KEYED = document("updateCustomer", CREATED, KEYED)
CREATE_ADDRESS_KEYED = document("createPostalAddress", "postalAddress { id town }", KEYED)
DELETE_ADDRESS_KEYED = document("deletePostalAddress", "customer { customerNumber } deletedPostalAddressId", KEYED)
DEACTIVATE_KEYED = document("deactivateCustomer", CREATED, KEYED)

GIVEN: Values = {**KARI, "email": "kari@example.no", "password": "hunter2", "postalAddresses": [HOME]}
REUSED: list[Error] = [("IDEMPOTENCY_KEY_REUSED", "", [])]


async def counts(database: Database) -> tuple[int, int, int]:
    """How many customers, events and used keys there are."""
    rows = await everything(database)
    return len(rows["customer"]), len(rows["outbox"]), len(rows["idempotency"])


# Idempotency


async def test_a_repeat_answers_the_first_result_and_does_nothing(database: Database) -> None:
    first = await done(database, CREATE_KEYED, GIVEN)
    before = await everything(database)
    reordered = dict(reversed(GIVEN.items()))
    assert await done(database, CREATE_KEYED, reordered) == first
    assert await done(database, CREATE_BY_VARIABLE, GIVEN, key="key-1") == first
    assert await everything(database) == before
    assert await counts(database) == (1, 1, 1)
    assert "hunter2" not in str(before)
    assert "kari" not in str(before["idempotency"]).lower()
    assert "key-1" not in str(before)


async def test_a_repeat_is_read_again_as_it_is_now(database: Database) -> None:
    first = await done(database, CREATE_KEYED, GIVEN)
    given = {"changedBy": "per", "changedByChannel": "web", "firstName": "Kari", "surname": "Ny"}
    await done(database, document("updateCustomer", CREATED), {**given, "customerNumber": first["customerNumber"]})
    assert await done(database, CREATE_KEYED, GIVEN) == {**first, "surname": "Ny", "version": 2}


async def test_a_key_with_another_input_or_mutation_is_refused(database: Database) -> None:
    first = await done(database, CREATE_KEYED, GIVEN)
    others: list[Values] = [{"password": None}, {"postalAddresses": []}, {"surname": "\ud800"}]
    for other in others:
        assert await refused(database, CREATE_KEYED, {**GIVEN, **other}) == REUSED
    number = {"customerNumber": first["customerNumber"]}
    assert await refused(database, DEACTIVATE_KEYED, {**number, "expirationDate": "2099-12-31"}) == REUSED


async def test_a_password_is_not_part_of_what_is_compared_because_its_hash_could_be_guessed(database: Database) -> None:
    first = await done(database, CREATE_KEYED, GIVEN)
    assert await done(database, CREATE_KEYED, {**GIVEN, "password": "hunter3"}) == first


async def test_absent_and_null_are_different_inputs(database: Database) -> None:
    kari = await a_customer(database)
    assert (await done(database, UPDATE_KEYED, new_values(kari)))["version"] == 2
    assert await refused(database, UPDATE_KEYED, new_values(kari, email=None)) == REUSED
    assert (await done(database, UPDATE_KEYED, new_values(kari)))["version"] == 2


async def test_another_key_is_another_act(database: Database) -> None:
    numbers = [(await done(database, CREATE_BY_VARIABLE, KARI, key=key))["customerNumber"] for key in ("a", "A", "b")]
    numbers += [(await done(database, CREATE, KARI))["customerNumber"] for _ in "12"]
    assert len(set(numbers)) == 5
    assert await counts(database) == (5, 5, 3)


async def test_keys_of_two_organisations_do_not_meet(database: Database) -> None:
    mine = await done(database, CREATE_KEYED, KARI)
    theirs = await done(database, CREATE_KEYED, {**KARI, "organisationId": 2}, FOREIGNER)
    assert mine["customerNumber"] != theirs["customerNumber"]
    assert await done(database, CREATE_KEYED, {**KARI, "organisationId": 2}, FOREIGNER) == theirs


async def test_keys_of_two_callers_of_one_organisation_do_not_meet(database: Database) -> None:
    callers = [replace(VIEWER, issuer=issuer, subject=subject) for issuer in ("", "a") for subject in ("", "a", "aa")]
    made = [await done(database, CREATE_KEYED, {**KARI, "surname": f"Nr {n}"}, each) for n, each in enumerate(callers)]
    assert await counts(database) == (6, 6, 6)
    again = [await done(database, CREATE_KEYED, {**KARI, "surname": f"Nr {n}"}, each) for n, each in enumerate(callers)]
    assert again == made
    assert await counts(database) == (6, 6, 6)


async def test_a_key_is_1_to_100_letters_digits_and_marks(database: Database) -> None:
    invalid: list[Error] = [("IDEMPOTENCY_KEY_INVALID", "", [])]
    for key in ("", " ", "a b", "a\n", "ø", "a\x00", "\ud800", "a/b", "x" * 101, "x" * 100_000):
        assert await refused(database, CREATE_BY_VARIABLE, KARI, key=key) == invalid
    for key in ("x" * 100, "a-_.:9", "0"):
        await done(database, CREATE_BY_VARIABLE, KARI, key=key)
    assert (await counts(database))[0] == 3


async def test_a_refused_attempt_is_not_remembered(database: Database) -> None:
    assert [code for code, *_ in await refused(database, CREATE_KEYED, {**GIVEN, "email": "kari"})] == ["EMAIL_INVALID"]
    await done(database, CREATE_KEYED, GIVEN)


async def test_a_lone_surrogate_under_a_key_is_refused_as_without(database: Database) -> None:
    given = {**KARI, "surname": "\ud800"}
    assert await refused(database, CREATE_KEYED, given) == [("TEXT_INVALID", "surname", [])]


async def test_a_result_that_is_gone_by_now_is_null(database: Database) -> None:
    kari = await a_customer(database)
    given = {"customerNumber": kari.customer_number, **HOME}
    made = await done(database, CREATE_ADDRESS_KEYED, given)
    known = {"customerNumber": kari.customer_number, "postalAddressId": made["id"]}
    await done(database, document("deletePostalAddress", "deletedPostalAddressId"), known)
    assert await answered(database, CREATE_ADDRESS_KEYED, given) == ({"postalAddress": None}, [])
    assert len(await events(database)) == 2


async def test_a_result_of_several_fields_is_replayed_whole(database: Database) -> None:
    kari = await a_customer(database)
    home = await an_address(database, kari)
    known = {"customerNumber": kari.customer_number, "postalAddressId": str(home.id)}
    first = await answered(database, DELETE_ADDRESS_KEYED, known)
    deleted = {"customer": {"customerNumber": kari.customer_number}, "deletedPostalAddressId": str(home.id)}
    assert first == (deleted, [])
    assert await answered(database, DELETE_ADDRESS_KEYED, known) == first
    assert len(await events(database)) == 1


async def test_a_key_is_forgotten_after_seven_days(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    first = await done(database, CREATE_KEYED, KARI)
    freeze(monkeypatch, NOW + timedelta(days=7))
    assert await done(database, CREATE_KEYED, KARI) == first
    freeze(monkeypatch, NOW + timedelta(days=7, milliseconds=1))
    assert (await done(database, CREATE_KEYED, KARI))["customerNumber"] != first["customerNumber"]
    assert await counts(database) == (2, 2, 1)


async def test_requests_with_one_key_at_the_same_time_are_one_act(database: Database) -> None:
    made = await asyncio.gather(*(done(database, CREATE_KEYED, GIVEN) for _ in range(10)))
    assert len({each["customerNumber"] for each in made}) == 1
    assert await counts(database) == (1, 1, 1)


async def test_of_two_inputs_with_one_key_at_the_same_time_one_is_refused(database: Database) -> None:
    both = await asyncio.gather(
        answered(database, CREATE_KEYED, GIVEN), answered(database, CREATE_KEYED, {**GIVEN, "firstName": "Ola"})
    )
    assert sorted(errors for _, errors in both) == [[], REUSED]
    assert await counts(database) == (1, 1, 1)


async def test_after_a_refused_attempt_the_next_one_at_the_same_time_goes_on(database: Database) -> None:
    wrong = {**GIVEN, "expirationDate": "2020-01-01"}
    answers = await asyncio.gather(*(answered(database, CREATE_KEYED, given) for given in [wrong, GIVEN, wrong, GIVEN]))
    codes = [errors[0][0] if errors else "done" for _, errors in answers]
    assert codes[1] == codes[3] == "done"
    assert {codes[0], codes[2]} <= {"DATE_INVALID", "IDEMPOTENCY_KEY_REUSED"}
    assert await counts(database) == (1, 1, 1)


# One transaction


async def carried_out(database: Database, act: Any) -> carry_out.Outcome:
    given = DeactivateCustomerInput(customer_number=1, expiration_date=NOW.date())  # type: ignore[arg-type]
    return await carry_out.carry_out(Context(database, VIEWER), "test", act, given)


def an_event(write: Write, organisation: int = 1) -> OutboxEvent:
    customer = Customer(customer_number=1, organisation_id=organisation)
    write.customer_changed(customer)
    return next(row for row in write.session.new if isinstance(row, OutboxEvent))


async def test_an_act_that_fails_writes_nothing(database: Database) -> None:
    async def fail(write: Write, _: Any) -> None:
        an_event(write)
        await write.session.flush()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await carried_out(database, fail)
    assert await events(database) == []


async def test_an_act_that_fails_at_its_commit_writes_nothing(database: Database) -> None:
    async def fail(write: Write, _: Any) -> None:
        an_event(write).queue = None  # type: ignore[assignment]

    with pytest.raises(IntegrityError):
        await carried_out(database, fail)
    assert await events(database) == []


async def test_an_act_that_meets_another_at_a_key_of_the_gateway_is_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    kari = await a_customer(database, uuid="x" * 32)
    drawn = iter([kari.uuid, kari.uuid, "y" * 32])
    monkeypatch.setattr(formats, "new_uuid32", lambda: next(drawn))
    made = await done(database, document("createCustomer", "customer { uuid version }"), KARI)
    assert made == {"uuid": "y" * 32, "version": 1}
    assert len(await events(database)) == 1


async def test_it_is_not_tried_for_ever(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    kari = await a_customer(database)
    drawn = [kari.uuid] * 100
    monkeypatch.setattr(formats, "new_uuid32", drawn.pop)
    result = await schema.execute(CREATE, variable_values={"input": KARI}, context_value=Context(database, VIEWER))
    assert result.errors
    assert isinstance(result.errors[0].original_error, IntegrityError)
    assert 100 - len(drawn) == carry_out.ATTEMPTS
    assert await events(database) == []


@pytest.mark.parametrize("sqlstate", ["40001", "40P01", "57014"])
async def test_only_a_transaction_that_was_in_the_way_is_tried_again(database: Database, sqlstate: str) -> None:
    tries = []

    async def stumble(write: Write, _: Any) -> int:
        tries.append(an_event(write))
        await write.session.flush()
        if len(tries) < 3:
            cause = Exception()
            cause.sqlstate = sqlstate  # type: ignore[attr-defined]
            raise OperationalError("UPDATE", {}, cause)
        return len(tries)

    if sqlstate == "57014":
        with pytest.raises(OperationalError):
            await carried_out(database, stumble)
    else:
        assert (await carried_out(database, stumble)).value == 3
    assert len(await events(database)) == (0 if sqlstate == "57014" else 1)


async def test_what_was_read_before_a_mutation_is_read_again_after_it(database: Database) -> None:
    kari = await a_customer(database)
    context = Context(database, Viewer(1))
    before = context.load
    given = new_values(kari, surname="Ny", postalAddresses=[HOME])
    result = await schema.execute(
        document("updateCustomer", "customer { postalAddresses { customer { surname } } }"),
        variable_values={"input": given},
        context_value=context,
    )
    assert context.load is not before
    payload = (result.data or {})["updateCustomer"]
    assert payload["customer"] == {"postalAddresses": [{"customer": {"surname": "Ny"}}]}


async def test_mutations_of_one_document_see_each_other(database: Database) -> None:
    text = """mutation($a: CreateCustomerInput!) {
        first: createCustomer(input: $a) @idempotent(key: "a") { customer { customerNumber } userErrors { code } }
        again: createCustomer(input: $a) @idempotent(key: "a") { customer { customerNumber } userErrors { code } }
        other: createCustomer(input: $a) @idempotent(key: "b") { customer { customerNumber } userErrors { code } }
    }"""
    result = await schema.execute(text, variable_values={"a": GIVEN}, context_value=Context(database, VIEWER))
    data = result.data or {}
    assert data["first"] == data["again"]
    assert data["first"]["userErrors"] == []
    assert data["other"] == {"customer": None, "userErrors": [{"code": "EMAIL_TAKEN"}]}


async def test_a_mutation_that_fails_under_a_key_may_be_repeated(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(writes, "save_addresses", fail)
        context = Context(database, VIEWER)
        assert (await schema.execute(CREATE_KEYED, variable_values={"input": GIVEN}, context_value=context)).errors
    assert await counts(database) == (0, 0, 0)
    await done(database, CREATE_KEYED, GIVEN)
    assert await counts(database) == (1, 1, 1)
