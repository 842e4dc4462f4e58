"""Making contracts, accepting them, and what becomes of them (rules L10 to L13, L20, L21, L43 and L44)."""

import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any
from uuid import uuid4

import strawberry
from sqlalchemy.orm.attributes import flag_modified
from strawberry import ID

from datastore.customer import Customer
from datastore.loyalty import contract as stored
from datastore.loyalty import people as statements
from datastore.loyalty.contract import ContractStatus, PassengerCategory
from datastore.loyalty.ends import end_of_program
from datastore.loyalty.program import CouponConfig, LoyaltyProgram, LoyaltyProgramType
from datastore.writing import Write
from resolvers import formats
from resolvers.customer.changing import CHANNEL, same_version
from resolvers.customer.inputs import EXPECTED_VERSION
from resolvers.customer.preferences import own_organisation
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems, checked, stored_form
from resolvers.loyalty.policies import ContractPolicyInput, given_policies, hashed
from resolvers.loyalty.shown import LoyaltyProgramStatus, contract_status, program_status
from resolvers.oslo import later, today
from resolvers.scalars import Long

UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
YEARS = range(1900, 3000)
COUPONS = range(1, 10_001)
ADULT_FROM, SENIOR_FROM = 18, 67
FINAL = frozenset({ContractStatus.REFUNDED, ContractStatus.CANCELLED, ContractStatus.MISUSED})
"""What a contract can become, and stays."""

CONTRACT = "Uuid of the contract."
CUSTOMER_REF = "Reference of the customer in the organisation of the contract, instead of its number."
LIMIT = "Coupons in a calendar year, from 1 to 10,000; for programs of coupons, by default as many as the program says."
EXPIRES = (
    "When it expires, after consumableFrom; by default as the loyalty program says. Programs of coupons say nothing."
)
CATEGORY = "Kind of passenger; by default by the age of the holder on the day of consumableFrom. STUDENT only if given."
ORGANISATION = (
    "The organisation that it concerns, which is that of the program. Only internal callers may name another."
)


@strawberry.input(description="A new contract of a loyalty program.")
class CreateContractInput:
    loyalty_program_id: Long = strawberry.field(description="Id of the program, which must be current.")
    customer_number: Long | None = strawberry.field(
        default=None, description="Number of the holder; without a holder it can be claimed."
    )
    customer_ref: str | None = strawberry.field(default=None, description=CUSTOMER_REF)
    consumable_from: datetime | None = strawberry.field(
        default=None, description="From when on it can be used; by default now."
    )
    expiration_date: datetime | None = strawberry.field(default=None, description=EXPIRES)
    external_ref: str | None = strawberry.field(
        default=None, description="External reference, by which it can be claimed. At most 100 characters."
    )
    coupons_limit: int | None = strawberry.field(default=None, description=LIMIT)
    policies: list[ContractPolicyInput] | None = strawberry.field(
        default=None, description="What whoever claims it must be like, all of it. Each key once."
    )
    passenger_category: PassengerCategory | None = strawberry.field(default=None, description=CATEGORY)
    ticket_order_id: str | None = strawberry.field(
        default=None, description="Order of the ticket that is included, if one is. At most 60 characters."
    )
    organisation_id: Long | None = strawberry.field(default=None, description=ORGANISATION)


@strawberry.input(description="A contract that the customer accepts.")
class AcceptContractInput:
    contract_uuid: ID = strawberry.field(description=CONTRACT)
    acceptance_date: datetime | None = strawberry.field(
        default=None, description="When the customer accepted it; by default now. For users not in the future."
    )


