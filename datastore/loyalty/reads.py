"""Statements of the loyalty domain that have a thought of their own."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, String, and_, case, false, func, literal_column, select, true
from sqlalchemy.orm import aliased
from sqlalchemy.sql import Select

from datastore.base import broad, present
from datastore.customer import Customer, CustomerStatus
from datastore.keyset import Order
from datastore.loaders import Condition, Selection
from datastore.loyalty.contract import Contract, ContractConsumer, ContractStatus
from datastore.loyalty.ledger import CouponYear
from datastore.loyalty.program import CouponConfig, LoyaltyProgram, LoyaltyProgramDescription
from datastore.loyalty.usage import ContractReservation, ReservationStatus
from datastore.reading import among, columns, visible
from datastore.viewer import Viewer


def coupons_left(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """Select `(columns of a coupon year ..., key)`: for the contracts with coupons whose key is wanted, this Norwegian
    year, whether anything was used in it or not. What was held and is over is given back (rule L14)."""
    year: Any = aliased(CouponYear)
    limit = Contract.coupons_limit
    left = func.coalesce(year.remaining, limit) + _held_too_long(year)
    this_year = and_(year.contract_id == Contract.id, year.starts_at <= present(), year.ends_at > present())
    return (
        select(
            func.coalesce(year.id, 0).label("id"),
            Contract.id.label("contract_id"),
            func.coalesce(year.year, 0).label("year"),
            func.coalesce(year.starts_at, Contract.created_at).label("starts_at"),
            func.coalesce(year.ends_at, Contract.created_at).label("ends_at"),
            limit.label("coupons_limit"),
            left.label("remaining"),
            Contract.id.label("key"),
        )
        .select_from(Contract)
        .outerjoin(year, this_year)
        .where(limit.is_not(None), Contract.visible_to(viewer), is_wanted(Contract.id))
    )


def coupon_years(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """Select `(columns of a coupon year ..., key)`: the years in which coupons of the contracts whose key is wanted
    were used, in their order, with what was held and is over given back."""
    row = CouponYear
    shown = [row.remaining + _held_too_long(row) if each.name == "remaining" else each for each in columns(row)]
    found = select(*(each.label(name) for each, name in zip(shown, row.__table__.c.keys(), strict=True)))
    found = found.add_columns(row.contract_id.label("key")).where(row.visible_to(viewer), is_wanted(row.contract_id))
    return found.order_by(row.year)


def _held_too_long(year: Any) -> ColumnElement[int]:
    """How many coupons of a year are held still, though the time for it is over."""
    held: Any = aliased(ContractReservation)
    over = select(func.sum(held.coupons)).where(
        held.contract_id == year.contract_id,
        held.coupon_year == year.year,
        held.status == ReservationStatus.HELD,
        held.expires_at <= present(),
    )
    return func.coalesce(over.correlate_except(held).scalar_subquery(), 0)


def consumers(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """Select `(columns of a consumer ..., key)` of the contracts whose key is wanted. Who holds it is told by the
    contract: a merge can leave the mark with the profile that is merged."""
    row: Any = ContractConsumer
    is_holder = func.coalesce(Contract.holder_id == row.customer_id, false()).label("is_contract_holder")
    shown = (is_holder if each.name == "is_contract_holder" else each for each in row.__table__.columns)
    found = select(*shown, row.contract_id.label("key")).join(Contract, Contract.id == row.contract_id)
    return found.where(row.visible_to(viewer), is_wanted(row.contract_id)).order_by(row.id)


def customer_by_key(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """Select `(columns of a customer ..., key)` for the customers whose key is wanted, or those they were merged
    into."""
    return Customer.reached(viewer, Customer.id, is_wanted(Customer.id))


def display_name(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """As `customer_by_key`, with first name and surname together as the surname; null for a customer without names."""
    found = customer_by_key(viewer, is_wanted).subquery("named")
    both = func.coalesce(found.c.first_name, "") + " " + func.coalesce(found.c.surname, "")
    whole = func.nullif(func.trim(both), "", type_=String(201))
    return select(*(whole.label("surname") if each.name == "surname" else each for each in found.c))


def program_by_id(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """Select `(columns of a program ..., key)`: of the programs whose id is wanted the version in force."""
    row = LoyaltyProgram
    return row.reached(viewer, row.loyalty_program_id, is_wanted(row.loyalty_program_id))


def coupon_config(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """Select `(columns of a coupon configuration ..., key)` for the versions whose key is wanted."""
    row = CouponConfig
    return visible(row, viewer).add_columns(row.version_id.label("key")).where(is_wanted(row.version_id))


def names_of_program(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
    """Select `(columns of a description ..., key)`: those of the programs whose id is wanted, by language."""
    row = LoyaltyProgramDescription
    found = visible(row, viewer).add_columns(row.loyalty_program_id.label("key"))
    return found.where(is_wanted(row.loyalty_program_id)).order_by(row.language_code)


# Whose contracts


def _some(is_so: Any) -> ColumnElement[int]:
    return func.max(case((is_so, 1), else_=0))


IS_HOLDER = _some(ContractConsumer.is_contract_holder) == 1
IS_NOT_BLOCKED = _some(ContractConsumer.is_blocked) == 0
"""Conditions on all consumers of a contract that are one customer: what has stayed with a profile that was merged into
the customer is the customer's, too."""


