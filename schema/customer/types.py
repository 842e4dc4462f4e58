"""Customers and what hangs on them, as shown."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, cast

import strawberry

from datastore import customer as stored
from datastore import customer_reads
from datastore.employee import personnel
from datastore.employee import reads as personnel_reads
from datastore.employee.codes import PostalPlace as StoredPlace
from datastore.loyalty import reads as contract_reads
from datastore.loyalty.contract import Contract as StoredContract
from datastore.viewer import Permission
from resolvers.customer import reads
from resolvers.loyalty.reads import OF_ENTITLEMENTS, usable
from resolvers.scalars import Long
from schema.connection import PAGING, Connection
from schema.employee.codes import PostalPlace
from schema.node import Node, node_by
from schema.permission import needs
from schema.relations import below
from schema.view import Info, computed, describe, many, one, selected, sensitive, shown, view_of

if TYPE_CHECKING:
    from schema.employee.personnel import Employee, FamilyMember
    from schema.loyalty.contracts import Contract, Entitlement

CREATED_AT = "When it was created."
CHANGED_AT = "When it was last changed."
OWNER_ID = "Internal id of the customer."
OWNER = "The customer it belongs to; the surviving one after a merge."


@strawberry.type(description="A day of the calendar in parts.", directives=[needs(Permission.PUBLIC)])
class LocalDate:
    year: int = strawberry.field(description="Year.")
    month: int = strawberry.field(description="Month, 1 to 12.")
    day: int = strawberry.field(description="Day of the month.")


@view_of(stored.PostalAddress, needs=Permission.CONTACT_READ)
class PostalAddress:
    """A postal address of a customer."""

    id: strawberry.ID = strawberry.field(description="Id of the address.")
    version: int = strawberry.field(description="Grows with every change; for expectedVersion.")
    type_of_address: stored.AddressType = strawberry.field(description="What the address is for.")
    address_line1: str | None = strawberry.field(description="Address line 1.")
    address_line2: str | None = strawberry.field(description="Address line 2, often c/o.")
    post_code: str = strawberry.field(description="Post code; 4 digits in Norway.")
    town: str | None = strawberry.field(description="Post town; null in some old addresses.")
    postal_place: PostalPlace | None = selected(
        personnel_reads.place_of_address,
        row=StoredPlace,
        is_list=False,
        needs=Permission.CONTACT_READ,
        description="The postal place of the post code, if it is known.",
    )
    country_code: str = strawberry.field(description="Country, ISO 3166-1 alpha-3.")
    verified_at: datetime | None = strawberry.field(description="When the address was verified.")
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)
    customer_id: Long = strawberry.field(description=OWNER_ID)
    customer: "Customer | None" = one(stored.Customer.id, via="customer_id", description=OWNER)


@view_of(stored.Ecard, needs=Permission.CUSTOMER_READ)
class Ecard:
    """A customer's ownership of a travel card."""

    id: strawberry.ID = strawberry.field(description="Id of the ownership.")
    ecard_number: str = strawberry.field(description="Number of the card, 10 digits.")
    ecard_operator: str = strawberry.field(description="Operator of the card.")
    ecard_number_16digits: str = strawberry.field(
        name="ecardNumber16digits", description="Operator, number and check digit: 16 digits."
    )
    ecard_name: str | None = strawberry.field(description="The customer's own name for the card.")
    booking_date: date | None = strawberry.field(description="When the card was ordered.")
    shipping_date: date | None = strawberry.field(description="When the card was sent.")
    start_of_ownership: datetime = strawberry.field(description="When the card became the customer's.")
    end_of_ownership: datetime | None = strawberry.field(description="When the customer gave the card up.")
    expiration_date: date | None = strawberry.field(description="When the card expires.")
    version: int = strawberry.field(description="Grows with every change; for expectedVersion.")
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)
    customer_id: Long = strawberry.field(description=OWNER_ID, deprecation_reason="Use customer.")
    customer: "Customer | None" = one(stored.Customer.id, via="customer_id", description=OWNER)


