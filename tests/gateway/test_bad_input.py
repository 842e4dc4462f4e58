"""Bad input over HTTP, on the real schema: each is a clear error with a code, and nothing is changed."""

from typing import Any

import pytest
from sqlalchemy import text

from datastore.database import Database
from datastore.demo.load import load
from datastore.migrate import METADATA
from tests.gateway.client import gateway_client, settings

NUMBER = 1_000_000_001
CUSTOMER = "query ($by: CustomerLookup!) { customer(by: $by) { surname } }"
CUSTOMERS = """query ($first: Int, $last: Int, $after: String, $orderBy: CustomerOrder, $filter: CustomerFilterInput) {
  customers(first: $first, last: $last, after: $after, orderBy: $orderBy, filter: $filter) { nodes { surname } }
}"""
BY_KEY = "query ($numbers: [Long!]) { customersByKey(customerNumbers: $numbers) { surname } }"
UPDATE = """mutation ($input: UpdateCustomerInput!) {
  updateCustomer(input: $input) { customer { surname } userErrors { code field } }
}"""
UPDATED = {"customerNumber": NUMBER, "firstName": "K", "surname": "N", "changedBy": "web", "changedByChannel": "web"}

REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "an e-card number with letters": (CUSTOMER, {"by": {"ecardNumber": "16160069125041AB"}}, "ECARD_NUMBER_INVALID"),
    "an e-card number of 11 digits": (CUSTOMER, {"by": {"ecardNumber": "12345678901"}}, "ECARD_NUMBER_INVALID"),
    "no key": (CUSTOMER, {"by": {}}, "VALUE_INVALID"),
    "two keys": (CUSTOMER, {"by": {"customerNumber": 1, "uuid": "a" * 32}}, "VALUE_INVALID"),
    "a customer number of 64 bits and one": (CUSTOMER, {"by": {"customerNumber": 2**63}}, "VALUE_INVALID"),
    "a customer number with a fraction": (CUSTOMER, {"by": {"customerNumber": 1.5}}, "VALUE_INVALID"),
    "a customer number that is none": (CUSTOMER, {"by": {"customerNumber": "one"}}, "VALUE_INVALID"),
    "1001 keys": (BY_KEY, {"numbers": list(range(1001))}, "TOO_MANY_KEYS"),
    "an unknown sort field": (CUSTOMERS, {"orderBy": {"field": "SHOE_SIZE"}}, "VALUE_INVALID"),
    "page size 0": (CUSTOMERS, {"first": 0}, "PAGE_SIZE_INVALID"),
    "a negative page size": (CUSTOMERS, {"last": -1}, "PAGE_SIZE_INVALID"),
    "a page above the maximum": (CUSTOMERS, {"first": 1001}, "PAGE_SIZE_INVALID"),
    "a made-up cursor": (CUSTOMERS, {"after": "AAAA"}, "CURSOR_INVALID"),
    "NUL in a filter": (CUSTOMERS, {"filter": {"surname": "Nord\0mann"}}, "TEXT_INVALID"),
    "a text over 10,000 characters": (CUSTOMERS, {"filter": {"surname": "a" * 10_001}}, "REQUEST_TOO_LARGE"),
    "null for a required field": (UPDATE, {"input": UPDATED | {"surname": None}}, "VALUE_INVALID"),
    "null for a status": (UPDATE, {"input": UPDATED | {"status": None}}, "VALUE_INVALID"),
    "a field that is not there": (UPDATE, {"input": UPDATED | {"customerRef": "mine"}}, "VALUE_INVALID"),
    "a date that is none": (UPDATE, {"input": UPDATED | {"dateOfBirth": "2023-02-29"}}, "VALUE_INVALID"),
    "a time without zone": (UPDATE, {"input": UPDATED | {"emailVerifiedAt": "2023-01-01T00:00:00"}}, "VALUE_INVALID"),
    "a document that does not fit": ("{ customer { surname } }", {}, "DOCUMENT_INVALID"),
    "a document that does not parse": ("{ customer(", {}, "DOCUMENT_INVALID"),
}


async def contents(database: Database) -> list[Any]:
    """All rows of all tables."""
    return [
        [tuple(row) for row in await database.fetch(text(f"SELECT * FROM {table} ORDER BY 1"))]
        for table in METADATA.tables
    ]


@pytest.mark.parametrize("name", REFUSED)
async def test_bad_input_is_refused_with_a_code_and_changes_nothing(name: str, database: Database, url: str) -> None:
    document, variables, code = REFUSED[name]
    await load(database, 3, 1, lambda _: None)
    before = await contents(database)
    async with gateway_client(settings(url, log_format="json"), "admin") as client:
        response = await client.post(
            "/graphql",
            json={"query": document, "variables": variables},
            headers={"Accept": "application/graphql-response+json"},
        )
    body = response.json()
    assert [error["extensions"]["errorCode"] for error in body["errors"]] == [code]
    assert body["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert not (body.get("data") or {}).get("updateCustomer")
    assert response.status_code < 500
    assert await contents(database) == before


async def test_a_lone_surrogate_is_refused(url: str) -> None:
    body = rb'{"query": "query($f: CustomerFilterInput) { customers(filter: $f) { totalItems } }", "variables": {"f": {"surname": "\ud800"}}}'  # noqa: E501
    async with gateway_client(settings(url), "admin") as client:
        response = await client.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["errorCode"] == "TEXT_INVALID"


async def test_a_body_of_two_megabytes_is_too_large(url: str) -> None:
    async with gateway_client(settings(url), "admin") as client:
        response = await client.post("/graphql", json={"query": "{ a }" + " " * 2_000_000})
    assert response.status_code == 413
    assert response.json()["errors"][0]["extensions"]["errorCode"] == "REQUEST_TOO_LARGE"


@pytest.mark.parametrize(
    "by",
    [
        {"customerNumber": 42},
        {"customerRef": {"customerRef": "unknown"}},
        {"uuid": "x" * 32},
        {"ecardNumber": "0000000000"},
        {"username": {"organisationId": 1, "username": "nobody@example.no"}},
        {"customerNumber": -1},
        {"customerNumber": 2**63 - 1},
    ],
)
async def test_an_unknown_customer_is_null(by: dict[str, Any], url: str) -> None:
    async with gateway_client(settings(url), "admin") as client:
        response = await client.post("/graphql", json={"query": CUSTOMER, "variables": {"by": by}})
    assert response.json()["data"] == {"customer": None}