def _used_by(who: ColumnElement[bool], *as_what: ColumnElement[bool]) -> Selection:
    """The contracts of the customers `who`, by the customer's key, each once: those whose consumer the customer is in
    this way."""

    def selection(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
        """Select `(columns of a contract ..., key)`."""
        start = select(Customer.id.label("root"), Customer.id.label("id")).where(is_wanted(Customer.id), who)
        tree = with_merged(start)
        pairs = select(tree.c.root, ContractConsumer.contract_id)
        pairs = pairs.join(tree, ContractConsumer.customer_id == tree.c.id)
        used = pairs.group_by(tree.c.root, ContractConsumer.contract_id).having(*as_what).subquery("used")
        return visible(Contract, viewer).add_columns(used.c.root).join(used, used.c.contract_id == Contract.id)

    return selection


def with_merged(start: Any) -> Any:
    """The rows `(root, id)` of a statement, and with each of the same root the profiles that were merged into it."""
    tree, merged = start.cte("tree", recursive=True, nesting=True), aliased(Customer)
    return tree.union(select(tree.c.root, merged.id).join(tree, merged.merged_into_id == tree.c.id))


contracts_of = _used_by(true())
entitled_to = _used_by(Customer.status != CustomerStatus.DELETED, IS_NOT_BLOCKED)


def used_by(viewer: Viewer, is_it: ColumnElement[bool], *as_what: ColumnElement[bool]) -> ColumnElement[bool]:
    """The condition on contracts whose consumer the customer who meets `is_it` is, or the one it was merged into, in
    this way; on none for a deleted customer and one that the viewer does not see."""
    person = Customer.reached(viewer, Customer.id, is_it).subquery("person")
    tree = with_merged(select(person.c.id.label("root"), person.c.id))
    # `in` and `+ 0` keep SQLite from walking through the consumers of all contracts.
    key = ContractConsumer.contract_id + literal_column("0")
    used = select(key).where(ContractConsumer.customer_id.in_(select(tree.c.id)))
    return Contract.id.in_(used.group_by(key).having(*as_what))


def usable_at(moment: Any = None) -> ColumnElement[bool]:
    """The condition on contracts that can be used now for a travel at a moment, by default the present one (rule
    L12)."""
    moment = present() if moment is None else moment
    return and_(
        Contract.status == ContractStatus.VALID,
        Contract.consumable_from <= moment,
        Contract.ends_at > moment,
        Contract.ends_at > present(),
    )


# Searches

BY_PROGRAM = Order([LoyaltyProgram.__table__.c.loyalty_program_id])
BY_CONTRACT = Order([Contract.__table__.c.id])

PROGRAM_CRITERIA: Mapping[str, Callable[[Any], ColumnElement[bool]]] = {
    "loyalty_program_id": lambda key: LoyaltyProgram.loyalty_program_id == key,
    "organisation_id": lambda key: LoyaltyProgram.organisation_id == key,
    "loyalty_program_type": lambda type_: LoyaltyProgram.loyalty_program_type == type_,
    "product_id": lambda product: LoyaltyProgram.loyalty_program_id.in_(_with_product(product)),
}
CONTRACT_CRITERIA: Mapping[str, Callable[[Any], ColumnElement[bool]]] = {
    "uuid": lambda uuid: Contract.uuid == uuid,
    "organisation_id": lambda key: broad(Contract.organisation_id == key),
    "loyalty_program_id": lambda key: Contract.loyalty_program_id == key,
    "external_ref": lambda text: Contract.external_ref == text,
    "consumable_after": lambda moment: Contract.consumable_from >= moment,
    "consumable_before": lambda moment: Contract.consumable_from < moment,
    "expiration_date_after": lambda moment: Contract.expiration_date >= moment,
    "expiration_date_before": lambda moment: Contract.expiration_date < moment,
}
"""Criterion -> the condition that a value of it stands for."""
CUSTOMER_CRITERIA: Mapping[str, Callable[[Mapping[str, Any]], ColumnElement[bool]]] = {
    "customer_number": lambda values: Customer.customer_number == values["customer_number"],
    "customer_ref": lambda values: and_(
        Customer.organisation_id == values["customer_organisation"], Customer.customer_ref == values["customer_ref"]
    ),
}
"""Criterion -> the condition on the customer whose contracts they are."""


def _with_product(product_id: Any) -> Select[Any]:
    first = aliased(LoyaltyProgram)
    return select(first.id).where(first.product_id == product_id, first.version_number == literal_column("1"))


def programs(viewer: Viewer, values: Mapping[str, Any]) -> Select[Any]:
    """Select of each program that the viewer sees, and that meets the criteria with these values, the version in
    force."""
    met = [PROGRAM_CRITERIA[name](value) for name, value in values.items()]
    return visible(LoyaltyProgram, viewer).where(LoyaltyProgram.in_force(), *met)


def contracts(viewer: Viewer, values: Mapping[str, Any], is_held: bool) -> Select[Any]:
    """Select the contracts that the viewer sees and that meet the criteria with these values. With `is_held` they are
    those that the customer who is asked for holds, or else the user who asks."""
    met = [CONTRACT_CRITERIA[name](value) for name, value in values.items() if name in CONTRACT_CRITERIA]
    customers = [is_it(values) for name, is_it in CUSTOMER_CRITERIA.items() if name in values]
    as_what = [IS_HOLDER] if is_held else []
    met += [used_by(viewer, is_it, *as_what) for is_it in customers]
    if is_held and not customers:
        met.append(among(Contract.holder_id, viewer.customer_ids))
    return visible(Contract, viewer).where(*met)


def entitlements(viewer: Viewer, values: Mapping[str, Any], with_sub_contracts: bool) -> Select[Any]:
    """Select the contracts that a customer may use at `travel_date` in the values, or now (rule L42)."""
    is_it = CUSTOMER_CRITERIA["customer_number"](values)
    found = visible(Contract, viewer).where(
        used_by(viewer, is_it, IS_NOT_BLOCKED), usable_at(values.get("travel_date"))
    )
    return found if with_sub_contracts else found.where(Contract.parent.is_(None))
