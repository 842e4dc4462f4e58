"""The loyalty programs of the demo data: the same for every seed, made once in a database.

Organisation 1 has a card of ten coupons with the day ticket that the use of one makes, a period ticket, points, a gift
card, a program that has ended and one that is to come; organisation 2 a card, a day ticket and points; organisation 3 a
period ticket. Their products are `CODES` of the organisation and `product`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from datastore.demo.draw import REFERENCE
from datastore.loyalty.program import CouponConfig, LoyaltyProgram, LoyaltyProgramDescription, LoyaltyProgramType
from datastore.text import email_key

COUPONS, TIMED, POINTS = LoyaltyProgramType.COUPONS, LoyaltyProgramType.TIMED, LoyaltyProgramType.POINTS
START, END = datetime(2019, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, tzinfo=UTC)
SECOND_CARD = datetime(2024, 1, 1, tzinfo=UTC)
"""Since when the card has ten coupons, not eight."""
START_TIME = "04:00:00"
CLIENT = "demo-benefits"
CODES = {1: "ENT", 2: "NSB", 3: "FLT"}
"""Organisation -> codespace of its products."""

TABLES = ("loyalty_program", "coupon_config", "loyalty_program_description")


class Called(NamedTuple):
    """Name and description of a program in a language."""

    language: str
    name: str
    description: str


@dataclass(frozen=True, slots=True)
class DemoProgram:
    """A program, in its first version. `quantities` are the coupons of its versions, of which it has as many."""

    name: str
    type: LoyaltyProgramType
    called: tuple[Called, Called, Called]
    internal: str
    period: str | None = None
    code: str | None = None
    start: datetime = START
    end: datetime = END
    quantities: tuple[int, ...] = ()
    product: str = ""


DAY = DemoProgram(
    "DAY",
    TIMED,
    (
        Called("NOB", "Dagsbillett", "Reis så mye du vil en hel dag."),
        Called("NNO", "Dagsbillett", "Reis så mykje du vil ein heil dag."),
        Called("ENG", "Day ticket", "Travel as much as you like for a whole day."),
    ),
    "Dagen som et klipp gir.",
    period="P1D",
    product="dagsbillett",
)
CARD = DemoProgram(
    "CARD",
    COUPONS,
    (
        Called("NOB", "Klippekort", "Ti dager i året. Hvert klipp gir en dagsbillett."),
        Called("NNO", "Klippekort", "Ti dagar i året. Kvart klipp gjev ein dagsbillett."),
        Called("ENG", "Coupon card", "Ten days a year. Each coupon gives a day ticket."),
    ),
    "Klippekort med dagsbilletter, for personalbilletter og bedrifter.",
    quantities=(8, 10),
    product="klippekort",
)
PERIOD = DemoProgram(
    "PERIOD",
    TIMED,
    (
        Called("NOB", "Periodebillett 30 dager", "Ubegrenset reise i 30 dager."),
        Called("NNO", "Periodebillett 30 dagar", "Uavgrensa reise i 30 dagar."),
        Called("ENG", "30-day ticket", "Unlimited travel for 30 days."),
    ),
    "Periodebillett for pendlere.",
    period="P30D",
    code="PENDLER",
    product="periode30",
)
POINTS_PROGRAM = DemoProgram(
    "POINTS",
    POINTS,
    (
        Called("NOB", "Reisepoeng", "Tjen poeng på reiser, og bruk dem på nye."),
        Called("NNO", "Reisepoeng", "Ten poeng på reiser, og bruk dei på nye."),
        Called("ENG", "Travel points", "Earn points by travelling, and spend them on more."),
    ),
    "Poengprogram; ett poeng er en PTS.",
    code="POENG",
    product="reisepoeng",
)
GIFT_CARD = DemoProgram(
    "GIFT_CARD",
    POINTS,
    (
        Called("NOB", "Gavekort", "Et beløp å reise for."),
        Called("NNO", "Gåvekort", "Eit beløp å reise for."),
        Called("ENG", "Gift card", "An amount to travel for."),
    ),
    "Gavekort i norske kroner.",
    product="gavekort",
)
WINTER = DemoProgram(
    "WINTER",
    TIMED,
    (
        Called("NOB", "Vinterbillett", "Gjaldt vinteren 2024–2025."),
        Called("NNO", "Vinterbillett", "Galdt vinteren 2024–2025."),
        Called("ENG", "Winter ticket", "Was good in the winter of 2024–2025."),
    ),
    "Kampanje som er avsluttet.",
    start=datetime(2024, 11, 1, tzinfo=UTC),
    end=datetime(2025, 4, 1, tzinfo=UTC),
    product="vinter2025",
)
SUMMER = DemoProgram(
    "SUMMER",
    TIMED,
    (
        Called("NOB", "Sommerbillett", "Gjelder sommeren 2035."),
        Called("NNO", "Sommarbillett", "Gjeld sommaren 2035."),
        Called("ENG", "Summer ticket", "Good in the summer of 2035."),
    ),
    "Kampanje som er planlagt.",
    period="P7D",
    code="SOMMER",
    start=datetime(2035, 6, 1, tzinfo=UTC),
    end=datetime(2035, 9, 1, tzinfo=UTC),
    product="sommer2035",
)

PROGRAMS: Mapping[int, tuple[DemoProgram, ...]] = {
    1: (DAY, CARD, PERIOD, POINTS_PROGRAM, GIFT_CARD, WINTER, SUMMER),
    2: (DAY, CARD, POINTS_PROGRAM),
    3: (PERIOD,),
}
"""The programs of each organisation; a day ticket before the card that sells it."""

ProgramKeys = Mapping[tuple[int, str], int]
"""Organisation and name -> id of the program."""


def product_id(organisation_id: int, program: DemoProgram) -> str:
    return f"{CODES[organisation_id]}:EntitlementProduct:{program.product}"


async def add_programs(session: AsyncSession) -> tuple[ProgramKeys, dict[str, int]]:
    """The ids of all programs, after adding those that are missing; and how many rows of each table were added."""
    wanted = [(organisation, program) for organisation, some in PROGRAMS.items() for program in some]
    products = {product_id(*each): (each[0], each[1].name) for each in wanted}
    row, rows = LoyaltyProgram, dict.fromkeys(TABLES, 0)
    present = select(row.product_id, row.id).where(row.product_id.in_(products), row.version_number == 1)
    keys = {products[product]: key for product, key in await session.execute(present)}
    highest = await session.scalar(select(func.max(row.id))) or 0
    for organisation, program in wanted:
        if (organisation, program.name) not in keys:
            keys[organisation, program.name] = highest + 1
            versions = _versions(program, organisation, highest + 1)
            highest += len(versions)
            session.add_all(versions)
            await session.flush()
            quantities = zip(versions, program.quantities, strict=False)
            configs = [_config(version.id, quantity, keys[organisation, DAY.name]) for version, quantity in quantities]
            descriptions = [_description(versions[0].id, each) for each in program.called]
            session.add_all([*configs, *descriptions])
            counts = len(versions), len(configs), len(descriptions)
            for table, added in zip(TABLES, counts, strict=True):
                rows[table] += added
    await session.flush()
    return keys, rows


def _versions(program: DemoProgram, organisation_id: int, first: int) -> list[LoyaltyProgram]:
    starts = [program.start, SECOND_CARD][: max(1, len(program.quantities))]
    return [
        LoyaltyProgram(
            id=first + place,
            loyalty_program_id=first,
            version_number=place + 1,
            organisation_id=organisation_id,
            product_id=product_id(organisation_id, program),
            product_version=f"{CODES[organisation_id]}:Version:V{place + 1}",
            loyalty_program_type=program.type,
            loyalty_program_code=program.code,
            code_key=None if program.code is None else email_key(program.code),
            internal_description=program.internal,
            start_date=start,
            end_date=program.end,
            superseded_at=starts[place + 1] if place + 1 < len(starts) else None,
            usage_validity_period=program.period,
            created_at=min(start, REFERENCE),
            created_by=CLIENT,
        )
        for place, start in enumerate(starts)
    ]


def _config(version_id: int, quantity: int, day: int) -> CouponConfig:
    return CouponConfig(
        version_id=version_id,
        default_quantity=quantity,
        loyalty_program_id=day,
        default_start_time=START_TIME,
        usage_validity_period="P1D",
    )


def _description(program_id: int, called: Called) -> LoyaltyProgramDescription:
    return LoyaltyProgramDescription(
        loyalty_program_id=program_id,
        language_code=called.language,
        display_name=called.name,
        description=called.description,
        created_at=START,
        created_by=CLIENT,
        last_changed_at=START,
        last_changed_by=CLIENT,
    )
