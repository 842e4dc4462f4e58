"""Statements about the use of contracts.

Who writes about the use of a contract locks, in this order: its holder and whoever uses it by ascending id, the
contract, what hangs on it, the program of a contract to be made, and at last what an employee saves.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, not_, or_, select
from sqlalchemy.orm import aliased

from datastore.base import present
from datastore.customer import Customer, CustomerStatus
from datastore.customer_merge import locked
from datastore.employee.personnel import Company, Employee
from datastore.employee.rights import TaxSaving
from datastore.loyalty.contract import Contract, ContractConsumer
from datastore.loyalty.ledger import CouponYear
from datastore.loyalty.people import consumer
from datastore.loyalty.program import CouponConfig, LoyaltyProgram
from datastore.loyalty.reads import IS_NOT_BLOCKED, with_merged
from datastore.loyalty.usage import (
    ContractReservation,
    OrderLineEvent,
    OrderLineEventType,
    ReservationStatus,
    TaxDistribution,
)
from datastore.reading import among
from datastore.viewer import Viewer
from datastore.writing import Write

ROUNDS = 3
"""How often what is to be locked is looked up again, because it was merged or claimed in between."""

# What a validation reads


def contracts_to_use(viewer: Viewer, uuids: Collection[str]) -> Select[Any]:
    """Select what decides whether the contracts with these uuids can be used, the product in force, and until when
    there are contracts for a use to make (`sells_until`; null where it makes none)."""
    program, contract, sold = LoyaltyProgram, Contract, aliased(LoyaltyProgram)
    end = (
        select(sold.end_date)
        .join(CouponConfig, CouponConfig.loyalty_program_id == sold.loyalty_program_id)
        .where(CouponConfig.version_id == program.id, sold.superseded_at.is_(None))
        .correlate(program)
    )
    told: list[Any] = [contract.id, contract.uuid, contract.organisation_id, contract.status, contract.consumable_from]
    told += [contract.ends_at, contract.coupons_limit, program.product_id, program.product_version]
    told += [end.scalar_subquery().label("sells_until")]
    return (
        select(*told)
        .join(program, program.loyalty_program_id == Contract.loyalty_program_id)
        .where(Contract.visible_to(viewer), among(Contract.uuid, uuids), program.in_force())
    )


def consumers_by_number(viewer: Viewer, contract_ids: Collection[int], numbers: Collection[int]) -> Select[Any]:
    """Select `(contract_id, is_blocked, number)` of the consumers with these customer numbers; that of a merged profile
    means what it became, and who is blocked by one profile is blocked."""
    asked = among(Customer.customer_number, numbers)
    customer = Customer.reached(viewer, Customer.customer_number, asked).subquery("asked")
    person = with_merged(select(customer.c.key.label("root"), customer.c.id.label("id")))
    row = ContractConsumer
    return (
        select(row.contract_id, not_(IS_NOT_BLOCKED).label("is_blocked"), person.c.root.label("number"))
        .join(person, person.c.id == row.customer_id)
        .where(row.visible_to(viewer), among(row.contract_id, contract_ids))
        .group_by(row.contract_id, person.c.root)
    )


def coupons_left_in(viewer: Viewer, contract_ids: Collection[int], years: Collection[int]) -> Select[Any]:
    """Select `(contract_id, year, coupons)`: what is left in the years in which anything was used; what was held and is
    over counts as given back, whoever held it."""
    year: Any = CouponYear
    held: Any = aliased(ContractReservation)
    over = select(func.coalesce(func.sum(held.coupons), 0)).where(
        held.contract_id == year.contract_id,
        held.coupon_year == year.year,
        held.status == ReservationStatus.HELD,
        held.expires_at <= present(),
    )
    left = year.remaining + over.correlate_except(held).scalar_subquery()
    return select(year.contract_id, year.year, left.label("coupons")).where(
        year.visible_to(viewer), among(year.contract_id, contract_ids), among(year.year, years)
    )


def purchases(
    viewer: Viewer, organisation_ids: Collection[int], contract_ids: Collection[int], order_ids: Collection[str]
) -> Select[Any]:
    """Select `(contract_id, order_id, order_line_id)` of what was bought by these contracts and not cancelled."""
    row: Any = OrderLineEvent
    return select(row.contract_id, row.order_id, row.order_line_id).where(
        row.visible_to(viewer),
        among(row.organisation_id, organisation_ids),
        among(row.order_id, order_ids),
        among(row.contract_id, contract_ids),
        row.event_type == OrderLineEventType.PURCHASE,
        row.is_cancelled.is_(False),
    )


# What a use locks


@dataclass(frozen=True, slots=True)
class InUse:
    """A contract that is locked, the version of its program that is in force, and the customer who uses it, None where
    there is none, or a foreign one. `is_blocked` is None for somebody who is no consumer."""

    contract: Contract
    program: LoyaltyProgram
    customer: Customer | None
    is_blocked: bool | None


async def lock_for_use(write: Write, uuid: str, customer_number: int | None) -> InUse | None:
    """The contract with this uuid and the customer with this number, locked; None if there is no such contract that the
    viewer may see. The number of a merged profile means what it became, that of a deleted one nobody."""
    customer: Customer | None = None
    contract: Contract | None = None
    for _ in range(ROUNDS):
        seen = (await write.session.execute(_holder_of(write.viewer, uuid))).one_or_none()
        if seen is None:
            return None
        user = None if customer_number is None else await write.session.scalar(_user(write.viewer, customer_number))
        wanted = sorted({seen.holder_id, user} - {None})
        found = await locked(write.session, Customer.id.in_(wanted)) if wanted else []
        contract = await write.get(Contract.id, seen.id)
        if contract is None:
            return None
        customer = next((each for each in found if each.id == user), None)
        is_merged = customer is not None and customer.merged_into_id is not None
        if not is_merged and contract.holder_id in (None, *wanted):
            break
    assert contract is not None
    if customer is not None and (customer.status is CustomerStatus.DELETED or customer.merged_into_id is not None):
        customer = None
    rows = [] if customer is None else await consumer(write, contract.id, customer.id)
    is_blocked = any(each.is_blocked for each in rows) if rows else None
    return InUse(contract, await program_in_force(write, contract.loyalty_program_id), customer, is_blocked)


def _holder_of(viewer: Viewer, uuid: str) -> Select[Any]:
    told: list[Any] = [Contract.id, Contract.holder_id]
    return select(*told).where(Contract.visible_to(viewer), Contract.uuid == uuid)


def _user(viewer: Viewer, customer_number: int) -> Select[Any]:
    asked = Customer.customer_number == customer_number
    return select(Customer.reached(viewer, Customer.customer_number, asked).subquery("asked").c.id)


async def program_in_force(write: Write, program_id: int) -> LoyaltyProgram:
    """The version of a program that counts at the moment of the act."""
    row = LoyaltyProgram
    found = select(row).where(row.loyalty_program_id == program_id, row.in_force(write.now))
    return (await write.session.scalars(found)).one()


async def program_to_sell(write: Write, config: CouponConfig) -> tuple[LoyaltyProgram, datetime]:
    """The program of the contracts that a use of coupons makes, as in force, and its end; nobody publishes another
    version of it before the transaction has ended."""
    row = LoyaltyProgram
    first = select(row.id).where(row.id == config.loyalty_program_id).with_for_update(read=True)
    await write.session.execute(first)
    end = select(row.end_date).where(row.loyalty_program_id == config.loyalty_program_id, row.superseded_at.is_(None))
    ends_at = (await write.session.scalars(end)).one()
    return await program_in_force(write, config.loyalty_program_id), ends_at


async def holds_that_are_over(write: Write, contract_id: int) -> Sequence[ContractReservation]:
    """What is held of a contract although it is over, whoever asked for it. The contract is locked, and so are they."""
    row = ContractReservation
    over = select(row).where(
        row.contract_id == contract_id, row.status == ReservationStatus.HELD, row.expires_at <= write.now
    )
    found = await write.session.scalars(over.order_by(row.id).with_for_update())
    return found.all()


async def use_of_reservation(write: Write, uuid: str) -> tuple[str, int | None] | None:
    """The uuid of the contract that a reservation is of, and the number of whoever reserved; None if there is no such
    reservation that the viewer may see."""
    row = ContractReservation
    wanted = (
        select(Contract.uuid, Customer.customer_number)
        .select_from(row)
        .join(Contract, Contract.id == row.contract_id)
        .outerjoin(Customer, Customer.id == row.customer_id)
        .where(row.visible_to(write.viewer), row.uuid == uuid)
    )
    found = (await write.session.execute(wanted)).one_or_none()
    return None if found is None else (found[0], found[1])


async def order_lines(
    write: Write, organisation_id: int, order_id: str, order_line_id: str, *conditions: ColumnElement[bool]
) -> Sequence[OrderLineEvent]:
    """The events of an order line that meet the conditions, in all its versions, the newest one first. What contract
    they are of does not matter: an order line is known once in an organisation."""
    row = OrderLineEvent
    found = select(row).where(
        row.organisation_id == organisation_id,
        row.order_id == order_id,
        row.order_line_id == order_line_id,
        *conditions,
    )
    return (await write.session.scalars(found.order_by(row.id.desc()))).all()


# What is saved by it


async def distributions(write: Write, order_line_event_id: int) -> Sequence[TaxDistribution]:
    """What an order line saved, by month."""
    row = TaxDistribution
    found = select(row).where(row.order_line_event_id == order_line_event_id).order_by(row.id)
    return (await write.session.scalars(found)).all()


async def employment_of(write: Write, customer: Customer) -> int | None:
    """The key of the employment of a customer, or of a profile that was merged into it, in a company of the same
    organisation; the newest of several, deleted ones left out."""
    merged = select(Customer.id, Customer.customer_number).where(Customer.id == customer.id)
    chain = merged.cte("merged", recursive=True)
    other = aliased(Customer)
    chain = chain.union(select(other.id, other.customer_number).join(chain, other.merged_into_id == chain.c.id))
    found = (
        select(Employee.id)
        .join(Company, Company.id == Employee.company_id)
        .where(
            Employee.customer_number.in_(select(chain.c.customer_number)),
            Employee.is_deleted.is_(False),
            Company.organisation_id == customer.organisation_id,
        )
    )
    key: int | None = await write.session.scalar(found.order_by(Employee.id.desc()).limit(1))
    return key


async def savings(
    write: Write, employee_id: int, months: Collection[tuple[int, int]]
) -> dict[tuple[int, int], TaxSaving]:
    """What an employee has saved in these months, by year and month, those without anything left out. Nobody else
    changes it before the transaction has ended."""
    await write.lock("tax-saving", employee_id)
    row = TaxSaving
    is_meant = or_(*(and_(row.year == year, row.month == month) for year, month in months))
    wanted = select(row).where(row.employee_id == employee_id, is_meant).with_for_update()
    found = await write.session.scalars(wanted, execution_options={"populate_existing": True})
    return {(each.year, each.month): each for each in found}
