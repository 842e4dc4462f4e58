"""One customer who has one of everything."""

from datetime import date

from datastore.audit import Reveal, record_reveals
from datastore.database import Database
from datastore.viewer import GRANTABLE, Viewer
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
from tests.security.matrix import CUSTOMER_NUMBER


async def fill(database: Database) -> None:
    """Store the customer whom the documents of the matrix name, in organisation 1."""
    kari = await a_customer(database, customer_number=CUSTOMER_NUMBER, date_of_birth=date(1980, 1, 31))
    await an_address(database, kari)
    await an_ecard(database, kari)
    await a_consent(database, kari)
    await a_choice(database, kari, await a_preference(database))
    await an_account(database, kari)
    await a_note(database, kari)
    await a_personnel_ticket(database, kari)
    await a_traveller_info(database, kari)
    seen = {kari.id: Reveal("Look", {"Note.text"})}
    await record_reveals(database, Viewer(1, permissions=GRANTABLE), "a-test", "an-id", "a reason", seen)
