"""E-cards of a customer (rules C70 to C77)."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import strawberry

from datastore import customer as stored
from datastore.customer_ecards import Card, has_current_owner, ownership_of
from datastore.customer_locks import lock_customers
from datastore.writing import Write
from resolvers import formats
from resolvers.carry_out import TAKEN
from resolvers.customer.changing import assign, changeable, same_version
from resolvers.customer.inputs import CUSTOMER_NUMBER, EXPECTED_VERSION
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Format, Problems, checked, given_fields
from resolvers.scalars import Long

MOST_ECARDS = 100
OPERATOR_DIGITS = 5
"""How many digits the operator has in a number of 16 digits: the card has 10, and the last one is the control digit."""

FORMATS: Mapping[str, Format] = {
    "ecard_number": formats.ecard_number_10digits,
    "ecard_operator": formats.ecard_operator,
    "ecard_number_16digits": formats.ecard_number_16digits,
}
CLEARED_BY_ABSENCE = ("ecard_name", "booking_date", "shipping_date", "end_of_ownership", "expiration_date")
"""What an update that lacks it makes null (rule C74)."""

TAKEN["uq_ecard_ecard_operator_ecard_number"] = (ErrorCode.ECARD_OWNED, "ecard_number")


@strawberry.input(description="What every e-card input has.")
class EcardFields:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    ecard_operator: str = strawberry.field(description="Operator of the card, in digits.")
    ecard_number: str = strawberry.field(description="Number of the card, 10 digits.")
    start_of_ownership: datetime = strawberry.field(description="When the card became the customer's.")
    end_of_ownership: datetime | None = strawberry.field(
        default=None, description="When the customer gave the card up, or will; the card has an owner until then."
    )
    ecard_name: str | None = strawberry.field(default=None, description="The customer's own name for the card.")
    booking_date: date | None = strawberry.field(default=None, description="When the card was ordered.")
    shipping_date: date | None = strawberry.field(default=None, description="When the card was sent.")
    expiration_date: date | None = strawberry.field(default=None, description="When the card expires.")


@strawberry.input(description="A card that becomes a customer's.")
class AddEcardInput(EcardFields):
    ecard_number_16digits: str | None = strawberry.field(
        default=None,
        name="ecardNumber16digits",
        description=(
            "Operator, number and control digit. Worked out if absent, for an operator of 5 digits; with another "
            "operator it is needed."
        ),
    )


@strawberry.input(
    description="All values of a card's ownership: what is absent becomes null, but for ecardNumber16digits."
)
class UpdateEcardInput(EcardFields):
    ecard_number_16digits: str | None = strawberry.field(
        default=None,
        name="ecardNumber16digits",
        description="Operator, number and control digit; if absent it stays, for a card cannot be without.",
    )
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)


async def add_ecard(write: Write, given: AddEcardInput) -> stored.Ecard:
    """A new ownership of a card (C70 to C73, C76, C77); posts UPDATE.

    Raises `Refused`: what `changeable` and the formats refuse, DATES_REVERSED, ECARD_PARTS_DISAGREE,
    ECARD_DIGIT_INVALID, REQUIRED, TOO_MANY_ECARDS, ECARD_OWNED where the card has an owner, of whatever organisation:
    a card exists once, and the answer tells no more of its owner.
    """
    values = ecard_values(write, given)
    card = Card(values["ecard_operator"], values["ecard_number"])
    await write.lock("ecard", card.operator, card.number)
    customer = await changeable(write, given.customer_number)
    await room_for_one(write, customer)
    if await has_current_owner(write, card):
        raise refuse(ErrorCode.ECARD_OWNED, "ecardNumber", rejected=[card.number])
    ecard = stored.Ecard(**values, customer_id=customer.id, created_at=write.now, changed_at=write.now)
    write.session.add(ecard)
    write.customer_changed(customer)
    return ecard


async def update_ecard(write: Write, given: UpdateEcardInput) -> stored.Ecard:
    """The ownership of the card with exactly the given values, moved to the customer if it is another one's (C74, C75,
    C77); posts UPDATE, after a move for both customers.

    Of several ownerships of a card the current one counts, else the latest. A number of 16 digits that is absent stays:
    it is made of what identifies the card. A user's card moves nowhere: that of another profile is unknown to users.
    Raises `Refused`: what `changeable` and the formats refuse, DATES_REVERSED, ECARD_PARTS_DISAGREE,
    ECARD_DIGIT_INVALID, ECARD_NOT_FOUND (of foreign organisations too, T04), OTHER_ORGANISATION, VERSION_CONFLICT,
    TOO_MANY_ECARDS, ECARD_OWNED where an ownership that has ended would last beside that of somebody else.
    """
    values = ecard_values(write, given, is_known=True)
    card = Card(values["ecard_operator"], values["ecard_number"])
    await write.lock("ecard", card.operator, card.number)
    ecard = await locked_ownership(write, card, given.customer_number)
    customer = await changeable(write, given.customer_number)
    if ecard is None or (write.viewer.is_user and ecard.customer_id != customer.id):
        raise refuse(ErrorCode.ECARD_NOT_FOUND, "ecardNumber", rejected=[card.number])
    same_version(ecard, given.expected_version)
    if ecard.customer_id != customer.id:
        await leave_owner(write, ecard, customer)
    lasts = given.end_of_ownership is None or given.end_of_ownership > write.now
    if lasts and await has_current_owner(write, card, besides=ecard.id):
        raise refuse(ErrorCode.ECARD_OWNED, "ecardNumber", rejected=[card.number])
    assign(write, ecard, {**dict.fromkeys(CLEARED_BY_ABSENCE), **values, "customer_id": customer.id})
    write.customer_changed(customer)
    return ecard


def ecard_values(write: Write, given: EcardFields, *, is_known: bool = False) -> dict[str, Any]:
    """The given values in their stored form; of a card that is not `is_known`, the number of 16 digits is among them.

    Raises `Refused`: what the formats refuse, DATES_REVERSED, ECARD_PARTS_DISAGREE, ECARD_DIGIT_INVALID, and REQUIRED
    for the number of 16 digits where it cannot be worked out: C72 leaves the operator five of them.
    """
    problems = Problems()
    values = checked(problems, given, stored.Ecard, {}, skip=FORMATS.keys())
    for attribute, name, text in given_fields(given):
        if attribute in FORMATS:
            with problems.at(name):
                values[attribute] = FORMATS[attribute](text)
    for earlier, later, name in (
        ("start_of_ownership", "end_of_ownership", "endOfOwnership"),
        ("booking_date", "shipping_date", "shippingDate"),
    ):
        if values.get(earlier) and values.get(later) and values[later] < values[earlier]:
            problems.add(ErrorCode.DATES_REVERSED, name, rejected=[values[later]])
    if {"ecard_operator", "ecard_number"} <= values.keys():
        with problems.at("ecardNumber16digits"):
            if "ecard_number_16digits" in values:
                whole_number(values, checks_digit=write.policy.checks_ecard_digit)
            elif not is_known and not any("ecardNumber16digits" in error.path for error in problems.errors):
                values["ecard_number_16digits"] = worked_out(values["ecard_operator"], values["ecard_number"])
    problems.raise_any()
    return values


def whole_number(values: Mapping[str, Any], *, checks_digit: bool) -> None:
    """Rules C72 and C73. An operator that has not five digits cannot be compared. Raises `Refused`."""
    whole, operator, number = (values[f"ecard_{name}"] for name in ("number_16digits", "operator", "number"))
    is_of_operator = len(operator) != OPERATOR_DIGITS or whole.startswith(operator)
    if whole[OPERATOR_DIGITS:-1] != number or not is_of_operator:
        raise refuse(ErrorCode.ECARD_PARTS_DISAGREE, rejected=[whole])
    if checks_digit and not formats.luhn_is_valid(whole):
        raise refuse(ErrorCode.ECARD_DIGIT_INVALID, rejected=[whole])


def worked_out(operator: str, number: str) -> str:
    """Operator, number and Luhn digit. Raises `Refused`: REQUIRED where these are not 16 digits."""
    if len(operator) != OPERATOR_DIGITS:
        raise refuse(ErrorCode.REQUIRED)
    return operator + number + formats.luhn_digit(operator + number)


async def locked_ownership(write: Write, card: Card, number: int) -> stored.Ecard | None:
    """The ownership of the card that counts, with its customer and the one with this number locked."""
    ownership = await ownership_of(write, card)
    while True:
        before = ownership
        await lock_customers(write, [number], [before.customer_id] if before else [])
        ownership = await ownership_of(write, card)
        if ownership is None:
            return None
        if before is not None and ownership.customer_id == before.customer_id:
            ecard: stored.Ecard | None = await write.get(stored.Ecard.id, ownership.id)
            return ecard


async def leave_owner(write: Write, ecard: stored.Ecard, customer: stored.Customer) -> None:
    """Tell of the owner that the card moves to the customer. Raises `Refused`: OTHER_ORGANISATION, TOO_MANY_ECARDS."""
    owner = await write.get(stored.Customer.id, ecard.customer_id)
    if owner.organisation_id != customer.organisation_id:
        raise refuse(ErrorCode.OTHER_ORGANISATION, "customerNumber", rejected=[customer.customer_number])
    await room_for_one(write, customer)
    write.customer_changed(owner)


async def room_for_one(write: Write, customer: stored.Customer) -> None:
    """Raises `Refused`: TOO_MANY_ECARDS."""
    if await write.count(stored.Ecard.customer_id, customer.id) >= MOST_ECARDS:
        raise refuse(ErrorCode.TOO_MANY_ECARDS)
