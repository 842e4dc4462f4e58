"""What callers send about customers: look-ups, filters and the inputs of mutations."""

from datetime import date, datetime
from enum import Enum

import strawberry
from strawberry import ID, Maybe

from datastore.customer import AddressType, CustomerStatus, ProfileType
from resolvers.scalars import Long

BY_WHOM = "Who makes the change: web, app or the user name of an employee. At most 100 characters."
CHANNEL = "Sales channel or system of the change, such as web, app or crm. At most 100 characters."
CUSTOMER_NUMBER = "Number of the customer."
EXPECTED_VERSION = "Refuse the change if the stored version is another one."
COUNTRY_CODE = "Telephone country code, starting with +."
NATIONAL_NUMBER = "Telephone number: digits only, without country code."
USE_PHONE_PAIR = "Use countryCode and telephoneNumberNoCountryCode."
USE_ISO6393 = "Use languagePreferenceISO6393."
ACCOUNTS_APART = "Customer accounts have mutations of their own."
LANGUAGE = "Language for information to the customer, ISO 639-3."


@strawberry.input(description="A customer reference within an organisation.")
class CustomerRefInput:
    customer_ref: str = strawberry.field(description="Reference of the customer.")
    organisation_id: Long | None = strawberry.field(
        default=None, description="Organisation of the customer; by default the caller's own."
    )


@strawberry.input(description="A user name within an organisation.")
class CustomerUsernameInput:
    organisation_id: Long = strawberry.field(description="Organisation of the customer.")
    username: str = strawberry.field(description="User name: the email that the customer signs in with.")


@strawberry.input(one_of=True, description="The one key to look a customer up by.")
class CustomerLookup:
    customer_number: Maybe[Long] = strawberry.field(description="Customer number.")
    customer_ref: Maybe[CustomerRefInput] = strawberry.field(description="Customer reference.")
    uuid: Maybe[str] = strawberry.field(description="The customer's 32 letters and digits.")
    ecard_number: Maybe[str] = strawberry.field(description="Number of the customer's e-card: 10 or 16 digits.")
    username: Maybe[CustomerUsernameInput] = strawberry.field(
        description="User name. Also finds passive and personnel-ticket profiles, and follows no merge."
    )


@strawberry.input(description="Criteria for customers; all that are given must hold.")
class CustomerFilterInput:
    first_name: str | None = strawberry.field(default=None, description="The first name begins with this text.")
    surname: str | None = strawberry.field(default=None, description="The surname begins with this text.")
    email: str | None = strawberry.field(default=None, description="The email is this one; case does not matter.")
    country_code: str | None = strawberry.field(
        default=None, description="Telephone country code; ignored unless telephoneNumberNoCountryCode is also set."
    )
    telephone_number_no_country_code: str | None = strawberry.field(
        default=None, description="Telephone number without country code; ignored unless countryCode is also set."
    )
    telephone_number: str | None = strawberry.field(
        default=None,
        description="Telephone number; ignored if countryCode and telephoneNumberNoCountryCode are set.",
        deprecation_reason=USE_PHONE_PAIR,
    )
    landline_number: str | None = strawberry.field(default=None, description="Landline telephone number.")
    date_of_birth: date | None = strawberry.field(default=None, description="Date of birth.")
    vipps_id: str | None = strawberry.field(default=None, description="Vipps unique user identifier.")
    invoice_organisation_id: str | None = strawberry.field(
        default=None, description="Organisation number from Brønnøysund, for invoice profiles."
    )
    postal_address: str | None = strawberry.field(
        default=None, description="Line 1 of a postal address begins with this text."
    )
    post_code: str | None = strawberry.field(default=None, description="Post code of a postal address.")
    ticket_right_owner: str | None = strawberry.field(default=None, description="Owner of a personnel ticket right.")
    ticket_right_bearer: str | None = strawberry.field(default=None, description="Bearer of a personnel ticket right.")
    organisation_id: Long | None = strawberry.field(
        default=None, description="Organisation to search; by default, and unless the caller is internal, its own."
    )
    include_temporary: bool | None = strawberry.field(
        default=False, description="Whether temporary profiles are answered."
    )
    include_deleted: bool | None = strawberry.field(
        default=False, description="Whether deleted customers are answered."
    )


