"""The preferences that organisations offer, and what customers choose of them (rules C60 to C64)."""

from collections.abc import Mapping
from typing import Any

import strawberry
from strawberry import ID, Maybe

from datastore import customer as stored
from datastore.customer_preferences import choices, offers
from datastore.keyset import Order
from datastore.reading import visible
from datastore.viewer import Viewer
from datastore.writing import Write
from resolvers.carry_out import TAKEN
from resolvers.customer.changing import assign, changeable, same_version
from resolvers.customer.inputs import CUSTOMER_NUMBER, EXPECTED_VERSION
from resolvers.customer.owned import key_in, owned
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems, checked, field_error
from resolvers.paging import window
from resolvers.scalars import Long
from resolvers.wanted import Reading, WantedPage

MOST_PREFERENCES = 100
"""That an organisation offers, and that a customer has."""
BY_CODE = Order([stored.Preference.__table__.c.preference_code])

CODE = "Code of the preference, unique in the organisation. At most 60 characters."
TYPE = "Type of the preference. At most 60 characters."
ABOUT = "What the preference is about. At most 255 characters."
ACTIVE = "Whether it can be chosen."
WHICH = "Id of the preference."
VALUE = "Value, such as a membership number. At most 255 characters."

TAKEN["uq_preference_organisation_id_preference_code"] = (ErrorCode.PREFERENCE_CODE_TAKEN, "preference_code")
TAKEN["uq_customer_preference_customer_id_preference_id"] = (ErrorCode.PREFERENCE_ALREADY_CHOSEN, "preference_id")


@strawberry.input(description="A new preference for customers to choose.")
class CreatePreferenceInput:
    preference_code: str = strawberry.field(description=CODE)
    preference_type: str = strawberry.field(description=TYPE)
    preference_description: str | None = strawberry.field(default=None, description=ABOUT)
    is_active: bool | None = strawberry.field(default=True, description=ACTIVE)
    organisation_id: Long | None = strawberry.field(
        default=None, description="Organisation that offers it; by default, and unless the caller is internal, its own."
    )


@strawberry.input(description="Changes to a preference. A field that is absent stays; null clears the description.")
class UpdatePreferenceInput:
    preference_id: ID = strawberry.field(description="The preference to change.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
    preference_code: Maybe[str | None] = strawberry.field(description=CODE)
    preference_type: Maybe[str | None] = strawberry.field(description=TYPE)
    preference_description: Maybe[str | None] = strawberry.field(description=ABOUT)
    is_active: Maybe[bool | None] = strawberry.field(
        description="Whether it can be chosen. Customers who have chosen it keep it; they can only delete it then."
    )


@strawberry.input(description="A preference that a customer chooses.")
class CustomerPreferenceInput:
    preference_id: ID = strawberry.field(description=WHICH)
    preference_value: str | None = strawberry.field(default=None, description=VALUE)


@strawberry.input(description="All preferences of a customer.")
class ReplaceCustomerPreferencesInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    preferences: list[CustomerPreferenceInput] = strawberry.field(
        description="What the customer has chosen; nothing else stays. At most 100, none of them twice."
    )


@strawberry.input(description="A preference that a customer chooses in addition.")
class CreateCustomerPreferenceInput(CustomerPreferenceInput):
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)


@strawberry.input(description="Another value for a preference that a customer has. Absent, it stays; null clears it.")
class UpdateCustomerPreferenceInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    preference_id: ID = strawberry.field(description=WHICH)
    preference_value: Maybe[str | None] = strawberry.field(description=VALUE)
    body_preference_id: ID | None = strawberry.field(
        default=None,
        description="The id again, for clients that pass on a REST request with one in its path and one in its body; "
        "another one is refused.",
    )
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)


@strawberry.input(description="A preference that a customer does not have any more.")
class DeleteCustomerPreferenceInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    preference_id: ID = strawberry.field(description=WHICH)
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)


# The catalogue


@Reading
def preferences(
    viewer: Viewer,
    organisation_id: Long | None = None,
    is_active: bool | None = None,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
) -> WantedPage:
    """A page of the preferences that an organisation offers, by code (C64).

    Raises `Refused`: ORGANISATION_NOT_ALLOWED, PAGE_SIZE_INVALID, CURSOR_INVALID.
    """
    part = window(first, after, last, before)
    organisation = own_organisation(viewer, organisation_id)
    row = stored.Preference

    def statement(viewer: Viewer, values: Mapping[str, Any]) -> Any:
        conditions = [] if is_active is None else [row.is_active.is_(is_active)]
        return visible(row, viewer).where(row.organisation_id == values["organisation"], *conditions)

    return WantedPage(
        row=row,
        shape=("preferences", is_active),
        values={"organisation": organisation},
        statement=statement,
        order=BY_CODE,
        window=part,
        query=["preferences", organisation, is_active],
    )