@view_of(stored.CustomerConsentAnswer, needs=Permission.CUSTOMER_READ)
class CustomerConsentAnswer:
    """One answer that a customer gave to a consent."""

    consent_choice: bool = strawberry.field(description="Indicates whether the customer said yes.")
    answered_at: datetime = strawberry.field(description="When the customer answered.")
    answered_by: str = strawberry.field(description="Who stored the answer: web, app or an employee.")
    answered_by_channel: str = strawberry.field(description="Channel or system of the answer.")


@view_of(stored.CustomerConsent, needs=Permission.CUSTOMER_READ)
class CustomerConsent:
    """A customer's answer to a consent."""

    consent_code: str = strawberry.field(description="Code of the consent.")
    consent_choice: bool = strawberry.field(description="Indicates whether the customer said yes.")
    history: list[CustomerConsentAnswer] = many(
        stored.CustomerConsentAnswer.consent_id,
        description="All answers to this consent, the last one at the end; none of the older consent system.",
    )
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)
    customer_id: Long = strawberry.field(description=OWNER_ID)
    customer: "Customer | None" = one(stored.Customer.id, via="customer_id", description=OWNER)


@view_of(stored.Preference, needs=Permission.CUSTOMER_READ)
class Preference:
    """A preference that an organisation lets its customers choose."""

    id: strawberry.ID = strawberry.field(description="Id of the preference.")
    version: int = strawberry.field(description="Grows with every change; for expectedVersion.")
    preference_code: str = strawberry.field(description="Code of the preference.")
    preference_type: str = strawberry.field(description="Type of the preference.")
    preference_description: str | None = strawberry.field(description="What the preference is about.")
    is_active: bool = strawberry.field(description="Indicates whether it can be chosen.")
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)


@view_of(stored.CustomerPreference, needs=Permission.CUSTOMER_READ)
class CustomerPreference:
    """A preference that a customer has chosen."""

    preference_id: strawberry.ID = strawberry.field(description="Id of the preference.")
    version: int = strawberry.field(description="Grows with every change; for expectedVersion.")
    preference_value: str | None = strawberry.field(description="Value, such as a membership number.")
    preference: Preference | None = one(
        stored.Preference.id, via="preference_id", description="The preference that was chosen."
    )
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)
    customer_id: Long = strawberry.field(description=OWNER_ID, deprecation_reason="Use customer.")
    customer: "Customer | None" = one(stored.Customer.id, via="customer_id", description=OWNER)


@view_of(stored.CustomerAccount, needs=Permission.CUSTOMER_READ)
class CustomerAccount:
    """An account of a customer for account based ticketing."""

    id: strawberry.ID = strawberry.field(description="Id of the account.")
    version: int = strawberry.field(description="Grows with every change; for expectedVersion.")
    customer_account_id: str = strawberry.field(description="Id of the account in the ticketing system.")
    alias: str | None = strawberry.field(description="The customer's own name for the account.")
    is_default: bool = strawberry.field(description="Indicates whether it is the customer's default account.")
    created_at: datetime = strawberry.field(description=CREATED_AT)
    created_by: str = strawberry.field(description="Who created it.")
    changed_at: datetime | None = strawberry.field(description=CHANGED_AT)
    changed_by: str | None = strawberry.field(description="Who last changed it.")
    customer: "Customer | None" = one(stored.Customer.id, via="customer_id", description=OWNER)
    customer_number: Long | None = selected(
        customer_reads.owner,
        row=stored.Customer,
        via="customer_id",
        is_list=False,
        shows="customer_number",
        description="Number of the customer it belongs to.",
    )


@view_of(stored.Note, needs=Permission.NOTE_READ)
class Note:
    """What an employee wrote about a customer."""

    id: strawberry.ID = strawberry.field(description="Id of the note.")
    version: int = strawberry.field(description="Grows with every change; for expectedVersion.")
    text: str | None = sensitive(stored.Note.text, reveal=Permission.NOTE_REVEAL, description="The note itself.")
    created_at: datetime = strawberry.field(description=CREATED_AT)
    created_by: str = strawberry.field(description="Who created it.")
    changed_at: datetime = strawberry.field(description=CHANGED_AT)
    changed_by: str = strawberry.field(description="Who last changed it.")
    customer_id: Long = strawberry.field(description=OWNER_ID)
    customer: "Customer | None" = one(stored.Customer.id, via="customer_id", description=OWNER)


