"""How rows are shown: the exact text of every stored value, and the pattern that views are made with."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
import strawberry
from sqlalchemy import Select, update
from sqlalchemy.exc import StatementError
from strawberry.types.base import get_object_definition

from datastore import customer as stored
from datastore.customer import AddressType, CustomerStatus, ProfileType
from datastore.database import Database
from datastore.loaders import Condition
from datastore.reading import snapshot, visible
from datastore.viewer import Permission, Viewer
from resolvers.context import Context
from schema.customer.types import Customer, PostalAddress
from schema.view import DECLARED, UnknownAttribute, computed, many, one, selected, view_of
from tests.execute import INTERNAL, VIEWER, execute
from tests.factories.customer import (
    a_choice,
    a_consent,
    a_customer,
    a_note,
    a_personnel_ticket,
    a_preference,
    a_traveller_info,
    an_account,
    an_address,
    an_ecard,
)

CUSTOMER = """
query ($number: Long!) {
  customer(by: {customerNumber: $number}) {
    __typename id customerNumber uuid customerRef organisationId status profileType version
    firstName surname nationality languagePreferenceISO6393 languagePreference email emailOld emailVerifiedAt username
    countryCode telephoneNumberNoCountryCode telephoneNumber telephoneNumberVerifiedAt landlineNumber vippsId
    customerAccountId lastSignInAt lastSignInFrom expirationDate dateOfBirth { day year month } dateOfDeath { year }
    createdAt createdBy createdByChannel changedAt changedBy changedByChannel
  }
}
"""

LISTS = """
query {
  customers {
    nodes {
      customerId parentId
      postalAddresses {
        __typename id version typeOfAddress addressLine1 addressLine2 postCode town countryCode verifiedAt createdAt
        changedAt customerId
      }
      ecards {
        __typename id ecardNumber ecardOperator ecardNumber16digits ecardName bookingDate shippingDate startOfOwnership
        endOfOwnership expirationDate createdAt changedAt customerId
      }
      consents { __typename consentCode consentChoice createdAt changedAt customerId }
      preferences {
        __typename preferenceId preferenceValue createdAt changedAt customerId
        preference {
          __typename id preferenceCode preferenceType preferenceDescription isActive createdAt changedAt
        }
      }
      customerAccounts {
        __typename id customerAccountId alias isDefault createdAt createdBy changedAt changedBy customerNumber
      }
      notes { __typename id text createdAt createdBy changedAt changedBy customerId }
      personnelTicketBearers {
        __typename ticketRightOwner ticketRightBearer isSelfServedRetrieval bearerCustomerId createdAt changedAt
      }
      travellerInfos {
        __typename orderId legs organisationId customerRef firstName surname email telephoneNumber fromStopPlaceRef
        toStopPlaceRef languagePreference customerNumber
      }
    }
  }
}
"""

OSLO_SUMMER = timezone(timedelta(hours=2))
CREATED = "2026-01-31T12:00:00.123Z"


async def shown(database: Database, customer: stored.Customer) -> Any:
    return (await execute(database, CUSTOMER, INTERNAL, number=customer.customer_number))["customer"]


class TestTexts:
    async def test_customer_with_every_value_is_shown_in_full(self, database: Database) -> None:
        kari = await a_customer(
            database,
            uuid="aB3" + "x" * 29,
            customer_number=2**63 - 1,
            organisation_id=2**53 + 1,
            customer_ref="Kåre/1 «x»",
            status=CustomerStatus.ACTIVE,
            profile_type=ProfileType.STANDARD,
            surname="Ødegård 😀",
            first_name="Kåre\tÆ",
            date_of_birth=date(1980, 2, 29),
            date_of_death=date(9999, 12, 31),
            nationality="NOR",
            language_preference_iso6393="NNO",
            language_preference="NN",
            email="Kåre@Example.no",
            email_old="old@example.no",
            email_verified_at=datetime(2026, 7, 1, 0, 30, 0, 999_999, tzinfo=OSLO_SUMMER),
            country_code="+47",
            telephone_number_no_country_code="91234567",
            telephone_number="+4791234567",
            telephone_number_verified_at=datetime(1970, 1, 1, tzinfo=UTC),
            landline_number="22334455",
            vipps_id="v-1",
            invoice_organisation_id="312345678",
            customer_account_id="ABT",
            password_hash="secret",
            last_sign_in_at=datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC),
            last_sign_in_from="web",
            expiration_date=date(1, 1, 1),
            created_by="ola",
            created_by_channel="crm",
            changed_at=datetime(2026, 2, 28, 23, 59, 59, 1_000, tzinfo=UTC),
            changed_by="app",
            changed_by_channel="mobile",
        )

        assert await shown(database, kari) == {
            "__typename": "Customer",
            "id": "Q3VzdG9tZXI6OTIyMzM3MjAzNjg1NDc3NTgwNw",
            "customerNumber": 9223372036854775807,
            "uuid": "aB3xxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "customerRef": "Kåre/1 «x»",
            "organisationId": 9007199254740993,
            "status": "ACTIVE",
            "profileType": "STANDARD",
            "version": 1,
            "firstName": "Kåre\tÆ",
            "surname": "Ødegård 😀",
            "nationality": "NOR",
            "languagePreferenceISO6393": "NNO",
            "languagePreference": "NN",
            "email": "Kåre@Example.no",
            "emailOld": "old@example.no",
            "emailVerifiedAt": "2026-06-30T22:30:00.999Z",
            "username": "Kåre@Example.no",
            "countryCode": "+47",
            "telephoneNumberNoCountryCode": "91234567",
            "telephoneNumber": "+4791234567",
            "telephoneNumberVerifiedAt": "1970-01-01T00:00:00.000Z",
            "landlineNumber": "22334455",
            "vippsId": "v-1",
            "customerAccountId": "ABT",
            "lastSignInAt": "9999-12-31T23:59:59.999Z",
            "lastSignInFrom": "web",
            "expirationDate": "0001-01-01",
            "dateOfBirth": {"day": 29, "year": 1980, "month": 2},
            "dateOfDeath": {"year": 9999},
            "createdAt": "2026-01-31T12:00:00.123Z",
            "createdBy": "ola",
            "createdByChannel": "crm",
            "changedAt": "2026-02-28T23:59:59.001Z",
            "changedBy": "app",
            "changedByChannel": "mobile",
        }

    @pytest.mark.rule("C07")
    async def test_customer_with_no_more_than_it_must_have_shows_the_defaults_and_null(
        self, database: Database
    ) -> None:
        kari = await a_customer(database, first_name=None, surname=None)

        found = await shown(database, kari)

        assert {name: value for name, value in found.items() if value is not None} == {
            "__typename": "Customer",
            "id": "Q3VzdG9tZXI6MTAwMDAwMDAwMQ",
            "customerNumber": 1000000001,
            "uuid": "00000000000000000000001000000001",
            "customerRef": "1000000001",
            "organisationId": 1,
            "status": "ACTIVE",
            "profileType": "STANDARD",
            "version": 1,
            "languagePreferenceISO6393": "NOB",
            "languagePreference": "NO",
            "createdAt": CREATED,
            "createdBy": "web",
            "createdByChannel": "web",
            "changedAt": CREATED,
            "changedBy": "web",
            "changedByChannel": "web",
        }

    @pytest.mark.rule("C09")
    @pytest.mark.rule("C10")
    async def test_status_and_type_are_words_and_only_active_standard_profiles_have_a_username(
        self, database: Database
    ) -> None:
        combinations = {}
        for status in CustomerStatus:
            for kind in ProfileType:
                found = await a_customer(database, status=status, profile_type=kind, email=f"{status}{kind}@example.no")
                data = await execute(
                    database,
                    """query ($uuid: String!) {
                      customer(by: {uuid: $uuid}, includeDeleted: true) { status profileType username email }
                    }""",
                    uuid=found.uuid,
                )
                customer = data["customer"]
                has_name = customer["username"] is not None and customer["username"] == customer["email"]
                combinations[customer["status"], customer["profileType"]] = has_name

        statuses, types = ("ACTIVE", "PASSIVE", "DELETED"), ("STANDARD", "PERSONNEL_TICKET", "TEMPORARY")
        expected = {(status, kind): (status, kind) == ("ACTIVE", "STANDARD") for status in statuses for kind in types}
        assert combinations == expected

    async def test_every_list_shows_its_rows_in_full(self, database: Database) -> None:
        at, day = datetime(2026, 7, 1, 12, 0, tzinfo=OSLO_SUMMER), date(2026, 7, 1)
        kari = await a_customer(database)
        home = await an_address(
            database, kari, address_line2="c/o Åse", verified_at=at, type_of_address=AddressType.SHADOW
        )
        days: dict[str, Any] = {"booking_date": day, "shipping_date": day, "expiration_date": day}
        card = await an_ecard(database, kari, ecard_name="Mitt kort", end_of_ownership=at, **days)
        await a_consent(database, kari, consent_choice=False)
        seat = await a_preference(database, preference_description="Plass", is_active=False)
        await a_choice(database, kari, seat, preference_value=None)
        account = await an_account(database, kari, alias="Jobb", is_default=True, changed_at=at, changed_by="ola")
        note = await a_note(database, kari, text="Linje 1\nLinje 2", changed_at=at, changed_by="per")
        await a_personnel_ticket(database, kari, is_self_served_retrieval=False)
        names = {"first_name": "Åse", "surname": "Ås", "email": "a@example.no", "telephone_number": "+4791234567"}
        stops = {"from_stop_place_ref": "NSR:StopPlace:1", "to_stop_place_ref": "NSR:StopPlace:2"}
        await a_traveller_info(
            database, kari, legs=["ø", '"'], customer_ref="R-1", language_preference="NOB", **names, **stops
        )

        data = await execute(database, LISTS)

        both = {"createdAt": CREATED, "changedAt": CREATED}
        (customer,) = data["customers"]["nodes"]
        assert customer == {
            "customerId": kari.id,
            "parentId": None,
            "postalAddresses": [
                {
                    "__typename": "PostalAddress",
                    "id": str(home.id),
                    "version": 1,
                    "typeOfAddress": "SHADOW",
                    "addressLine1": "Storgata 1",
                    "addressLine2": "c/o Åse",
                    "postCode": "0155",
                    "town": "Oslo",
                    "countryCode": "NOR",
                    "verifiedAt": "2026-07-01T10:00:00.000Z",
                    **both,
                    "customerId": kari.id,
                }
            ],
            "ecards": [
                {
                    "__typename": "Ecard",
                    "id": str(card.id),
                    "ecardNumber": "0700000001",
                    "ecardOperator": "16160",
                    "ecardNumber16digits": "1616007000000017",
                    "ecardName": "Mitt kort",
                    "bookingDate": "2026-07-01",
                    "shippingDate": "2026-07-01",
                    "startOfOwnership": CREATED,
                    "endOfOwnership": "2026-07-01T10:00:00.000Z",
                    "expirationDate": "2026-07-01",
                    **both,
                    "customerId": kari.id,
                }
            ],
            "consents": [
                {
                    "__typename": "CustomerConsent",
                    "consentCode": "NEWSLETTER",
                    "consentChoice": False,
                    **both,
                    "customerId": kari.id,
                }
            ],
            "preferences": [
                {
                    "__typename": "CustomerPreference",
                    "preferenceId": str(seat.id),
                    "preferenceValue": None,
                    **both,
                    "customerId": kari.id,
                    "preference": {
                        "__typename": "Preference",
                        "id": str(seat.id),
                        "preferenceCode": "SEAT",
                        "preferenceType": "TRAVEL",
                        "preferenceDescription": "Plass",
                        "isActive": False,
                        **both,
                    },
                }
            ],
            "customerAccounts": [
                {
                    "__typename": "CustomerAccount",
                    "id": str(account.id),
                    "customerAccountId": "ABT-1",
                    "alias": "Jobb",
                    "isDefault": True,
                    "createdAt": CREATED,
                    "createdBy": "web",
                    "changedAt": "2026-07-01T10:00:00.000Z",
                    "changedBy": "ola",
                    "customerNumber": kari.customer_number,
                }
            ],
            "notes": [
                {
                    "__typename": "Note",
                    "id": str(note.id),
                    "text": "Linje 1\nLinje 2",
                    "createdAt": CREATED,
                    "createdBy": "ola",
                    "changedAt": "2026-07-01T10:00:00.000Z",
                    "changedBy": "per",
                    "customerId": kari.id,
                }
            ],
            "personnelTicketBearers": [
                {
                    "__typename": "PersonnelTicketBearer",
                    "ticketRightOwner": "E1",
                    "ticketRightBearer": "B1",
                    "isSelfServedRetrieval": False,
                    "bearerCustomerId": kari.id,
                    **both,
                }
            ],
            "travellerInfos": [
                {
                    "__typename": "TravellerInfo",
                    "orderId": "ORDER-1",
                    "legs": ["ø", '"'],
                    "organisationId": 1,
                    "customerRef": "R-1",
                    "firstName": "Åse",
                    "surname": "Ås",
                    "email": "a@example.no",
                    "telephoneNumber": "+4791234567",
                    "fromStopPlaceRef": "NSR:StopPlace:1",
                    "toStopPlaceRef": "NSR:StopPlace:2",
                    "languagePreference": "NOB",
                    "customerNumber": kari.customer_number,
                }
            ],
        }

    async def test_time_is_kept_in_utc_to_the_millisecond_and_needs_a_zone(self, database: Database) -> None:
        given = datetime(2026, 7, 1, 0, 30, 0, 999_999, tzinfo=OSLO_SUMMER)

        kari = await a_customer(database, email_verified_at=given)

        assert kari.email_verified_at == datetime(2026, 6, 30, 22, 30, 0, 999_000, tzinfo=UTC)
        assert kari.email_verified_at.tzinfo is UTC
        with pytest.raises(StatementError, match="a time without a zone cannot be stored"):
            await a_customer(database, email_verified_at=given.replace(tzinfo=None))

    async def test_internal_ids_beyond_32_bits_are_shown(self, database: Database) -> None:
        parent = await a_customer(database, id=2**40)
        child = await a_customer(database, id=2**40 + 1, parent_id=parent.id)

        data = await execute(database, LISTS)

        nodes = data["customers"]["nodes"]
        assert [(each["customerId"], each["parentId"]) for each in nodes] == [
            (1099511627776, None),
            (1099511627777, 1099511627776),
        ]
        assert child.id == 1099511627777

    async def test_version_is_the_stored_one(self, database: Database) -> None:
        kari = await a_customer(database)
        async with database.write() as session:
            await session.execute(update(stored.Customer).values(version=7))

        assert (await shown(database, kari))["version"] == 7


class TestPattern:
    def test_view_of_an_attribute_that_the_row_lacks_fails_at_import_and_names_it(self) -> None:
        class Shoe:
            """A view with a typing mistake."""

            surname: str | None
            shoe_size: int

        with pytest.raises(UnknownAttribute, match=r"^Shoe\.shoe_size: Customer has no attribute shoe_size$"):
            view_of(stored.Customer, needs=Permission.CUSTOMER_READ)(Shoe)

    @pytest.mark.parametrize("name", ["metadata", "visible_to", "registry", "count"])
    def test_attribute_of_the_class_that_is_no_column_is_none_of_the_row(self, name: str) -> None:
        broken = type("Broken", (), {"__annotations__": {name: str}})

        with pytest.raises(UnknownAttribute, match=rf"^Broken\.{name}: Customer has no attribute {name}$"):
            view_of(stored.Customer, needs=Permission.CUSTOMER_READ)(broken)

    @pytest.mark.parametrize(
        "relation",
        [
            one(stored.Customer.id, via="boss_id", description="Whom it works for."),
            many(stored.Note.customer_id, via="boss_id", description="Notes."),
        ],
    )
    def test_relation_from_an_attribute_that_the_row_lacks_fails_at_import_and_names_it(self, relation: Any) -> None:
        worker = type("Worker", (), {"__annotations__": {"boss": int | None}, "boss": relation})

        with pytest.raises(UnknownAttribute, match=r"^Worker\.boss: Customer has no attribute boss_id$"):
            view_of(stored.Customer, needs=Permission.CUSTOMER_READ)(worker)

    def test_view_shows_its_docstring_and_only_what_it_declares(self) -> None:
        @view_of(stored.Customer, needs=Permission.CUSTOMER_READ)
        class Sign:
            """What stands on the door."""

            surname: str | None = strawberry.field(description="Surname.")

        definition = get_object_definition(Sign, strict=True)
        assert definition.description == "What stands on the door."
        assert [field.name for field in definition.fields] == ["surname"]

    async def test_pattern_works_on_rows_alone(self, database: Database) -> None:
        def named_after(viewer: Viewer, is_wanted: Condition) -> Select[Any]:
            parent = stored.Customer.parent_id
            found = visible(stored.Customer, viewer).add_columns(parent).where(is_wanted(parent))
            return found.order_by(stored.Customer.surname.desc())

        @view_of(stored.Customer, needs=Permission.CUSTOMER_READ)
        class Person:
            """A view made for this test."""

            surname: str | None
            letters: int = computed(lambda customer: len(customer.surname), description="Length of the surname.")
            parent: "Person | None" = one(stored.Customer.id, via="parent_id", description="Parent.")
            children: list["Person"] = many(stored.Customer.parent_id, description="Children.")
            names: list[str] = selected(named_after, row=stored.Customer, shows="surname", description="Their names.")

        Person.__module__ = __name__
        globals()["Person"] = Person
        root = await a_customer(database, surname="Ås")
        await a_customer(database, surname="Berg", parent_id=root.id)
        await a_customer(database, surname="Dahl", parent_id=root.id)
        await a_customer(database, surname="Foreign", parent_id=root.id, organisation_id=2)

        @strawberry.type
        class Query:
            @strawberry.field
            def person(self) -> Person | None:
                return root  # type: ignore[return-value]

        document = "{ person { surname letters names parent { surname } children { surname parent { surname } } } }"
        result = await strawberry.Schema(query=Query).execute(document, context_value=Context(database, VIEWER))
        del globals()["Person"]

        assert result.errors is None
        assert result.data == {
            "person": {
                "surname": "Ås",
                "letters": 2,
                "names": ["Dahl", "Berg"],
                "parent": None,
                "children": [
                    {"surname": "Berg", "parent": {"surname": "Ås"}},
                    {"surname": "Dahl", "parent": {"surname": "Ås"}},
                ],
            }
        }

    async def test_view_knows_its_rows_as_records_and_as_entities_and_no_others(self, database: Database) -> None:
        record = await a_customer(database)
        address = await an_address(database, record)
        entity = stored.Customer(surname="Ås")

        shows: Any = Customer.is_type_of  # type: ignore[attr-defined]
        rows: list[object] = [record, entity, snapshot(entity)]
        others: list[object] = [address, stored.Note(), None, "x", {}, (1,)]
        assert [shows(row, None) for row in rows] == [True] * 3
        assert [shows(row, None) for row in others] == [False] * 6

    def test_declaration_of_a_field_is_found_in_its_metadata(self) -> None:
        fields = {field.python_name: field for field in get_object_definition(PostalAddress, strict=True).fields}

        declared = fields["customer"].metadata[DECLARED]
        assert (declared.column, declared.via) == (stored.Customer.id, "customer_id")
        assert DECLARED not in fields["town"].metadata

    def test_every_type_and_field_of_the_customer_domain_has_a_description(self) -> None:
        for view in (Customer, PostalAddress):
            definition = get_object_definition(view, strict=True)
            texts = [definition.description, *(field.description for field in definition.fields)]
            assert all(text and text.endswith(".") for text in texts), definition.name