@strawberry.enum(description="What customers can be sorted by.")
class CustomerOrderField(Enum):
    CUSTOMER_NUMBER = strawberry.enum_value("customer_number", description="By customer number.")
    FIRST_NAME = strawberry.enum_value(
        "first_name", description="By first name, in Norwegian order; those without come last."
    )
    SURNAME = strawberry.enum_value("surname", description="By surname, in Norwegian order; those without come last.")
    EMAIL = strawberry.enum_value("email", description="By email; those without come last.")
    DATE_OF_BIRTH = strawberry.enum_value("date_of_birth", description="By date of birth; those without come last.")
    ORGANISATION_ID = strawberry.enum_value("organisation_id", description="By organisation.")


@strawberry.enum(description="Direction of sorting.")
class SortDirection(Enum):
    ASC = strawberry.enum_value("asc", description="Ascending.")
    DESC = strawberry.enum_value("desc", description="Descending: exactly the reverse.")


@strawberry.input(description="How customers are sorted; equal ones by customer number in the same direction.")
class CustomerOrder:
    field: CustomerOrderField = strawberry.field(description="What to sort by.")
    direction: SortDirection | None = strawberry.field(default=SortDirection.ASC, description="Direction of sorting.")


@strawberry.input(description="What every postal address input has.")
class AddressFields:
    type_of_address: AddressType = strawberry.field(description="What the address is for.")
    post_code: str = strawberry.field(description="Post code; exactly 4 digits in Norway.")
    town: str = strawberry.field(description="Post town.")
    country_code: str = strawberry.field(description="Country, ISO 3166-1 alpha-3.")
    address_line1: Maybe[str | None] = strawberry.field(description="Address line 1.")
    address_line2: Maybe[str | None] = strawberry.field(description="Address line 2, often c/o.")
    verified_at: Maybe[datetime | None] = strawberry.field(description="When the address was verified.")


@strawberry.input(description="A postal address of a customer that is created or updated.")
class PostalAddressInput(AddressFields):
    id: ID | None = strawberry.field(
        default=None, description="The address to update, in updateCustomer only; without it the address is new."
    )


@strawberry.input(description="A new customer.")
class CreateCustomerInput:
    organisation_id: Long = strawberry.field(description="Organisation that the customer is registered with.")
    first_name: str = strawberry.field(description="First and middle name.")
    surname: str = strawberry.field(description="Surname.")
    created_by: str = strawberry.field(description=BY_WHOM)
    created_by_channel: str = strawberry.field(description=CHANNEL)
    profile_type: ProfileType | None = strawberry.field(default=ProfileType.STANDARD, description="Type of profile.")
    customer_ref: str | None = strawberry.field(
        default=None, description="Reference, unique in the organisation; by default the customer number."
    )
    email: str | None = strawberry.field(
        default=None, description="Email for contact and sign-in, unique in the organisation."
    )
    password: str | None = strawberry.field(default=None, description="Password for sign-in; never answered.")
    country_code: str | None = strawberry.field(default=None, description=COUNTRY_CODE)
    telephone_number_no_country_code: str | None = strawberry.field(default=None, description=NATIONAL_NUMBER)
    telephone_number: str | None = strawberry.field(
        default=None, description="Telephone number.", deprecation_reason=USE_PHONE_PAIR
    )
    telephone_number_verified_at: datetime | None = strawberry.field(
        default=None, description="When the telephone number was verified."
    )
    landline_number: str | None = strawberry.field(default=None, description="Landline telephone number.")
    date_of_birth: date | None = strawberry.field(default=None, description="Date of birth.")
    nationality: str | None = strawberry.field(default=None, description="Nationality, ISO 3166-1 alpha-3.")
    language_preference_iso6393: str | None = strawberry.field(
        default=None, name="languagePreferenceISO6393", description=f"{LANGUAGE} NOB if absent."
    )
    language_preference: str | None = strawberry.field(
        default=None, description="Language for information; NO if absent.", deprecation_reason=USE_ISO6393
    )
    expiration_date: date | None = strawberry.field(
        default=None, description="Day on which the personal data is to be erased; a temporary profile needs one."
    )
    vipps_id: str | None = strawberry.field(default=None, description="Vipps unique user identifier.")
    customer_account_id: str | None = strawberry.field(
        default=None, description="Account for account based ticketing.", deprecation_reason=ACCOUNTS_APART
    )
    postal_addresses: list[PostalAddressInput] | None = strawberry.field(
        default=None, description="Postal addresses of the customer."
    )