@view_of(stored.PersonnelTicketBearer, needs=Permission.CUSTOMER_READ)
class PersonnelTicketBearer:
    """A personnel ticket as the customer system last saw it; not kept up to date."""

    ticket_right_owner: str | None = strawberry.field(description="Id of the employee who has the ticket right.")
    ticket_right_bearer: str | None = strawberry.field(description="Id of the person who bears the ticket.")
    is_self_served_retrieval: bool = strawberry.field(description="Indicates whether the bearer fetches it alone.")
    bearer_customer_id: Long | None = strawberry.field(description="Internal id of the bearing customer.")
    bearer_customer: "Customer | None" = one(
        stored.Customer.id, via="bearer_customer_id", description="The customer who bears the ticket."
    )
    created_at: datetime = strawberry.field(description=CREATED_AT)
    changed_at: datetime = strawberry.field(description=CHANGED_AT)


@view_of(stored.TravellerInfo, needs=Permission.JOURNEY_READ)
class TravellerInfo:
    """Who travels on an order, and on which of its legs."""

    order_id: str = strawberry.field(description="Id of the order.")
    legs: list[str] = strawberry.field(description="Ids of the legs on which the customer travels.")
    organisation_id: Long = strawberry.field(description="Organisation that the customer is registered with.")
    customer_ref: str | None = strawberry.field(description="Reference of the customer.")
    first_name: str | None = strawberry.field(description="First name of the traveller.")
    surname: str | None = strawberry.field(description="Surname of the traveller.")
    email: str | None = shown("Contact email.", needs=Permission.CONTACT_READ)
    telephone_number: str | None = shown("Contact telephone number.", needs=Permission.CONTACT_READ)
    from_stop_place_ref: str | None = strawberry.field(description="First stop of the journey, a NeTEx id.")
    to_stop_place_ref: str | None = strawberry.field(description="Last stop of the journey, a NeTEx id.")
    language_preference: str | None = strawberry.field(description="Language of the traveller, ISO 639-3.")
    customer: "Customer | None" = one(stored.Customer.id, via="customer_id", description=OWNER)
    customer_number: Long | None = selected(
        customer_reads.owner,
        row=stored.Customer,
        via="customer_id",
        is_list=False,
        shows="customer_number",
        description="Number of the customer who travels.",
    )