async def create_preference(write: Write, given: CreatePreferenceInput) -> stored.Preference:
    """A new preference of an organisation (C64).

    Raises `Refused`: ORGANISATION_NOT_ALLOWED, PREFERENCE_CODE_TAKEN, TOO_MANY_PREFERENCES and what the formats refuse.
    """
    organisation = own_organisation(write.viewer, given.organisation_id)
    problems = Problems()
    values = checked(problems, given, stored.Preference, {}, skip={"organisation_id"})
    problems.raise_any()
    await write.lock("preferences", organisation)
    await unused_code(write, given, organisation, values["preference_code"])
    if await write.count(stored.Preference.organisation_id, organisation) >= MOST_PREFERENCES:
        raise refuse(ErrorCode.TOO_MANY_PREFERENCES)
    made = stored.Preference(**values, organisation_id=organisation, created_at=write.now, changed_at=write.now)
    write.session.add(made)
    return made


async def update_preference(write: Write, given: UpdatePreferenceInput) -> stored.Preference:
    """The preference with the given changes (C64). What customers have chosen of it stays as it is.

    Raises `Refused`: PREFERENCE_NOT_FOUND (foreign ones too, T04), VERSION_CONFLICT, PREFERENCE_CODE_TAKEN and what the
    formats refuse.
    """
    key = key_in(given.preference_id)
    found: stored.Preference | None = None if key is None else await write.get(stored.Preference.id, key)
    if found is None:
        raise refuse(ErrorCode.PREFERENCE_NOT_FOUND, "preferenceId", rejected=[given.preference_id])
    same_version(found, given.expected_version)
    problems = Problems()
    values = checked(problems, given, stored.Preference, {})
    problems.raise_any()
    if values.get("preference_code", found.preference_code) != found.preference_code:
        await unused_code(write, given, found.organisation_id, values["preference_code"])
    assign(write, found, values)
    return found


def own_organisation(viewer: Viewer, given: int | None) -> int:
    """The organisation that was named, else the caller's own. Raises `Refused`: ORGANISATION_NOT_ALLOWED."""
    if given not in (None, viewer.organisation_id) and not viewer.is_internal:
        raise refuse(ErrorCode.ORGANISATION_NOT_ALLOWED, "organisationId", rejected=[given])
    return viewer.organisation_id if given is None else given


async def unused_code(write: Write, given: object, organisation_id: int, code: str) -> None:
    """Raises `Refused`: PREFERENCE_CODE_TAKEN. The database's unique constraint has the last word (`TAKEN`)."""
    if await write.exists(stored.Preference, organisation_id=organisation_id, preference_code=code):
        problems = Problems()
        problems.errors.append(field_error(ErrorCode.PREFERENCE_CODE_TAKEN, given, "preference_code"))
        problems.raise_any()


# What customers choose


async def replace_customer_preferences(write: Write, given: ReplaceCustomerPreferencesInput) -> stored.Customer:
    """The customer with these preferences and no others, as if all had been deleted and then chosen (C60); posts
    UPDATE.

    Raises `Refused`: what `changeable` refuses, TOO_MANY_PREFERENCES; below `preferences` and its position
    PREFERENCE_REPEATED, PREFERENCE_NOT_FOUND, PREFERENCE_INACTIVE and what the formats refuse.
    """
    customer = await changeable(write, given.customer_number)
    if len(given.preferences) > MOST_PREFERENCES:
        raise refuse(ErrorCode.TOO_MANY_PREFERENCES, "preferences")
    keys = {key for each in given.preferences if (key := key_in(each.preference_id)) is not None}
    offered = await offers(write.session, customer.organisation_id, keys)
    problems = Problems()
    wanted: dict[int, dict[str, Any]] = {}
    for position, each in enumerate(given.preferences):
        with problems.at("preferences", str(position)):
            key, values = choice(each, offered)
            if key in wanted:
                raise refuse(ErrorCode.PREFERENCE_REPEATED, "preferenceId", rejected=[each.preference_id])
            wanted[key] = values
    problems.raise_any()

    # A row whose preference is chosen again goes on with a higher version: were it a new row, with version 1, whoever
    # read the old one could not be told that it is another.
    before = await choices(write.session, customer)
    for key, row in before.items():
        if key not in wanted:
            await write.session.delete(row)
    for key, values in wanted.items():
        if key in before:
            before[key].preference_value = values.get("preference_value")
            before[key].created_at = before[key].changed_at = write.now
        else:
            new_choice(write, customer, key, values)
    write.customer_changed(customer)
    return customer


