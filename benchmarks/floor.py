"""The limit of what Python can do: the smallest endpoint that answers documents of the benchmark, each by hand.

One prepared statement has the database make nested JSON arrays, one function names what is in them. Nobody is
identified; nothing is limited, checked or planned. It takes the same requests as the gateway, at the same path, and
answers the same data: `benchmarks.http` compares them.
"""

import asyncio
import base64
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import asyncpg
import orjson
import uvicorn
from sqlalchemy.engine import make_url
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

DOCUMENTS = Path(__file__).parent / "documents"
CONNECTIONS = 10
STATUSES = {"A": "ACTIVE", "P": "PASSIVE", "D": "DELETED"}
PROFILE_TYPES = {"S": "STANDARD", "P": "PERSONNEL_TICKET", "T": "TEMPORARY"}
ADDRESS_TYPES = {"P": "PRIVATE", "I": "INVOICE", "S": "SHADOW"}

PAGE = """customer WHERE organisation_id = 1 AND merged_into_id IS NULL AND profile_type <> 'T' AND status <> 'D'
    ORDER BY customer_number LIMIT {parameter}"""
"""The customers that a search without a filter finds for the caller of `benchmarks.servers.token`."""


class Dialect(NamedTuple):
    """How a database makes JSON: an array of values, a list of the arrays of some rows, and a time; its parameter."""

    array: str
    listed: str
    time: str
    parameter: str


POSTGRESQL = Dialect(
    array="json_build_array({})",
    listed="(SELECT coalesce(json_agg({array} ORDER BY {order}), '[]') FROM (SELECT * FROM {rows}) AS {name})",
    time="""to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')""",
    parameter="$1",
)
SQLITE = Dialect(
    array="json_array({})",
    listed="(SELECT json_group_array({array}) FROM (SELECT * FROM {rows}) AS {name})",
    time="{}",
    parameter="?",
)


def statements(dialect: Dialect) -> dict[str, str]:
    """Document -> the statement that answers it with one JSON text."""

    def array(*values: str) -> str:
        return dialect.array.format(", ".join(values))

    def time(column: str) -> str:
        return dialect.time.format(column)

    def owned(table: str, *values: str, condition: str = "") -> str:
        rows = f"{table} WHERE customer_id = c.id{condition} ORDER BY id"
        return dialect.listed.format(array=array(*values), order="o.id", rows=rows, name="o")

    def page(*values: str) -> str:
        rows = PAGE.format(parameter=dialect.parameter)
        return dialect.listed.format(array=array(*values), order="c.customer_number", rows=rows, name="c")

    customer = ("customer_number", "first_name", "surname", "email")
    addresses = owned("postal_address", "type_of_address", "address_line1", "post_code", "town", "country_code")
    ecards = owned("ecard", "ecard_number_16digits", "ecard_name", time("start_of_ownership"), time("end_of_ownership"))
    preference = array("preference_code", "preference_type", "preference_description")
    one = array(
        "customer_number",
        "customer_ref",
        "status",
        "profile_type",
        "version",
        "first_name",
        "surname",
        "nationality",
        "language_preference_iso6393",
        "date_of_birth",
        "email",
        time("email_verified_at"),
        "country_code",
        "telephone_number_no_country_code",
        time("created_at"),
        time("changed_at"),
        owned(
            "postal_address",
            "id",
            "type_of_address",
            "address_line1",
            "address_line2",
            "post_code",
            "town",
            "country_code",
        ),
        owned(
            "ecard",
            "id",
            "ecard_number_16digits",
            "ecard_name",
            time("start_of_ownership"),
            time("end_of_ownership"),
            "expiration_date",
        ),
        owned(
            "customer_consent",
            "consent_code",
            "consent_choice",
            time("changed_at"),
            condition=" AND NOT is_legacy",
        ),
        owned(
            "customer_preference",
            "preference_value",
            f"(SELECT {preference} FROM preference AS p WHERE p.id = o.preference_id)",
        ),
        owned("customer_account", "id", "customer_account_id", "alias", "is_default"),
        owned("note", "id", time("created_at"), "created_by"),
    )
    return {
        "customer-with-six-relations": f"SELECT {one} FROM customer AS c WHERE customer_number = {dialect.parameter}",
        "customers-with-addresses-and-ecards": f"SELECT {page(*customer, addresses, ecards)}",
        "customers-with-addresses": f"SELECT {page(*customer, addresses)}",
    }


