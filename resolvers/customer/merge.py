"""Merging a personnel-ticket profile into a standard one, and undoing it (rules C40, C41, C93 and C94)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import strawberry

from datastore import customer as stored
from datastore import customer_merge as merges
from datastore.customer import Customer, CustomerStatus, ProfileType
from datastore.reading import records, within
from datastore.writing import Write
from resolvers.context import Context
from resolvers.customer.changing import CHANNEL, assign, same_version
from resolvers.customer.inputs import BY_WHOM, EXPECTED_VERSION
from resolvers.customer.inputs import CHANNEL as CHANNEL_WORDS
from resolvers.customer.writes import be_unique, set_email
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems, checked
from resolvers.scalars import Long

BY_CLIENT = f"{BY_WHOM} By default the client's name."
CHANNEL_OR_GRAPHQL = f"{CHANNEL_WORDS} By default graphql."
INTO, MERGED = "customerNumber", "pticketCustomerNumber"
BY = ("changed_by", "changed_by_channel")


@strawberry.input(description="A personnel-ticket profile to merge into a standard profile of the same person.")
class MergeCustomersInput:
    customer_number: Long = strawberry.field(description="Number of the standard profile, which stays.")
    pticket_customer_number: Long = strawberry.field(
        description="Number of the personnel-ticket profile, which becomes passive."
    )
    changed_by: str | None = strawberry.field(default=None, description=BY_CLIENT)
    changed_by_channel: str | None = strawberry.field(default=None, description=CHANNEL_OR_GRAPHQL)
    expected_version: int | None = strawberry.field(
        default=None, description=f"{EXPECTED_VERSION} It is that of the profile which stays."
    )


@strawberry.input(description="A merged profile to take out of the one it was merged into.")
class UnmergeCustomersInput:
    customer_number: Long = strawberry.field(description="Number of the profile that was merged.")
    changed_by: str | None = strawberry.field(
        default=None, description=f"{BY_CLIENT} Kept only if the profile was changed after the merge."
    )
    changed_by_channel: str | None = strawberry.field(
        default=None, description=f"{CHANNEL_OR_GRAPHQL} Kept only if the profile was changed after the merge."
    )


async def merge_customers(write: Write, given: MergeCustomersInput) -> Mapping[str, Any]:
    """The survivor, the merged profile, and how many objects of each kind have moved; posts UPDATE of both, and of
    whoever else has another parent or bearer by it.

    The survivor's own row is not touched, neither are its version and `changed_at`: whoever is about to change it goes
    on, and undoing the merge leaves no trace. Bounds on how many objects a customer may have do not hold here: what two
    profiles had, one may have. Raises `Refused`: CUSTOMER_NOT_FOUND (foreign ones too, T04), SAME_CUSTOMER,
    CUSTOMER_MERGED, CUSTOMER_DELETED, CUSTOMER_NOT_ACTIVE and PROFILE_TYPE_NOT_ALLOWED for either profile,
    OTHER_ORGANISATION, VERSION_CONFLICT with the survivor, and what the formats refuse.
    """
    numbers = given.customer_number, given.pticket_customer_number
    found = await merges.lock_for_merge(write.session, write.viewer, *numbers)
    survivor, merged = mergeable(found, *numbers, expected_version=given.expected_version)
    values: dict[str, Any] = {
        "status": CustomerStatus.PASSIVE,
        "merged_into_id": survivor.id,
        "changed_at": write.now,
        **changed_by(write, given),
    }
    if merged.email is not None:
        values |= {"email": None, "email_key": None, "email_old": merged.email}
    parts = await merges.parts(within(write.session), survivor.id, merged.id, as_entities=True)
    before = await merges.move(write.session, parts, merged, values)
    by, channel = (values[name] for name in BY)
    merge = merges.CustomerMerge(
        customer_id=survivor.id,
        merged_id=merged.id,
        merged_at=write.now,
        merged_by=by,
        merged_by_channel=channel,
        before=before,
    )
    write.session.add(merge)
    rows = [row for part in parts for row, _ in part.moving]
    for each in (survivor, merged, *await merges.others(write.session, rows, merge)):
        write.customer_changed(each)
    moved = [{"object": part.row.__name__, "moves": len(part.moving)} for part in parts if part.moving]
    return {"customer": survivor, "merged_customer": merged, "moved": moved}


async def merge_customers_preview(
    context: Context, customer_number: Long, pticket_customer_number: Long
) -> Sequence[Mapping[str, Any]]:
    """What mergeCustomers would do, by kind of object; nothing is changed or locked.

    Raises `Refused` as `merge_customers` does.
    """
    numbers = customer_number, pticket_customer_number
    rows = await context.database.fetch(merges.by_numbers(context.viewer, numbers))
    found = {each.customer_number: each for each in records(Customer, rows)}
    survivor, merged = mergeable(found, *numbers)
    return [
        {"object": part.row.__name__, "moves": len(part.moving), "clashes": part.clashes}
        for part in await merges.parts(context.database.fetch, survivor.id, merged.id)
        if part.moving or part.clashes
    ]


async def unmerge_customers(write: Write, given: UnmergeCustomersInput) -> Mapping[str, Any]:
    """The profile that had been merged, and the one that it was merged into; posts UPDATE of both.

    What nobody has changed since the merge is as it was before it, versions and times included. What was changed keeps
    its new values; what came to the survivor later stays there, but for answers to consents, which stay with their
    consent. Raises `Refused`: CUSTOMER_NOT_FOUND (foreign ones too, T04), MERGE_NOT_FOUND, also for a merge that was
    not made here, MERGE_TOO_OLD after `policy.merge_undo`, MERGE_NOT_LAST, CUSTOMER_CHANGED_SINCE, EMAIL_TAKEN, and
    what the formats refuse.
    """
    number = given.customer_number
    asked = await write.session.scalar(merges.key_by_number(write.viewer, number))
    if asked is None:
        raise refuse(ErrorCode.CUSTOMER_NOT_FOUND, INTO, rejected=[number])
    seen = await merges.last_merge(write.session, write.viewer, asked)
    if seen is None:
        raise refuse(ErrorCode.MERGE_NOT_FOUND, INTO, rejected=[number])
    customers = {each.id: each for each in await merges.lock_for_undo(write.session, seen)}
    # Whoever merges or undoes has locked the merged profile: from here on the merge stays what it is.
    merge = await merges.last_merge(write.session, write.viewer, asked)
    if merge is None:
        raise refuse(ErrorCode.MERGE_NOT_FOUND, INTO, rejected=[number])
    if write.now - merge.merged_at > write.policy.merge_undo:
        raise refuse(ErrorCode.MERGE_TOO_OLD, INTO, rejected=[number])
    survivor, merged = customers.get(merge.customer_id), customers.get(merge.merged_id)
    if survivor and survivor.merged_into_id is not None:
        raise refuse(ErrorCode.MERGE_NOT_LAST, INTO, rejected=[number])
    was = merges.merged_entry(merge)
    if not survivor or not merged or not is_as_merged(merged, merge.customer_id, was):
        raise refuse(ErrorCode.CUSTOMER_CHANGED_SINCE, INTO, rejected=[number])
    by = changed_by(write, given)
    with write.session.no_autoflush:
        take_out(write, merged, was, by)
        await be_unique(write, given, merged)
    try:
        rows = await merges.put_back(write.session, merge)
    except merges.CannotPutBack:
        raise refuse(ErrorCode.CUSTOMER_CHANGED_SINCE, INTO, rejected=[number]) from None
    merge.undone_at = write.now
    for each in (survivor, merged, *await merges.others(write.session, rows, merge)):
        write.customer_changed(each)
    return {"customer": merged, "surviving_customer": survivor}


def mergeable(
    found: Mapping[int, Customer], number: int, merged_number: int, *, expected_version: int | None = None
) -> tuple[Customer, Customer]:
    """The survivor and the profile to merge, of the customers that were found by number.

    Raises `Refused` as `merge_customers` does, with the problems of both.
    """
    problems = Problems()
    for name, each in ((INTO, number), (MERGED, merged_number)):
        if each not in found:
            problems.add(ErrorCode.CUSTOMER_NOT_FOUND, name, rejected=[each])
    problems.raise_any()
    survivor, merged = found[number], found[merged_number]
    if survivor is merged:
        raise refuse(ErrorCode.SAME_CUSTOMER, MERGED, rejected=[merged_number])
    for name, profile, wanted in (
        (INTO, survivor, ProfileType.STANDARD),
        (MERGED, merged, ProfileType.PERSONNEL_TICKET),
    ):
        code = unfit(profile, wanted)
        if code:
            problems.add(code, name, rejected=[profile.customer_number])
    if survivor.organisation_id != merged.organisation_id:
        problems.add(ErrorCode.OTHER_ORGANISATION, MERGED, rejected=[merged_number])
    problems.raise_any()
    same_version(survivor, expected_version)
    return survivor, merged


def unfit(profile: Customer, wanted: ProfileType) -> ErrorCode | None:
    """Why a profile cannot be merged, or merged into, where one of the wanted type is needed."""
    if profile.merged_into_id is not None:
        return ErrorCode.CUSTOMER_MERGED
    if profile.status is CustomerStatus.DELETED:
        return ErrorCode.CUSTOMER_DELETED
    if profile.status is not CustomerStatus.ACTIVE:
        return ErrorCode.CUSTOMER_NOT_ACTIVE
    return ErrorCode.PROFILE_TYPE_NOT_ALLOWED if profile.profile_type is not wanted else None


def changed_by(write: Write, given: MergeCustomersInput | UnmergeCustomersInput) -> dict[str, Any]:
    """Who makes the change, through which channel. Raises `Refused`."""
    problems = Problems()
    values = checked(problems, given, stored.Customer, {}, skip={"customer_number"})
    problems.raise_any()
    return {"changed_by": write.client_name or CHANNEL, "changed_by_channel": CHANNEL, **values}


def is_as_merged(merged: Customer, survivor_id: int, was: merges.Entry) -> bool:
    """Whether a merged profile still has what the merge gave it, and the email that it is to have again."""
    is_whole = "email_old" not in was["values"] or (merged.email is None and merged.email_old is not None)
    return is_whole and merged.status is CustomerStatus.PASSIVE and merged.merged_into_id == survivor_id


def take_out(write: Write, merged: Customer, was: merges.Entry, by: Mapping[str, Any]) -> None:
    """Make a merged profile what it was. One that was changed since the merge has now been changed once more."""
    values = was["values"]
    own = {"status": CustomerStatus(values["status"]), "merged_into_id": values["merged_into_id"]}
    if merged.version == was["version"]:
        own |= {name: values[name] for name in (*BY, "version")}
        for name, value in {**own, "changed_at": datetime.fromisoformat(values["changed_at"])}.items():
            setattr(merged, name, value)
    else:
        assign(write, merged, {**own, **by})
    if "email_old" in values:
        set_email(merged, merged.email_old)
        merged.email_old = None
