"""Loyalty programs and contracts in each stock, and what bad data there could be between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select

from datastore.base import Base
from datastore.customer import Customer
from datastore.database import Database
from datastore.loyalty import ledger, program, usage
from datastore.loyalty.contract import Contract, ContractConsumer, Policy, PolicyKey
from resolvers.loyalty.holds import year_of
from tests.factories.loyalty import DAY, YEAR, now
from tests.security.organisations import Stock, World

OWN, FOREIGN, NEIGHBOUR = 1, 2, 3
ROWS: tuple[type[Base], ...] = (
    usage.TaxDistribution,
    usage.ContractReservation,
    usage.OrderLineEvent,
    ledger.Transaction,
    ledger.LedgerLine,
    ledger.LedgerHead,
    ledger.TotalAmount,
    ledger.CouponYear,
    Policy,
    ContractConsumer,
    Contract,
    program.LoyaltyProgramDescription,
    program.CouponConfig,
    program.LoyaltyProgram,
)
"""All row classes of the loyalty domain; each refers only to those after it."""
KINDS = program.LoyaltyProgramType


@dataclass(slots=True)
class Contracts:
    """The contracts of one stock by what they are like, with what hangs on them, and all marks in it; apart those of
    the programs, which everybody in the organisation may know, and those of the contract that is shared."""

    number: int
    organisation_id: int
    programs: dict[str, program.LoyaltyProgram] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)
    lines: dict[str, usage.OrderLineEvent] = field(default_factory=dict)
    reservations: dict[str, usage.ContractReservation] = field(default_factory=dict)
    transactions: dict[str, ledger.Transaction] = field(default_factory=dict)
    marks: set[str] = field(default_factory=set)
    program_marks: set[str] = field(default_factory=set)
    shared_marks: set[str] = field(default_factory=set)


async def fill_contracts(database: Database, world: World) -> None:
    """Store all programs and contracts."""
    for made in (world.own, world.foreign, world.neighbour):
        found = world.contracts[made.number] = Contracts(made.number, made.organisation_id)
        kept, made.marks = made.marks, set()
        if made is world.neighbour:
            found.programs = world.contracts[OWN].programs
        else:
            await programs(database, made, found)
        found.program_marks, made.marks = made.marks, set()
        await Filler(database, made, found).fill()
        found.marks, made.marks = made.marks, kept
    await across(database, world)
    await shared(database, world)
    for row in ROWS:
        world.kept[row] = [each.key for each in await database.fetch(select(key_of(row).label("key")))]


async def programs(database: Database, made: Stock, found: Contracts) -> None:
    """A program of each type, with a code and a name."""
    moment = now()
    for place, kind in enumerate((KINDS.TIMED, KINDS.COUPONS, KINDS.POINTS, KINDS.UNMAPPED)):
        key, code = made.number * 1_000_000_000 + 500 + place, made.mark()
        given = {
            "id": key,
            "loyalty_program_id": key,
            "version_number": 1,
            "organisation_id": made.organisation_id,
            "product_id": f"ENT:EntitlementProduct:{made.mark()}",
            "product_version": f"ENT:Version:{made.mark()}",
            "loyalty_program_type": kind,
            "loyalty_program_code": code,
            "code_key": code,
            "start_date": moment - YEAR,
            "end_date": moment + 10 * YEAR,
            "usage_validity_period": None,
            "created_at": moment,
        }
        found.programs[kind.name] = await made.store(database, program.LoyaltyProgram, **given)
        changed = {"created_at": moment, "last_changed_at": moment, "language_code": "NOB"}
        await made.store(database, program.LoyaltyProgramDescription, loyalty_program_id=key, **changed)
    below = found.programs["TIMED"].id
    more = {"default_quantity": 10, "loyalty_program_id": below, "default_start_time": None}
    await made.store(
        database, program.CouponConfig, version_id=found.programs["COUPONS"].id, usage_validity_period="P1D", **more
    )


@dataclass(slots=True)
class Filler:
    """Stores the contracts of one stock."""

    database: Database
    stock: Stock
    found: Contracts

    async def fill(self) -> None:
        """A contract of each kind, with one of everything that it can have, of the active customer: one of them a
        consumer beside the holder, one that nobody has claimed, one whose consumer is blocked."""
        mine, other = self.stock.customers["active"], self.stock.customers["connected"]
        for place, kind in enumerate(("COUPONS", "POINTS", "UNMAPPED")):
            await self.contract(kind, kind, place, mine, other)
        coupons = self.found.contracts["COUPONS"]
        await self.contract("TIMED", "TIMED", 3, mine, parent=coupons.uuid)
        await self.contract("free", "TIMED", 4, None)
        await self.contract("blocked", "TIMED", 5, other)
        await self.consumer(self.found.contracts["blocked"], mine, is_blocked=True)
        for each in ("COUPONS", "POINTS", "TIMED"):
            await self.belongings(each, mine)

    async def contract(
        self, name: str, kind: str, place: int, holder: Customer | None, *others: Customer, **values: Any
    ) -> Contract:
        """A contract with a code, and its consumers."""
        of = self.found.programs[kind]
        moment = now()
        code = f"{self.stock.mark()}-{self.stock.mark()}-{self.stock.mark()}"
        given = {
            "id": self.stock.number * 1_000_000_000 + 600 + place,
            "uuid": self.stock.uuid(),
            "organisation_id": self.stock.organisation_id,
            "loyalty_program_id": of.id,
            "holder_id": holder.id if holder else None,
            "parent": None,
            "external_ref": code,
            "consumable_from": moment - YEAR,
            "ends_at": of.end_date,
            "coupons_limit": 9_000 if kind == "COUPONS" else None,
            "created_at": moment,
            "last_changed_at": moment,
            "version": 1,
            **values,
        }
        made: Contract = await self.stock.store(self.database, Contract, **given)
        self.found.contracts[name] = made
        for each in ([holder] if holder else []) + list(others):
            await self.consumer(made, each, is_contract_holder=each is holder)
        key = {"contract_id": made.id, "key": PolicyKey.EMAIL, "value_hash": "0" * 64}
        await self.stock.store(self.database, Policy, id=made.id, **key)
        return made

    async def consumer(self, of: Contract, customer: Customer, **values: Any) -> None:
        moment = now()
        given = {"contract_id": of.id, "customer_id": customer.id, "created_at": moment, "last_changed_at": moment}
        await self.stock.store(self.database, ContractConsumer, **given, **values)

    async def belongings(self, name: str, customer: Customer) -> None:
        """One of everything that hangs on a contract, by this customer."""
        of, moment = self.found.contracts[name], now()
        year = year_of(moment)
        store, key = self.stock.store, {"contract_id": of.id}
        when = {"travel_date": moment, "last_travel_date": moment, "coupon_year": year.year}
        line: Mapping[str, Any] = {
            **key,
            **when,
            "customer_id": customer.id,
            "organisation_id": of.organisation_id,
            "order_line_version": "1",
            "event_type": usage.OrderLineEventType.PURCHASE,
            "timestamp": moment,
            "price": 100_00,
            "coupons_used": 1,
            "sub_contract": None,
        }
        bought = await store(self.database, usage.OrderLineEvent, **{**line, "id": of.id})
        self.found.lines[name] = bought
        saved = {"tax_year": 2026, "tax_month": 1, "tax_saving": 50_00}
        await store(self.database, usage.TaxDistribution, order_line_event_id=bought.id, **saved)
        held = {
            **key,
            **when,
            "id": of.id,
            "uuid": self.stock.uuid(),
            "customer_id": customer.id,
            "coupons": 1,
            "created_at": moment,
        }
        self.found.reservations[name] = await store(
            self.database, usage.ContractReservation, **held, expires_at=moment + DAY
        )
        for place, amount in enumerate((200_00, -100_00, -100_00)):
            told = {"amount": amount, "currency": "NOK", "timestamp": moment + place * timedelta(seconds=1)}
            told |= {"internal_transaction_id": self.stock.uuid()}
            reverses = self.found.transactions[f"{name} 0"].id if place == 2 else None
            self.found.transactions[f"{name} {place}"] = await store(
                self.database, ledger.Transaction, id=of.id * 10 + place, **key, **told, reverses_id=reverses
            )
        await store(self.database, ledger.TotalAmount, **key, amount=1_000_00, currency="NOK", calculated_at=moment)
        bounds = {"starts_at": year.starts_at, "ends_at": year.ends_at}
        left = {"year": year.year, **bounds, "coupons_limit": 9_000, "remaining": 9_000}
        await store(self.database, ledger.CouponYear, **key, **left)
        moved = {"kind": ledger.LedgerKind.USE, "amount": 1, "currency": "NOK", "booked_at": moment}
        await store(self.database, ledger.LedgerLine, **key, number=1, **moved)
        await store(self.database, ledger.LedgerHead, **key, number=1)


async def across(database: Database, world: World) -> None:
    """What ought not to be: rows of one stock that lead to those of another one."""
    for stock, other in ((world.own, world.foreign), (world.foreign, world.own), (world.own, world.neighbour)):
        one, two = world.contracts[stock.number], world.contracts[other.number]
        kept, stock.marks = stock.marks, set()
        filler, mine, theirs = Filler(database, stock, one), one.contracts["COUPONS"], two.contracts["COUPONS"]
        moment, who = now(), stock.customers["active"]
        when = {"travel_date": moment, "last_travel_date": moment, "coupon_year": moment.year}
        line = {
            **when,
            "contract_id": mine.id,
            "customer_id": who.id,
            "organisation_id": one.organisation_id,
            "event_type": usage.OrderLineEventType.CANCELLATION,
            "timestamp": moment,
            "price": -100_00,
            "cancels_id": two.lines["COUPONS"].id,
            "sub_contract": theirs.uuid,
        }
        await stock.store(database, usage.OrderLineEvent, **line)
        held = {**when, "contract_id": mine.id, "customer_id": who.id, "created_at": moment, "expires_at": moment + DAY}
        await stock.store(database, usage.ContractReservation, **held, order_line_event_id=two.lines["TIMED"].id)
        on_mine = {"contract_id": one.contracts["POINTS"].id, "reverses_id": two.transactions["POINTS 1"].id}
        told = {"amount": -1, "currency": "NOK", "timestamp": moment}
        await stock.store(database, ledger.Transaction, **told, **on_mine)
        if other.organisation_id != stock.organisation_id:
            of = two.programs["UNMAPPED"].id
            await filler.contract(f"of {two.number}", "TIMED", 20 + two.number, who, loyalty_program_id=of)
        one.marks |= stock.marks
        stock.marks = set()
        await filler.consumer(mine, other.customers["active"])
        if other is not world.foreign:  # of clients it is no secret that their contract has such a consumer
            (one if stock is world.foreign else two).marks |= stock.marks
        stock.marks = kept


async def shared(database: Database, world: World) -> None:
    """A contract of the neighbour that the caller may use too: what the neighbour does with it is the neighbour's."""
    stock, found = world.neighbour, world.contracts[NEIGHBOUR]
    kept, stock.marks = stock.marks, set()
    filler = Filler(database, stock, found)
    holder, mine = stock.customers["active"], world.own.customers["active"]
    of = await filler.contract("shared", "COUPONS", 10, None, holder_id=holder.id)
    await filler.consumer(of, mine)
    told = stock.marks
    stock.marks = set()
    await filler.consumer(of, holder, is_contract_holder=True)
    await filler.consumer(of, stock.customers["connected"], is_blocked=True)
    marks, stock.marks = stock.marks, set()
    await filler.belongings("shared", holder)
    # Deposits and withdrawals are the contract's, not a person's.
    moved = {mark for place in range(3) for mark in texts(found.transactions[f"shared {place}"])}
    found.marks |= marks | (stock.marks - moved)
    found.shared_marks |= told | moved
    stock.marks = kept


def texts(row: Any) -> set[str]:
    return {each for each in row if isinstance(each, str)}


def key_of(row: type[Base]) -> Any:
    """The column that is the key of a row class."""
    return next(iter(row.__table__.primary_key))


async def remove_contracts(database: Database, world: World) -> None:
    """Remove the programs and contracts that callers have made, and what they have put to those of the stocks."""
    async with database.write() as session:
        for row in ROWS:
            await session.execute(delete(row).where(key_of(row).not_in(world.kept[row])))
