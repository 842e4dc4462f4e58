"""Whether contracts can be used, and why not."""

from typing import Any

import pytest

from datastore.customer import CustomerStatus
from datastore.database import Database
from datastore.loyalty.contract import Contract, ContractStatus
from datastore.loyalty.program import LoyaltyProgramType
from datastore.viewer import Permission, TenantKind, Viewer
from resolvers.errors import ErrorCode
from tests.customer.mutations import HOSTILE, Values, freeze, refused, unchanged
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute, refusal
from tests.factories.customer import a_customer, a_merged_customer
from tests.factories.loyalty import a_consumer, a_contract, a_coupon_program, a_program, now
from tests.loyalty.consumption import (
    CONSUME,
    DAY,
    HOUR,
    REGISTER,
    RESERVE,
    VALIDATE,
    a_cancellation,
    a_coupon_contract,
    a_line,
    a_use,
    an_event,
    made,
    soon,
    text,
)
from tests.statements import statements

OK, NOT_A_CONSUMER, TOO_FEW = 3101, 3103, 3110


async def validated(database: Database, *given: Values, viewer: Viewer = VIEWER) -> list[int]:
    """The code of each consumption, after that of them all, which fits."""
    async with unchanged(database):
        found = (await execute(database, VALIDATE, viewer, consumptions=list(given)))["validateContractConsumption"]
    codes = [each["code"] for each in found["results"]]
    failed = [each for each in found["results"] if each["code"] != OK]
    first = failed[0] if failed else {"code": OK, "reason": "OK", "isValid": True, "outcome": "OK"}
    assert {name: found[name] for name in ("code", "reason", "isValid", "outcome")} == {
        name: first[name] for name in ("code", "reason", "isValid", "outcome")
    }
    assert all(each["isValid"] == (each["code"] == OK) for each in found["results"])
    assert [each["contractUuid"] for each in found["results"]] == [each["contractUuid"] for each in given]
    return [found["code"], *codes]


