"""How the rows of a contract of the demo data are made: who uses it, for what, and the ledger of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.sql.schema import ScalarElementColumnDefault

from datastore.base import Base
from datastore.demo.draw import REFERENCE, Draw
from datastore.demo.loyalty_programs import CODES, END
from datastore.demo.relations import Row
from datastore.loyalty.contract import ContractStatus, Policy, PolicyKey
from datastore.loyalty.ledger import FIRST, LedgerKind, mac_of, seal_of
from datastore.loyalty.usage import OrderLineEventType
from datastore.sealing import Keyring

OSLO = ZoneInfo("Europe/Oslo")
TABLES = (
    "contract",
    "contract_consumer",
    "contract_policy",
    "order_line_event",
    "tax_distribution",
    "coupon_year",
    "total_amount",
    "contract_transaction",
    "ledger_line",
    "ledger_head",
)
"""The tables that batches have rows of, those that others refer to first."""

COUNTED = tuple(table for table in TABLES if "id" in Base.metadata.tables[table].columns)
"""Those whose rows have keys of their own; the others are named by their contract."""

PRICE, FULL_PRICE = 9_900, 24_900
"""What a day ticket costs with a coupon, and without."""


@dataclass(slots=True)
class Making:
    """Rows being made: each has the key after the highest one of its table, and every column of it. `keys` make the
    seals of ledgers."""

    highest: dict[str, int]
    keys: Keyring
    rows: dict[str, list[Row]] = field(default_factory=dict)

    def begin(self) -> None:
        """Forget the rows that were made so far."""
        self.rows = {table: [] for table in TABLES}

    def add(self, table: str, **values: Any) -> Row:
        """Add a row, with what a new one has where nothing is said."""
        row = {**_blank(table), **values}
        if "id" in row:
            self.highest[table] += 1
            row["id"] = self.highest[table]
        self.rows[table].append(row)
        return row


@cache
def _blank(table: str) -> Mapping[str, Any]:
    """What the columns of a table have by default, null where they have none."""
    found: dict[str, Any] = {}
    for column in Base.metadata.tables[table].columns:
        found[column.name] = column.default.arg if isinstance(column.default, ScalarElementColumnDefault) else None
    return {**found, "version": 1} if "version" in found else found


def drawn_uuid(draw: Draw) -> str:
    return str(UUID(int=draw.getrandbits(128), version=4))


def day_of(moment: datetime) -> date:
    """The day in Norway."""
    return moment.astimezone(OSLO).date()


def at(day: date, hour: int = 0) -> datetime:
    """When it is so late on a day in Norway."""
    return datetime.combine(day, time(hour), OSLO).astimezone(UTC)


@cache
def year_bounds(year: int) -> tuple[datetime, datetime]:
    return at(date(year, 1, 1)), at(date(year + 1, 1, 1))


class ContractMaking:
    """A contract being made. Its ledger has to be told in the order of time, and `finish` comes last."""

    def __init__(
        self,
        making: Making,
        uuid: str,
        organisation_id: int,
        loyalty_program_id: int,
        holder_id: int | None,
        created_at: datetime,
        by: str,
        *,
        status: ContractStatus | None = None,
        program_end: datetime = END,
        changed_at: datetime | None = None,
        **values: Any,
    ) -> None:
        """With another status than what time makes of it, it was changed at `changed_at`."""
        expires = values.get("expiration_date")
        ends_at = program_end if expires is None else min(expires, program_end)
        by_time = ContractStatus.EXPIRED if ends_at <= REFERENCE else ContractStatus.VALID
        last = changed_at if status is not None and changed_at is not None else created_at
        self.making, self.by = making, by
        self.row = making.add(
            "contract",
            **{
                "uuid": uuid,
                "organisation_id": organisation_id,
                "loyalty_program_id": loyalty_program_id,
                "holder_id": holder_id,
                "status": status or by_time,
                "consumable_from": created_at,
                "ends_at": ends_at,
                "created_at": created_at,
                "created_by": by,
                "last_changed_at": last,
                "last_changed_by": by,
                "version": 1 if last == created_at else 2,
                **values,
            },
        )
        self.seal, self.count, self.orders = FIRST, 0, 0
        self.total, self.currency, self.moved_at = 0, "", created_at
        self.left: dict[int, int] = {}
        if holder_id is not None:
            self.consumer(holder_id, is_contract_holder=True)

    def consumer(self, customer_id: int, **values: Any) -> None:
        """Somebody who may use it."""
        since, by = self.row["created_at"], self.by
        known = {"created_at": since, "created_by": by, "last_changed_at": since, "last_changed_by": by}
        self.making.add("contract_consumer", contract_id=self.row["id"], customer_id=customer_id, **known, **values)

    def policy(self, key: PolicyKey, value: str) -> None:
        """What whoever claims it must be like (L21); the value as it is compared."""
        covered = f"{self.row['uuid']}\n{key.value}\n{value}"
        value_hash = self.making.keys.search_hash(covered, Policy.value_hash)
        self.making.add("contract_policy", contract_id=self.row["id"], key=key, value_hash=value_hash)

    # Coupons

    def remaining(self, year: int) -> int:
        limit: int = self.row["coupons_limit"]
        return self.left.get(year, limit)

    def use(
        self, order_id: str, customer_id: int, booked_at: datetime, travel_date: datetime, day_program: int, uuid: str
    ) -> tuple[Row, Row]:
        """The purchase of a day ticket with a coupon, and the contract that it makes, which has this uuid (L16)."""
        day = day_of(travel_date)
        starts_at, expires_at = at(day, 4), at(day + timedelta(days=1), 4)
        sub = ContractMaking(
            self.making,
            uuid,
            self.row["organisation_id"],
            day_program,
            self.row["holder_id"],
            booked_at,
            self.by,
            parent=self.row["uuid"],
            consumable_from=starts_at,
            expiration_date=expires_at,
            passenger_category=self.row["passenger_category"],
        )
        if customer_id != self.row["holder_id"]:
            sub.consumer(customer_id)
        price = {"price": PRICE, "original_price": FULL_PRICE}
        event = self.event(order_id, customer_id, booked_at, travel_date, coupons_used=1, sub_contract=uuid, **price)
        self._move(LedgerKind.USE, booked_at, event, coupons=-1)
        self.saved(event)
        return event, sub.row

    def cancel(self, event: Row, sub: Row, cancelled_at: datetime) -> None:
        """Take a purchase back before the travel, with the contract that it had made (L14)."""
        event["is_cancelled"] = True
        sub |= {"status": ContractStatus.CANCELLED, "last_changed_at": cancelled_at, "version": 2}
        same = {name: value for name, value in event.items() if name != "id"}
        turned = {name: -event[name] for name in ("price", "original_price")}
        kind = {"event_type": OrderLineEventType.CANCELLATION, "cancels_id": event["id"], "timestamp": cancelled_at}
        back = self.making.add("order_line_event", **{**same, **turned, **kind})
        self._move(LedgerKind.CANCELLATION, cancelled_at, back, coupons=1)
        self.saved(back)

    def event(self, order_id: str, customer_id: int, booked_at: datetime, travel_date: datetime, **values: Any) -> Row:
        """A purchase of this order."""
        return self.making.add(
            "order_line_event",
            **{
                "contract_id": self.row["id"],
                "customer_id": customer_id,
                "organisation_id": self.row["organisation_id"],
                "order_id": order_id,
                "order_line_id": "1",
                "order_line_version": "1",
                "event_type": OrderLineEventType.PURCHASE,
                "timestamp": booked_at,
                "travel_date": travel_date,
                "last_travel_date": travel_date,
                "coupon_year": day_of(travel_date).year,
                "codespace": CODES[self.row["organisation_id"]],
                "order_line_text": "Dagsbillett",
                **values,
            },
        )

    def saved(self, event: Row) -> None:
        """What is saved by a trip of one day counts in its month (L35)."""
        day, saving = day_of(event["travel_date"]), event["original_price"] - event["price"]
        month = {"tax_year": day.year, "tax_month": day.month, "tax_saving": saving}
        self.making.add("tax_distribution", order_line_event_id=event["id"], **month)

    def _move(self, kind: LedgerKind, moment: datetime, event: Row, coupons: int) -> None:
        year = event["coupon_year"]
        self.left[year] = self.remaining(year) + coupons
        reference = "/".join(event[name] for name in ("order_id", "order_line_id", "order_line_version"))
        self._line(kind, moment, reference, coupons=coupons, coupon_year=year)

    # Points and money

    def transaction(
        self, kind: LedgerKind, moment: datetime, amount: int, currency: str, uuid: str, **values: Any
    ) -> Row:
        """A deposit (positive) or a withdrawal, of no more than there is."""
        self.total += amount
        self.currency, self.moved_at = currency, moment
        self._line(kind, moment, f"transaction {uuid}", amount=amount, currency=currency)
        return self.making.add(
            "contract_transaction",
            contract_id=self.row["id"],
            amount=amount,
            currency=currency,
            timestamp=moment,
            internal_transaction_id=uuid,
            created_by=self.by,
            **values,
        )

    def _line(self, kind: LedgerKind, moment: datetime, reference: str, **moved: Any) -> None:
        self.count += 1
        key = self.making.keys.newest
        line = self.making.add(
            "ledger_line",
            contract_id=self.row["id"],
            number=self.count,
            kind=kind,
            reference=reference,
            booked_at=moment,
            booked_by=self.by,
            key_id=key.key_id,
            **moved,
        )
        line["mac"] = mac_of(key, self.seal, line)
        self.seal = seal_of(key, line["mac"])

    def finish(self) -> None:
        """Store what it has."""
        key = {"contract_id": self.row["id"]}
        for year, remaining in sorted(self.left.items()):
            starts_at, ends_at = year_bounds(year)
            limit = self.row["coupons_limit"]
            bounds = {"year": year, "starts_at": starts_at, "ends_at": ends_at}
            self.making.add("coupon_year", **key, **bounds, coupons_limit=limit, remaining=remaining)
        if self.currency:
            has = {"amount": self.total, "currency": self.currency, "calculated_at": self.moved_at}
            self.making.add("total_amount", **key, **has)
        if self.count:
            self.making.add("ledger_head", **key, number=self.count, mac=self.seal)
