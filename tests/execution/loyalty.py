"""Loyalty programs and contracts whose values are as nasty as the database takes them, and what exists of them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from datastore import customer as stored
from datastore.database import Database
from datastore.loyalty import contract, ledger, program, usage
from resolvers.oslo import today
from schema.node import written
from tests.factories.customer import inserted

PAST, FUTURE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)
NOBODYS = "00000000-0000-4000-8000-000000000000"


async def nasty_contracts(database: Database, values: Any) -> None:
    """A program of each type, in two versions, and contracts with one of everything for the customers with the nastiest
    values: whose holder is merged, deleted or nobody, that share a consumer, and that a use has created."""
    numbers = (2**63 - 1, 2**53 + 1, 0, 2_000_000_000)
    found = stored.Customer.__table__
    wanted = select(found.c.id).where(found.c.customer_number.in_(numbers)).order_by(found.c.id)
    people = [each.id for each in await database.fetch(wanted)]

    async def one(row: type[Any], **more: Any) -> Any:
        return (await inserted(database, row, {**values.of(row), **more}))[0]

    def dated(**more: Any) -> dict[str, Any]:
        return {"start_date": PAST, "end_date": FUTURE, "superseded_at": None, "usage_validity_period": None, **more}

    programs: list[Any] = []
    for place, kind in enumerate(program.LoyaltyProgramType):
        key, half = 10_000_000 + 10 * place, datetime(2025, 1, 1, tzinfo=UTC)
        of = {"loyalty_program_id": key, "organisation_id": 1 + place % 2, "loyalty_program_type": kind}
        texts = {"product_id": f"{place} {values.text(60)}", "loyalty_program_code": f"{place} {values.text(30)}"}
        first = dated(id=key, version_number=1, superseded_at=half)
        programs.append(await one(program.LoyaltyProgram, **of, **texts, **first, code_key=f"nasty{place}"))
        second = dated(id=key + 1, version_number=2, start_date=half)
        await one(program.LoyaltyProgram, **of, **texts, **second, code_key=f"nasty{place}")
        for language in ("NOB", "ENG"):
            await one(program.LoyaltyProgramDescription, loyalty_program_id=key, language_code=language)
        config = {"loyalty_program_id": programs[0].id, "usage_validity_period": "P1D"}
        await one(program.CouponConfig, version_id=key + 1, **config)
    made: list[Any] = []
    for place in range(8):
        of_program = programs[place % 4]
        holder = people[place % len(people)] if place != 5 else None
        given = {
            "id": 10_000_000 + place,
            "uuid": f"{place:036d}",
            "organisation_id": of_program.organisation_id,
            "loyalty_program_id": of_program.id,
            "holder_id": holder,
            "parent": made[-1].uuid if place in (2, 6) else None,
            "consumable_from": PAST,
            "ends_at": PAST if place == 3 else FUTURE,
            "coupons_limit": None if place % 2 else 2**31 - 1,
        }
        made.append(await one(contract.Contract, **given))
        for number, customer in enumerate(dict.fromkeys((holder, people[0], people[-1]))):
            if customer is not None:
                shares = {"is_contract_holder": customer == holder, "is_blocked": number == 2}
                await one(contract.ContractConsumer, contract_id=made[-1].id, customer_id=customer, **shares)
        await belongings(one, made, holder)


async def belongings(one: Any, made: list[Any], holder: int | None) -> None:
    """One of everything that hangs on the last of these contracts, which may lead to the one before."""
    of, other = {"contract_id": made[-1].id}, made[-2] if len(made) > 1 else None
    year = today().year
    for key in (contract.PolicyKey.EMAIL, contract.PolicyKey.SURNAME):
        await one(contract.Policy, **of, key=key, value_hash="0" * 64)
    await one(ledger.TotalAmount, **of)
    bounds = {"starts_at": datetime(year, 1, 1, tzinfo=UTC), "ends_at": datetime(year + 1, 1, 1, tzinfo=UTC)}
    await one(ledger.CouponYear, **of, **bounds, year=year, remaining=3)
    before = None
    for number in range(3):
        internal = f"{made[-1].id} {number}"
        before = await one(
            ledger.Transaction, **of, internal_transaction_id=internal, reverses_id=before.id if before else None
        )
    line: Any = None
    for number in range(3):
        line = await one(
            usage.OrderLineEvent,
            **of,
            customer_id=holder,
            organisation_id=made[-1].organisation_id,
            order_line_version=f"{made[-1].id} {number}",
            cancels_id=line.id if line else None,
            sub_contract=other.uuid if other else None,
        )
        for _ in range(2):
            await one(usage.TaxDistribution, order_line_event_id=line.id)
    for number, expires_at in enumerate((PAST, FUTURE)):
        held = {"uuid": f"{made[-1].id:034d} {number}", "expires_at": expires_at, "customer_id": holder}
        held |= {"coupon_year": year, "coupons": 1}
        await one(usage.ContractReservation, **of, **held, order_line_event_id=line.id if number else None)


async def loyalty_pools(database: Database) -> dict[str, list[Any]]:
    """What exists of contracts, by the names of arguments; and under `nodes` ids of nodes, under `uuids` those of
    contracts."""

    async def of(column: Any, count: int) -> list[Any]:
        key = column.table.c["id"]
        found = [
            each[0]
            for order in (key, key.desc())
            for each in await database.fetch(select(column).order_by(order).limit(count))
        ]
        return [each for each in dict.fromkeys(found) if each is not None]

    contracts, programs = contract.Contract.__table__.c, program.LoyaltyProgram.__table__.c
    uuids, ids = await of(contracts["uuid"], 10), await of(programs["loyalty_program_id"], 8)
    return {
        "contractUuid": [*uuids, NOBODYS, "!"],
        "uuids": uuids,
        "loyaltyProgramId": [*ids, 7_000_000],
        "productId": [*await of(programs["product_id"], 6), "ENT:EntitlementProduct:none"],
        "externalRef": [*await of(contracts["external_ref"], 8), "unknown"],
        "consumableAfter": ["2024-01-01T00:00:00Z", "2020-01-01T00:00:00Z"],
        "consumableBefore": ["2026-01-01T00:00:00Z", "2020-01-01T00:00:00.001Z"],
        "expirationDateAfter": ["2024-01-01T00:00:00Z", "0001-01-01T00:00:00Z"],
        "expirationDateBefore": ["2027-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"],
        "travelDate": ["2025-06-01T12:00:00Z", "2026-03-01T00:00:00Z", "2030-01-01T00:00:00Z"],
        "nodes": [
            *(written("Contract", key) for key in uuids),
            *(written("LoyaltyProgram", key) for key in ids),
            written("Contract", NOBODYS),
        ],
    }
