"""createCustomerAccount and updateCustomerAccount (rule C100)."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from datastore.customer import CustomerAccount
from datastore.database import Database
from datastore.viewer import GRANTABLE, TenantKind, Viewer
from tests.customer.mutations import (
    HOSTILE,
    NOW,
    Error,
    answered,
    document,
    done,
    errors_of,
    events,
    freeze,
    not_executed,
    refused,
    unchanged,
)
from tests.customer.test_concurrency import outcomes
from tests.execute import FOREIGNER, INTERNAL, VIEWER
from tests.factories.customer import (
    MOMENT,
    a_customer,
    a_deleted_customer,
    a_merged_customer,
    account_of,
    an_account,
    inserted,
)

FIELDS = "id version customerAccountId alias isDefault createdBy changedBy changedAt customerNumber"
CREATE = document("createCustomerAccount", f"customerAccount {{ {FIELDS} }}")
UPDATE = document("updateCustomerAccount", f"customerAccount {{ {FIELDS} }}")
SHOWN_NOW = "2026-06-30T22:30:00.123Z"


def new(customer: Any, **values: Any) -> dict[str, Any]:
    return {"customerNumber": customer.customer_number, "accountId": "ABT-1", **values}


def of(customer: Any, account: Any, **values: Any) -> dict[str, Any]:
    return {"customerNumber": customer.customer_number, "customerAccountId": str(account.id), **values}


async def accounts(database: Database) -> list[Any]:
    return list(await database.fetch(select(CustomerAccount.__table__).order_by(CustomerAccount.id)))


@pytest.mark.rule("C100")
async def test_a_customer_gets_several_accounts(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    kari, ola = await a_customer(database), await a_customer(database)
    made = await done(database, CREATE, new(kari, accountId=" ABT-1 "))
    least = {
        "id": made["id"],
        "version": 1,
        "customerAccountId": "ABT-1",
        "alias": None,
        "isDefault": False,
        "createdBy": "graphql",
        "changedBy": None,
        "changedAt": None,
        "customerNumber": kari.customer_number,
    }
    assert made == least
    made = await done(database, CREATE, new(kari, accountId="ABT-2", alias=" Jobb ", isDefault=True, createdBy="ola"))
    more = {"customerAccountId": "ABT-2", "alias": "Jobb", "isDefault": True, "createdBy": "ola"}
    assert made == {**least, **more, "id": made["id"]}
    await done(database, CREATE, new(ola, isDefault=True))
    assert [row.created_at for row in await accounts(database)] == [NOW] * 3
    numbers = (kari.customer_number, kari.customer_number, ola.customer_number)
    assert await events(database) == [("UPDATE", number, 1, NOW, "") for number in numbers]


@pytest.mark.rule("C100")
async def test_alias_and_default_are_changed_and_nothing_else(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database)
    account = await an_account(database, kari, alias="Jobb")
    shown = {
        "id": str(account.id),
        "customerAccountId": "ABT-1",
        "alias": "Jobb",
        "isDefault": False,
        "createdBy": "web",
        "changedBy": "graphql",
        "changedAt": SHOWN_NOW,
        "customerNumber": kari.customer_number,
    }
    assert await done(database, UPDATE, of(kari, account)) == {**shown, "version": 2}
    given = of(kari, account, alias=" Fritid", isDefault=True, changedBy="ola", expectedVersion=2)
    after = {**shown, "alias": "Fritid", "isDefault": True, "changedBy": "ola"}
    assert await done(database, UPDATE, given) == {**after, "version": 3}
    again = of(kari, account, isDefault=True, changedBy="ola")
    assert await done(database, UPDATE, again) == {**after, "version": 4}
    last = {**after, "version": 5, "alias": None, "isDefault": False, "changedBy": "graphql"}
    assert await done(database, UPDATE, of(kari, account, alias=None, isDefault=False)) == last
    assert len(await events(database)) == 4
    for field in ("accountId", "createdBy"):
        assert field in await not_executed(database, UPDATE, of(kari, account, **{field: "x"}))


@pytest.mark.rule("C100")
async def test_a_new_default_takes_the_place_of_the_one_before(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    kari, ola = await a_customer(database), await a_customer(database)
    first = await an_account(database, kari, is_default=True)
    second = await an_account(database, kari, customer_account_id="ABT-2")
    await an_account(database, ola, is_default=True)
    await done(database, UPDATE, of(kari, second, isDefault=True, changedBy="ola"))

    async def state() -> list[tuple[Any, ...]]:
        return [(r.is_default, r.version, r.changed_by, r.changed_at) for r in await accounts(database)]

    his = (True, 1, None, None)
    assert await state() == [(False, 2, "ola", NOW), (True, 2, "ola", NOW), his]
    await done(database, CREATE, new(kari, accountId="ABT-3", isDefault=True, createdBy="per"))
    assert await state() == [(False, 2, "ola", NOW), (False, 3, "per", NOW), his, (True, 1, None, None)]
    assert len(await events(database)) == 2
    await done(database, UPDATE, of(kari, first, isDefault=True, expectedVersion=2))
    assert [row[0] for row in await state()] == [True, False, True, False]
    assert (await accounts(database))[0].created_at == MOMENT


@pytest.mark.rule("C100")
async def test_an_account_is_added_once(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    answers = await asyncio.gather(*(answered(database, CREATE, new(kari, isDefault=bool(n % 2))) for n in range(6)))
    assert outcomes(answers) == {"done": 1, "CUSTOMER_ACCOUNT_TAKEN": 5}
    taken = [("CUSTOMER_ACCOUNT_TAKEN", "accountId", ["ABT-1"])]
    assert all(errors in ([], taken) for _, errors in answers)
    assert len(await events(database)) == 1
    assert await refused(database, CREATE, new(kari)) == taken
    await done(database, CREATE, new(ola))


@pytest.mark.rule("C100")
async def test_of_parallel_defaults_one_is_left(database: Database) -> None:
    kari = await a_customer(database)
    old = await an_account(database, kari, is_default=True)
    others = [await an_account(database, kari, customer_account_id=f"ABT-{n}") for n in (2, 3)]
    given = [of(kari, account, isDefault=True, expectedVersion=1) for account in others]
    answers = await asyncio.gather(
        *(answered(database, UPDATE, each) for each in given),
        answered(database, CREATE, new(kari, accountId="ABT-4", isDefault=True)),
        answered(database, UPDATE, of(kari, old, isDefault=False)),
    )
    assert all(errors in ([], [("VERSION_CONFLICT", "expectedVersion", ["1"])]) for _, errors in answers)
    assert answers[2][1] == []
    after = await accounts(database)
    assert sum(row.is_default for row in after) == 1
    assert not next(row for row in after if row.id == old.id).is_default


async def test_a_customer_gets_no_51st_account(database: Database) -> None:
    kari = await a_customer(database)
    await inserted(database, CustomerAccount, *(account_of(kari, customer_account_id=f"A{n}") for n in range(49)))
    made = await done(database, CREATE, new(kari))
    assert await refused(database, CREATE, new(kari, accountId="x")) == [("TOO_MANY_CUSTOMER_ACCOUNTS", "", [])]
    given = {"customerNumber": kari.customer_number, "customerAccountId": made["id"], "isDefault": True}
    await done(database, UPDATE, given)


@pytest.mark.rule("C12")
async def test_a_wrong_account_is_refused(database: Database) -> None:
    kari = await a_customer(database)
    account = await an_account(database, kari)
    async with unchanged(database):
        for text, given, by in (
            (CREATE, new(kari, accountId="ABT-2", isDefault=True), "createdBy"),
            (UPDATE, of(kari, account, isDefault=True), "changedBy"),
        ):
            for field in ("alias", by):
                for value, code in (*HOSTILE, ("x" * 101, "TEXT_TOO_LONG")):
                    assert await errors_of(database, text, {**given, field: value}) == [(code, field, [])]
            assert await errors_of(database, text, {**given, by: " "}) == [("REQUIRED", by, [])]
            both: list[Error] = [("TEXT_TOO_LONG", "alias", []), ("REQUIRED", by, [])]
            assert await errors_of(database, text, {**given, "alias": "x" * 101, by: ""}) == both
    async with unchanged(database):
        for value, code in (*HOSTILE, (" ", "REQUIRED"), ("x" * 61, "TEXT_TOO_LONG")):
            assert await errors_of(database, CREATE, new(kari, accountId=value)) == [(code, "accountId", [])]
    assert "accountId" in await not_executed(database, CREATE, new(kari, accountId=None))
    assert await refused(database, UPDATE, of(kari, account, isDefault=None)) == [("REQUIRED", "isDefault", [])]
    await done(database, CREATE, new(kari, accountId="x" * 60, alias="x" * 100, createdBy="x" * 100))
    await done(database, UPDATE, of(kari, account, alias=" ", changedBy="x" * 100))


async def test_another_version_is_a_conflict_and_shows_the_current_values(database: Database) -> None:
    kari = await a_customer(database)
    account = await an_account(database, kari, version=3)
    await an_account(database, kari, customer_account_id="ABT-2", is_default=True)
    payload, errors = await answered(database, UPDATE, of(kari, account, isDefault=True, expectedVersion=2))
    assert errors == [("VERSION_CONFLICT", "expectedVersion", ["2"])]
    assert (payload["customerAccount"]["version"], payload["customerAccount"]["isDefault"]) == (3, False)
    assert [row.is_default for row in await accounts(database)] == [False, True]


@pytest.mark.rule("T04")
@pytest.mark.rule("T05")
async def test_whose_accounts_may_be_changed(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    deleted, merged = await a_deleted_customer(database), await a_merged_customer(database, kari)
    user = Viewer(1, TenantKind.TRAVELLER, GRANTABLE, customer_ids=frozenset({kari.id}))
    other = Viewer(1, TenantKind.TRAVELLER, GRANTABLE, customer_ids=frozenset({ola.id}))
    mine, his = await an_account(database, kari), await an_account(database, ola)
    async with unchanged(database):
        for customer, code, viewer in (
            (kari, "CUSTOMER_NOT_FOUND", FOREIGNER),
            (kari, "CUSTOMER_NOT_FOUND", other),
            (merged, "CUSTOMER_MERGED", VIEWER),
            (deleted, "CUSTOMER_DELETED", VIEWER),
        ):
            error = (code, "customerNumber", [str(customer.customer_number)])
            for account_id in ("ABT-1", ""):
                assert await errors_of(database, CREATE, new(customer, accountId=account_id), viewer) == [error]
            for account in (mine, his):
                assert await errors_of(database, UPDATE, of(customer, account, expectedVersion=9), viewer) == [error]
    async with unchanged(database):
        for wrong in (str(his.id), "0", "-1", "x", "ABT-1", "", "१", "9" * 19):
            error = ("CUSTOMER_ACCOUNT_NOT_FOUND", "customerAccountId", [wrong])
            for viewer in (VIEWER, INTERNAL, user):
                given = {**of(kari, mine), "customerAccountId": wrong, "expectedVersion": 9}
                assert await errors_of(database, UPDATE, given, viewer) == [error]
    for viewer in (user, INTERNAL):
        await done(database, UPDATE, of(kari, mine, alias="Min"), viewer)