def customer_with_six_relations(row: list[Any]) -> dict[str, Any]:
    (
        number,
        reference,
        status,
        profile_type,
        version,
        first_name,
        surname,
        nationality,
        language,
        born,
        email,
        verified,
        country,
        telephone,
        created,
        changed,
        addresses,
        ecards,
        consents,
        preferences,
        accounts,
        notes,
    ) = row
    return {
        "customer": {
            "id": base64.urlsafe_b64encode(b"Customer:%d" % number).decode().rstrip("="),
            "customerNumber": number,
            "customerRef": reference,
            "status": STATUSES[status],
            "profileType": PROFILE_TYPES[profile_type],
            "version": version,
            "firstName": first_name,
            "surname": surname,
            "nationality": nationality,
            "languagePreferenceISO6393": language,
            "dateOfBirth": born and {"year": int(born[:4]), "month": int(born[5:7]), "day": int(born[8:])},
            "email": email,
            "emailVerifiedAt": verified,
            "countryCode": country,
            "telephoneNumberNoCountryCode": telephone,
            "createdAt": created,
            "changedAt": changed,
            "postalAddresses": [
                {
                    "id": str(key),
                    "typeOfAddress": ADDRESS_TYPES[kind],
                    "addressLine1": line1,
                    "addressLine2": line2,
                    "postCode": post_code,
                    "town": town,
                    "countryCode": country,
                }
                for key, kind, line1, line2, post_code, town, country in addresses
            ],
            "ecards": [
                {
                    "id": str(key),
                    "ecardNumber16digits": digits,
                    "ecardName": name,
                    "startOfOwnership": start,
                    "endOfOwnership": end,
                    "expirationDate": expires,
                }
                for key, digits, name, start, end, expires in ecards
            ],
            "consents": [
                {"consentCode": code, "consentChoice": bool(choice), "changedAt": changed}
                for code, choice, changed in consents
            ],
            "preferences": [
                {
                    "preferenceValue": value,
                    "preference": {"preferenceCode": code, "preferenceType": kind, "preferenceDescription": text},
                }
                for value, (code, kind, text) in preferences
            ],
            "customerAccounts": [
                {"id": str(key), "customerAccountId": account, "alias": alias, "isDefault": bool(is_default)}
                for key, account, alias, is_default in accounts
            ],
            "notes": [
                {"id": str(key), "text": None, "createdAt": created, "createdBy": by} for key, created, by in notes
            ],
        }
    }


def addresses_of(rows: list[list[Any]]) -> list[dict[str, Any]]:
    return [
        {
            "typeOfAddress": ADDRESS_TYPES[kind],
            "addressLine1": line1,
            "postCode": post_code,
            "town": town,
            "countryCode": country,
        }
        for kind, line1, post_code, town, country in rows
    ]


def customers_with_addresses_and_ecards(rows: list[list[Any]]) -> dict[str, Any]:
    nodes = [
        {
            "customerNumber": number,
            "firstName": first_name,
            "surname": surname,
            "email": email,
            "postalAddresses": addresses_of(addresses),
            "ecards": [
                {"ecardNumber16digits": digits, "ecardName": name, "startOfOwnership": start, "endOfOwnership": end}
                for digits, name, start, end in ecards
            ],
        }
        for number, first_name, surname, email, addresses, ecards in rows
    ]
    return {"customers": {"nodes": nodes}}


def customers_with_addresses(rows: list[list[Any]]) -> dict[str, Any]:
    nodes = [
        {
            "customerNumber": number,
            "firstName": first_name,
            "surname": surname,
            "email": email,
            "postalAddresses": addresses_of(addresses),
        }
        for number, first_name, surname, email, addresses in rows
    ]
    return {"customers": {"nodes": nodes}}


SHAPES: dict[str, Callable[[list[Any]], dict[str, Any]]] = {
    "customer-with-six-relations": customer_with_six_relations,
    "customers-with-addresses-and-ecards": customers_with_addresses_and_ecards,
    "customers-with-addresses": customers_with_addresses,
}
"""Document -> what makes the data of the answer of what its statement answers."""


class Reads(Protocol):
    async def fetch(self, document: str, argument: Any) -> str:
        """The JSON text that the document's statement makes."""

    async def close(self) -> None: ...


class PostgreSQL:
    """Connections with all statements prepared on each."""

    def __init__(self) -> None:
        self._connections: list[asyncpg.Connection[Any]] = []
        self._free: asyncio.LifoQueue[dict[str, Any]] = asyncio.LifoQueue()

    @classmethod
    async def open(cls, url: str) -> "PostgreSQL":
        reads = cls()
        for _ in range(CONNECTIONS):
            connection = await asyncpg.connect(url, server_settings={"jit": "off"})
            reads._connections.append(connection)
            prepared = {name: await connection.prepare(sql) for name, sql in statements(POSTGRESQL).items()}
            reads._free.put_nowait(prepared)
        return reads

    async def fetch(self, document: str, argument: Any) -> str:
        prepared = await self._free.get()
        try:
            found: str = await prepared[document].fetchval(argument)
            return found
        finally:
            self._free.put_nowait(prepared)

    async def close(self) -> None:
        for connection in self._connections:
            await connection.close()


class SQLite:
    """One connection, read from where the request is answered: no thread is changed."""

    def __init__(self, file: str) -> None:
        self._connection = sqlite3.connect(file)
        self._statements = statements(SQLITE)

    async def fetch(self, document: str, argument: Any) -> str:
        found: str = self._connection.execute(self._statements[document], (argument,)).fetchone()[0]
        return found

    async def close(self) -> None:
        self._connection.close()


def create_app(database_url: str) -> Starlette:
    """The endpoint over a database, given by the gateway's URL of it."""
    by_text = {(DOCUMENTS / f"{name}.graphql").read_text("utf-8"): name for name in SHAPES}
    reads: Reads

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        nonlocal reads
        url = make_url(database_url)
        if url.get_backend_name() == "sqlite":
            reads = SQLite(url.database or "")
        else:
            reads = await PostgreSQL.open(url.set(drivername="postgresql").render_as_string(hide_password=False))
        yield
        await reads.close()

    async def answer(request: Request) -> Response:
        body = orjson.loads(await request.body())
        document = by_text[body["query"]]
        (argument,) = body["variables"].values()
        data = SHAPES[document](orjson.loads(await reads.fetch(document, argument)))
        return Response(orjson.dumps({"data": data}), media_type="application/graphql-response+json")

    async def ready(_: Request) -> Response:
        return Response()

    return Starlette(
        routes=[Route("/graphql", answer, methods=["POST"]), Route("/health/ready", ready)], lifespan=lifespan
    )


if __name__ == "__main__":
    uvicorn.run(
        create_app(os.environ["KUNDEPORT_DATABASE_URL"]),
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
    )
