"""Making loyalty programs, publishing versions of them, and saying what they are called (rules L01 to L07)."""

from datetime import UTC, datetime
from typing import Any

import strawberry
from strawberry import Maybe

from datastore.base import milliseconds, rfc3339
from datastore.loyalty import program as stored
from datastore.loyalty.ends import move_ends
from datastore.loyalty.program import LoyaltyProgramType
from datastore.reading import snapshot
from datastore.text import email_key
from datastore.writing import Write
from resolvers import formats
from resolvers.carry_out import TAKEN
from resolvers.customer.changing import same_version
from resolvers.customer.inputs import EXPECTED_VERSION
from resolvers.customer.preferences import own_organisation
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems, checked
from resolvers.scalars import Duration, Long

LATEST = datetime(3000, 1, 1, tzinfo=UTC)
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
COUPONS = range(1, 10_001)
LONGEST_CODE_KEY = 120
LONGEST_DESCRIPTION = 10_000
LASTING = (LoyaltyProgramType.TIMED, LoyaltyProgramType.POINTS)
"""Types of programs whose contracts last for a period (rule L05)."""

FORMATS = {"product_id": formats.netex_id, "product_version": formats.netex_id}

PROGRAM = "Id of the loyalty program."
INTERNAL = "What it is, for those who work with it. At most 500 characters."
ENDS = "When the program ends, and all its contracts with it. After startDate."
PERIOD = "How long a contract can be used from when it can be used at all; TIMED and POINTS only."
PRODUCT_VERSION = "NeTEx version of the product, such as ENT:Version:V1."
NEWEST = "Refuse the change if the newest version has another versionNumber."

TAKEN["uq_loyalty_program_product_id"] = (ErrorCode.PRODUCT_TAKEN, "product_id")
TAKEN["uq_loyalty_program_organisation_id_code_key"] = (ErrorCode.LOYALTY_PROGRAM_CODE_TAKEN, "loyalty_program_code")


@strawberry.input(description="What a loyalty program of coupons says of them.")
class CouponConfigInput:
    default_quantity: int = strawberry.field(
        description="Coupons that a contract has in a calendar year, from 1 to 10,000, unless it says otherwise."
    )
    loyalty_program_id: Long = strawberry.field(
        description="Id of the program, a TIMED one, of the contract that the use of a coupon creates."
    )
    default_start_time: str | None = strawberry.field(
        default=None, description="Time of day in Norway, HH:MM:SS, at which such a contract starts."
    )
    usage_validity_period: Duration | None = strawberry.field(
        default=None, description="How long such a contract lasts; if absent, as its own program says."
    )


@strawberry.input(description="A new loyalty program.")
class CreateLoyaltyProgramInput:
    loyalty_program_type: LoyaltyProgramType = strawberry.field(description="Type of the program; not UNMAPPED.")
    product_id: str = strawberry.field(
        description="NeTEx id of its product, which no other program has, such as ENT:EntitlementProduct:level1."
    )
    product_version: str = strawberry.field(description=PRODUCT_VERSION)
    internal_description: str = strawberry.field(description=INTERNAL)
    start_date: datetime | None = strawberry.field(default=None, description="When it starts; by default now.")
    end_date: datetime = strawberry.field(description=ENDS)
    organisation_id: Long | None = strawberry.field(
        default=None, description="The organisation that owns it; by default the caller's own."
    )
    loyalty_program_code: str | None = strawberry.field(
        default=None,
        description="Word by which customers activate it for themselves, in any case; no other program of the "
        "organisation has it. At most 60 characters.",
    )
    usage_validity_period: Duration | None = strawberry.field(default=None, description=PERIOD)
    coupon_config: CouponConfigInput | None = strawberry.field(
        default=None, description="What is said of coupons; for programs of coupons, and needed there."
    )


