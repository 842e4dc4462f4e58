"""What whoever claims a contract must be like (rule L21). Of the value that is needed a keyed hash is kept, in the form
in which it is compared; it is never answered, not even when it is refused."""

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import strawberry

from datastore.customer import Customer
from datastore.loyalty.contract import Policy, PolicyKey
from datastore.sealing import Keyring
from datastore.text import email_key
from resolvers import formats
from resolvers.errors import ErrorCode, Refused, UserError, refuse
from resolvers.given import Problems
from resolvers.scalars import read_date

LONGEST_NAME, LONGEST_REFERENCE, PHONE_DIGITS = 100, 40, 15


@strawberry.input(description="What whoever claims a contract must be like.")
class ContractPolicyInput:
    key: PolicyKey = strawberry.field(description="What of the customer is compared.")
    value: str = strawberry.field(
        description="What it must be; never answered. Names and emails may differ in case, a date is YYYY-MM-DD."
    )


def given_policies(problems: Problems, given: Sequence[ContractPolicyInput]) -> dict[PolicyKey, str]:
    """The values to compare with, by key, each in the one form that it is compared in.

    Problems: POLICY_REPEATED, REQUIRED for a blank value, and what the format of the key refuses, without the value.
    """
    if len(given) > len(PolicyKey):
        problems.add(ErrorCode.POLICY_REPEATED, "policies")
        return {}
    found: dict[PolicyKey, str] = {}
    for position, each in enumerate(given):
        if each.key in found:
            problems.add(ErrorCode.POLICY_REPEATED, "policies", str(position), "key", rejected=[each.key.name])
        found[each.key] = ""
        with problems.at("policies", str(position), "value"):
            found[each.key] = _read(each)
    return found


def hashed(keys: Keyring, contract_uuid: str, key: PolicyKey, value: str) -> str:
    """What is stored of a value. It is good for one contract: equal values of two have different hashes. Raises
    CannotOpen without a key."""
    return keys.search_hash(Policy.hashed_text(contract_uuid, key, value), Policy.value_hash)


def fits(keys: Keyring, contract_uuid: str, policies: Iterable[Policy], customer: Customer) -> bool:
    """Whether the customer is like all policies of a contract say. Who has no such value is not.

    All are compared, so that the time it takes does not tell which one did not fit.
    """
    answers = []
    for each in policies:
        value = value_of(customer, each.key)
        hashes = keys.search_hashes(Policy.hashed_text(contract_uuid, each.key, value or ""), Policy.value_hash)
        same = [hmac.compare_digest(one, each.value_hash) for one in hashes]
        answers.append(value is not None and any(same))
    return all(answers)


def value_of(customer: Customer, key: PolicyKey) -> str | None:
    """What a customer has of it, in the form in which it is compared."""
    value: Any = getattr(customer, key.value)
    if isinstance(value, date):
        return value.isoformat()
    return email_key(value) if value and key in NAMES else value or None


def _read(given: ContractPolicyInput) -> str:
    """Raises `Refused`, without the value: it may be somebody's."""
    try:
        value = FORMS[given.key](given.value)
        if not value:
            raise refuse(ErrorCode.REQUIRED)
        return value
    except Refused as refused:
        raise Refused(*(UserError(error.code, error.path) for error in refused.errors)) from None


def _name(text: str) -> str:
    return email_key(formats.clean(text, LONGEST_NAME))


def _phone(text: str) -> str:
    number = formats.clean(text, 2 * PHONE_DIGITS).replace(" ", "")
    if number and not (number.isascii() and number.isdigit() and len(number) <= PHONE_DIGITS):
        raise refuse(ErrorCode.PHONE_NUMBER_INVALID)
    return number


NAMES = (PolicyKey.SURNAME, PolicyKey.FIRST_NAME)
FORMS: Mapping[PolicyKey, Callable[[str], str]] = {
    PolicyKey.CUSTOMER_REF: lambda text: formats.clean(text, LONGEST_REFERENCE),
    PolicyKey.EMAIL: lambda text: email_key(formats.email(text)),
    PolicyKey.DATE_OF_BIRTH: lambda text: read_date(text.strip() if len(text) <= 40 else text).isoformat(),
    PolicyKey.SURNAME: _name,
    PolicyKey.FIRST_NAME: _name,
    PolicyKey.TELEPHONE_NUMBER: _phone,
    PolicyKey.NATIONALITY: formats.alpha3,
}
"""How a value is read for each key."""
