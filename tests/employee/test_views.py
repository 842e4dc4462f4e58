"""What is shown of companies, employees, families, ticket rights and code lists."""

from datetime import date, datetime
from typing import Any

import pytest

from datastore.database import Database
from datastore.employee import codes, personnel, rights
from datastore.viewer import TenantKind, Viewer
from schema import relations
from tests.execute import VIEWER, execute
from tests.factories.customer import (
    MOMENT,
    inserted,
)
from tests.factories.employee import (
    a_code,
    a_company,
    a_family_member,
    a_manual_order,
    a_postal_place,
    a_product,
    a_rule,
    a_station,
    a_ticket_right,
    a_ticket_type,
    an_employee,
    the_codes,
)

STORED = "2026-01-31T12:00:00.123Z"


@pytest.fixture
def in_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    """Today is in 2026, whatever the day is."""
    monkeypatch.setattr(relations, "today", lambda: date(2026, 6, 1))


async def of_employee(database: Database, selected: str, key: int, viewer: Viewer = VIEWER) -> Any:
    document = f"query ($key: Long!) {{ employee(employeeId: $key) {{ {selected} }} }}"
    return (await execute(database, document, viewer, key=key))["employee"]


async def of_member(database: Database, selected: str, key: int) -> Any:
    document = f"query ($key: Long!) {{ familyMember(familyMemberId: $key) {{ {selected} }} }}"
    return (await execute(database, document, key=key))["familyMember"]


@pytest.mark.rule("A21")
async def test_a_company_shows_its_values_and_its_postal_place(database: Database) -> None:
    await a_postal_place(database)
    company = await a_company(database, is_deleted=True, employee_no_prefix="VY", report_separator=";")
    document = """query ($key: Long!) { company(companyId: $key) { companyId organisationId name postalCode addressLine
        postalPlace { code place country isDeleted } allowETickets allowLocalEmployees reportSeparator employeeNoPrefix
        isDeleted deleted version createdAt } }"""
    assert await execute(database, document, key=company.id) == {
        "company": {
            "companyId": company.id,
            "organisationId": 1,
            "name": "Togselskapet",
            "postalCode": "0155",
            "postalPlace": {"code": "0155", "place": "Oslo", "country": "NOR", "isDeleted": False},
            "addressLine": "Storgata 1",
            "allowETickets": False,
            "allowLocalEmployees": False,
            "reportSeparator": ";",
            "employeeNoPrefix": "VY",
            "isDeleted": True,
            "deleted": True,
            "version": 1,
            "createdAt": STORED,
        }
    }


@pytest.mark.rule("E12")
@pytest.mark.rule("A20")
async def test_an_employee_shows_its_values_codes_and_what_is_no_longer_used(database: Database) -> None:
    await the_codes(database)
    product = await a_product(database)
    ola = await an_employee(
        database,
        await a_company(database),
        hire_end_date=date(2026, 3, 31),
        hire_end_cause="QUIT",
        preferred_product_id=product.id,
        disability_grade=40,
        disability_from_date=date(2024, 5, 1),
    )
    found = await of_employee(
        database,
        """employeeId employeeNo firstName surname dateOfBirth company { name } employmentTypeId
        employmentType { code isPensioner } payType payTypeDetails { code description } hireStartDate hireEndDate
        hireEndCause employmentEndCause { code } preferredProduct { name validUntil } employmentPercentage
        paidPercentage disabilityGrade abstainFromTicket isDeleted ticketHolderCode sourceLastUpdate lastUpdate
        isOnWaitPay waitPayDate jobDescription disabilityFromDate paidPercentageDate sendTicketToPrivateAddress
        disabilityProofRegisteredDate""",
        ola.id,
    )
    assert found == {
        "employeeId": ola.id,
        "employeeNo": "E1",
        "firstName": "Ola",
        "surname": "Nordmann",
        "dateOfBirth": "1986-10-15",
        "company": {"name": "Togselskapet"},
        "employmentTypeId": "FULL",
        "employmentType": {"code": "FULL", "isPensioner": False},
        "payType": "MONTHLY",
        "payTypeDetails": {"code": "MONTHLY", "description": "What it means."},
        "hireStartDate": "2020-01-01",
        "hireEndDate": "2026-03-31",
        "hireEndCause": "QUIT",
        "employmentEndCause": {"code": "QUIT"},
        "preferredProduct": {"name": "Personnel ticket", "validUntil": None},
        "employmentPercentage": 100,
        "paidPercentage": 100,
        "disabilityGrade": 40,
        "abstainFromTicket": False,
        "isDeleted": False,
        "ticketHolderCode": f"aaaa-bbbb-{ola.id}",
        "sourceLastUpdate": "hr",
        "lastUpdate": STORED,
        "isOnWaitPay": False,
        "waitPayDate": None,
        "jobDescription": None,
        "disabilityFromDate": None,
        "paidPercentageDate": None,
        "sendTicketToPrivateAddress": False,
        "disabilityProofRegisteredDate": None,
    }