@node_by(stored.Customer.customer_number)
@view_of(stored.Customer, needs=Permission.CUSTOMER_READ)
class Customer(Node):
    """A customer profile of an organisation. Of a deleted customer found by uuid only the fields without null
    are told."""

    customer_number: Long = strawberry.field(description="Customer number.")
    uuid: str = strawberry.field(description="32 random letters and digits that identify the customer everywhere.")
    customer_ref: str | None = strawberry.field(description="Reference within the organisation.")
    organisation_id: Long = strawberry.field(description="Organisation that the customer is registered with.")
    status: stored.CustomerStatus = strawberry.field(description="Status of the profile.")
    profile_type: stored.ProfileType = strawberry.field(description="Type of the profile.")
    version: int = strawberry.field(description="Grows with every change; for expectedVersion.")

    first_name: str | None = strawberry.field(description="First and middle name.")
    surname: str | None = strawberry.field(description="Surname.")
    nationality: str | None = shown("Nationality, ISO 3166-1 alpha-3.", needs=Permission.CONTACT_READ)
    language_preference_iso6393: str | None = strawberry.field(
        name="languagePreferenceISO6393", description="Language for information to the customer, ISO 639-3."
    )
    language_preference: str | None = strawberry.field(
        description="Language for information to the customer.", deprecation_reason="Use languagePreferenceISO6393."
    )
    email: str | None = shown("Contact email; null once deleted.", needs=Permission.CONTACT_READ)
    email_old: str | None = shown("The email that a deleted customer had.", needs=Permission.CONTACT_READ)
    email_verified_at: datetime | None = shown("When the email was verified.", needs=Permission.CONTACT_READ)
    country_code: str | None = shown("Telephone country code, starting with +.", needs=Permission.CONTACT_READ)
    telephone_number_no_country_code: str | None = shown("Telephone number in digits.", needs=Permission.CONTACT_READ)
    telephone_number: str | None = shown(
        "Telephone number.",
        needs=Permission.CONTACT_READ,
        deprecated="Use countryCode and telephoneNumberNoCountryCode.",
    )
    telephone_number_verified_at: datetime | None = shown(
        "When the number was verified.", needs=Permission.CONTACT_READ
    )
    landline_number: str | None = shown("Landline telephone number.", needs=Permission.CONTACT_READ)
    vipps_id: str | None = shown("Vipps unique user identifier.", needs=Permission.CONTACT_READ)
    customer_account_id: str | None = strawberry.field(description="Account id for account based ticketing.")
    last_sign_in_at: datetime | None = shown("When the customer last signed in.", needs=Permission.CONTACT_READ)
    last_sign_in_from: str | None = shown("Where from, typically web or app.", needs=Permission.CONTACT_READ)
    expiration_date: date | None = strawberry.field(description="Day on which the personal data is to be erased.")

    created_at: datetime = strawberry.field(description="When the customer was created.")
    created_by: str | None = strawberry.field(description="Who created the customer: web, app or an employee.")
    created_by_channel: str | None = strawberry.field(description="Channel or system of the creation.")
    changed_at: datetime = strawberry.field(description="When the customer was last changed.")
    changed_by: str | None = strawberry.field(description="Who last changed the customer: web, app or an employee.")
    changed_by_channel: str | None = strawberry.field(description="Channel or system of the last change.")

    parent_id: Long | None = strawberry.field(description="Internal id of the profile this one is connected to.")
    parent: "Customer | None" = one(
        stored.Customer.id, via="parent_id", description="The profile this one is connected to."
    )
    postal_addresses: list[PostalAddress] = many(
        stored.PostalAddress.customer_id, needs=Permission.CONTACT_READ, description="Postal addresses."
    )
    ecards: list[Ecard] = many(stored.Ecard.customer_id, description="E-cards, given-up ones too.")
    customer_consents: list[CustomerConsent] = many(
        stored.CustomerConsent.customer_id,
        where=stored.CustomerConsent.is_legacy.is_(True),
        description="Answers to consents of the older system.",
    )
    consents: list[CustomerConsent] = many(
        stored.CustomerConsent.customer_id,
        where=stored.CustomerConsent.is_legacy.is_(False),
        description="Answers to consents.",
        deprecated="The source system is about to move consents out of the profile.",
    )
    preferences: list[CustomerPreference] = many(stored.CustomerPreference.customer_id, description="Preferences.")
    customer_accounts: list[CustomerAccount] = many(
        stored.CustomerAccount.customer_id, description="Accounts for account based ticketing."
    )
    notes: list[Note] = many(
        stored.Note.customer_id,
        needs=Permission.NOTE_READ,
        description="Notes about the customer.",
        deprecated="The source system is about to move notes out of the profile.",
    )
    personnel_ticket_bearers: list[PersonnelTicketBearer] = many(
        stored.PersonnelTicketBearer.customer_id,
        description="Personnel tickets.",
        deprecated="Not kept up to date; use the employee's ticket rights.",
    )
    traveller_infos: list[TravellerInfo] = many(
        stored.TravellerInfo.customer_id,
        needs=Permission.JOURNEY_READ,
        description="Orders that the customer travels on.",
    )

    customer_id: Long | None = computed(
        lambda customer: customer.id, reads=("id",), description=OWNER_ID, deprecated="Use customerNumber."
    )
    username: str | None = computed(
        reads.username,
        reads=("profile_type", "status", "email"),
        needs=Permission.CONTACT_READ,
        description="Name to sign in with; only active standard profiles have one.",
    )
    date_of_birth: LocalDate | None = computed(
        lambda customer: in_parts(customer.date_of_birth),
        reads=("date_of_birth",),
        needs=Permission.CONTACT_READ,
        description="Date of birth.",
    )
    date_of_death: LocalDate | None = computed(
        lambda customer: in_parts(customer.date_of_death),
        reads=("date_of_death",),
        needs=Permission.CONTACT_READ,
        description="Date of death.",
    )
    employee: Annotated["Employee", strawberry.lazy("schema.employee.personnel")] | None = selected(
        personnel_reads.person_of(personnel.Employee),
        row=personnel.Employee,
        is_list=False,
        needs=Permission.EMPLOYEE_READ,
        description="The customer as an employee, the newest employment of several, if the caller may see it.",
    )
    family_member: Annotated["FamilyMember", strawberry.lazy("schema.employee.personnel")] | None = selected(
        personnel_reads.person_of(personnel.FamilyMember),
        row=personnel.FamilyMember,
        is_list=False,
        needs=Permission.EMPLOYEE_READ,
        description="The customer as a member of an employee's family, if the caller may see it.",
    )
    contracts: Connection[Annotated["Contract", strawberry.lazy("schema.loyalty.contracts")]] = below(
        contract_reads.contracts_of,
        row=StoredContract,
        order=contract_reads.BY_CONTRACT,
        needs=Permission.CONTRACT_READ,
        description="The contracts whose consumer the customer is, blocked or not, the oldest first.",
        arguments=PAGING,
    )
    entitlements: Connection[Annotated["Entitlement", strawberry.lazy("schema.loyalty.contracts")]] = below(
        contract_reads.entitled_to,
        row=StoredContract,
        order=contract_reads.BY_CONTRACT,
        where=usable,
        needs=Permission.CONTRACT_READ,
        description="The contracts that the customer may use at a moment.",
        arguments={**OF_ENTITLEMENTS, **PAGING},
    )
    customer: "Customer | None" = one(
        stored.Customer.id,
        via="id",
        description="The profile that stands for this one: itself, or the one it was merged into.",
    )
    related_customers: list["Customer"] = selected(
        customer_reads.related_customers,
        row=stored.Customer,
        description="The profiles merged into or connected to this one, by customer number.",
    )
    related_customer_numbers: list[Long] = selected(
        customer_reads.related_customers,
        row=stored.Customer,
        shows="customer_number",
        description="Numbers of the profiles merged into or connected to this one.",
    )

    @strawberry.field(description="The customer's e-card with this operator and number, or null.")
    @staticmethod
    async def ecard(
        root: strawberry.Parent[stored.Customer],
        info: Info,
        ecard_operator: Annotated[str, strawberry.argument(description="Operator of the card.")],
        ecard_number: Annotated[str, strawberry.argument(description="Number of the card, 10 digits.")],
    ) -> Ecard | None:
        return cast("Ecard | None", await reads.ecard(info.context.load, root, ecard_operator, ecard_number))

    @strawberry.field(description="The customer's choice for this preference, or null.")
    @staticmethod
    async def preference(
        root: strawberry.Parent[stored.Customer],
        info: Info,
        preference_id: Annotated[strawberry.ID, strawberry.argument(description="Id of the preference.")],
    ) -> CustomerPreference | None:
        return cast("CustomerPreference | None", await reads.preference(info.context.load, root, preference_id))


def in_parts(day: date | None) -> LocalDate | None:
    return None if day is None else LocalDate(year=day.year, month=day.month, day=day.day)


describe(
    stored.CustomerStatus,
    "Status of a customer profile.",
    ACTIVE="In use.",
    PASSIVE="Out of use, for instance because it was merged into another profile.",
    DELETED="Marked as deleted; its personal data is erased on expirationDate.",
)
describe(
    stored.ProfileType,
    "Type of a customer profile.",
    STANDARD="An ordinary profile.",
    PERSONNEL_TICKET="A profile for the personnel ticket of a railway employee or family member.",
    TEMPORARY="A profile that is erased on its expirationDate.",
)
describe(
    stored.AddressType,
    "What a postal address is for.",
    PRIVATE="Home address.",
    INVOICE="Address for invoices.",
    SHADOW="Address from a register, shown to employees only.",
)