async def create_customer_preference(write: Write, given: CreateCustomerPreferenceInput) -> stored.CustomerPreference:
    """What the customer has chosen (C61); posts UPDATE.

    Raises `Refused`: what `changeable` and the formats refuse, PREFERENCE_NOT_FOUND for one that the customer's
    organisation does not offer, PREFERENCE_INACTIVE, PREFERENCE_ALREADY_CHOSEN, TOO_MANY_PREFERENCES.
    """
    customer = await changeable(write, given.customer_number)
    key = key_in(given.preference_id)
    offered = await offers(write.session, customer.organisation_id, [] if key is None else [key])
    key, values = choice(given, offered)
    if await write.exists(stored.CustomerPreference, customer_id=customer.id, preference_id=key):
        raise refuse(ErrorCode.PREFERENCE_ALREADY_CHOSEN, "preferenceId", rejected=[given.preference_id])
    if await write.count(stored.CustomerPreference.customer_id, customer.id) >= MOST_PREFERENCES:
        raise refuse(ErrorCode.TOO_MANY_PREFERENCES)
    made = new_choice(write, customer, key, values)
    write.customer_changed(customer)
    return made


async def update_customer_preference(write: Write, given: UpdateCustomerPreferenceInput) -> stored.CustomerPreference:
    """What the customer has chosen, with another value (C62); posts UPDATE.

    Raises `Refused`: what `changeable` and the formats refuse, PREFERENCE_NOT_CHOSEN, VERSION_CONFLICT,
    PREFERENCE_ID_MISMATCH, PREFERENCE_INACTIVE: what is out of use can be deleted, not changed.
    """
    customer = await changeable(write, given.customer_number)
    found = await chosen(write, customer, given.preference_id)
    same_version(found, given.expected_version)
    problems = Problems()
    if given.body_preference_id is not None and key_in(given.body_preference_id) != found.preference_id:
        problems.add(ErrorCode.PREFERENCE_ID_MISMATCH, "bodyPreferenceId", rejected=[given.body_preference_id])
    values: dict[str, Any] = {}
    with problems.at():
        _, values = choice(given, await offers(write.session, customer.organisation_id, [found.preference_id]))
    problems.raise_any()
    assign(write, found, values)
    write.customer_changed(customer)
    return found


async def delete_customer_preference(write: Write, given: DeleteCustomerPreferenceInput) -> Mapping[str, Any]:
    """The customer, without the preference (C63); posts UPDATE.

    Raises `Refused`: what `changeable` refuses, PREFERENCE_NOT_CHOSEN, VERSION_CONFLICT.
    """
    customer = await changeable(write, given.customer_number)
    found = await chosen(write, customer, given.preference_id)
    same_version(found, given.expected_version, shown=customer)
    await write.session.delete(found)
    write.customer_changed(customer)
    return {"customer": customer, "deleted_preference_id": str(found.preference_id)}


def choice(
    given: CustomerPreferenceInput | UpdateCustomerPreferenceInput, offered: Mapping[int, bool]
) -> tuple[int, dict[str, Any]]:
    """The key of the preference in the input, and the values given for the choice (C64).

    Raises `Refused`: PREFERENCE_NOT_FOUND, PREFERENCE_INACTIVE and what the formats refuse.
    """
    problems = Problems()
    values = checked(problems, given, stored.CustomerPreference, {}, skip={"preference_id"})
    key = key_in(given.preference_id)
    is_active = None if key is None else offered.get(key)
    if not is_active:
        code = ErrorCode.PREFERENCE_NOT_FOUND if is_active is None else ErrorCode.PREFERENCE_INACTIVE
        problems.add(code, "preferenceId", rejected=[given.preference_id])
    problems.raise_any()
    assert key is not None, "what is offered has a key"
    return key, values


def new_choice(
    write: Write, customer: stored.Customer, key: int, values: Mapping[str, Any]
) -> stored.CustomerPreference:
    made = stored.CustomerPreference(
        **values, customer_id=customer.id, preference_id=key, created_at=write.now, changed_at=write.now
    )
    write.session.add(made)
    return made


async def chosen(write: Write, customer: stored.Customer, given_id: str) -> stored.CustomerPreference:
    """The customer's choice for a preference. Raises `Refused`: PREFERENCE_NOT_CHOSEN, for unknown preferences too."""
    column, code = stored.CustomerPreference.preference_id, ErrorCode.PREFERENCE_NOT_CHOSEN
    found: stored.CustomerPreference = await owned(write, customer, column, given_id, code, "preferenceId")
    return found
