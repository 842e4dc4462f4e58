"""Who may have a contract, and whose it becomes (rules L20, L21, L40 and L41).

Whoever claims a contract, or is added to one, does not see it yet; so these statements do not ask what the viewer may
see but what belongs to an organisation, and whoever calls them says which one.
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, literal_column, or_, select
from sqlalchemy.orm import aliased

from datastore.base import broad
from datastore.customer import Customer, CustomerStatus
from datastore.employee.personnel import FamilyMember
from datastore.loyalty.contract import Contract, ContractConsumer, ContractStatus, Policy
from datastore.loyalty.program import LoyaltyProgram
from datastore.loyalty.reads import with_merged
from datastore.reading import among, records
from datastore.viewer import Viewer
from datastore.writing import Write

MOST_CANDIDATES = 20
"""How many contracts with one external reference are looked at, the newest first."""
MERGES = 5
"""How often a customer may be merged while it is being locked."""


def by_number(number: int) -> ColumnElement[bool]:
    return Customer.customer_number == number


def by_reference(reference: str) -> ColumnElement[bool]:
    return Customer.customer_ref == reference


async def customer(
    write: Write, viewer: Viewer, condition: ColumnElement[bool], allowed: Collection[int] | None = None
) -> Customer | None:
    """The customer that meets the condition, or the one it was merged into, locked to the end of the transaction. None
    where the viewer, who need not be the caller, may not see it, it is deleted, or its key is not `allowed`; then
    nothing is locked, so that it takes what an unknown one takes."""
    for _ in range(MERGES):
        reached = await write.session.execute(Customer.reached(viewer, Customer.id, condition))
        found = records(Customer, reached)
        if not found or (allowed is not None and found[0].id not in allowed):
            return None
        here = select(Customer).where(Customer.id == found[0].id).with_for_update()
        locked = (await write.session.scalars(here, execution_options={"populate_existing": True})).one_or_none()
        if locked is None or locked.status is CustomerStatus.DELETED:
            return None
        if locked.merged_into_id is None:
            return locked
    return None


async def customer_of(
    write: Write, organisation_id: int, condition: ColumnElement[bool], allowed: Collection[int] | None = None
) -> Customer | None:
    """As `customer`, one of the organisation, whether the caller may see it or not."""
    return await customer(write, Viewer(organisation_id), condition, allowed)


async def belonging(write: Write, contract_uuid: str) -> frozenset[int]:
    """The keys of those whom a user may name who holds the contract: profiles that are connected to the user's own,
    those of the families of the user's employments, and those who may use the contract already."""
    viewer = write.viewer
    member = FamilyMember
    family = (among(member.employee_id, viewer.employee_ids), member.is_deleted.is_(False))
    numbers = select(member.customer_number).where(*family, member.customer_number.is_not(None))
    theirs = or_(among(Customer.parent_id, viewer.customer_ids), Customer.customer_number.in_(numbers))
    found = await write.session.execute(Customer.reached(Viewer(viewer.organisation_id), Customer.id, theirs))
    row = ContractConsumer
    held = (Contract.uuid == contract_uuid, among(Contract.holder_id, viewer.customer_ids))
    used = select(row.customer_id).join(Contract, Contract.id == row.contract_id).where(*held)
    return frozenset((*(each.id for each in records(Customer, found)), *await write.session.scalars(used)))


async def organisation_of(write: Write, contract_uuid: str) -> int | None:
    """The organisation of a contract that the viewer may see. Nothing is locked: it never changes."""
    found = select(Contract.organisation_id).where(Contract.visible_to(write.viewer), Contract.uuid == contract_uuid)
    organisation_id: int | None = await write.session.scalar(found)
    return organisation_id


def profiles_of(customer_id: int) -> Select[Any]:
    """Select the keys of a customer and of all that were merged into it. A merge leaves rows with the merged profile
    where the survivor has its own: what they say of a person counts all the same."""
    start = select(Customer.id.label("root"), Customer.id.label("id")).where(Customer.id == customer_id)
    return select(with_merged(start).c.id)


async def consumer(write: Write, contract_id: int, customer_id: int) -> list[ContractConsumer]:
    """The rows of the customer as a consumer of a contract, locked: its own, then those of merged profiles."""
    return (await as_consumer(write, [contract_id], customer_id)).get(contract_id, [])


# What can be claimed


async def with_reference(
    write: Write, organisation_id: int, external_ref: str, loyalty_program_id: int | None = None
) -> Sequence[Contract]:
    """The contracts of an organisation, and of a program if one is given, that have this external reference and have
    not ended, locked, the newest first."""
    row = Contract
    found = select(row).where(
        row.external_ref == external_ref,
        row.organisation_id == organisation_id,
        row.status == ContractStatus.VALID,
        row.ends_at > write.now,
    )
    if loyalty_program_id is not None:
        found = found.where(row.loyalty_program_id == loyalty_program_id)
    found = found.order_by(row.id.desc()).limit(MOST_CANDIDATES).with_for_update()
    return (await write.session.scalars(found)).all()


async def as_consumer(
    write: Write, contract_ids: Collection[int], customer_id: int
) -> dict[int, list[ContractConsumer]]:
    """As `consumer`, for each of these locked contracts, by the key of the contract, where the customer is one."""
    row = ContractConsumer
    rows = select(row).where(among(row.contract_id, contract_ids), row.customer_id.in_(profiles_of(customer_id)))
    rows = rows.order_by(row.customer_id != customer_id, row.id).with_for_update()
    found: dict[int, list[ContractConsumer]] = {}
    for each in await write.session.scalars(rows):
        found.setdefault(each.contract_id, []).append(each)
    return found


async def policies(write: Write, contract_ids: Collection[int]) -> dict[int, list[Policy]]:
    """The policies of each of these contracts."""
    result = await write.session.execute(select(*Policy.__table__.c).where(among(Policy.contract_id, contract_ids)))
    found: dict[int, list[Policy]] = {key: [] for key in contract_ids}
    for each in records(Policy, result):
        found[each.contract_id].append(each)
    return found


# Programs


async def version_in_force(write: Write, loyalty_program_id: int) -> LoyaltyProgram | None:
    """The version in force of a program that the viewer may see, or the first one if none has started."""
    row = LoyaltyProgram
    found = select(row).where(
        row.visible_to(write.viewer), row.loyalty_program_id == loyalty_program_id, row.in_force(write.now)
    )
    return (await write.session.scalars(found)).one_or_none()


async def version_by_code(write: Write, organisation_id: int, code_key: str) -> LoyaltyProgram | None:
    """The version in force of the program of an organisation that has this code, whether the caller may see it or
    not."""
    row: Any = LoyaltyProgram
    first: Any = aliased(LoyaltyProgram)
    coded = select(first.loyalty_program_id).where(
        broad(first.organisation_id == organisation_id),
        first.code_key == code_key,
        first.version_number == literal_column("1"),  # as in the index
    )
    found = select(row).where(row.loyalty_program_id == coded.scalar_subquery(), row.in_force(write.now))
    version: LoyaltyProgram | None = (await write.session.scalars(found)).one_or_none()
    return version
