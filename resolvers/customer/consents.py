"""Answers of customers to consents (rule C107)."""

import strawberry

from datastore import customer as stored
from datastore.writing import Write
from resolvers.customer.changing import CHANNEL, assign, changeable
from resolvers.customer.inputs import BY_WHOM, CUSTOMER_NUMBER
from resolvers.customer.inputs import CHANNEL as CHANNEL_WORDS
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems, checked
from resolvers.scalars import Long

MOST_CONSENTS = 100


@strawberry.input(description="A customer's answer to a consent.")
class SetCustomerConsentInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    consent_code: str = strawberry.field(description="Code of the consent. At most 60 characters.")
    consent_choice: bool = strawberry.field(description="Whether the customer says yes.")
    changed_by: str | None = strawberry.field(default=None, description=f"{BY_WHOM} By default the client's name.")
    changed_by_channel: str | None = strawberry.field(default=None, description=f"{CHANNEL_WORDS} By default graphql.")


async def set_customer_consent(write: Write, given: SetCustomerConsentInput) -> stored.CustomerConsent:
    """The consent with the customer's answer, which its history keeps (C11); posts UPDATE.

    An answer of the older consent system stays as it is, whatever its code. Raises `Refused`: what `changeable` and the
    formats refuse, TOO_MANY_CONSENTS for the first answer to a consent.
    """
    customer = await changeable(write, given.customer_number)
    problems = Problems()
    values = checked(problems, given, stored.CustomerConsent, {})
    by = checked(problems, given, stored.Customer, {}, skip={"customer_number"})
    problems.raise_any()

    row = stored.CustomerConsent
    mine = {"customer_id": customer.id, "is_legacy": False}
    consent: stored.CustomerConsent | None = await write.get(row.consent_code, values["consent_code"], **mine)
    if consent is None:
        if await write.count(row.customer_id, customer.id, is_legacy=False) >= MOST_CONSENTS:
            raise refuse(ErrorCode.TOO_MANY_CONSENTS)
        consent = row(**values, **mine, created_at=write.now, changed_at=write.now)
        write.session.add(consent)
        await write.session.flush()
    else:
        assign(write, consent, values)
    answer = stored.CustomerConsentAnswer(
        customer_id=customer.id,
        consent_id=consent.id,
        consent_choice=given.consent_choice,
        answered_at=write.now,
        answered_by=by.get("changed_by") or write.client_name or CHANNEL,
        answered_by_channel=by.get("changed_by_channel") or CHANNEL,
    )
    write.session.add(answer)
    write.customer_changed(customer)
    return consent