@pytest.mark.rule("E01")
async def test_an_imported_employee_leads_to_the_employee_and_to_its_codes(database: Database) -> None:
    await the_codes(database)
    await a_postal_place(database)
    product = await a_product(database)
    disabled = {"disability_grade": 40, "disability_from_date": date(2024, 5, 1)}
    ola = await an_employee(database, await a_company(database), preferred_product_id=product.id, **disabled)
    document = """{ importedEmployees { nodes { id companyId company { name } employeeNo employee { employeeId }
        postalData { place } payTypeDetails { code } employmentType { code } employmentEndCause { code }
        preferredProductId preferredProduct { name } disabilityGrade disabilityFromDate isFeePaid workPlaceId
        disabilityProofRegistered } } }"""
    found = await execute(database, document)
    assert found["importedEmployees"]["nodes"] == [
        {
            "id": str(ola.id),
            "companyId": ola.company_id,
            "company": {"name": "Togselskapet"},
            "employeeNo": "E1",
            "employee": {"employeeId": ola.id},
            "postalData": {"place": "Oslo"},
            "payTypeDetails": {"code": "MONTHLY"},
            "employmentType": {"code": "FULL"},
            "employmentEndCause": None,
            "preferredProductId": product.id,
            "preferredProduct": {"name": "Personnel ticket"},
            "disabilityGrade": 40,
            "disabilityFromDate": "2024-05-01",
            "isFeePaid": False,
            "workPlaceId": None,
            "disabilityProofRegistered": False,
        }
    ]


@pytest.mark.rule("E15")
@pytest.mark.rule("E16")
@pytest.mark.rule("E17")
@pytest.mark.rule("E18")
@pytest.mark.rule("E19")
async def test_exactly_this_year_and_the_next_one_are_shown_and_what_is_missing_is_false(
    database: Database, in_2026: None
) -> None:
    await the_codes(database)
    product = await a_product(database)
    ola = await an_employee(database, await a_company(database))
    kari = await a_family_member(database, ola)
    years = [{"employee_id": ola.id, "year": year} for year in (2025, 2026, 2028)]
    await inserted(database, personnel.EmployeeYearlyFee, *[{**each, "is_paid": True} for each in years])
    await inserted(database, personnel.EmployeeDisabilityProof, {**years[1], "year": 2027, "is_registered": True})
    await inserted(database, personnel.EmployeeCategory, *[{**each, "product_id": product.id} for each in years])
    low = {"family_member_id": kari.id, "year": 2026, "is_registered": True}
    await inserted(database, personnel.FamilyMemberLowIncome, low, {**low, "year": 2024})

    found = await of_employee(
        database,
        """yearlyFees { year isPaid version } isFeePaid disabilityProofs { year isRegistered version }
        disabilityProofRegistered categories { year product { name } }
        familyMembers { lowIncomes { year isRegistered } }""",
        ola.id,
    )
    assert found == {
        "yearlyFees": [{"year": 2026, "isPaid": True, "version": 1}, {"year": 2027, "isPaid": False, "version": 0}],
        "isFeePaid": True,
        "disabilityProofs": [
            {"year": 2026, "isRegistered": False, "version": 0},
            {"year": 2027, "isRegistered": True, "version": 1},
        ],
        "disabilityProofRegistered": False,
        "categories": [{"year": year, "product": {"name": "Personnel ticket"}} for year in (2025, 2026, 2028)],
        "familyMembers": [
            {"lowIncomes": [{"year": 2026, "isRegistered": True}, {"year": 2027, "isRegistered": False}]}
        ],
    }


