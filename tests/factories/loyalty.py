"""Builders of stored loyalty programs, contracts and their consumers.

Each inserts one row, or one with what it is never without, and returns it as a record; a keyword sets a column to
another value than the docstring says. Times are relative to the present, as reads compare with it.
"""

import uuid
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from sqlalchemy import update

from datastore.base import milliseconds
from datastore.customer import Customer
from datastore.database import Database
from datastore.loyalty import contract as contracts
from datastore.loyalty import program as programs
from datastore.loyalty.contract import Contract, ContractConsumer
from datastore.loyalty.program import CouponConfig, LoyaltyProgram, LoyaltyProgramType
from datastore.loyalty.usage import OrderLineEvent, OrderLineEventType
from resolvers.oslo import today
from tests.factories.customer import ORGANISATION, inserted

CLIENT = "test-client"
DAY, YEAR = timedelta(days=1), timedelta(days=365)
_numbers = count(1)


def now() -> datetime:
    """The present moment as it is stored."""
    return milliseconds(datetime.now(UTC))


async def a_program(
    database: Database, type_: LoyaltyProgramType = LoyaltyProgramType.TIMED, **values: Any
) -> LoyaltyProgram:
    """Version 1 of a program of organisation 1, in force since a year and for ten more, with a product of its own
    (`ENT:EntitlementProduct:test1`, version `ENT:Version:V1`), unlimited, without a code."""
    number = next(_numbers)
    moment = now()
    given = {
        "loyalty_program_id": 0,
        "version_number": 1,
        "organisation_id": ORGANISATION,
        "product_id": f"ENT:EntitlementProduct:test{number}",
        "product_version": "ENT:Version:V1",
        "loyalty_program_type": type_,
        "loyalty_program_code": None,
        "code_key": None,
        "internal_description": "A program of tests.",
        "start_date": moment - YEAR,
        "end_date": moment + 10 * YEAR,
        "superseded_at": None,
        "usage_validity_period": None,
        "created_at": moment - YEAR,
        "created_by": CLIENT,
        "version": 1,
        **values,
    }
    (made,) = await inserted(database, LoyaltyProgram, given)
    if not given["loyalty_program_id"]:
        async with database.write() as session:
            table: Any = LoyaltyProgram.__table__
            await session.execute(update(table).where(table.c.id == made.id).values(loyalty_program_id=made.id))
        made = made._replace(loyalty_program_id=made.id)  # type: ignore[attr-defined]
    return made


async def a_coupon_program(database: Database, quantity: int = 10, **values: Any) -> LoyaltyProgram:
    """A program of 10 coupons, the use of which creates a contract of a program of one day, `P1D`. Values that begin
    with `config_` are those of the coupon configuration."""
    config = {name.removeprefix("config_"): values.pop(name) for name in list(values) if name.startswith("config_")}
    if "loyalty_program_id" not in config:
        of_organisation = {"organisation_id": values["organisation_id"]} if "organisation_id" in values else {}
        config["loyalty_program_id"] = (await a_program(database, **of_organisation)).id
    made = await a_program(database, LoyaltyProgramType.COUPONS, **values)
    given = {"default_start_time": None, "usage_validity_period": "P1D", **config}
    await inserted(database, CouponConfig, {"version_id": made.id, "default_quantity": quantity, **given})
    return made


async def a_points_program(database: Database, **values: Any) -> LoyaltyProgram:
    """A program of points, unlimited."""
    return await a_program(database, LoyaltyProgramType.POINTS, **values)


async def a_contract(
    database: Database, program: LoyaltyProgram, holder: Customer | None = None, **values: Any
) -> Contract:
    """A valid contract of the program, consumable since yesterday and as long as the program, with its holder as its
    one consumer. For a program of coupons it has 10 unless `coupons_limit` says otherwise."""
    moment = now()
    is_of_coupons = program.loyalty_program_type is LoyaltyProgramType.COUPONS
    given: dict[str, Any] = {
        "uuid": str(uuid.uuid4()),
        "organisation_id": program.organisation_id,
        "loyalty_program_id": program.loyalty_program_id,
        "holder_id": holder.id if holder else None,
        "parent": None,
        "status": contracts.ContractStatus.VALID,
        "consumable_from": moment - DAY,
        "expiration_date": None,
        "acceptance_date": None,
        "external_ref": None,
        "coupons_limit": 10 if is_of_coupons else None,
        "passenger_category": contracts.PassengerCategory.ADULT,
        "ticket_order_id": None,
        "created_at": moment - DAY,
        "created_by": CLIENT,
        "last_changed_at": moment - DAY,
        "last_changed_by": CLIENT,
        "version": 1,
        **values,
    }
    ends = [program.end_date, *([given["expiration_date"]] if given["expiration_date"] else [])]
    (made,) = await inserted(database, Contract, {"ends_at": min(ends), **given})
    if holder:
        await a_consumer(database, made, holder, is_contract_holder=True)
    return made


async def a_consumer(database: Database, contract: Contract, customer: Customer, **values: Any) -> ContractConsumer:
    """A consumer of the contract, neither its holder nor blocked."""
    moment = now()
    given = {
        "contract_id": contract.id,
        "customer_id": customer.id,
        "is_contract_holder": False,
        "is_blocked": False,
        "created_at": moment,
        "created_by": CLIENT,
        "last_changed_at": moment,
        "last_changed_by": CLIENT,
        **values,
    }
    return (await inserted(database, ContractConsumer, given))[0]


async def a_description(database: Database, program: LoyaltyProgram, **values: Any) -> Any:
    """What the program is called in Bokmål: "Klippekort"."""
    moment = now()
    given = {
        "loyalty_program_id": program.loyalty_program_id,
        "language_code": "NOB",
        "display_name": "Klippekort",
        "description": "Ti reiser.",
        "created_at": moment,
        "created_by": CLIENT,
        "last_changed_at": moment,
        "last_changed_by": CLIENT,
        "version": 1,
        **values,
    }
    return (await inserted(database, programs.LoyaltyProgramDescription, given))[0]


async def an_order_line(database: Database, contract: Contract, **values: Any) -> OrderLineEvent:
    """A purchase on an order of its own by the holder, who travels now: 100.00 instead of 150.00, one coupon if the
    contract has any. Neither the ledger nor the coupons of the year know of it."""
    moment = now()
    number = next(_numbers)
    given = {
        "contract_id": contract.id,
        "customer_id": contract.holder_id,
        "organisation_id": contract.organisation_id,
        "order_id": f"ORDER{number}",
        "order_line_id": "1",
        "order_line_version": "1",
        "event_type": OrderLineEventType.PURCHASE,
        "is_cancelled": False,
        "is_purchased": False,
        "cancels_id": None,
        "timestamp": moment,
        "price": 100_00,
        "original_price": 150_00,
        "travel_date": moment,
        "last_travel_date": moment,
        "coupons_used": None if contract.coupons_limit is None else 1,
        "coupon_year": today(moment).year,
        "codespace": None,
        "order_line_text": "Single ticket",
        "manual_transaction_comment": None,
        "effective_cancellation_date": None,
        "sub_contract": None,
        **values,
    }
    return (await inserted(database, OrderLineEvent, given))[0]