@pytest.mark.rule("L50")
@pytest.mark.rule("L55")
async def test_a_use_that_is_possible_is_ok(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    assert await validated(database, a_use(program, contract, customer)) == [OK, OK]
    found = await execute(database, VALIDATE, consumptions=[a_use(program, contract, customer)])
    assert found["validateContractConsumption"] == {
        "code": 3101,
        "reason": "OK",
        "isValid": True,
        "outcome": "OK",
        "results": [{"contractUuid": contract.uuid, "code": 3101, "reason": "OK", "isValid": True, "outcome": "OK"}],
    }


@pytest.mark.rule("L50")
async def test_no_use_at_all_is_ok(database: Database) -> None:
    assert await validated(database) == [OK]
    found = (await execute(database, VALIDATE))["validateContractConsumption"]
    assert (found["isValid"], found["results"]) == (True, [])


@pytest.mark.rule("L51")
async def test_each_reason_has_a_code_and_the_first_one_counts(database: Database) -> None:
    """From the last check to the first, each use fails the checks before, too."""
    customer, stranger = [await a_customer(database) for _ in range(2)]
    program = await a_coupon_program(database)
    wrong = {"entitlementProductId": "ENT:EntitlementProduct:no", "entitlementProductVersion": "ENT:Version:V0"}
    version = {"entitlementProductVersion": "ENT:Version:V0"}
    later = {"consumable_from": now() + DAY, "expiration_date": now() - DAY}
    expected: list[tuple[int, Values]] = []

    async def use(code: int, more: Values, blocked: Any = False, who: Any = customer, **values: Any) -> None:
        contract = await a_contract(database, program, **values)
        await a_consumer(database, contract, customer, is_blocked=blocked)
        expected.append((code, a_use(program, contract, who, coupons=11, **more)))

    await use(3110, {})
    await use(3109, version)
    await use(3108, wrong)
    await use(3107, wrong, expiration_date=now() - DAY)
    await use(3106, wrong, **later)
    await use(3105, wrong, status=ContractStatus.MISUSED, **later)
    await use(3104, wrong, status=ContractStatus.MISUSED, blocked=True, **later)
    await use(3103, wrong, status=ContractStatus.MISUSED, blocked=True, who=stranger, **later)
    expected.append((3102, {**expected[-1][1], "contractUuid": "unknown"}))
    for code, given in expected:
        assert await validated(database, given) == [code, code]
    codes = [code for code, _ in expected]
    assert await validated(database, *(given for _, given in expected)) == [3110, *codes]
    assert await validated(database, *(given for _, given in reversed(expected))) == [3102, *reversed(codes)]


@pytest.mark.rule("L10")
@pytest.mark.rule("L12")
@pytest.mark.rule("L51")
@pytest.mark.parametrize(
    ("values", "travel", "code"),
    [
        ({"status": ContractStatus.REFUNDED}, now(), 3105),
        ({"status": ContractStatus.CANCELLED}, now(), 3105),
        ({"status": ContractStatus.EXPIRED}, now(), 3107),
        ({"consumable_from": now() + 2 * DAY}, now() + 3 * DAY, 3106),
        ({"consumable_from": now() - DAY}, now() - 2 * DAY, 3106),
        ({"expiration_date": now() + DAY}, now() + DAY - HOUR, OK),
        ({"expiration_date": now() + DAY}, now() + DAY + HOUR, 3107),
        ({"expiration_date": now() - HOUR}, now() - 2 * HOUR, 3107),
    ],
    ids=["refunded", "cancelled", "expired", "too early now", "too early then", "in time", "too late then", "too late"],
)
async def test_both_the_travel_and_the_present_must_be_in_time(
    database: Database, values: dict[str, Any], travel: Any, code: int
) -> None:
    program, contract, customer = await a_coupon_contract(database, **values)
    given = a_use(program, contract, customer, firstTravelDate=text(travel))
    assert await validated(database, given) == [code, code]


@pytest.mark.rule("T04")
async def test_foreign_contracts_and_customers_answer_as_unknown_ones(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    given = a_use(program, contract, customer)
    assert await validated(database, given, viewer=FOREIGNER) == [3102, 3102]
    assert await validated(database, given, viewer=INTERNAL) == [OK, OK]
    foreign = await a_customer(database, organisation_id=2)
    deleted = await a_customer(database, status=CustomerStatus.DELETED)
    await a_consumer(database, contract, deleted)
    for number in (foreign.customer_number, deleted.customer_number, 1, -1, 2**63 - 1):
        assert await validated(database, {**given, "customerNumber": number}) == [NOT_A_CONSUMER, NOT_A_CONSUMER]


@pytest.mark.rule("T05")
async def test_users_validate_their_own_uses(database: Database) -> None:
    program, contract, holder = await a_coupon_contract(database)
    other = await a_customer(database)
    await a_consumer(database, contract, other)
    private = await a_contract(database, program, other)
    ids = frozenset({holder.id})
    permissions = frozenset({Permission.CONTRACT_READ})
    user = Viewer(1, TenantKind.TRAVELLER, permissions, customer_number=holder.customer_number, customer_ids=ids)
    assert await validated(database, a_use(program, contract, holder), viewer=user) == [OK, OK]
    assert await validated(database, a_use(program, contract, other), viewer=user) == [NOT_A_CONSUMER] * 2
    assert await validated(database, a_use(program, private, other), viewer=user) == [3102, 3102]


@pytest.mark.rule("C40")
async def test_the_number_of_a_merged_profile_means_what_it_became(database: Database) -> None:
    program, contract, holder = await a_coupon_contract(database)
    merged = await a_merged_customer(database, holder)
    given = a_use(program, contract, holder)
    assert await validated(database, given, {**given, "customerNumber": merged.customer_number}) == [OK, OK, OK]


@pytest.mark.rule("L54")
async def test_the_coupons_of_a_list_add_up_by_contract_and_year(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    other = await a_contract(database, program, customer)
    six = a_use(program, contract, customer, coupons=6)
    next_year = {**six, "firstTravelDate": f"{soon().year + 1}-06-01T12:00:00Z"}
    of_other = a_use(program, other, customer, coupons=6)
    assert await validated(database, six, next_year, of_other) == [OK] * 4
    four, five = {**six, "coupons": 4}, {**six, "coupons": 5}
    assert await validated(database, six, four) == [OK] * 3
    assert await validated(database, six, five) == [TOO_FEW, OK, TOO_FEW]
    # What cannot be used takes nothing from the others.
    assert await validated(database, six, five, four) == [TOO_FEW, OK, TOO_FEW, OK]
    stranger = {**six, "customerNumber": 1}
    assert await validated(database, stranger, six, four) == [NOT_A_CONSUMER, NOT_A_CONSUMER, OK, OK]


@pytest.mark.rule("L14")
@pytest.mark.rule("L54")
async def test_what_is_booked_already_is_ok_and_not_counted_again(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database, coupons=2)
    use = a_use(program, contract, customer, coupons=2)
    booked = {**use, "orderLineReference": {"orderId": "ORDER-1", "orderLineId": "1"}}
    assert await validated(database, booked) == [OK, OK]
    await made(database, CONSUME, {**use, **a_line()})
    assert await validated(database, booked) == [OK, OK]
    for order_id, line_id in (("ORDER-2", "1"), ("ORDER-1", "2")):
        other = {**use, "orderLineReference": {"orderId": order_id, "orderLineId": line_id}}
        assert await validated(database, booked, other) == [TOO_FEW, OK, TOO_FEW]
    assert await validated(database, use) == [TOO_FEW, TOO_FEW]
    another = await a_contract(database, program, customer, coupons_limit=1)
    elsewhere = {**booked, "contractUuid": another.uuid}
    assert await validated(database, elsewhere) == [TOO_FEW, TOO_FEW]
    await made(database, REGISTER, a_cancellation(contract))
    assert await validated(database, booked) == [OK, OK]
    assert await validated(database, {**booked, "coupons": 3}) == [TOO_FEW, TOO_FEW]


@pytest.mark.rule("L54")
async def test_the_very_same_order_line_twice_in_a_list_is_counted_once(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database, coupons=2)
    line = {"orderLineReference": {"orderId": "ORDER-1", "orderLineId": "1"}}
    use = a_use(program, contract, customer, coupons=2)
    assert await validated(database, {**use, **line}, {**use, **line}) == [OK, OK, OK]
    assert await validated(database, {**use, **line}, {**use, **line, "coupons": 1}) == [TOO_FEW, OK, TOO_FEW]
    assert await validated(database, use, use) == [TOO_FEW, OK, TOO_FEW]
    for part in ({}, {"orderId": "ORDER-1"}, {"orderLineId": "1"}, {"orderId": "ORDER-1", "orderLineId": None}):
        half = {**use, "orderLineReference": part}
        assert await validated(database, half, half) == [TOO_FEW, OK, TOO_FEW]


@pytest.mark.rule("L14")
async def test_what_is_held_counts_until_it_is_over(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    program, contract, customer = await a_coupon_contract(database, coupons=3)
    use = a_use(program, contract, customer)
    with monkeypatch.context() as patch:
        freeze(patch, now() - HOUR)
        await made(database, RESERVE, {**use, "coupons": 2})
    assert await validated(database, {**use, "coupons": 3}) == [OK, OK]
    await made(database, RESERVE, {**use, "coupons": 2})
    assert await validated(database, use) == [OK, OK]
    assert await validated(database, {**use, "coupons": 2}) == [TOO_FEW, TOO_FEW]


@pytest.mark.rule("L52")
async def test_coupons_have_no_effect_where_the_contract_counts_none(database: Database) -> None:
    program = await a_program(database, LoyaltyProgramType.TIMED)
    customer = await a_customer(database)
    contract: Contract = await a_contract(database, program, customer)
    assert await validated(database, a_use(program, contract, customer, coupons=10_000)) == [OK, OK]
    await made(database, REGISTER, an_event(contract))


@pytest.mark.rule("L52")
@pytest.mark.rule("L53")
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"coupons": 0}, "COUPONS_INVALID"),
        ({"coupons": -1}, "COUPONS_INVALID"),
        ({"coupons": 10_001}, "COUPONS_INVALID"),
        ({"lastTravelDate": text(soon() - HOUR)}, "DATES_REVERSED"),
        ({"lastTravelDate": text(soon() + 1100 * DAY)}, "VALUE_INVALID"),
        ({"firstTravelDate": "0001-01-01T00:00:00Z"}, "VALUE_INVALID"),
        ({"entitlementProductId": "levelA1"}, "NETEX_ID_INVALID"),
        ({"entitlementProductVersion": "V1"}, "NETEX_ID_INVALID"),
        ({"orderLineReference": {"orderId": " ", "orderLineId": "1"}}, "REQUIRED"),
        *(({"orderLineReference": {"orderId": "1", "orderLineId": each}}, code) for each, code in HOSTILE),
        *(({"entitlementProductId": each}, "NETEX_ID_INVALID") for each, _ in HOSTILE),
    ],
    ids=lambda each: each if isinstance(each, str) else "given",
)
async def test_what_makes_no_sense_is_refused(database: Database, wrong: Values, code: str) -> None:
    program, contract, customer = await a_coupon_contract(database)
    given = a_use(program, contract, customer)
    assert await refusal(database, VALIDATE, consumptions=[given, {**given, **wrong}]) is ErrorCode[code]