@pytest.mark.rule("E33")
@pytest.mark.rule("E36")
@pytest.mark.rule("A16")
async def test_a_ticket_right_leads_to_its_holder_employee_rule_and_order(database: Database) -> None:
    await the_codes(database)
    silver = await a_ticket_type(database, ticket_right_type=codes.TicketRightType.SILVER)
    rule = await a_rule(database, silver)
    ola = await an_employee(database, await a_company(database))
    kari = await a_family_member(database, ola)
    order = await a_manual_order(database, kari, silver, ticket_no="T1")
    oslo, bergen = await a_station(database), await a_station(database, "NSR:StopPlace:2", name="Bergen")
    pair = {"manual_order_id": order.id, "from_station_id": oslo.id, "to_station_id": bergen.id}
    await inserted(database, rights.StationPair, pair)
    own = await a_ticket_right(database, ola, silver, rule_id=rule.id, rule_version=1)
    hers = await a_ticket_right(database, kari, silver, manual_order_id=order.id)
    holder = """ticketHolder { __typename ... on Employee { employeeNo } ... on FamilyMember { firstName } }"""
    document = f"""{{ ticketRights {{ nodes {{ ticketrightId validFrom validUntil employeeId employee {{ employeeNo }}
        {holder} ticketRightRule {{ name ticketType {{ code }} }} ticketType {{ code ticketRightType countryCode }}
        ticketRightsHolder {{ ticketHolderCode surname postalPlace {holder} ticketRights {{ ticketrightId }} }}
        manualOrder {{ ticketNo toDate {holder} stationPairs {{ fromStation {{ id name }} toStation {{ name }} }} }}
        calculationTimestamp }} }} }}"""
    found = (await execute(database, document))["ticketRights"]["nodes"]
    employee = {"__typename": "Employee", "employeeNo": "E1"}
    spouse = {"__typename": "FamilyMember", "firstName": "Kari"}
    shared = {
        "validFrom": "2026-01-01",
        "validUntil": "2027-01-01",
        "employeeId": ola.id,
        "employee": {"employeeNo": "E1"},
        "ticketType": {"code": "NO2", "ticketRightType": "SILVER", "countryCode": "NOR"},
        "calculationTimestamp": STORED,
    }
    unused = {"surname": None, "postalPlace": None}
    assert found == [
        {
            **shared,
            "ticketrightId": own.id,
            "ticketHolder": employee,
            "ticketRightRule": {"name": "Employees", "ticketType": {"code": "NO2"}},
            "ticketRightsHolder": {
                **unused,
                "ticketHolderCode": f"aaaa-bbbb-{ola.id}",
                "ticketHolder": employee,
                "ticketRights": [{"ticketrightId": own.id}],
            },
            "manualOrder": None,
        },
        {
            **shared,
            "ticketrightId": hers.id,
            "ticketHolder": spouse,
            "ticketRightRule": None,
            "ticketRightsHolder": {
                **unused,
                "ticketHolderCode": f"aaaa-cccc-{kari.id}",
                "ticketHolder": spouse,
                "ticketRights": [{"ticketrightId": hers.id}],
            },
            "manualOrder": {
                "ticketNo": "T1",
                "toDate": "2026-01-31",
                "ticketHolder": spouse,
                "stationPairs": [
                    {"fromStation": {"id": "NSR:StopPlace:1", "name": "Oslo S"}, "toStation": {"name": "Bergen"}}
                ],
            },
        },
    ]
    of_ola = await of_employee(database, "ticketRights { ticketrightId }", ola.id)
    of_kari = await of_member(database, "ticketRights { ticketrightId } ticketHolderCode relation { code }", kari.id)
    assert of_ola == {"ticketRights": [{"ticketrightId": own.id}]}
    assert of_kari["ticketRights"] == [{"ticketrightId": hers.id}]
    assert (of_kari["ticketHolderCode"], of_kari["relation"]) == (f"aaaa-cccc-{kari.id}", {"code": "SPOUSE"})


