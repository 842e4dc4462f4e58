"""Preferences: the catalogue, and what customers have chosen."""

import strawberry

from datastore.viewer import Permission
from resolvers.customer import preferences
from schema.connection import PAGING, Connection
from schema.customer.types import Customer, CustomerPreference, Preference
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers
from schema.view import query


@payload("What createPreference answers.")
class CreatePreferencePayload(Payload):
    preference: Preference | None = strawberry.field(description="The preference as created.")


@payload("What updatePreference answers.")
class UpdatePreferencePayload(Payload):
    preference: Preference | None = strawberry.field(description="The preference as it is now.")


@payload("What replaceCustomerPreferences answers.")
class ReplaceCustomerPreferencesPayload(Payload):
    customer: Customer | None = strawberry.field(description="The customer as it is now.")


@payload("What createCustomerPreference answers.")
class CreateCustomerPreferencePayload(Payload):
    customer_preference: CustomerPreference | None = strawberry.field(description="What the customer has chosen.")


@payload("What updateCustomerPreference answers.")
class UpdateCustomerPreferencePayload(Payload):
    customer_preference: CustomerPreference | None = strawberry.field(
        description="What the customer has chosen, as it is now."
    )


@payload("What deleteCustomerPreference answers.")
class DeleteCustomerPreferencePayload(Payload):
    customer: Customer | None = strawberry.field(description="The customer who had it.")
    deleted_preference_id: strawberry.ID | None = strawberry.field(
        description="Id of the preference that the customer does not have any more."
    )


@strawberry.type
class PreferenceMutations:
    create_preference: CreatePreferencePayload = mutation(
        preferences.create_preference,
        needs=Permission.PREFERENCE_WRITE,
        callers=Callers.CLIENTS,
        description="Adds a preference to those that an organisation offers.",
    )
    update_preference: UpdatePreferencePayload = mutation(
        preferences.update_preference,
        needs=Permission.PREFERENCE_WRITE,
        callers=Callers.CLIENTS,
        description="Changes a preference that an organisation offers, or takes it out of use.",
    )
    replace_customer_preferences: ReplaceCustomerPreferencesPayload = mutation(
        preferences.replace_customer_preferences,
        needs=Permission.CUSTOMER_UPDATE,
        description="Gives a customer these preferences in place of all others; posts UPDATE.",
    )
    create_customer_preference: CreateCustomerPreferencePayload = mutation(
        preferences.create_customer_preference,
        needs=Permission.CUSTOMER_UPDATE,
        description="Adds a preference that a customer does not have; posts UPDATE.",
    )
    update_customer_preference: UpdateCustomerPreferencePayload = mutation(
        preferences.update_customer_preference,
        needs=Permission.CUSTOMER_UPDATE,
        description="Gives a preference that a customer has another value; posts UPDATE.",
    )
    delete_customer_preference: DeleteCustomerPreferencePayload = mutation(
        preferences.delete_customer_preference,
        needs=Permission.CUSTOMER_UPDATE,
        description="Deletes a preference that a customer has; posts UPDATE.",
    )


@strawberry.type
class PreferenceQueries:
    preferences: Connection[Preference] = query(
        preferences.preferences,
        needs=Permission.CUSTOMER_READ,
        description="The preferences that an organisation offers its customers, by code.",
        arguments={
            "organisation_id": "The organisation; by default, and unless the caller is internal, its own.",
            "is_active": "Only those that can be chosen, or only those that cannot; all if absent.",
            **PAGING,
        },
    )