@strawberry.input(
    description="A new version of a loyalty program. A field that is absent stays as in the version before."
)
class PublishLoyaltyProgramVersionInput:
    loyalty_program_id: Long = strawberry.field(description=PROGRAM)
    expected_version: int | None = strawberry.field(default=None, description=NEWEST)
    start_date: datetime | None = strawberry.field(
        default=None, description="When it comes into force; by default now. After the start of the version before."
    )
    end_date: datetime | None = strawberry.field(default=None, description=ENDS)
    product_version: str | None = strawberry.field(default=None, description=PRODUCT_VERSION)
    internal_description: str | None = strawberry.field(default=None, description=INTERNAL)
    usage_validity_period: Maybe[Duration | None] = strawberry.field(description=f"{PERIOD} Null takes the limit away.")
    coupon_config: CouponConfigInput | None = strawberry.field(
        default=None, description="What is said of coupons, all of it; for programs of coupons."
    )


@strawberry.input(description="What a loyalty program is called in a language.")
class SetLoyaltyProgramDescriptionInput:
    loyalty_program_id: Long = strawberry.field(description=PROGRAM)
    language_code: str = strawberry.field(description="Language, ISO 639-3.")
    display_name: str | None = strawberry.field(
        default=None, description="Name of the program for people; none if absent. At most 100 characters."
    )
    description: str = strawberry.field(description="What the program is. At most 10,000 characters.")
    expected_version: int | None = strawberry.field(
        default=None, description=f"{EXPECTED_VERSION} It is 0 for a language that is not there yet."
    )


async def create_loyalty_program(write: Write, given: CreateLoyaltyProgramInput) -> stored.LoyaltyProgram:
    """A new loyalty program in its first version (L01 to L07).

    Raises `Refused`: ORGANISATION_NOT_ALLOWED, LOYALTY_PROGRAM_TYPE_NOT_ALLOWED for UNMAPPED, NETEX_ID_INVALID,
    PRODUCT_TAKEN, LOYALTY_PROGRAM_CODE_TAKEN, DATES_REVERSED, VALUE_INVALID for times centuries away,
    DURATION_INVALID, DURATION_NOT_ALLOWED, COUPON_CONFIG_REQUIRED, COUPON_CONFIG_NOT_ALLOWED and what `_config` and
    the formats refuse.
    """
    organisation = own_organisation(write.viewer, given.organisation_id)
    problems = Problems()
    values = checked(problems, given, stored.LoyaltyProgram, FORMATS, skip={"organisation_id"})
    values = {"start_date": write.now, "loyalty_program_code": None, "usage_validity_period": None, **values}
    kind = given.loyalty_program_type
    if kind is LoyaltyProgramType.UNMAPPED:
        problems.add(ErrorCode.LOYALTY_PROGRAM_TYPE_NOT_ALLOWED, "loyaltyProgramType", rejected=[kind.name])
    _possible_times(problems, values)
    _possible_period(problems, kind, values["usage_validity_period"])
    if kind is LoyaltyProgramType.COUPONS and given.coupon_config is None:
        problems.add(ErrorCode.COUPON_CONFIG_REQUIRED, "couponConfig")
    config = await _config(write, problems, kind, organisation, given.coupon_config)
    code = values["loyalty_program_code"]
    values["code_key"] = None if code is None else email_key(code)
    await _unique(write, problems, organisation, values)
    problems.raise_any()

    made = stored.LoyaltyProgram(
        **values,
        loyalty_program_id=0,
        version_number=1,
        organisation_id=organisation,
        created_at=write.now,
        created_by=_client(write),
    )
    write.session.add(made)
    await write.session.flush()
    made.loyalty_program_id = made.id
    await _add_config(write, made, config)
    return made