@pytest.mark.rule("E34")
@pytest.mark.rule("E35")
@pytest.mark.rule("A15")
@pytest.mark.parametrize(
    ("error", "is_ready", "synced", "state"),
    [
        (None, False, None, "NOT_READY"),
        (None, True, None, "READY"),
        (None, False, MOMENT, "SYNCED"),
        (None, True, MOMENT, "SYNCED"),
        ("no", True, MOMENT, "FAILED"),
        ("no", False, None, "FAILED"),
    ],
)
async def test_the_state_of_each_synchronisation_is_derived_and_found(
    database: Database, error: str | None, is_ready: bool, synced: datetime | None, state: str
) -> None:
    await the_codes(database)
    ola = await an_employee(database, await a_company(database))
    ticket = {"error_message": error, "is_ready_to_sync": is_ready, "sync_timestamp": synced}
    given = {f"ticket_{name}": value for name, value in ticket.items()}
    await a_ticket_right(database, ola, await a_ticket_type(database), **given)
    document = """query ($state: SyncState) {
        ticketRights(filter: {ticketSyncState: $state, customerSyncState: NOT_READY}) { nodes {
            errorMessage canSendTicket ticketCreated
            ticketSyncStatus { state errorMessage isReadyToSync syncTimestamp }
            customerSyncStatus { state errorMessage isReadyToSync syncTimestamp } } } }"""
    (found,) = (await execute(database, document, state=state))["ticketRights"]["nodes"]
    timestamp = None if synced is None else STORED
    assert found == {
        "errorMessage": error,
        "canSendTicket": is_ready,
        "ticketCreated": synced is not None,
        "ticketSyncStatus": {
            "state": state,
            "errorMessage": error,
            "isReadyToSync": is_ready,
            "syncTimestamp": timestamp,
        },
        "customerSyncStatus": {
            "state": "NOT_READY",
            "errorMessage": None,
            "isReadyToSync": False,
            "syncTimestamp": None,
        },
    }
    for other in {"NOT_READY", "READY", "SYNCED", "FAILED"} - {state}:
        assert (await execute(database, document, state=other))["ticketRights"]["nodes"] == []


async def test_code_lists_are_for_everybody_and_leave_deleted_ones_out_unless_asked_for(database: Database) -> None:
    lists = {
        "payTypes": codes.PayType,
        "employmentTypes": codes.EmploymentType,
        "employmentEndCauses": codes.EmploymentEndCause,
        "familyRelations": codes.FamilyRelation,
        "travelTypes": codes.TravelType,
        "fipTicketTypes": codes.FipTicketType,
        "ticketTypes": codes.TicketType,
    }
    for row in lists.values():
        await a_code(database, row, "B")
        await a_code(database, row, "A", is_deleted=True)
    stranger = Viewer(2, TenantKind.TRAVELLER)
    asked_for = " ".join(f"{name}(includeDeleted: $all) {{ nodes {{ code }} }}" for name in lists)
    document = f"query ($all: Boolean!) {{ {asked_for} }}"
    kept, every = [await execute(database, document, stranger, all=each) for each in (False, True)]
    assert kept == {name: {"nodes": [{"code": "B"}]} for name in lists}
    assert every == {name: {"nodes": [{"code": "A"}, {"code": "B"}]} for name in lists}


@pytest.mark.rule("E46")
async def test_products_places_and_stations_are_listed(database: Database) -> None:
    await a_product(database)
    await a_product(database, name="Old", valid_until=date(2024, 1, 1), valid_from=date(2023, 1, 1))
    await a_postal_place(database)
    await a_postal_place(database, "0155", country="SWE", place="Ås")
    await a_station(database)
    document = """query ($day: Date) { products(validAt: $day) { nodes { name } } stations { nodes { id } }
        postalPlaces(code: "0155", country: "nor") { totalItems nodes { place } } }"""
    found = [await execute(database, document, day=day) for day in ("2023-12-31", "2024-01-01")]
    names = [[node["name"] for node in each["products"]["nodes"]] for each in found]
    assert names == [["Personnel ticket", "Old"], ["Personnel ticket"]]
    assert found[0]["stations"] == {"nodes": [{"id": "NSR:StopPlace:1"}]}
    assert found[0]["postalPlaces"] == {"totalItems": 1, "nodes": [{"place": "Oslo"}]}