@strawberry.input(description="What has become of a contract.")
class SetContractStatusInput:
    contract_uuid: ID = strawberry.field(description=CONTRACT)
    status: ContractStatus = strawberry.field(description="REFUNDED, CANCELLED or MISUSED; it stays so.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)


async def create_contract(write: Write, given: CreateContractInput) -> stored.Contract:
    """The contract, with its holder as its one consumer if there is a holder (L11 to L13, L20, L21, L43).

    Raises `Refused`: ORGANISATION_NOT_ALLOWED, LOYALTY_PROGRAM_NOT_FOUND (foreign ones too, T04),
    LOYALTY_PROGRAM_TYPE_NOT_ALLOWED for UNMAPPED, LOYALTY_PROGRAM_NOT_CURRENT for drafts, for programs that have ended
    and for contracts that could be used only after that, EXACTLY_ONE_NEEDED, CUSTOMER_NOT_FOUND for deleted ones and
    those of other organisations too, DATES_REVERSED, VALUE_INVALID for times centuries away, COUPON_CONFIG_NOT_ALLOWED,
    COUPONS_INVALID, what `given_policies` refuses, TEXT_TOO_LONG, TEXT_INVALID.
    """
    own_organisation(write.viewer, given.organisation_id)
    version = await statements.version_in_force(write, given.loyalty_program_id)
    if version is None or given.organisation_id not in (None, version.organisation_id):
        raise refuse(ErrorCode.LOYALTY_PROGRAM_NOT_FOUND, "loyaltyProgramId", rejected=[given.loyalty_program_id])
    problems = Problems()
    holder = None
    if given.customer_number is not None or given.customer_ref is not None:
        holder = await named_customer(write, problems, version.organisation_id, given)
    skip = {"loyalty_program_id", "organisation_id"}
    values = {"consumable_from": write.now, **checked(problems, given, stored.Contract, {}, skip=skip)}
    policies = given_policies(problems, given.policies or [])
    _possible_times(problems, values)
    if given.coupons_limit is not None:
        if version.loyalty_program_type is not LoyaltyProgramType.COUPONS:
            problems.add(ErrorCode.COUPON_CONFIG_NOT_ALLOWED, "couponsLimit", rejected=[given.coupons_limit])
        elif given.coupons_limit not in COUPONS:
            problems.add(ErrorCode.COUPONS_INVALID, "couponsLimit", rejected=[given.coupons_limit])
    end = await end_of_program(write, version.loyalty_program_id)
    if version.loyalty_program_type is LoyaltyProgramType.UNMAPPED:
        code = ErrorCode.LOYALTY_PROGRAM_TYPE_NOT_ALLOWED
        problems.add(code, "loyaltyProgramId", rejected=[given.loyalty_program_id])
    elif not is_current(write, version, end):
        problems.add(ErrorCode.LOYALTY_PROGRAM_NOT_CURRENT, "loyaltyProgramId", rejected=[given.loyalty_program_id])
    elif values["consumable_from"] >= end:
        problems.add(ErrorCode.LOYALTY_PROGRAM_NOT_CURRENT, "consumableFrom", rejected=[values["consumable_from"]])
    problems.raise_any()
    contract = await new_contract(write, version, end, holder, values)
    for key, value in policies.items():
        value_hash = hashed(write.keys, contract.uuid, key, value)
        write.session.add(stored.Policy(contract_id=contract.id, key=key, value_hash=value_hash))
    await write.session.flush()
    return contract


async def accept_contract(write: Write, given: AcceptContractInput) -> stored.Contract:
    """The contract, accepted, once.

    Raises `Refused`: CONTRACT_NOT_FOUND (foreign ones too, T04), NOT_THE_CONTRACT_HOLDER for users who are only
    consumers, CONTRACT_ALREADY_ACCEPTED, CONTRACT_NOT_VALID, CONTRACT_EXPIRED, VALUE_INVALID for times centuries away
    and for users in the future.
    """
    contract = await contract_in(write, given.contract_uuid)
    for_its_holder(write, contract)
    accepted = given.acceptance_date or write.now
    if contract.acceptance_date is not None:
        raise refuse(ErrorCode.CONTRACT_ALREADY_ACCEPTED, "contractUuid", rejected=[given.contract_uuid])
    still_good(write, contract)
    if accepted.year not in YEARS or (write.viewer.is_user and accepted > write.now):
        raise refuse(ErrorCode.VALUE_INVALID, "acceptanceDate", rejected=[accepted])
    return touched(write, contract, {"acceptance_date": accepted})


async def set_contract_status(write: Write, given: SetContractStatusInput) -> stored.Contract:
    """The contract, refunded, cancelled or misused, which cannot be used any more (L10).

    Raises `Refused`: CONTRACT_NOT_FOUND (foreign ones too, T04), VERSION_CONFLICT, VALUE_INVALID for VALID and EXPIRED,
    which nobody sets, CONTRACT_STATUS_FINAL where it was refunded, cancelled or misused before.
    """
    contract = await contract_in(write, given.contract_uuid)
    same_version(contract, given.expected_version)
    if given.status not in FINAL:
        raise refuse(ErrorCode.VALUE_INVALID, "status", rejected=[given.status.name])
    if contract.status in FINAL:
        raise refuse(ErrorCode.CONTRACT_STATUS_FINAL, "status", rejected=[given.status.name])
    return touched(write, contract, {"status": given.status})


# What every act about a contract begins and ends with


async def contract_in(write: Write, contract_uuid: str) -> stored.Contract:
    """The contract that the viewer may see, locked for change. Raises `Refused`: CONTRACT_NOT_FOUND."""
    found: stored.Contract | None = None
    if UUID.fullmatch(contract_uuid):
        found = await write.get(stored.Contract.uuid, contract_uuid)
    if found is None:
        raise refuse(ErrorCode.CONTRACT_NOT_FOUND, "contractUuid", rejected=[contract_uuid])
    return found


def for_its_holder(write: Write, contract: stored.Contract) -> None:
    """Raises `Refused`, NOT_THE_CONTRACT_HOLDER, for users who do not hold the contract."""
    if write.viewer.is_user and contract.holder_id not in write.viewer.customer_ids:
        raise refuse(ErrorCode.NOT_THE_CONTRACT_HOLDER, "contractUuid", rejected=[contract.uuid])


def still_good(write: Write, contract: stored.Contract) -> None:
    """Raises `Refused`: CONTRACT_NOT_VALID, CONTRACT_EXPIRED."""
    status = contract_status(contract, write.now)
    if status is not ContractStatus.VALID:
        is_over = status is ContractStatus.EXPIRED
        code = ErrorCode.CONTRACT_EXPIRED if is_over else ErrorCode.CONTRACT_NOT_VALID
        raise refuse(code, "contractUuid", rejected=[contract.uuid])


def client(write: Write) -> str:
    """Who makes a change (L11)."""
    return write.client_name[:100] or CHANNEL


def touched(write: Write, contract: stored.Contract, values: Mapping[str, Any] | None = None) -> stored.Contract:
    """Give a contract these values, a new version, and note which client changed it and when (L11)."""
    for name, value in (values or {}).items():
        setattr(contract, name, value)
    contract.last_changed_at, contract.last_changed_by = write.now, client(write)
    flag_modified(contract, "last_changed_at")
    return contract


async def named_customer(
    write: Write, problems: Problems, organisation_id: int, given: Any, allowed: Collection[int] | None = None
) -> Customer | None:
    """The customer of an organisation whom an input names by `customer_number` or `customer_ref` (L20), or the one it
    was merged into, locked; if only some are `allowed`, by their keys, one of these. Problems: EXACTLY_ONE_NEEDED,
    CUSTOMER_NOT_FOUND, TEXT_TOO_LONG, TEXT_INVALID."""
    number, reference = given.customer_number, given.customer_ref
    if (number is None) == (reference is None):
        problems.add(ErrorCode.EXACTLY_ONE_NEEDED, "customerNumber", rejected=[] if number is None else [number])
        return None
    found = None
    if number is not None:
        found = await statements.customer_of(write, organisation_id, statements.by_number(number), allowed)
    else:
        with problems.at("customerRef"):
            text = stored_form(reference, Customer.__table__.c.customer_ref, None) or ""
            found = await statements.customer_of(write, organisation_id, statements.by_reference(text), allowed)
            if found is None:
                raise refuse(ErrorCode.CUSTOMER_NOT_FOUND, rejected=[reference])
    if found is None and number is not None:
        problems.add(ErrorCode.CUSTOMER_NOT_FOUND, "customerNumber", rejected=[number])
    return found


# What a contract is made of


def is_current(write: Write, version: LoyaltyProgram, end: datetime) -> bool:
    """Whether contracts are made of a program now (L02)."""
    return program_status(version, write.now) is LoyaltyProgramStatus.CURRENT and write.now < end


async def new_contract(
    write: Write, version: LoyaltyProgram, end: datetime, holder: Customer | None, values: Mapping[str, Any]
) -> stored.Contract:
    """A contract of a program that ends at `end`, with what the version in force says where `values` say nothing: the
    expiration (L05), the coupons (L13), the kind of passenger (L43). The holder is its consumer (L20)."""
    starts = values["consumable_from"]
    made: dict[str, Any] = {
        "expiration_date": _expiration(version, starts),
        "coupons_limit": None,
        "passenger_category": category_of(holder.date_of_birth if holder else None, today(starts)),
        **values,
    }
    if version.loyalty_program_type is LoyaltyProgramType.COUPONS and made["coupons_limit"] is None:
        config = await write.session.get(CouponConfig, version.id)
        made["coupons_limit"] = config.default_quantity if config else None
    expires = made["expiration_date"]
    by = client(write)
    contract = stored.Contract(
        **made,
        uuid=str(uuid4()),
        organisation_id=version.organisation_id,
        loyalty_program_id=version.loyalty_program_id,
        holder_id=holder.id if holder else None,
        ends_at=end if expires is None else min(expires, end),
        created_at=write.now,
        created_by=by,
        last_changed_at=write.now,
        last_changed_by=by,
    )
    write.session.add(contract)
    await write.session.flush()
    if holder:
        new_consumer(write, contract, holder, is_contract_holder=True)
        await write.session.flush()
    return contract


def new_consumer(
    write: Write, contract: stored.Contract, customer: Customer, *, is_contract_holder: bool = False
) -> stored.ContractConsumer:
    """The customer as a consumer of a contract (L20)."""
    by = client(write)
    found = stored.ContractConsumer(
        contract_id=contract.id,
        customer_id=customer.id,
        is_contract_holder=is_contract_holder,
        is_blocked=False,
        created_at=write.now,
        created_by=by,
        last_changed_at=write.now,
        last_changed_by=by,
    )
    write.session.add(found)
    return found


def category_of(date_of_birth: date | None, day: date) -> PassengerCategory:
    """The kind of passenger by age on a day; an adult where the age is unknown (L43)."""
    if date_of_birth is None:
        return PassengerCategory.ADULT
    had_birthday = (day.month, day.day) >= (date_of_birth.month, date_of_birth.day)
    age = day.year - date_of_birth.year - (not had_birthday)
    if age < ADULT_FROM:
        return PassengerCategory.CHILD
    return PassengerCategory.SENIOR if age >= SENIOR_FROM else PassengerCategory.ADULT


def _possible_times(problems: Problems, values: Mapping[str, Any]) -> None:
    starts, expires = values["consumable_from"], values.get("expiration_date")
    for name, moment in (("consumableFrom", starts), ("expirationDate", expires)):
        if moment is not None and moment.year not in YEARS:
            problems.add(ErrorCode.VALUE_INVALID, name, rejected=[moment])
    if expires is not None and expires <= starts:
        problems.add(ErrorCode.DATES_REVERSED, "expirationDate", rejected=[expires])


def _expiration(version: LoyaltyProgram, starts: datetime) -> datetime | None:
    """When a contract expires that can be used from `starts` on, unless it says so itself (L05)."""
    period = version.usage_validity_period
    return None if period is None else later(starts, *formats.duration(period))