async def publish_loyalty_program_version(
    write: Write, given: PublishLoyaltyProgramVersionInput
) -> stored.LoyaltyProgram:
    """The new version, which takes over from the newest one when it starts (L02). The program, and with it its
    contracts, ends at once as the new version says, whenever that starts (L04).

    Raises `Refused`: LOYALTY_PROGRAM_NOT_FOUND (foreign ones too, T04), VERSION_CONFLICT, VERSION_START_INVALID unless
    it starts after the version before, from now on and before the program has ended, and what
    `create_loyalty_program` refuses of the same fields.
    """
    program = await program_in(write, given.loyalty_program_id)
    row = stored.LoyaltyProgram
    newest: stored.LoyaltyProgram = await write.get(row.loyalty_program_id, program.id, superseded_at=None)
    expected = given.expected_version
    if expected is not None and expected != newest.version_number:
        current = snapshot(newest)
        raise refuse(ErrorCode.VERSION_CONFLICT, "expectedVersion", rejected=[expected], current=current)
    problems = Problems()
    kind = newest.loyalty_program_type
    changes = checked(problems, given, row, FORMATS, skip={"loyalty_program_id"})
    values = {
        "end_date": newest.end_date,
        "product_version": newest.product_version,
        "internal_description": newest.internal_description,
        "usage_validity_period": newest.usage_validity_period,
        "start_date": write.now,
        **changes,
    }
    _possible_times(problems, values)
    start = values["start_date"]
    if not (newest.start_date < start <= newest.end_date and write.now <= start and write.now < newest.end_date):
        problems.add(
            ErrorCode.VERSION_START_INVALID, "startDate", rejected=[rfc3339(start)] if given.start_date else []
        )
    if "usage_validity_period" in changes:
        _possible_period(problems, kind, changes["usage_validity_period"])
    config = await _config(write, problems, kind, newest.organisation_id, given.coupon_config)
    problems.raise_any()

    if config is None and kind is LoyaltyProgramType.COUPONS:
        before = await write.session.get_one(stored.CouponConfig, newest.id)
        config = {name: getattr(before, name) for name in CONFIGURED}
    newest.superseded_at = start
    made = row(
        **values,
        loyalty_program_id=program.id,
        version_number=newest.version_number + 1,
        organisation_id=newest.organisation_id,
        product_id=newest.product_id,
        loyalty_program_type=kind,
        loyalty_program_code=newest.loyalty_program_code,
        code_key=newest.code_key,
        created_at=write.now,
        created_by=_client(write),
    )
    write.session.add(made)
    await write.session.flush()
    await _add_config(write, made, config)
    if made.end_date != newest.end_date:
        await move_ends(write, program.id, made.end_date)
    return made


async def set_loyalty_program_description(
    write: Write, given: SetLoyaltyProgramDescriptionInput
) -> stored.LoyaltyProgramDescription:
    """What the program is called in the language, with all of it as given (L07).

    Raises `Refused`: LOYALTY_PROGRAM_NOT_FOUND (foreign ones too, T04), VERSION_CONFLICT, REQUIRED, LANGUAGE_INVALID,
    TEXT_TOO_LONG, TEXT_INVALID.
    """
    program = await program_in(write, given.loyalty_program_id)
    row = stored.LoyaltyProgramDescription
    problems = Problems()
    skip = {"loyalty_program_id", "description"}
    values = {
        "display_name": None,
        **checked(problems, given, row, {"language_code": formats.language}, skip=skip),
    }
    with problems.at("description"):
        values["description"] = formats.clean_lines(given.description, LONGEST_DESCRIPTION)
        if not values["description"]:
            raise refuse(ErrorCode.REQUIRED)
    problems.raise_any()
    language = values["language_code"]
    found: stored.LoyaltyProgramDescription | None = await write.get(
        row.loyalty_program_id, program.id, language_code=language
    )
    if found is not None:
        same_version(found, given.expected_version)
        for name, value in values.items():
            setattr(found, name, value)
    else:
        if given.expected_version:
            raise refuse(ErrorCode.VERSION_CONFLICT, "expectedVersion", rejected=[given.expected_version])
        found = row(**values, loyalty_program_id=program.id, created_at=write.now, created_by=_client(write))
        write.session.add(found)
    found.last_changed_at = write.now
    found.last_changed_by = _client(write)
    await write.session.flush()
    return found


async def program_in(write: Write, loyalty_program_id: int, field: str = "loyaltyProgramId") -> stored.LoyaltyProgram:
    """The first version of a program, locked: whoever holds it is the only one who changes the program. Raises
    `Refused`, LOYALTY_PROGRAM_NOT_FOUND at `field`, for foreign ones too (T04)."""
    row = stored.LoyaltyProgram
    found: stored.LoyaltyProgram | None = await write.get(row.id, loyalty_program_id, version_number=1)
    if found is None:
        raise refuse(ErrorCode.LOYALTY_PROGRAM_NOT_FOUND, field, rejected=[loyalty_program_id])
    return found


# What a version needs

CONFIGURED = ("default_quantity", "loyalty_program_id", "default_start_time", "usage_validity_period")


