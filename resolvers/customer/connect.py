"""Connecting a profile to a person's permanent one (rules C90 to C92, A07 and A11)."""

import strawberry

from datastore import customer as stored
from datastore import customer_reads
from datastore.customer import CustomerStatus, ProfileType
from datastore.customer_connect import leads_to
from datastore.customer_locks import lock_customers
from datastore.loaders import Loaders
from datastore.writing import Write
from resolvers.customer.changing import changeable, changed
from resolvers.customer.inputs import BY_WHOM, CHANNEL
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems, checked
from resolvers.scalars import Long

CONNECTABLE = {ProfileType.STANDARD, ProfileType.TEMPORARY}


@strawberry.input(description="A profile to connect to a permanent one. Exactly one of its two numbers is given.")
class ConnectCustomerInput:
    customer_number: Long = strawberry.field(description="Number of the permanent profile to connect to.")
    customer_number_to_connect: Long | None = strawberry.field(
        default=None, description="Number of the temporary or standard profile to connect."
    )
    temporary_customer_number: Long | None = strawberry.field(
        default=None, description="Older name of customerNumberToConnect."
    )
    changed_by: str | None = strawberry.field(default=None, description=f"{BY_WHOM} By default the client's name.")
    changed_by_channel: str | None = strawberry.field(default=None, description=f"{CHANNEL} By default graphql.")
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse the change if the stored version of the permanent profile is another one."
    )


async def connect_customer(write: Write, given: ConnectCustomerInput) -> stored.Customer:
    """The permanent profile, to which the other one is connected now; posts UPDATE for both.

    Both are changed, and each gets a new version. Raises `Refused`: EXACTLY_ONE_NEEDED, SAME_CUSTOMER, what
    `changeable` refuses of either (`expectedVersion` is that of the permanent one), OTHER_ORGANISATION,
    PROFILE_TYPE_NOT_ALLOWED unless a standard or temporary one is connected to a standard one, CUSTOMER_NOT_ACTIVE,
    ALREADY_CONNECTED where the other one has a profile that it is connected to, even if it is this one, and where this
    one is connected to or merged into the other, if only through others.
    """
    number, field = to_connect(given)
    problems = Problems()
    if number == given.customer_number:
        problems.add(ErrorCode.SAME_CUSTOMER, field, rejected=[number])
    by = checked(problems, given, stored.Customer, {}, skip={"customer_number"})
    problems.raise_any()
    # Each act locks two profiles only, but a circle may have more: two acts at once could close one unseen.
    await write.lock("connect")
    await lock_customers(write, [given.customer_number, number])
    target = await changeable(write, given.customer_number, given.expected_version)
    source = await changeable(write, number, field=field)
    if source.organisation_id != target.organisation_id:
        raise refuse(ErrorCode.OTHER_ORGANISATION, field, rejected=[number])
    if target.profile_type is not ProfileType.STANDARD:
        problems.add(ErrorCode.PROFILE_TYPE_NOT_ALLOWED, "customerNumber", rejected=[given.customer_number])
    if source.profile_type not in CONNECTABLE:
        problems.add(ErrorCode.PROFILE_TYPE_NOT_ALLOWED, field, rejected=[number])
    if target.status is not CustomerStatus.ACTIVE:
        problems.add(ErrorCode.CUSTOMER_NOT_ACTIVE, "customerNumber", rejected=[given.customer_number])
    if source.status is not CustomerStatus.ACTIVE:
        problems.add(ErrorCode.CUSTOMER_NOT_ACTIVE, field, rejected=[number])
    problems.raise_any()
    if source.parent_id is not None or await leads_to(write, target.id, source.id):
        raise refuse(ErrorCode.ALREADY_CONNECTED, field, rejected=[number])
    changed(write, source, {**by, "parent_id": target.id})
    return changed(write, target, by)


def to_connect(given: ConnectCustomerInput) -> tuple[int, str]:
    """The number of the profile to connect and the field that has it (C91, A11). Raises `Refused`:
    EXACTLY_ONE_NEEDED."""
    number, older = given.customer_number_to_connect, given.temporary_customer_number
    if number is not None and older is None:
        return number, "customerNumberToConnect"
    if older is not None and number is None:
        return older, "temporaryCustomerNumber"
    raise refuse(
        ErrorCode.EXACTLY_ONE_NEEDED,
        "customerNumberToConnect",
        rejected=[each for each in (number, older) if each is not None],
    )


async def related_to(load: Loaders, customer: stored.Customer | None) -> list[stored.Customer] | None:
    """The profiles merged into or connected to the customer, each once; None where nothing was connected."""
    if customer is None:
        return None
    related = load.selected(stored.Customer, customer_reads.related_customers)
    found: list[stored.Customer] = await related.load(customer.id)
    return found


async def related_numbers(load: Loaders, customer: stored.Customer | None) -> list[int] | None:
    """The numbers of what `related_to` answers."""
    related = await related_to(load, customer)
    return None if related is None else [each.customer_number for each in related]