@pytest.mark.rule("H5")
async def test_what_is_no_uuid_is_unknown(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    given = a_use(program, contract, customer)
    for hostile in ("a\x00b", "a\ud800b", "x" * 10_000, "' OR 1=1", ""):
        found = await execute(database, VALIDATE, consumptions=[{**given, "contractUuid": hostile}])
        assert found["validateContractConsumption"]["code"] == 3102


@pytest.mark.rule("L50")
async def test_a_hundred_uses_take_as_many_statements_as_one_and_more_are_refused(database: Database) -> None:
    program, contract, customer = await a_coupon_contract(database)
    line = {"orderLineReference": {"orderId": "ORDER-1", "orderLineId": "1"}}
    uses = [a_use(program, contract, customer, **line)]
    for place in range(19):
        another = await a_contract(database, program, customer)
        uses += [
            a_use(program, another, customer, orderLineReference={"orderId": f"O{place}-{n}", "orderLineId": "1"})
            for n in range(5)
        ]
    counts = []
    for given in (uses[:1], uses):
        with statements(database) as sent:
            (found,) = (await execute(database, VALIDATE, consumptions=given)).values()
        assert (found["isValid"], len(found["results"])) == (True, len(given))
        counts.append(len(sent))
    assert counts == [4, 4]
    code = await refusal(database, VALIDATE, consumptions=uses[:1] * 101)
    assert code is ErrorCode.TOO_MANY_CONSUMPTIONS


@pytest.mark.rule("L16")
@pytest.mark.rule("L51")
async def test_no_coupon_is_taken_for_a_contract_that_would_be_over_at_once(database: Database) -> None:
    """The program of what a use makes has ended, or will have at the time of travel. Who tells of a use of before is
    heard."""
    customer = await a_customer(database)
    sold = await a_program(database, end_date=now() + DAY)
    program = await a_coupon_program(database, config_loyalty_program_id=sold.id)
    contract = await a_contract(database, program, customer)
    before, after = text(now() + DAY - HOUR), text(now() + DAY + HOUR)
    later = a_use(program, contract, customer, firstTravelDate=after)
    assert await validated(database, later) == [3111, 3111]
    refusal_ = [("LOYALTY_PROGRAM_NOT_CURRENT", "contractUuid", [contract.uuid])]
    assert await refused(database, CONSUME, {**later, **a_line()}) == refusal_
    earlier = a_use(program, contract, customer, firstTravelDate=before)
    assert await validated(database, earlier) == [OK, OK]
    assert (await made(database, CONSUME, {**earlier, **a_line()}))["subContract"]
    told = an_event(contract, "ORDER-2", travelDate=after)
    assert (await made(database, REGISTER, told))["subContract"]
