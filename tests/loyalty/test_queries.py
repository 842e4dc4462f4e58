"""loyaltyProgram(s), contract(s): what is found by whom (rules L02, L56, T04 and T05)."""

from datetime import timedelta
from typing import Any

import pytest

from datastore.base import rfc3339
from datastore.database import Database
from datastore.loyalty.contract import Contract
from datastore.loyalty.program import LoyaltyProgramType
from schema.node import written
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute, refusal
from tests.factories.customer import a_customer, a_deleted_customer, a_merged_customer
from tests.factories.loyalty import (
    DAY,
    YEAR,
    a_consumer,
    a_contract,
    a_coupon_program,
    a_points_program,
    a_program,
    now,
)
from tests.loyalty.rows import a_user

PROGRAMS = """query ($filter: LoyaltyProgramFilterInput, $first: Int, $after: String) {
    loyaltyPrograms(filter: $filter, first: $first, after: $after) { totalItems
    nodes { loyaltyProgramId versionNumber } pageInfo { endCursor } } }"""
PROGRAM = "query ($id: Long!) { loyaltyProgram(loyaltyProgramId: $id) { loyaltyProgramId versionNumber status } }"
CONTRACTS = """query ($filter: ContractFilterInput, $first: Int, $after: String) {
    contracts(filter: $filter, first: $first, after: $after) { totalItems nodes { uuid }
    pageInfo { endCursor hasNextPage } } }"""
CONTRACT = "query ($uuid: ID!) { contract(by: {uuid: $uuid}) { uuid } }"
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename } }"


async def program_ids(database: Database, filter: Any = None, viewer: Any = VIEWER) -> list[tuple[int, int]]:
    """Id and version of the programs that are found; as many as are counted."""
    found = (await execute(database, PROGRAMS, viewer, filter=filter))["loyaltyPrograms"]
    assert found["totalItems"] == len(found["nodes"])
    return [(each["loyaltyProgramId"], each["versionNumber"]) for each in found["nodes"]]


async def uuids(database: Database, filter: Any = None, viewer: Any = VIEWER) -> list[str]:
    """Those of the contracts that are found; as many as are counted."""
    found = (await execute(database, CONTRACTS, viewer, filter=filter))["contracts"]
    assert found["totalItems"] == len(found["nodes"])
    return [each["uuid"] for each in found["nodes"]]


def of(*contracts: Contract) -> list[str]:
    return [each.uuid for each in contracts]


class TestPrograms:
    @pytest.mark.rule("L02")
    async def test_each_is_answered_once_as_the_version_in_force(self, database: Database) -> None:
        moment = now()
        first = await a_program(database, start_date=moment - 3 * DAY, superseded_at=moment - DAY)
        second = {**first._asdict(), "version_number": 2, "start_date": moment - DAY, "superseded_at": moment + DAY}  # type: ignore[attr-defined]
        second.pop("id")
        await a_program(database, **second)
        await a_program(database, **{**second, "version_number": 3, "start_date": moment + DAY, "superseded_at": None})
        other = await a_program(database, start_date=moment + DAY)
        assert await program_ids(database) == [(first.id, 2), (other.id, 1)]
        for each, expected in ((first, (2, "CURRENT")), (other, (1, "DRAFT"))):
            found = (await execute(database, PROGRAM, id=each.id))["loyaltyProgram"]
            assert (found["versionNumber"], found["status"]) == expected
        assert (await execute(database, PROGRAM, id=first.id + 1))["loyaltyProgram"] is None

    async def test_all_criteria_that_are_given_must_hold(self, database: Database) -> None:
        timed, points = await a_program(database), await a_points_program(database)
        foreign = await a_program(database, organisation_id=2)
        one, two, three = ([(each.id, 1)] for each in (timed, points, foreign))
        for criteria, expected in [
            ({}, one + two),
            ({"loyaltyProgramId": timed.id}, one),
            ({"loyaltyProgramType": "POINTS"}, two),
            ({"loyaltyProgramType": "COUPONS"}, []),
            ({"productId": timed.product_id}, one),
            ({"productId": timed.product_id, "loyaltyProgramType": "POINTS"}, []),
            ({"organisationId": 1}, one + two),
            ({"productId": foreign.product_id}, []),
            ({"loyaltyProgramId": foreign.id}, []),
        ]:
            assert await program_ids(database, criteria) == expected, criteria
        assert await program_ids(database, viewer=FOREIGNER) == three
        assert await program_ids(database, viewer=INTERNAL) == one + two + three
        assert await program_ids(database, {"organisationId": 2}, INTERNAL) == three
        assert (await refusal(database, PROGRAMS, filter={"organisationId": 2})).name == "ORGANISATION_NOT_ALLOWED"
        assert (await refusal(database, PROGRAMS, filter={"productId": "  "})).name == "REQUIRED"

    async def test_they_are_paged_by_id(self, database: Database) -> None:
        made = [await a_program(database, type_) for type_ in (LoyaltyProgramType.TIMED, LoyaltyProgramType.UNMAPPED)]
        page = (await execute(database, PROGRAMS, first=1))["loyaltyPrograms"]
        assert [each["loyaltyProgramId"] for each in page["nodes"]] == [made[0].id]
        assert page["totalItems"] == 2
        after = {"first": 1, "after": page["pageInfo"]["endCursor"]}
        page = (await execute(database, PROGRAMS, **after))["loyaltyPrograms"]
        assert [each["loyaltyProgramId"] for each in page["nodes"]] == [made[1].id]
        other = {**after, "filter": {"loyaltyProgramType": "TIMED"}}
        assert (await refusal(database, PROGRAMS, **other)).name == "CURSOR_INVALID"


