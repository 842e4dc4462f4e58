"""The proof of a contract's ledger: whether its lines are as they were written, and add up to what the contract has.

What it cannot tell: that everything about a contract was taken back together to an earlier state, or is gone. For that,
the head and the number of lines have to be kept elsewhere. Nor does it stop whoever has a key, an old one included.
"""

import hmac
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import and_, func, select

from datastore.database import Database
from datastore.loyalty.contract import Contract
from datastore.loyalty.ledger import (
    FIRST,
    CouponYear,
    LedgerHead,
    LedgerLine,
    TotalAmount,
    Transaction,
    mac_of,
    reference_of,
    seal_of,
)
from datastore.reading import Fetch
from datastore.sealing import Keyring

BATCH = 1000
UNREADABLE = (LookupError, TypeError, ValueError)
"""What reading a value raises that does not fit its column: SQLite stores it all the same."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What the ledger of a contract comes to: the seal of its last line by its head, how many lines it has, and the
    sum of their amounts. `first_broken_line` is the number of the first line that is missing, was put in, or was
    changed, None if there is none. `is_balanced` is whether the lines add up to what the contract has, and each
    transaction is as its line says."""

    head: str
    count: int
    sum: int
    first_broken_line: int | None
    is_balanced: bool


@dataclass(slots=True)
class Sums:
    """What the lines come to that were seen so far, how many of them have an amount, and the seal of the last one."""

    seal: str = FIRST
    count: int = 0
    amount: int = 0
    amounts: int = 0
    currencies: set[Any] = field(default_factory=set)
    coupons: Counter[Any] = field(default_factory=Counter)
    broken: int | None = None

    def add(self, keys: Keyring, line: Mapping[str, Any]) -> None:
        """Take the next line; a line under a key that is not configured is broken, as nobody can tell."""
        self.count += 1
        if self.broken is None and not self._is_whole(keys, line):
            self.broken = self.count
        if isinstance(line.get("amount"), int):
            self.amount += line["amount"]
            self.amounts += 1
            self.currencies.add(line["currency"])
        if isinstance(line.get("coupons"), int):
            self.coupons[line["coupon_year"]] += line["coupons"]

    def _is_whole(self, keys: Keyring, line: Mapping[str, Any]) -> bool:
        key = keys.keys.get(line.get("key_id", ""))
        if key is None or line["number"] != self.count:
            return False
        try:
            mac = mac_of(key, self.seal, line)
            is_whole = hmac.compare_digest(mac, line["mac"])
        except UNREADABLE:
            return False
        self.seal = seal_of(key, mac)
        return is_whole


async def prove(database: Database, contract_id: int) -> Proof:
    """Check the lines of a contract, in their order, against each other, the head, the balances and the transactions:
    all as they were at one moment. It reads only, in batches; others may go on writing."""
    sums = Sums()
    async with database.snapshot() as fetch:
        async for line in _lines(fetch, contract_id):
            sums.add(database.keys, line)
        number, head = await _head(fetch, contract_id)
        is_balanced = await _is_balanced(fetch, contract_id, sums)
    if sums.broken is None and number != sums.count:
        sums.broken = min(number, sums.count) + 1
    elif sums.broken is None and not hmac.compare_digest(head.encode(), sums.seal.encode()):
        sums.broken = max(sums.count, 1)
    return Proof(head, sums.count, sums.amount, sums.broken, is_balanced)


async def _lines(fetch: Fetch, contract_id: int) -> AsyncIterator[Mapping[str, Any]]:
    """The lines by their number; of one that cannot be read, the number alone."""
    table: Any = LedgerLine.__table__
    after, size = None, BATCH
    while True:
        wanted = select(table).where(table.c.contract_id == contract_id).order_by(table.c.number).limit(size)
        if after is not None:  # else also those with numbers before the first one, which nobody should have
            wanted = wanted.where(table.c.number > after)
        try:
            found = await fetch(wanted)
        except UNREADABLE:
            if size > 1:
                size = 1  # one by one, up to the line that cannot be read
                continue
            found = await fetch(wanted.with_only_columns(table.c.number))
        for row in found:
            yield row._mapping
        if len(found) < size:
            return
        after = found[-1].number


async def _head(fetch: Fetch, contract_id: int) -> tuple[int, str]:
    """How many lines there are by the head, and its seal."""
    found = await fetch(select(LedgerHead.number, LedgerHead.mac).where(LedgerHead.contract_id == contract_id))
    return (found[0].number, str(found[0].mac)) if found else (0, FIRST)


async def _is_balanced(fetch: Fetch, contract_id: int, sums: Sums) -> bool:
    totals, years = TotalAmount, CouponYear
    total = await fetch(select(totals.amount, totals.currency).where(totals.contract_id == contract_id))
    row, line = Transaction, LedgerLine
    told = and_(
        line.contract_id == row.contract_id,
        line.reference == reference_of(row.internal_transaction_id),
        line.amount == row.amount,
        line.currency == row.currency,
    )
    counted = select(func.count(row.id), func.count(line.id)).select_from(row).outerjoin(line, told)
    ((transactions, as_told),) = await fetch(counted.where(row.contract_id == contract_id))
    wanted = select(years.year, years.coupons_limit, years.remaining, Contract.coupons_limit.label("of_contract"))
    left = await fetch(wanted.join(Contract, Contract.id == years.contract_id).where(years.contract_id == contract_id))
    amount, currencies = (total[0].amount, {total[0].currency}) if total else (0, set())
    coupons = Counter({each.year: each.remaining - each.coupons_limit for each in left})
    return (
        sums.amount == amount
        and sums.amounts == transactions == as_told
        and sums.currencies <= currencies
        and all(each.coupons_limit == each.of_contract for each in left)
        and all(coupons[year] == sums.coupons[year] for year in {*coupons, *sums.coupons})
    )