async def _config(
    write: Write,
    problems: Problems,
    kind: LoyaltyProgramType,
    organisation_id: int,
    given: CouponConfigInput | None,
) -> dict[str, Any] | None:
    """The values of a coupon configuration, if one is given (L06).

    Problems: COUPON_CONFIG_NOT_ALLOWED but for COUPONS, COUPONS_INVALID, LOYALTY_PROGRAM_NOT_FOUND for programs of
    other organisations too, LOYALTY_PROGRAM_TYPE_NOT_ALLOWED for any but TIMED, TIME_OF_DAY_INVALID, DURATION_INVALID.
    """
    if given is None:
        return None
    if kind is not LoyaltyProgramType.COUPONS:
        problems.add(ErrorCode.COUPON_CONFIG_NOT_ALLOWED, "couponConfig")
        return None
    inner = Problems()
    config = checked(inner, given, stored.CouponConfig, {"default_start_time": formats.time_of_day})
    if given.default_quantity not in COUPONS:
        inner.add(ErrorCode.COUPONS_INVALID, "defaultQuantity", rejected=[given.default_quantity])
    _possible_period(inner, LoyaltyProgramType.TIMED, config.get("usage_validity_period"))
    row, wanted = stored.LoyaltyProgram, given.loyalty_program_id
    # Not locked: its type and organisation never change.
    is_own = await write.exists(row, id=wanted, version_number=1, organisation_id=organisation_id)
    program = await write.session.get(row, wanted) if is_own else None
    if program is None:
        inner.add(ErrorCode.LOYALTY_PROGRAM_NOT_FOUND, "loyaltyProgramId", rejected=[wanted])
    elif program.loyalty_program_type is not LoyaltyProgramType.TIMED:
        inner.add(ErrorCode.LOYALTY_PROGRAM_TYPE_NOT_ALLOWED, "loyaltyProgramId", rejected=[wanted])
    problems.errors += [error.at("couponConfig") for error in inner.errors]
    return dict.fromkeys(CONFIGURED) | config


async def _add_config(write: Write, version: stored.LoyaltyProgram, config: dict[str, Any] | None) -> None:
    if config is not None:
        write.session.add(stored.CouponConfig(version_id=version.id, **config))
    await write.session.flush()


def _possible_times(problems: Problems, values: dict[str, Any]) -> None:
    """Cut start and end as they are stored. Problems: VALUE_INVALID, DATES_REVERSED unless the end is after the
    start."""
    for name, field in (("start_date", "startDate"), ("end_date", "endDate")):
        values[name] = milliseconds(values[name])
        if not EARLIEST <= values[name] < LATEST:
            problems.add(ErrorCode.VALUE_INVALID, field, rejected=[rfc3339(values[name])])
    if values["end_date"] <= values["start_date"]:
        problems.add(ErrorCode.DATES_REVERSED, "endDate", rejected=[rfc3339(values["end_date"])])


def _possible_period(problems: Problems, kind: LoyaltyProgramType, period: str | None) -> None:
    """Problems: DURATION_NOT_ALLOWED, DURATION_INVALID."""
    if period is None:
        return
    if kind not in LASTING:
        problems.add(ErrorCode.DURATION_NOT_ALLOWED, "usageValidityPeriod", rejected=[period])
        return
    with problems.at("usageValidityPeriod"):
        formats.duration(period)


async def _unique(write: Write, problems: Problems, organisation_id: int, values: dict[str, Any]) -> None:
    """Rules L03 and L07; the database's unique indexes have the last word (`TAKEN`)."""
    row, product, code = stored.LoyaltyProgram, values.get("product_id"), values["code_key"]
    if product is not None and await write.exists(row, product_id=product):
        problems.add(ErrorCode.PRODUCT_TAKEN, "productId", rejected=[product])
    if code is None:
        return
    if len(code) > LONGEST_CODE_KEY:
        problems.add(ErrorCode.TEXT_TOO_LONG, "loyaltyProgramCode")
    elif await write.exists(row, organisation_id=organisation_id, code_key=code):
        rejected = [values["loyalty_program_code"]]
        problems.add(ErrorCode.LOYALTY_PROGRAM_CODE_TAKEN, "loyaltyProgramCode", rejected=rejected)


def _client(write: Write) -> str:
    return write.client_name[:100]