class TestContracts:
    @pytest.mark.rule("L56")
    async def test_all_criteria_that_are_given_must_hold(self, database: Database) -> None:
        moment = now()
        timed, coupons = await a_program(database), await a_coupon_program(database)
        kari, ola = await a_customer(database, customer_ref="kari"), await a_customer(database)
        one = await a_contract(database, timed, kari, external_ref="M 1", consumable_from=moment - 9 * DAY)
        two = await a_contract(database, coupons, ola, expiration_date=moment + DAY)
        three = await a_contract(database, coupons, expiration_date=moment + 2 * DAY, external_ref="m 1")
        await a_consumer(database, two, kari, is_blocked=True)
        later, end = moment - 9 * DAY + timedelta(milliseconds=1), moment + 2 * DAY
        for criteria, expected in [
            ({}, [one, two, three]),
            ({"uuid": two.uuid}, [two]),
            ({"uuid": "unknown"}, []),
            ({"customerNumber": kari.customer_number}, [one, two]),
            ({"customerNumber": kari.customer_number, "contractHolder": True}, [one]),
            ({"customerNumber": kari.customer_number, "contractHolder": False}, [one, two]),
            ({"customerRef": {"customerRef": "kari"}, "contractHolder": True}, [one]),
            ({"customerRef": {"customerRef": "kari", "organisationId": 1}}, [one, two]),
            ({"customerRef": {"customerRef": "kari", "organisationId": 2}}, []),
            ({"customerRef": {"customerRef": "nobody"}}, []),
            ({"customerNumber": ola.customer_number, "customerRef": {"customerRef": "kari"}}, [two]),
            ({"customerNumber": 5}, []),
            ({"loyaltyProgramId": coupons.id}, [two, three]),
            ({"loyaltyProgramId": coupons.id, "customerNumber": kari.customer_number}, [two]),
            ({"consumableAfter": rfc3339(moment - 9 * DAY), "consumableBefore": rfc3339(later)}, [one]),
            ({"consumableAfter": rfc3339(later)}, [two, three]),
            ({"consumableBefore": rfc3339(moment - 9 * DAY)}, []),
            ({"expirationDateAfter": rfc3339(end)}, [three]),
            ({"expirationDateBefore": rfc3339(end)}, [two]),
            ({"externalRef": " M 1 "}, [one]),
            ({"organisationId": 1, "externalRef": "m 1"}, [three]),
        ]:
            assert await uuids(database, criteria) == of(*expected), criteria
        for criteria, code in [
            ({"organisationId": 2}, "ORGANISATION_NOT_ALLOWED"),
            ({"externalRef": " "}, "REQUIRED"),
            ({"externalRef": "x" * 101}, "TEXT_TOO_LONG"),
            ({"contractHolder": True}, "REQUIRED"),
        ]:
            assert (await refusal(database, CONTRACTS, filter=criteria)).name == code, criteria

    async def test_they_are_paged_by_age(self, database: Database) -> None:
        program = await a_program(database)
        made = [await a_contract(database, program) for _ in range(3)]
        page = (await execute(database, CONTRACTS, first=2))["contracts"]
        assert [each["uuid"] for each in page["nodes"]] == of(*made[:2])
        assert page["totalItems"] == 3
        after = {"first": 2, "after": page["pageInfo"]["endCursor"]}
        page = (await execute(database, CONTRACTS, **after))["contracts"]
        assert [each["uuid"] for each in page["nodes"]] == of(made[2])
        assert page["pageInfo"]["hasNextPage"] is False
        other = {**after, "filter": {"loyaltyProgramId": program.id}}
        assert (await refusal(database, CONTRACTS, **other)).name == "CURSOR_INVALID"
        assert (await refusal(database, CONTRACTS, first=1001)).name == "PAGE_SIZE_INVALID"

    @pytest.mark.rule("T04")
    @pytest.mark.rule("L56")
    async def test_foreign_ones_are_unknown_and_internal_callers_see_all(self, database: Database) -> None:
        kari, foreign = await a_customer(database), await a_customer(database, organisation_id=2)
        one = await a_contract(database, await a_program(database), kari, external_ref="same")
        two = await a_contract(database, await a_program(database, organisation_id=2), foreign, external_ref="same")
        by_number = {"customerNumber": foreign.customer_number}
        reference = {"customerRef": {"customerRef": foreign.customer_ref, "organisationId": 2}}
        for criteria in ({"uuid": two.uuid}, by_number, reference, {"loyaltyProgramId": two.loyalty_program_id}):
            assert await uuids(database, criteria) == [], criteria
            assert await uuids(database, criteria, FOREIGNER) == of(two), criteria
            assert await uuids(database, criteria, INTERNAL) == of(two), criteria
        assert await uuids(database, {"externalRef": "same"}) == of(one)
        assert await uuids(database, {"externalRef": "same"}, INTERNAL) == of(one, two)
        assert await uuids(database, {"organisationId": 2}, INTERNAL) == of(two)
        assert await uuids(database, {"organisationId": 99}, INTERNAL) == []
        ids = [written("Contract", one.uuid), written("LoyaltyProgram", one.loyalty_program_id)]
        for viewer, expected in (
            (VIEWER, [{"__typename": "Contract"}, {"__typename": "LoyaltyProgram"}]),
            (INTERNAL, [{"__typename": "Contract"}, {"__typename": "LoyaltyProgram"}]),
            (FOREIGNER, [None, None]),
        ):
            assert (await execute(database, NODES, viewer, ids=ids))["nodes"] == expected
            found = (await execute(database, CONTRACT, viewer, uuid=one.uuid))["contract"]
            assert found == (None if viewer is FOREIGNER else {"uuid": one.uuid})

    @pytest.mark.rule("C40")
    @pytest.mark.rule("L56")
    async def test_a_merged_number_means_its_survivor_and_a_deleted_one_nobody(self, database: Database) -> None:
        kari = await a_customer(database)
        old = await a_merged_customer(database, kari)
        older = await a_merged_customer(database, old)
        gone = await a_deleted_customer(database)
        program = await a_program(database)
        one, two = await a_contract(database, program, kari), await a_contract(database, program, older)
        await a_consumer(database, one, old)
        await a_contract(database, program, gone)
        for each in (kari, old, older):
            for key in ({"customerNumber": each.customer_number}, {"customerRef": {"customerRef": each.customer_ref}}):
                assert await uuids(database, key) == of(one, two)
                assert await uuids(database, {**key, "contractHolder": True}) == of(one, two)
        assert await uuids(database, {"customerNumber": gone.customer_number}) == []

    @pytest.mark.rule("T05")
    async def test_users_find_those_whose_consumer_they_are(self, database: Database) -> None:
        kari, ola, other = [await a_customer(database) for _ in range(3)]
        old = await a_merged_customer(database, kari)
        program = await a_program(database)
        one, two = await a_contract(database, program, kari), await a_contract(database, program, ola)
        await a_consumer(database, two, kari, is_blocked=True)
        three = await a_contract(database, program, old)
        four = await a_contract(database, program, other)
        user = a_user(kari, old)
        assert await uuids(database, None, user) == of(one, two, three)
        assert await uuids(database, {"contractHolder": True}, user) == of(one, three)
        assert await uuids(database, {"customerNumber": kari.customer_number}, user) == of(one, two, three)
        assert await uuids(database, {"customerNumber": ola.customer_number}, user) == []
        assert await uuids(database, {"uuid": four.uuid}, user) == []
        assert (await execute(database, CONTRACT, user, uuid=four.uuid))["contract"] is None
        assert (await execute(database, CONTRACT, user, uuid=two.uuid))["contract"] == {"uuid": two.uuid}
        assert await uuids(database, None, a_user(await a_customer(database))) == []
        found = await execute(database, PROGRAM, user, id=program.id)
        assert found["loyaltyProgram"]["loyaltyProgramId"] == program.id


async def test_an_ended_program_is_still_found(database: Database) -> None:
    program = await a_program(database, start_date=now() - YEAR, end_date=now() - DAY)
    assert await program_ids(database) == [(program.id, 1)]
    assert (await execute(database, PROGRAM, id=program.id))["loyaltyProgram"]["status"] == "DEPRECATED"
