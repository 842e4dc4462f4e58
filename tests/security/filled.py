"""One customer who has one of everything, contracts as well, and is an employee who has, and two whom mutations may
take."""

from datetime import date

from datastore.audit import Reveal, record_reveals
from datastore.customer import Customer, CustomerConsentAnswer, ProfileType
from datastore.database import Database
from datastore.viewer import GRANTABLE, Viewer
from tests.factories.customer import (
    MOMENT,
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
    inserted,
)
from tests.factories.loyalty import a_contract, a_coupon_program, a_description, a_program, an_order_line
from tests.loyalty.rows import a_coupon_year, a_policy, a_reservation, a_saving, a_total, a_transaction
from tests.security.household import fill_household
from tests.security.matrix import CONTRACT_UUID, CUSTOMER_NUMBER, ORDER_ID, PROGRAM_ID, PTICKET_NUMBER

TO_MERGE, TO_ERASE = 1_000_000_003, 1_000_000_004
"""Of a personnel-ticket profile, and of a person."""


async def fill(database: Database) -> None:
    """Store the customers whom the documents of the matrix name, in organisation 1."""
    kari = await a_customer(database, customer_number=CUSTOMER_NUMBER, date_of_birth=date(1980, 1, 31))
    await an_address(database, kari)
    await an_ecard(database, kari)
    by_whom = {"answered_by": "web", "answered_by_channel": "web", "answered_at": MOMENT}
    for is_legacy in (True, False):
        consent = await a_consent(database, kari, is_legacy=is_legacy)
        answer = {"customer_id": kari.id, "consent_id": consent.id, "consent_choice": True, **by_whom}
        await inserted(database, CustomerConsentAnswer, answer)
    await a_choice(database, kari, await a_preference(database))
    await an_account(database, kari)
    await a_note(database, kari)
    await a_personnel_ticket(database, kari)
    await a_traveller_info(database, kari, order_id=ORDER_ID)
    for number in (PTICKET_NUMBER, TO_MERGE):
        pticket = await a_customer(database, customer_number=number, profile_type=ProfileType.PERSONNEL_TICKET)
        await an_address(database, pticket)
        await a_note(database, pticket)
    await a_customer(database, customer_number=TO_ERASE)
    await fill_household(database)
    await fill_contracts(database, kari)
    seen = {kari.id: Reveal("Look", {"Note.text"})}
    await record_reveals(database, Viewer(1, permissions=GRANTABLE), "a-test", "an-id", "a reason", seen)


async def fill_contracts(database: Database, holder: Customer) -> None:
    """Store the loyalty program that the documents of the matrix name, and a contract of it that has one of everything,
    a contract that its use has created and one that has created it."""
    below = await a_program(database)
    program = await a_coupon_program(
        database, id=PROGRAM_ID, loyalty_program_id=PROGRAM_ID, config_loyalty_program_id=below.id
    )
    await a_description(database, program)
    above = await a_contract(database, program)
    contract = await a_contract(database, program, holder, uuid=CONTRACT_UUID, parent=above.uuid)
    made = await a_contract(database, below, holder, parent=contract.uuid)
    await a_policy(database, contract)
    await a_total(database, contract, 0)
    deposit = await a_transaction(database, contract)
    await a_transaction(database, contract, -100_00, reverses_id=deposit.id)
    await a_coupon_year(database, contract, 9)
    bought = await an_order_line(database, contract, sub_contract=made.uuid)
    await an_order_line(database, contract, cancels_id=bought.id)
    await a_saving(database, bought)
    await a_reservation(database, contract, order_line_event_id=bought.id)