@strawberry.input(description="Changes to a customer. An optional field that is absent stays; null clears it.")
class UpdateCustomerInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    first_name: str = strawberry.field(description="First and middle name.")
    surname: str = strawberry.field(description="Surname.")
    changed_by: str = strawberry.field(description=BY_WHOM)
    changed_by_channel: str = strawberry.field(description=CHANNEL)
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
    status: Maybe[CustomerStatus] = strawberry.field(
        description="Status. DELETED acts as deactivateCustomer and needs expirationDate; leaving it, as restore."
    )
    email: Maybe[str | None] = strawberry.field(
        description="Email, unique in the organisation. A new one is unverified unless emailVerifiedAt comes with it."
    )
    email_verified_at: Maybe[datetime | None] = strawberry.field(description="When the email was verified.")
    country_code: Maybe[str | None] = strawberry.field(description=COUNTRY_CODE)
    telephone_number_no_country_code: Maybe[str | None] = strawberry.field(description=NATIONAL_NUMBER)
    telephone_number: Maybe[str | None] = strawberry.field(
        description="Telephone number.", deprecation_reason=USE_PHONE_PAIR
    )
    telephone_number_verified_at: Maybe[datetime | None] = strawberry.field(
        description="When the telephone number was verified."
    )
    landline_number: Maybe[str | None] = strawberry.field(description="Landline telephone number.")
    date_of_birth: Maybe[date | None] = strawberry.field(description="Date of birth.")
    nationality: Maybe[str | None] = strawberry.field(description="Nationality, ISO 3166-1 alpha-3.")
    language_preference_iso6393: Maybe[str | None] = strawberry.field(
        name="languagePreferenceISO6393", description=LANGUAGE
    )
    language_preference: Maybe[str | None] = strawberry.field(
        description="Language for information.", deprecation_reason=USE_ISO6393
    )
    expiration_date: Maybe[date | None] = strawberry.field(
        description="Day on which the personal data is to be erased."
    )
    vipps_id: Maybe[str | None] = strawberry.field(description="Vipps unique user identifier.")
    customer_account_id: Maybe[str | None] = strawberry.field(
        description="Accepted and ignored: it is no longer stored.", deprecation_reason=ACCOUNTS_APART
    )
    postal_addresses: list[PostalAddressInput] | None = strawberry.field(
        default=None, description="Addresses to update (with id) or add (without); others stay as they are."
    )


@strawberry.input(description="A customer to mark as deleted.")
class DeactivateCustomerInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    expiration_date: date = strawberry.field(description="Day on which the personal data is to be erased.")
    changed_by: str | None = strawberry.field(default=None, description=f"{BY_WHOM} By default the client's name.")
    changed_by_channel: str | None = strawberry.field(default=None, description=f"{CHANNEL} By default graphql.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)


@strawberry.input(description="A deleted customer to take back.")
class RestoreCustomerInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    changed_by: str | None = strawberry.field(default=None, description=f"{BY_WHOM} By default the client's name.")
    changed_by_channel: str | None = strawberry.field(default=None, description=f"{CHANNEL} By default graphql.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)


@strawberry.input(description="A new postal address of a customer.")
class CreatePostalAddressInput(AddressFields):
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)


@strawberry.input(description="Changes to a postal address. An optional field that is absent stays; null clears it.")
class UpdatePostalAddressInput(AddressFields):
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    postal_address_id: ID = strawberry.field(description="The address to change.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)


@strawberry.input(description="A postal address to delete.")
class DeletePostalAddressInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    postal_address_id: ID = strawberry.field(description="The address to delete.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)
