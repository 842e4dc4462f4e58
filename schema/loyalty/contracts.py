"""Contracts and what hangs on them, as shown."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from datastore import customer as stored_customer
from datastore.loyalty import contract as stored
from datastore.loyalty import ledger, usage
from datastore.loyalty import program as stored_program
from datastore.loyalty import reads as statements
from datastore.viewer import Permission
from resolvers.loyalty import shown
from resolvers.scalars import Amount, Long
from schema.loyalty.programs import LocalizedText, LoyaltyProgram
from schema.node import Node, node_by
from schema.view import computed, describe, many, named, one, selected, view_of
from schema.view import shown as field

if TYPE_CHECKING:
    from schema.customer.types import Customer

LAST_CHANGED_AT, LAST_CHANGED_BY = "When it was last changed.", "Which client changed it last."
MASKED = "null where the caller may not see the customer."


@view_of(stored.ContractConsumer, needs=Permission.CONTRACT_READ)
class ContractConsumer:
    """A customer who may use a contract."""

    customer_number: Long | None = selected(
        statements.customer_by_key,
        row=stored_customer.Customer,
        via="customer_id",
        is_list=False,
        shows="customer_number",
        description=f"Number of the customer; {MASKED}",
    )
    customer_ref: str | None = selected(
        statements.customer_by_key,
        row=stored_customer.Customer,
        via="customer_id",
        is_list=False,
        shows="customer_ref",
        description=f"Reference of the customer in its organisation; {MASKED}",
    )
    customer_organisation_id: Long | None = selected(
        statements.customer_by_key,
        row=stored_customer.Customer,
        via="customer_id",
        is_list=False,
        shows="organisation_id",
        description=f"Organisation of the customer; {MASKED}",
    )
    customer: Annotated["Customer", strawberry.lazy("schema.customer.types")] | None = one(
        stored_customer.Customer.id,
        via="customer_id",
        needs=Permission.CUSTOMER_READ,
        description="The customer.",
    )
    is_contract_holder: bool = strawberry.field(description="Indicates whether it is the holder of the contract.")
    is_blocked: bool = strawberry.field(description="Indicates whether the customer may not use the contract now.")
    created_at: datetime = strawberry.field(description="When it was created.")
    created_by: str = strawberry.field(description="Which client created it.")
    last_changed_at: datetime = strawberry.field(description=LAST_CHANGED_AT)
    last_changed_by: str = strawberry.field(description=LAST_CHANGED_BY)


@view_of(stored.Policy, needs=Permission.CONTRACT_READ)
class Policy:
    """What is compared with the customer who claims a contract. The value that is needed is not shown to anybody."""

    id: strawberry.ID = strawberry.field(description="Id of the policy.")
    key: stored.PolicyKey = strawberry.field(description="What of the customer is compared.")


@view_of(ledger.TotalAmount, needs=Permission.CONTRACT_READ)
class TotalAmount:
    """What a contract of points or money has."""

    amount: Amount = strawberry.field(description="The amount.")
    currency: str | None = strawberry.field(description="Its currency.")
    calculated_at: datetime | None = strawberry.field(description="When it last changed.")


@view_of(ledger.Transaction, needs=Permission.CONTRACT_READ)
class Transaction:
    """A deposit into or a withdrawal from a contract."""

    amount: Amount = strawberry.field(description="The amount: positive for a deposit, negative for a withdrawal.")
    currency: str = strawberry.field(description="Currency, the same for all transactions of a contract.")
    timestamp: datetime = strawberry.field(description="When it happened.")
    rrn: str | None = strawberry.field(description="External retrieval reference number of the payment.")
    email: str | None = field("Email of the seller.", needs=Permission.LEDGER_READ)
    pos_id: str | None = strawberry.field(description="Point of sale.")
    external_transaction_id: str | None = strawberry.field(description="Id of the transaction elsewhere.")
    internal_transaction_id: str | None = strawberry.field(description="Id of the transaction here.")
    reverses: "Transaction | None" = one(
        ledger.Transaction.id, via="reverses_id", description="The transaction that this one takes back."
    )
    reversed_by: "Transaction | None" = one(
        ledger.Transaction.reverses_id, via="id", description="The transaction that takes this one back."
    )


@view_of(ledger.CouponYear, needs=Permission.CONTRACT_READ)
class CouponYear:
    """The coupons of a contract in a calendar year."""

    year: int = strawberry.field(description="The calendar year in Norway.")
    coupons_limit: int = strawberry.field(description="How many there are.")
    remaining: int = strawberry.field(description="How many are left; those that are held are not.")


@view_of(usage.TaxDistribution, needs=Permission.CONTRACT_READ)
class TaxDistribution:
    """What was saved by an order line in a month, for the tax on it."""

    tax_year: int | None = strawberry.field(description="The year.")
    tax_month: int | None = strawberry.field(description="The month, 1 to 12.")
    tax_saving: Amount | None = strawberry.field(description="What was saved; null if it is unknown.")
    is_unknown: bool | None = strawberry.field(description="Indicates whether it has to be worked out by hand.")


@view_of(usage.OrderLineEvent, needs=Permission.CONTRACT_READ)
class OrderLineEvent:
    """An order line by which a contract was used, or the cancellation of one."""

    order_id: str = strawberry.field(description="Id of the order.")
    order_line_id: str = strawberry.field(description="Id of the order line.")
    order_line_version: str = strawberry.field(description="Version of the order line.")
    organisation_id: Long = strawberry.field(description="The organisation through which the order was placed.")
    event_type: usage.OrderLineEventType = strawberry.field(description="What happened.")
    is_cancelled: bool = strawberry.field(description="Indicates whether it is a cancellation, or was cancelled.")
    is_purchased: bool = strawberry.field(
        description="Indicates whether it is the purchase of the contract itself, or of a consumer."
    )
    timestamp: datetime = strawberry.field(description="When it was registered.")
    price: Amount = strawberry.field(description="What was paid; negative for a cancellation.")
    original_price: Amount | None = strawberry.field(description="What it costs without the traveller's discount.")
    travel_date: datetime | None = strawberry.field(description="First date of travel.")
    last_travel_date: datetime | None = strawberry.field(description="Last date of travel.")
    coupons_used: int | None = strawberry.field(description="Coupons that it took; null if the contract has none.")
    codespace: str | None = strawberry.field(description="Codespace.")
    order_line_text: str | None = strawberry.field(description="Name of what was bought.")
    manual_transaction_comment: str | None = strawberry.field(description="Why it was added by hand, if it was.")
    effective_cancellation_date: datetime | None = strawberry.field(description="When the cancellation takes effect.")
    tax_distributions: list[TaxDistribution] = many(
        usage.TaxDistribution.order_line_event_id, size=3, description="What was saved, by month."
    )
    cancels: "OrderLineEvent | None" = one(
        usage.OrderLineEvent.id, via="cancels_id", description="The purchase that was cancelled."
    )
    sub_contract: "Contract | None" = one(
        stored.Contract.uuid, via="sub_contract", description="The timed contract that the use has created."
    )


@view_of(usage.ContractReservation, needs=Permission.CONTRACT_READ)
class ContractReservation:
    """A use of a contract that is held for a while."""

    uuid: strawberry.ID = strawberry.field(description="Id of the reservation.")
    status: usage.ReservationStatus = computed(
        shown.reservation_status, reads=("status", "expires_at"), description="What has become of it."
    )
    coupons: int | None = strawberry.field(description="Coupons that are held; null if the contract has none.")
    travel_date: datetime = strawberry.field(description="First date of travel.")
    last_travel_date: datetime = strawberry.field(description="Last date of travel.")
    expires_at: datetime = strawberry.field(description="When it is over unless it is captured before.")
    created_at: datetime = strawberry.field(description="When it was created.")
    order_line_event: OrderLineEvent | None = one(
        usage.OrderLineEvent.id, via="order_line_event_id", description="The order line by which it was captured."
    )


@node_by(stored.Contract.uuid)
@view_of(stored.Contract, needs=Permission.CONTRACT_READ)
class Contract(Node):
    """The right of customers to use a loyalty program."""

    uuid: strawberry.ID = strawberry.field(description="Unique id of the contract.")
    organisation_id: Long = strawberry.field(description="The organisation that the contract concerns.")
    status: stored.ContractStatus = computed(
        shown.contract_status, reads=("status", "ends_at"), description="Status of the contract."
    )
    loyalty_program: LoyaltyProgram | None = one(
        stored_program.LoyaltyProgram.loyalty_program_id,
        via="loyalty_program_id",
        description="The loyalty program, as the version in force says.",
    )
    consumable_from: datetime = strawberry.field(description="From when on it can be used.")
    expiration_date: datetime | None = strawberry.field(description="When it expires; its program may end before.")
    acceptance_date: datetime | None = strawberry.field(description="When the customer accepted it.")
    external_ref: str | None = strawberry.field(description="External reference, such as a membership number.")
    parent: str | None = strawberry.field(description="Uuid of the contract of coupons whose use created it.")
    parent_contract: "Contract | None" = one(
        stored.Contract.uuid, via="parent", description="The contract of coupons whose use created it."
    )
    sub_contracts: list["Contract"] = many(
        stored.Contract.parent, via="uuid", description="The timed contracts that its use has created."
    )
    contract_consumers: list[ContractConsumer] = selected(
        statements.consumers,
        row=stored.ContractConsumer,
        description="Who may use it; to users, themselves alone.",
    )
    policies: list[Policy] = many(
        stored.Policy.contract_id, size=3, description="What is compared with the customer who claims it."
    )
    coupons_limit: int | None = strawberry.field(description="Coupons that it has in a calendar year.")
    remaining_coupons: int | None = selected(
        statements.coupons_left,
        row=ledger.CouponYear,
        is_list=False,
        shows="remaining",
        description="Coupons left in this calendar year in Norway; null if it has none.",
    )
    coupon_years: list[CouponYear] = selected(
        statements.coupon_years, row=ledger.CouponYear, description="The calendar years in which coupons were used."
    )
    current_total: TotalAmount | None = one(
        ledger.TotalAmount.contract_id, via="id", description="What it has, if it keeps points or money."
    )
    transactions: list[Transaction] = many(
        ledger.Transaction.contract_id, description="The deposits and withdrawals, the first 1,000."
    )
    order_line_events: list[OrderLineEvent] = many(
        usage.OrderLineEvent.contract_id, description="The order lines by which it was used, the first 1,000."
    )
    reservations: list[ContractReservation] = many(
        usage.ContractReservation.contract_id, description="The uses that were held, the first 1,000."
    )
    passenger_category: stored.PassengerCategory = strawberry.field(description="Kind of passenger.")
    ticket_order_id: str | None = strawberry.field(description="Order of the ticket that is included, if one is.")
    version: int = strawberry.field(description="Grows with every change; for expectedVersion.")
    created_at: datetime = strawberry.field(description="When it was created.")
    created_by: str = strawberry.field(description="Which client created it.")
    last_changed_at: datetime = strawberry.field(description=LAST_CHANGED_AT)
    last_changed_by: str = strawberry.field(description=LAST_CHANGED_BY)


@view_of(stored.Contract, needs=Permission.CONTRACT_READ)
class Entitlement:
    """What a customer may use: a contract of theirs, with its product and its holder."""

    product_id: str | None = selected(
        statements.program_by_id,
        row=stored_program.LoyaltyProgram,
        via="loyalty_program_id",
        is_list=False,
        shows="product_id",
        description="NeTEx id of the product.",
    )
    product_version: str | None = selected(
        statements.program_by_id,
        row=stored_program.LoyaltyProgram,
        via="loyalty_program_id",
        is_list=False,
        shows="product_version",
        description="NeTEx version of the product.",
    )
    display_name: list[LocalizedText] = selected(
        statements.names_of_program,
        row=stored_program.LoyaltyProgramDescription,
        via="loyalty_program_id",
        description="Name of the loyalty program, one for each language.",
    )
    contract_uuid: strawberry.ID = named(
        "contractUUID",
        computed(lambda contract: contract.uuid, reads=("uuid",), description="Unique id of the contract."),
    )
    contract: Contract | None = one(stored.Contract.id, via="id", description="The contract.")
    contract_parent: str | None = computed(
        lambda contract: contract.parent,
        reads=("parent",),
        description="Uuid of the contract of coupons whose use created the contract.",
    )
    parent_contract: Contract | None = one(
        stored.Contract.uuid, via="parent", description="The contract of coupons whose use created the contract."
    )
    contract_external_ref: str | None = computed(
        lambda contract: contract.external_ref, reads=("external_ref",), description="External reference of it."
    )
    contract_valid_from: datetime = computed(
        lambda contract: contract.consumable_from, reads=("consumable_from",), description="From when it can be used."
    )
    contract_valid_to: datetime | None = computed(
        lambda contract: contract.ends_at, reads=("ends_at",), description="When it ends, by itself or its program."
    )
    contract_owner: Annotated["Customer", strawberry.lazy("schema.customer.types")] | None = one(
        stored_customer.Customer.id,
        via="holder_id",
        needs=Permission.CUSTOMER_READ,
        description="The holder of the contract.",
    )
    contract_owner_customer_number: Long | None = selected(
        statements.customer_by_key,
        row=stored_customer.Customer,
        via="holder_id",
        is_list=False,
        shows="customer_number",
        description=f"Number of the holder; {MASKED}",
    )
    contract_owner_display_name: str | None = selected(
        statements.display_name,
        row=stored_customer.Customer,
        via="holder_id",
        is_list=False,
        shows="surname",
        needs=Permission.CUSTOMER_READ,
        description=f"First name and surname of the holder; {MASKED}",
    )
    contract_owner_date_of_birth: date | None = selected(
        statements.customer_by_key,
        row=stored_customer.Customer,
        via="holder_id",
        is_list=False,
        shows="date_of_birth",
        needs=Permission.CONTACT_READ,
        description=f"Birth date of the holder; {MASKED}",
    )
    passenger_category: stored.PassengerCategory = strawberry.field(description="Kind of passenger.")
    is_senior_citizen: bool = computed(
        shown.is_senior,
        reads=("passenger_category",),
        deprecated="Use passengerCategory.",
        description="Indicates whether the holder counts as a senior citizen.",
    )
    coupons_limit: int | None = strawberry.field(description="Coupons that the contract has in a calendar year.")
    remaining_coupons: int | None = selected(
        statements.coupons_left,
        row=ledger.CouponYear,
        is_list=False,
        shows="remaining",
        description="Coupons left in this calendar year in Norway; null if it has none.",
    )
    ticket_order_id: str | None = strawberry.field(
        description="Order of the ticket that is included and may be put on a device again, if one is."
    )


describe(
    stored.ContractStatus,
    "Status of a contract.",
    VALID="It can be used, from when it is consumable.",
    EXPIRED="It, or its loyalty program, has ended.",
    REFUNDED="What was paid for it was paid back.",
    CANCELLED="It was cancelled.",
    MISUSED="It was blocked because it was misused.",
)
describe(
    stored.PassengerCategory,
    "Kind of passenger.",
    ADULT="An adult.",
    CHILD="A child.",
    STUDENT="A student.",
    SENIOR="A senior citizen.",
)
describe(
    stored.PolicyKey,
    "What of a customer is compared when a contract is claimed.",
    CUSTOMER_REF="Reference of the customer.",
    EMAIL="Email, in any case.",
    DATE_OF_BIRTH="Date of birth, YYYY-MM-DD.",
    SURNAME="Surname.",
    FIRST_NAME="First name.",
    TELEPHONE_NUMBER="Telephone number without country code.",
    NATIONALITY="Nationality, ISO 3166-1 alpha-3.",
)
describe(
    usage.OrderLineEventType,
    "What an order line event tells.",
    PURCHASE="A trip was bought by using the contract.",
    CANCELLATION="A purchase was cancelled.",
)
describe(
    usage.ReservationStatus,
    "What has become of a use that was held.",
    HELD="It is held.",
    CAPTURED="It was used.",
    RELEASED="It was given back.",
    EXPIRED="It was not used in time, and was given back.",
)
