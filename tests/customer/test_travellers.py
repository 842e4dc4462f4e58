"""travellerInfos (rule C106)."""

from typing import Any

import pytest

from datastore import customer as stored
from datastore.database import Database
from datastore.viewer import GRANTABLE, TenantKind, Viewer
from resolvers.errors import ErrorCode
from tests.execute import FOREIGNER, INTERNAL, VIEWER, execute, refusal
from tests.factories.customer import a_customer, a_merged_customer, a_traveller_info, inserted
from tests.statements import statements

FIELDS = """
    orderId legs organisationId customerRef firstName surname email telephoneNumber fromStopPlaceRef toStopPlaceRef
    languagePreference customerNumber
"""
TRAVELLERS = f"""
query($order: String!, $first: Int, $after: String, $last: Int, $before: String) {{
  travellerInfos(orderId: $order, first: $first, after: $after, last: $last, before: $before) {{
    totalItems pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
    nodes {{ {FIELDS} customer {{ customerNumber }} }}
  }}
}}
"""


async def travellers(database: Database, viewer: Viewer = VIEWER, order: str = "ORDER-1", **given: Any) -> Any:
    return (await execute(database, TRAVELLERS, viewer, order=order, **given))["travellerInfos"]


async def names(database: Database, viewer: Viewer = VIEWER, **given: Any) -> list[str]:
    return [node["firstName"] for node in (await travellers(database, viewer, **given))["nodes"]]


@pytest.mark.rule("C106")
async def test_an_order_tells_who_travels_on_which_of_its_legs(database: Database) -> None:
    kari = await a_customer(database)
    values = {
        "customer_ref": "ref-1",
        "first_name": "Kari",
        "surname": "Nordmann",
        "email": "kari@example.no",
        "telephone_number": "+4790000000",
        "from_stop_place_ref": "NSR:StopPlace:59872",
        "to_stop_place_ref": "NSR:StopPlace:4029",
        "language_preference": "NOB",
    }
    await a_traveller_info(database, kari, **values)
    await a_traveller_info(database, kari, legs=["3"])
    await a_traveller_info(database, kari, order_id="ORDER-2")
    found = await travellers(database)
    order = {"orderId": "ORDER-1", "organisationId": 1, "customerNumber": kari.customer_number}
    order |= {"customer": {"customerNumber": kari.customer_number}}
    names = ["customerRef", "firstName", "surname", "email", "telephoneNumber", "fromStopPlaceRef", "toStopPlaceRef"]
    names.append("languagePreference")
    assert found["nodes"] == [
        {**order, "legs": ["1", "2"], **dict(zip(names, values.values(), strict=True))},
        {**order, "legs": ["3"], **dict.fromkeys(names)},
    ]
    assert found["totalItems"] == 2
    assert (await travellers(database, order=" ORDER-2 "))["totalItems"] == 1
    assert (await travellers(database, order="order-2"))["nodes"] == []


@pytest.mark.rule("T04")
@pytest.mark.rule("T05")
async def test_everybody_sees_the_travellers_that_are_theirs(database: Database) -> None:
    kari, ola = await a_customer(database), await a_customer(database)
    merged = await a_merged_customer(database, kari)
    foreign = await a_customer(database, organisation_id=2)
    for name, customer in (("Kari", kari), ("Ola", ola), ("Per", foreign), ("Old", merged)):
        await a_traveller_info(database, customer, first_name=name)
    user = Viewer(1, TenantKind.TRAVELLER, GRANTABLE, customer_ids=frozenset({kari.id, merged.id}))
    assert await names(database) == ["Kari", "Ola", "Old"]
    assert await names(database, FOREIGNER) == ["Per"]
    assert await names(database, INTERNAL) == ["Kari", "Ola", "Per", "Old"]
    assert await names(database, user) == ["Kari", "Old"]
    assert (await travellers(database, user))["totalItems"] == 2


async def test_pages_have_each_traveller_once_in_both_directions(database: Database) -> None:
    kari = await a_customer(database)
    for n in range(5):
        await a_traveller_info(database, kari, first_name=str(n))
    seen, after = [], None
    for size in (2, 2, 1):
        page = await travellers(database, first=2, after=after)
        assert len(page["nodes"]) == size
        seen += [node["firstName"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]
    assert seen == ["0", "1", "2", "3", "4"]
    assert not page["pageInfo"]["hasNextPage"]
    assert await names(database, last=2, before=page["pageInfo"]["startCursor"]) == ["2", "3"]


async def test_a_cursor_is_good_for_its_order_only(database: Database) -> None:
    kari = await a_customer(database)
    for order in ("ORDER-1", "ORDER-2"):
        await a_traveller_info(database, kari, order_id=order)
    cursor = (await travellers(database, first=1))["pageInfo"]["endCursor"]
    for wrong in ({"order": "ORDER-2", "after": cursor}, {"order": "ORDER-1", "after": "x"}):
        assert await refusal(database, TRAVELLERS, first=1, **wrong) is ErrorCode.CURSOR_INVALID
    for size in (0, 1001):
        assert await refusal(database, TRAVELLERS, order="ORDER-1", first=size) is ErrorCode.PAGE_SIZE_INVALID


@pytest.mark.rule("H5")
async def test_an_order_id_is_a_short_text(database: Database) -> None:
    wrong = {"": "REQUIRED", " ": "REQUIRED", "x" * 61: "TEXT_TOO_LONG", "x" * 100_000: "TEXT_TOO_LONG"}
    wrong |= {"a\x00b": "TEXT_INVALID", "a\ud800b": "TEXT_INVALID"}
    for order, code in wrong.items():
        assert await refusal(database, TRAVELLERS, order=order) is ErrorCode[code]


async def test_the_number_of_statements_does_not_grow_with_the_travellers(database: Database) -> None:
    customers = [await a_customer(database) for _ in range(20)]
    known = {"organisation_id": 1, "legs": ["1"]}
    await inserted(
        database,
        stored.TravellerInfo,
        {"customer_id": customers[0].id, "order_id": "ORDER-1", **known},
        *[{"customer_id": each.id, "order_id": "ORDER-20", **known} for each in customers],
    )
    await travellers(database)  # reads the key of cursors
    with statements(database) as few:
        await travellers(database)
    with statements(database) as many:
        assert len((await travellers(database, order="ORDER-20"))["nodes"]) == 20
    assert len(many) == len(few) == 4
