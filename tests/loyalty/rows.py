"""Builders of what hangs on contracts, and the callers who look at it. A keyword sets a column to another value."""

import uuid
from typing import Any

from datastore.customer import Customer
from datastore.database import Database
from datastore.loyalty import ledger, usage
from datastore.loyalty.contract import Contract, Policy, PolicyKey
from datastore.viewer import GRANTABLE, TenantKind, Viewer
from resolvers.loyalty.holds import year_of
from tests.factories.customer import inserted
from tests.factories.loyalty import CLIENT, DAY, now


def a_user(*profiles: Customer) -> Viewer:
    """A traveller whose profiles these are, the own one first."""
    mine = frozenset(each.id for each in profiles)
    return Viewer(
        profiles[0].organisation_id,
        TenantKind.TRAVELLER,
        GRANTABLE,
        customer_number=profiles[0].customer_number,
        customer_ids=mine,
    )


async def a_transaction(database: Database, contract: Contract, amount: int = 100_00, **values: Any) -> Any:
    """A deposit of 100.00 NOK now; the total does not know of it."""
    given = {
        "contract_id": contract.id,
        "amount": amount,
        "currency": "NOK",
        "timestamp": now(),
        "rrn": None,
        "email": None,
        "pos_id": None,
        "external_transaction_id": None,
        "internal_transaction_id": str(uuid.uuid4()),
        "reverses_id": None,
        "created_by": CLIENT,
        **values,
    }
    return (await inserted(database, ledger.Transaction, given))[0]


async def a_total(database: Database, contract: Contract, amount: int, currency: str = "NOK") -> Any:
    """The total of the contract, calculated now."""
    given = {"contract_id": contract.id, "amount": amount, "currency": currency, "calculated_at": now()}
    return (await inserted(database, ledger.TotalAmount, given))[0]


async def a_coupon_year(database: Database, contract: Contract, remaining: int, year: int | None = None) -> Any:
    """What is left of the contract's coupons in a Norwegian year, by default this one."""
    this = year_of(now())
    bounds = this if year is None else year_of(this.starts_at + (year - this.year) * 365 * DAY + 180 * DAY)
    assert year is None or bounds.year == year
    given = {
        "contract_id": contract.id,
        "year": bounds.year,
        "starts_at": bounds.starts_at,
        "ends_at": bounds.ends_at,
        "coupons_limit": contract.coupons_limit,
        "remaining": remaining,
    }
    return (await inserted(database, ledger.CouponYear, given))[0]


async def a_reservation(database: Database, contract: Contract, coupons: int | None = 1, **values: Any) -> Any:
    """A use by the holder, now, that is held for another day."""
    moment = now()
    given = {
        "uuid": str(uuid.uuid4()),
        "contract_id": contract.id,
        "customer_id": contract.holder_id,
        "status": usage.ReservationStatus.HELD,
        "coupons": coupons,
        "coupon_year": year_of(moment).year,
        "travel_date": moment,
        "last_travel_date": moment,
        "expires_at": moment + DAY,
        "created_at": moment,
        "created_by": CLIENT,
        "settled_at": None,
        "order_line_event_id": None,
        **values,
    }
    return (await inserted(database, usage.ContractReservation, given))[0]


async def a_policy(database: Database, contract: Contract, key: PolicyKey = PolicyKey.EMAIL) -> Any:
    """What the email of whoever claims the contract must be like."""
    return (await inserted(database, Policy, {"contract_id": contract.id, "key": key, "value_hash": "0" * 64}))[0]


async def a_saving(database: Database, line: usage.OrderLineEvent, **values: Any) -> Any:
    """50.00 were saved in January 2026."""
    given = {"order_line_event_id": line.id, "tax_year": 2026, "tax_month": 1, "tax_saving": 50_00, "is_unknown": False}
    return (await inserted(database, usage.TaxDistribution, {**given, **values}))[0]
