"""addEcard and updateEcard (rules C70 to C77)."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from datastore.audit import AuditLogEntry
from datastore.customer import CustomerStatus, Ecard
from datastore.database import Database
from datastore.policy import Policy
from datastore.viewer import GRANTABLE, TenantKind, Viewer
from resolvers.context import Context
from schema.root import schema
from tests.customer.mutations import (
    HOSTILE,
    NOW,
    Error,
    Values,
    answered,
    document,
    done,
    events,
    everything,
    freeze,
    refused,
)
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute
from tests.factories.customer import (
    MOMENT,
    a_customer,
    a_deleted_customer,
    a_merged_customer,
    an_ecard,
    ecard_of,
    inserted,
)

FIELDS = """
    version ecardOperator ecardNumber ecardNumber16digits ecardName bookingDate shippingDate startOfOwnership
    endOfOwnership expirationDate createdAt changedAt
"""
ADD = document("addEcard", f"ecard {{ {FIELDS} customer {{ customerNumber }} }}")
UPDATE = document("updateEcard", f"ecard {{ {FIELDS} customer {{ customerNumber }} }}")
OWNER = "query($number: String!) { customer(by: { ecardNumber: $number }) { customerNumber } }"

OWNED = "2026-02-01T08:00:00.000Z"
CARD = {"ecardOperator": "16160", "ecardNumber": "0691250417", "startOfOwnership": OWNED}
"""The least that an input needs. Printed on the card is 1616006912504173."""
EMPTY = dict.fromkeys(["ecardName", "bookingDate", "shippingDate", "endOfOwnership", "expirationDate"])
ALL = {
    "ecardName": "Kortet mitt",
    "bookingDate": "2026-01-02",
    "shippingDate": "2026-01-02",
    "endOfOwnership": OWNED,
    "expirationDate": "2034-01-31",
}
ENDED = {"end_of_ownership": MOMENT + timedelta(days=1)}
CHECKED = Policy(checks_ecard_digit=True)


def card_of(customer: Any, **values: Any) -> Values:
    return {"customerNumber": customer.customer_number, **CARD, **values}


def user_of(customer: Any, *more: Any) -> Viewer:
    ids = frozenset(each.id for each in (customer, *more))
    return Viewer(1, TenantKind.TRAVELLER, GRANTABLE, customer_number=customer.customer_number, customer_ids=ids)


async def ownerships(database: Database) -> list[Any]:
    return list(await database.fetch(select(Ecard.__table__).order_by(Ecard.id)))


async def owner_by(database: Database, number: str, viewer: Viewer = VIEWER) -> int | None:
    found = (await execute(database, OWNER, viewer, number=number))["customer"]
    return found and int(found["customerNumber"])


# What is stored


@pytest.mark.rule("C70")
@pytest.mark.rule("C72")
async def test_a_card_is_added_with_what_was_given(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database)
    made = await done(database, ADD, card_of(kari))
    now = "2026-06-30T22:30:00.123Z"
    rest = {"version": 1, "ecardNumber16digits": "1616006912504173", "createdAt": now, "changedAt": now}
    assert made == {**CARD, **EMPTY, **rest, "customer": {"customerNumber": kari.customer_number}}
    made = await done(database, ADD, card_of(kari, ecardNumber="0693363471", **{**ALL, "ecardName": " Mitt "}))
    rest = {**rest, "ecardNumber": "0693363471", "ecardNumber16digits": "1616006933634710", "ecardName": "Mitt"}
    assert made == {**CARD, **ALL, **rest, "customer": {"customerNumber": kari.customer_number}}
    assert await events(database) == [("UPDATE", kari.customer_number, 1, NOW, "")] * 2


@pytest.mark.rule("C74")
async def test_an_update_overwrites_everything_but_the_number_on_the_card(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    freeze(monkeypatch)
    kari = await a_customer(database)
    values = {"ecard_name": "Kortet mitt", "booking_date": date(2026, 1, 2), "shipping_date": date(2026, 1, 3)}
    odd = {"ecard_number_16digits": "1616006912504179", "expiration_date": date(2034, 1, 31)}
    await an_ecard(database, kari, "0691250417", **values, **odd, **ENDED)
    updated = await done(database, UPDATE, card_of(kari))
    rest = {"version": 2, "createdAt": "2026-01-31T12:00:00.123Z", "changedAt": "2026-06-30T22:30:00.123Z"}
    rest |= {"ecardNumber16digits": "1616006912504179", "customer": {"customerNumber": kari.customer_number}}
    assert updated == {**CARD, **EMPTY, **rest}
    updated = await done(database, UPDATE, card_of(kari, **ALL, ecardNumber16digits="1616006912504173"))
    assert updated == {**CARD, **ALL, **rest, "version": 3, "ecardNumber16digits": "1616006912504173"}
    assert await events(database) == [("UPDATE", kari.customer_number, 1, NOW, "")] * 2


# Formats


@pytest.mark.rule("C70")
@pytest.mark.rule("C72")
@pytest.mark.parametrize("text", [ADD, UPDATE], ids=["add", "update"])
async def test_numbers_and_operators_have_their_digits_and_nothing_else(database: Database, text: str) -> None:
    kari = await a_customer(database)
    await an_ecard(database, kari, "0691250417")
    for wrong in ("", "069125041", "06912504170", " 0691250417", "069125041x", "०691250417", "1616006912504173"):
        error = ("ECARD_NUMBER_INVALID", "ecardNumber", [wrong])
        assert await refused(database, text, card_of(kari, ecardNumber=wrong)) == [error]
    for wrong in ("", "1616x", "16160 ", "12345678901"):
        error = ("VALUE_INVALID", "ecardOperator", [wrong])
        assert await refused(database, text, card_of(kari, ecardOperator=wrong)) == [error]
    for wrong in ("", "0691250417", "161600691250417", "16160069125041731", "1616006912504l73"):
        error = ("ECARD_NUMBER_INVALID", "ecardNumber16digits", [wrong])
        assert await refused(database, text, card_of(kari, ecardNumber16digits=wrong)) == [error]


@pytest.mark.rule("H5")
async def test_no_text_is_too_hostile_to_be_refused(database: Database) -> None:
    kari = await a_customer(database)
    for text, code in HOSTILE:
        rejected = [text[:200]] if text.isprintable() else []
        given = card_of(kari, ecardOperator=text, ecardNumber=text, ecardNumber16digits=text, ecardName=text)
        assert sorted(await refused(database, ADD, given)) == [
            ("ECARD_NUMBER_INVALID", "ecardNumber", rejected),
            ("ECARD_NUMBER_INVALID", "ecardNumber16digits", rejected),
            (code, "ecardName", []),
            ("VALUE_INVALID", "ecardOperator", rejected),
        ]
    assert await refused(database, ADD, card_of(kari, ecardName="x" * 101)) == [("TEXT_TOO_LONG", "ecardName", [])]


@pytest.mark.rule("C73")
async def test_the_sixteen_digits_agree_with_the_parts(database: Database) -> None:
    kari = await a_customer(database)
    for wrong in ("1616106912504173", "1616006912504273", "6160069125041731"):
        error = ("ECARD_PARTS_DISAGREE", "ecardNumber16digits", [wrong])
        assert await refused(database, ADD, card_of(kari, ecardNumber16digits=wrong)) == [error]
    made = await done(database, ADD, card_of(kari, ecardNumber16digits="1616006912504173"))
    assert made["ecardNumber16digits"] == "1616006912504173"
    error = ("ECARD_PARTS_DISAGREE", "ecardNumber16digits", ["1616106912504173"])
    assert await refused(database, UPDATE, card_of(kari, ecardNumber16digits="1616106912504173")) == [error]


@pytest.mark.rule("C72")
async def test_the_control_digit_is_checked_where_the_operator_of_the_gateway_wants_it(database: Database) -> None:
    kari = await a_customer(database)
    wrong = card_of(kari, ecardNumber16digits="1616006912504179")
    database.policy = CHECKED
    error = ("ECARD_DIGIT_INVALID", "ecardNumber16digits", ["1616006912504179"])
    assert await refused(database, ADD, wrong) == [error]
    await done(database, ADD, card_of(kari, ecardNumber16digits="1616006912504173"))
    assert await refused(database, UPDATE, wrong) == [error]
    database.policy = Policy()
    assert (await done(database, UPDATE, wrong))["ecardNumber16digits"] == "1616006912504179"


@pytest.mark.rule("C72")
async def test_an_operator_that_has_not_five_digits_needs_the_sixteen(database: Database) -> None:
    kari = await a_customer(database)
    for operator in ("7", "1616", "161600", "1234567890"):
        given = card_of(kari, ecardOperator=operator)
        assert await refused(database, ADD, given) == [("REQUIRED", "ecardNumber16digits", [])]
        error = ("ECARD_PARTS_DISAGREE", "ecardNumber16digits", ["1616006912504273"])
        assert await refused(database, ADD, {**given, "ecardNumber16digits": "1616006912504273"}) == [error]
        await done(database, ADD, {**given, "ecardNumber16digits": "1616006912504173"})
        assert (await done(database, UPDATE, given))["ecardNumber16digits"] == "1616006912504173"


@pytest.mark.rule("C77")
@pytest.mark.parametrize("text", [ADD, UPDATE], ids=["add", "update"])
async def test_what_is_later_does_not_come_before(database: Database, text: str) -> None:
    kari = await a_customer(database)
    before, day = "2026-02-01T07:59:59.999Z", "2026-01-01"
    given = card_of(kari, **{**ALL, "endOfOwnership": before, "shippingDate": day})
    assert await refused(database, text, given) == [
        ("DATES_REVERSED", "endOfOwnership", ["2026-02-01 07:59:59.999000+00:00"]),
        ("DATES_REVERSED", "shippingDate", [day]),
    ]


# Whose a card is


@pytest.mark.rule("C76")
@pytest.mark.parametrize("end", [None, datetime(2099, 12, 31, tzinfo=UTC)], ids=["for ever", "until 2099"])
async def test_a_card_that_somebody_owns_is_not_added(database: Database, end: datetime | None) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    foreign = await a_customer(database, organisation_id=2)
    await an_ecard(database, ola, "0691250417", end_of_ownership=end)
    error = ("ECARD_OWNED", "ecardNumber", ["0691250417"])
    assert await refused(database, ADD, card_of(kari)) == [error]
    assert await refused(database, ADD, card_of(ola)) == [error]
    assert await refused(database, ADD, card_of(kari), user_of(kari)) == [error]
    assert await refused(database, ADD, card_of(foreign), FOREIGNER) == [error]
    await done(database, ADD, card_of(kari, ecardOperator="16161"))


@pytest.mark.rule("C76")
async def test_a_card_that_was_given_up_is_added_again(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    await an_ecard(database, ola, "0691250417", **ENDED)
    await done(database, ADD, card_of(kari))
    assert [row.customer_id for row in await ownerships(database)] == [ola.id, kari.id]
    error = ("ECARD_OWNED", "ecardNumber", ["0691250417"])
    user = user_of(ola)
    assert await refused(database, UPDATE, card_of(ola), user) == [error]
    assert (await done(database, UPDATE, card_of(ola, endOfOwnership=OWNED), user))["version"] == 2


@pytest.mark.rule("C74")
async def test_an_update_moves_the_card_and_tells_of_both(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    freeze(monkeypatch)
    ola, kari, foreign = [await a_customer(database, organisation_id=n) for n in (1, 1, 2)]
    await an_ecard(database, foreign, "0691250417", **ENDED)
    await an_ecard(database, ola, "0691250417", ecard_name="Olas", ecard_number_16digits="1616006912504179")
    context = Context(database, VIEWER, correlation_id="corr-1")
    result = await schema.execute(UPDATE, variable_values={"input": card_of(kari)}, context_value=context)
    assert result.data
    assert result.data["updateEcard"]["userErrors"] == []
    old, moved = await ownerships(database)
    assert (old.customer_id, old.version) == (foreign.id, 1)
    assert (moved.customer_id, moved.ecard_name, moved.version) == (kari.id, None, 2)
    expected = [("UPDATE", each.customer_number, 1, NOW, "corr-1") for each in (ola, kari)]
    assert await events(database) == expected
    for number in ("0691250417", "1616006912504179"):
        assert await owner_by(database, number) == kari.customer_number
        assert await owner_by(database, number, FOREIGNER) is None
    logged = await database.fetch(select(AuditLogEntry.__table__).order_by(AuditLogEntry.id))
    assert {entry.customer_id for entry in logged} == {ola.id, kari.id}


@pytest.mark.rule("C74")
async def test_a_card_is_taken_over_from_deleted_and_merged_customers(database: Database) -> None:
    kari, deleted = await a_customer(database), await a_deleted_customer(database)
    merged = await a_merged_customer(database, kari)
    await an_ecard(database, deleted, "0691250417")
    await an_ecard(database, merged, "0693363471")
    await done(database, UPDATE, card_of(kari))
    await done(database, UPDATE, card_of(kari, ecardNumber="0693363471"))
    assert [row.customer_id for row in await ownerships(database)] == [kari.id, kari.id]


@pytest.mark.rule("C74")
async def test_the_current_ownership_counts_else_the_latest(database: Database) -> None:
    kari, ola, per = [await a_customer(database) for _ in range(3)]
    late = {"start_of_ownership": MOMENT + timedelta(days=2), "end_of_ownership": MOMENT + timedelta(days=3)}
    current = {"start_of_ownership": MOMENT - timedelta(days=9), "end_of_ownership": None}
    await inserted(
        database,
        Ecard,
        *[ecard_of(kari, "0691250417", **values) for values in (late, ENDED)],
        *[ecard_of(ola, "0693363471", **values) for values in (late, current, ENDED)],
    )
    await done(database, UPDATE, card_of(per))
    await done(database, UPDATE, card_of(per, ecardNumber="0693363471"))
    assert [row.version for row in await ownerships(database)] == [2, 1, 1, 2, 1]


@pytest.mark.rule("C75")
@pytest.mark.rule("T04")
async def test_a_card_of_another_organisation_is_unknown_and_stays_there(database: Database) -> None:
    kari, foreign = await a_customer(database), await a_customer(database, organisation_id=2)
    unknown = ("ECARD_NOT_FOUND", "ecardNumber", ["0691250417"])
    assert await refused(database, UPDATE, card_of(kari)) == [unknown]
    assert await refused(database, UPDATE, card_of(kari), INTERNAL) == [unknown]
    await an_ecard(database, foreign, "0691250417")
    assert await refused(database, UPDATE, card_of(kari, expectedVersion=9)) == [unknown]
    error = ("OTHER_ORGANISATION", "customerNumber", [str(kari.customer_number)])
    assert await refused(database, UPDATE, card_of(kari), INTERNAL) == [error]
    assert (await done(database, UPDATE, card_of(foreign), INTERNAL))["version"] == 2


@pytest.mark.rule("T04")
@pytest.mark.rule("C40")
async def test_cards_of_unknown_foreign_merged_and_deleted_customers_stay(database: Database) -> None:
    kari, deleted = await a_customer(database), await a_deleted_customer(database)
    merged = await a_merged_customer(database, kari)
    await an_ecard(database, kari, "0691250417")
    for number, code, viewer in (
        (kari.customer_number, "CUSTOMER_NOT_FOUND", FOREIGNER),
        (1, "CUSTOMER_NOT_FOUND", VIEWER),
        (merged.customer_number, "CUSTOMER_MERGED", VIEWER),
        (deleted.customer_number, "CUSTOMER_DELETED", VIEWER),
    ):
        error = (code, "customerNumber", [str(number)])
        for text in (ADD, UPDATE):
            assert await refused(database, text, {**card_of(kari), "customerNumber": number}, viewer) == [error]


@pytest.mark.rule("T05")
async def test_a_user_has_cards_of_its_own_and_takes_nobodys(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    merged = await a_merged_customer(database, kari)
    user = user_of(kari, merged)
    await an_ecard(database, ola, "0693363471")
    await an_ecard(database, merged, "0700000001")
    for number in ("0693363471", "0700000001", "0700000002"):
        error = ("ECARD_NOT_FOUND", "ecardNumber", [number])
        assert await refused(database, UPDATE, card_of(kari, ecardNumber=number), user) == [error]
    error = ("CUSTOMER_NOT_FOUND", "customerNumber", [str(ola.customer_number)])
    assert await refused(database, ADD, card_of(ola), user) == [error]
    await done(database, ADD, card_of(kari), user)
    assert (await done(database, UPDATE, card_of(kari, ecardName="Mitt"), user))["ecardName"] == "Mitt"


async def test_a_customer_gets_no_101st_card(database: Database) -> None:
    kari, ola = await a_customer(database, status=CustomerStatus.PASSIVE), await a_customer(database)
    await inserted(database, Ecard, *[ecard_of(kari, f"{n:010}", **ENDED) for n in range(99)])
    await an_ecard(database, ola, "0693363471")
    await done(database, ADD, card_of(kari))
    full: list[Error] = [("TOO_MANY_ECARDS", "", [])]
    assert await refused(database, ADD, card_of(kari, ecardNumber="0700000009")) == full
    assert await refused(database, UPDATE, card_of(kari, ecardNumber="0693363471")) == full
    await done(database, UPDATE, card_of(kari, ecardName="Mitt"))


async def test_another_version_is_a_conflict_and_shows_the_card(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    await an_ecard(database, kari, "0691250417", version=3, ecard_name="Karis")
    before = await everything(database)
    payload, errors = await answered(database, UPDATE, card_of(ola, expectedVersion=2))
    assert errors == [("VERSION_CONFLICT", "expectedVersion", ["2"])]
    assert (payload["ecard"]["version"], payload["ecard"]["ecardName"]) == (3, "Karis")
    assert payload["ecard"]["customer"] == {"customerNumber": kari.customer_number}
    assert await everything(database) == before
    assert (await done(database, UPDATE, card_of(ola, expectedVersion=3)))["version"] == 4


# At the same time


@pytest.mark.rule("C76")
@pytest.mark.parametrize("end", [None, "2099-12-31T00:00:00Z"], ids=["for ever", "until 2099"])
async def test_one_of_many_who_want_a_card_gets_it(database: Database, end: str | None) -> None:
    customers = [await a_customer(database) for _ in range(10)]
    given = [card_of(each, endOfOwnership=end) for each in customers]
    answers = await asyncio.gather(*(answered(database, ADD, each) for each in given))
    assert sorted(errors[0][0] for _, errors in answers if errors) == ["ECARD_OWNED"] * 9
    assert len(await ownerships(database)) == len(await events(database)) == 1


@pytest.mark.rule("C74")
async def test_moves_to_and_fro_wait_for_each_other(database: Database) -> None:
    customers = [await a_customer(database) for _ in range(4)]
    numbers = ["0691250417", "0693363471"]
    for customer, number in zip(customers, numbers, strict=False):
        await an_ecard(database, customer, number)
    given = [card_of(each, ecardNumber=number) for each in customers * 2 for number in numbers]
    answers = await asyncio.gather(*(answered(database, UPDATE, each) for each in given))
    assert [errors for _, errors in answers] == [[]] * 16
    assert [row.version for row in await ownerships(database)] == [9, 9]


@pytest.mark.rule("C76")
async def test_an_old_ownership_is_not_taken_up_again_while_another_begins(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    await an_ecard(database, kari, "0691250417", **ENDED)
    answers = await asyncio.gather(
        answered(database, ADD, card_of(ola)), answered(database, UPDATE, card_of(kari), user_of(kari))
    )
    assert sorted(errors[0][0] for _, errors in answers if errors) == ["ECARD_OWNED"]
    assert [row.end_of_ownership for row in await ownerships(database)].count(None) == 1
