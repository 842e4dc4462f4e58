"""The timed contracts that the use of coupons makes (rule L16)."""

import uuid
from datetime import UTC, datetime, time

from datastore.customer import Customer
from datastore.loyalty import consuming as statements
from datastore.loyalty.contract import Contract, ContractConsumer, ContractStatus
from datastore.loyalty.program import CouponConfig, LoyaltyProgram, LoyaltyProgramType
from datastore.writing import Write
from resolvers import formats
from resolvers.errors import ErrorCode, refuse
from resolvers.oslo import OSLO, later, today

LONGEST_CLIENT_NAME = 100
ENDED_BY_CANCELLATION = (ContractStatus.VALID, ContractStatus.EXPIRED)
"""A contract that was refunded or misused stays so."""


async def make_sub_contract(
    write: Write,
    parent: Contract,
    program: LoyaltyProgram,
    user: Customer | None,
    travel_date: datetime,
    since: datetime,
) -> Contract | None:
    """The contract that a use of a contract of coupons makes, of the program that the version in force says; None for
    programs of another type. It starts at the travel date, or at `since` if that is later, or at the time of that day
    which the program says. Its consumers are the holder and whoever used the coupons; that is its holder, where nobody
    holds the parent.

    Raises `Refused`: LOYALTY_PROGRAM_NOT_CURRENT for a use of now, where the program of what it makes has ended.
    """
    if program.loyalty_program_type is not LoyaltyProgramType.COUPONS:
        return None
    config = await write.session.get(CouponConfig, program.id)
    if config is None:
        return None
    sold, program_ends_at = await statements.program_to_sell(write, config)
    if since == write.now and program_ends_at <= max(travel_date, since):
        raise refuse(ErrorCode.LOYALTY_PROGRAM_NOT_CURRENT, "contractUuid", rejected=[parent.uuid])
    starts_at = start_of(travel_date, since, config.default_start_time)
    expires_at = end_of(starts_at, config.usage_validity_period or sold.usage_validity_period)
    holder_id = parent.holder_id if parent.holder_id is not None else user.id if user else None
    by = write.client_name[:LONGEST_CLIENT_NAME]
    known = {"created_at": write.now, "created_by": by, "last_changed_at": write.now, "last_changed_by": by}
    made = Contract(
        uuid=str(uuid.uuid4()),
        organisation_id=parent.organisation_id,
        loyalty_program_id=config.loyalty_program_id,
        holder_id=holder_id,
        parent=parent.uuid,
        status=ContractStatus.VALID,
        consumable_from=starts_at,
        expiration_date=expires_at,
        ends_at=program_ends_at if expires_at is None else min(expires_at, program_ends_at),
        passenger_category=parent.passenger_category,
        **known,
    )
    write.session.add(made)
    await write.session.flush()
    people = dict.fromkeys(each for each in (holder_id, user.id if user else None) if each is not None)
    for customer_id in people:
        is_holder = customer_id == holder_id
        write.session.add(
            ContractConsumer(contract_id=made.id, customer_id=customer_id, is_contract_holder=is_holder, **known)
        )
    await write.session.flush()
    return made


async def cancel_sub_contract(write: Write, uuid: str) -> Contract:
    """The contract that a use has made, cancelled with it."""
    made: Contract = await write.get(Contract.uuid, uuid)
    if made.status in ENDED_BY_CANCELLATION:
        made.status = ContractStatus.CANCELLED
        made.last_changed_at = write.now
        made.last_changed_by = write.client_name[:LONGEST_CLIENT_NAME]
    return made


def start_of(travel_date: datetime, since: datetime, start_time: str | None) -> datetime:
    """When a contract starts that is made by a use: by the clock in Norway, if the program says when. A time that is
    left out in spring is as much later; of the two in autumn it is the first."""
    if start_time is None:
        return max(travel_date, since)
    return datetime.combine(today(travel_date), time.fromisoformat(start_time), OSLO).astimezone(UTC)


def end_of(starts_at: datetime, period: str | None) -> datetime | None:
    """When it expires: days are of the calendar in Norway, so that the clock says the same; the rest is time."""
    return None if period is None else later(starts_at, *formats.duration(period))
