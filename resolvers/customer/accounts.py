"""Accounts of customers for account based ticketing (rule C100)."""

from typing import Any

import strawberry
from strawberry import ID, Maybe

from datastore import customer as stored
from datastore.writing import Write
from resolvers.carry_out import TAKEN
from resolvers.customer.changing import CHANNEL, assign, changeable, same_version
from resolvers.customer.inputs import BY_WHOM, CUSTOMER_NUMBER, EXPECTED_VERSION
from resolvers.customer.owned import owned
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems, checked, stored_form
from resolvers.scalars import Long

MOST_ACCOUNTS = 50
ALIAS = "The customer's own name for the account. At most 100 characters."
BY_CLIENT = f"{BY_WHOM} By default the client's name."

TAKEN["uq_customer_account_customer_id_customer_account_id"] = (ErrorCode.CUSTOMER_ACCOUNT_TAKEN, "account_id")


@strawberry.input(description="A new account of a customer.")
class CreateCustomerAccountInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    account_id: str = strawberry.field(description="Id of the account in the ticketing system. At most 60 characters.")
    alias: str | None = strawberry.field(default=None, description=ALIAS)
    is_default: bool | None = strawberry.field(
        default=False, description="Whether it becomes the default account; the one before is none any more."
    )
    created_by: str | None = strawberry.field(default=None, description=BY_CLIENT)


@strawberry.input(description="Changes to an account. A field that is absent stays; null clears the alias.")
class UpdateCustomerAccountInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    customer_account_id: ID = strawberry.field(
        description="The account to change: its `id`, not its id in the ticketing system."
    )
    alias: Maybe[str | None] = strawberry.field(description=ALIAS)
    is_default: Maybe[bool | None] = strawberry.field(
        description="Whether it is the default account; if it becomes that, the one before is none any more."
    )
    changed_by: str | None = strawberry.field(default=None, description=BY_CLIENT)
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)


async def create_customer_account(write: Write, given: CreateCustomerAccountInput) -> stored.CustomerAccount:
    """A new account of a customer; where it is to be the default one, the default one before is none any more (C100).
    Posts UPDATE.

    Raises `Refused`: what `changeable` and the formats refuse, CUSTOMER_ACCOUNT_TAKEN, TOO_MANY_CUSTOMER_ACCOUNTS.
    """
    row = stored.CustomerAccount
    customer = await changeable(write, given.customer_number)
    problems = Problems()
    values = checked(problems, given, row, {})
    account_id = None
    with problems.at("accountId"):
        account_id = stored_form(given.account_id, row.__table__.c.customer_account_id, None)
        if account_id is None:
            raise refuse(ErrorCode.REQUIRED)
    problems.raise_any()
    if await write.exists(row, customer_id=customer.id, customer_account_id=account_id):
        raise refuse(ErrorCode.CUSTOMER_ACCOUNT_TAKEN, "accountId", rejected=[given.account_id])
    if await write.count(row.customer_id, customer.id) >= MOST_ACCOUNTS:
        raise refuse(ErrorCode.TOO_MANY_CUSTOMER_ACCOUNTS)
    by = values.setdefault("created_by", write.client_name or CHANNEL)
    if given.is_default:
        await clear_default(write, customer, by)
    account = row(**values, customer_id=customer.id, customer_account_id=account_id, created_at=write.now)
    write.session.add(account)
    write.customer_changed(customer)
    return account


async def update_customer_account(write: Write, given: UpdateCustomerAccountInput) -> stored.CustomerAccount:
    """The account with the given changes; where it becomes the default one, the default one before is none any more
    (C100). Posts UPDATE.

    Raises `Refused`: what `changeable` and the formats refuse, CUSTOMER_ACCOUNT_NOT_FOUND, VERSION_CONFLICT.
    """
    customer = await changeable(write, given.customer_number)
    column, code = stored.CustomerAccount.id, ErrorCode.CUSTOMER_ACCOUNT_NOT_FOUND
    account: stored.CustomerAccount = await owned(
        write, customer, column, given.customer_account_id, code, "customerAccountId"
    )
    same_version(account, given.expected_version)
    problems = Problems()
    values: dict[str, Any] = checked(
        problems, given, stored.CustomerAccount, {}, needed={"changed_by"}, skip={"customer_account_id"}
    )
    problems.raise_any()
    by = values.setdefault("changed_by", write.client_name or CHANNEL)
    if values.get("is_default") and not account.is_default:
        await clear_default(write, customer, by)
    assign(write, account, values)
    write.customer_changed(customer)
    return account


async def clear_default(write: Write, customer: stored.Customer, changed_by: str) -> None:
    """Let no account of the customer be the default one. The database hears of it at once: it would refuse a second
    one."""
    default = await write.get(stored.CustomerAccount.customer_id, customer.id, is_default=True)
    if default is not None:
        assign(write, default, {"is_default": False, "changed_by": changed_by})
        await write.session.flush()
