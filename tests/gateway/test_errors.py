"""The form of errors: codes, no rejected values, no words of unexpected exceptions, bounded size."""

import io
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from enum import Enum
from typing import Any, NewType

import httpx
import pytest
import strawberry
from graphql import DocumentNode, GraphQLError, parse, specified_rules
from sqlalchemy.exc import IntegrityError
from starlette.applications import Starlette
from starlette.routing import Route
from strawberry.schema.config import StrawberryConfig

from datastore.viewer import Viewer
from gateway import documents, log
from gateway.correlation import CorrelationMiddleware
from gateway.errors import LONGEST_MESSAGE, MOST_ERRORS, error_entry
from gateway.request import GRAPHQL_JSON
from resolvers.errors import ErrorCode, Refused, UserError, refuse
from tests.gateway.doubles import LetAllIn, endpoint, no_plan

SECRET = "hunter2"
FNR = 15108695088

Strict = NewType("Strict", str)
Explained = NewType("Explained", str)


def parse_strict(value: object) -> Strict:
    raise ValueError(f"{value} is no strict value")


def parse_explained(value: object) -> Explained:
    raise refuse(ErrorCode.DATE_INVALID, message="A date has the form 2026-01-31.")


@strawberry.enum
class Colour(Enum):
    RED = "RED"
    GREEN = "GREEN"


@strawberry.input
class Credentials:
    name: str
    number: int | None = None
    colour: Colour | None = None
    yes: bool | None = None
    part: float | None = None
    more: "list[Credentials] | None" = None
    strict: Strict | None = None
    explained: Explained | None = None
    nick: strawberry.Maybe[str]


@strawberry.input(one_of=True)
class By:
    name: strawberry.Maybe[str]
    number: strawberry.Maybe[int]


def fail(error: Exception) -> str:
    raise error


@strawberry.type
class Query:
    @strawberry.field
    def log_in(self, credentials: Credentials) -> str:
        return credentials.name

    @strawberry.field
    def find(self, by: By) -> str:
        return str(by)

    @strawberry.field
    def numbers(self, of: list[int]) -> str:
        return str(of)

    @strawberry.field
    def plain(self) -> str | None:
        return fail(refuse(ErrorCode.CUSTOMER_NOT_FOUND))

    @strawberry.field
    def several(self) -> str | None:
        taken = UserError(ErrorCode.EMAIL_TAKEN, ("input", "email"), ("a@b.no",))
        missing = UserError(ErrorCode.REQUIRED, ("input", "name"), message="A name is needed.")
        return fail(Refused(UserError(ErrorCode.EMAIL_INVALID, message="No."), taken, missing))

    @strawberry.field
    def crash(self) -> str | None:
        return fail(RuntimeError(f"password {SECRET}"))

    @strawberry.field
    def database(self) -> str | None:
        try:
            raise IntegrityError("INSERT INTO customer VALUES (?)", (SECRET,), Exception(SECRET))
        except IntegrityError as error:
            raise RuntimeError(f"could not save: {error}") from error

    @strawberry.field
    def wrong_type(self) -> int | None:
        return SECRET  # type: ignore[return-value]

    @strawberry.field
    def nothing(self) -> str:
        return None  # type: ignore[return-value]


SCHEMA = strawberry.Schema(
    Query,
    config=StrawberryConfig(
        scalar_map={
            Strict: strawberry.scalar(name="Strict", parse_value=parse_strict),
            Explained: strawberry.scalar(name="Explained", parse_value=parse_explained),
        }
    ),
)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What is logged, as JSON lines."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    stream = io.StringIO()
    log.configure(json=True, stream=stream)
    yield stream
    root.handlers = before
    root.setLevel(level)


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = CorrelationMiddleware(Starlette(routes=[Route("/graphql", endpoint(SCHEMA))]))
    headers = {"Accept": GRAPHQL_JSON, "X-Correlation-Id": "test-1"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://gateway", headers=headers
    ) as client:
        yield client


async def errors_of(client: httpx.AsyncClient, query: str, **variables: object) -> list[dict[str, Any]]:
    response = await client.post("/graphql", json={"query": query, "variables": variables})
    errors: list[dict[str, Any]] = response.json()["errors"]
    return errors


async def test_a_refusal_has_its_code_and_the_sentence_of_the_catalogue(client: httpx.AsyncClient) -> None:
    (error,) = await errors_of(client, "{ plain }")
    timestamp = error["extensions"].pop("timestamp")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", timestamp)
    assert error == {
        "message": ErrorCode.CUSTOMER_NOT_FOUND.value.long_english,
        "locations": [{"line": 1, "column": 3}],
        "path": ["plain"],
        "extensions": {
            "code": "NOT_FOUND",
            "status": 404,
            "error": "Not Found",
            "errorCode": "CUSTOMER_NOT_FOUND",
            "correlationId": "test-1",
        },
    }


async def test_the_further_reasons_of_a_refusal_are_listed(client: httpx.AsyncClient) -> None:
    (error,) = await errors_of(client, "{ several }")
    assert (error["message"], error["extensions"]["errorCode"]) == ("No.", "EMAIL_INVALID")
    assert error["extensions"]["errors"] == [
        {
            "field": "input.email",
            "defaultMessage": ErrorCode.EMAIL_TAKEN.value.long_english,
            "rejectedValues": ["a@b.no"],
        },
        {"field": "input.name", "defaultMessage": "A name is needed.", "rejectedValues": []},
    ]


@pytest.mark.parametrize("code", list(ErrorCode))
def test_each_code_has_the_name_status_and_phrase_of_its_category(code: ErrorCode) -> None:
    extensions = error_entry(code)["extensions"]
    assert (extensions["code"], extensions["status"]) == (code.category.name, code.category.value)
    assert extensions["error"]


@pytest.mark.parametrize(
    ("credentials", "message"),
    [
        ({"name": FNR}, " at .name: String cannot represent a non string value."),
        ({"name": "a", "number": SECRET}, " at .number: Int cannot represent non-integer value."),
        ({"name": "a", "number": FNR}, " at .number: Int cannot represent non 32-bit signed integer value."),
        ({"name": "a", "colour": SECRET}, " at .colour: The value does not exist in 'Colour' enum."),
        ({"name": "a", "colour": FNR}, " at .colour: Enum 'Colour' cannot represent non-string value."),
        ({"name": "a", "yes": SECRET}, " at .yes: Boolean cannot represent a non boolean value."),
        ({"name": "a", "part": SECRET}, " at .part: Float cannot represent non numeric value."),
        ({"name": "a", "strict": SECRET}, " at .strict: Expected value of type 'Strict'."),
        ({"name": "a", "more": [{"name": [SECRET]}]}, " at .more[0].name: String cannot represent a non string value."),
        ({"number": 1}, ": Expected value of type 'Credentials' to include required field 'name'."),
        (
            {"name": SECRET, "pasword": SECRET},
            ": Expected value of type 'Credentials' not to include unknown field 'pasword'.",
        ),
        (
            {"name": SECRET, f"is {SECRET}'s": 1},
            ": Expected value of type 'Credentials'.",
        ),
        (SECRET, ": Expected value of type 'Credentials' to be an object."),
        (None, ": Expected value of non-null type 'Credentials!' not to be None."),
    ],
)
async def test_a_rejected_variable_is_named_with_its_place_and_reason_but_never_quoted(
    client: httpx.AsyncClient, lines: io.StringIO, credentials: object, message: str
) -> None:
    query = "query ($c: Credentials!) { logIn(credentials: $c) }"
    (error,) = await errors_of(client, query, c=credentials)
    assert error["message"] == "Variable '$c' has invalid value" + message
    assert error["extensions"]["errorCode"] == "VALUE_INVALID"
    assert SECRET not in json.dumps(error)
    assert str(FNR) not in json.dumps(error)
    assert SECRET not in lines.getvalue()


async def test_a_missing_variable_is_named(client: httpx.AsyncClient) -> None:
    (error,) = await errors_of(client, "query ($c: Credentials!) { logIn(credentials: $c) }")
    assert error["message"] == (
        "Variable '$c' has invalid value: Expected a value of non-null type 'Credentials!' to be provided."
    )


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ({"name": SECRET, "number": 1}, "OneOf Input Object 'By' must specify exactly one key."),
        ({"name": None}, "Value for member field 'name' must be non-null."),
    ],
)
async def test_a_one_of_input_says_that_it_takes_one_field(
    client: httpx.AsyncClient, by: dict[str, object], message: str
) -> None:
    (error,) = await errors_of(client, "query ($by: By!) { find(by: $by) }", by=by)
    assert (error["message"], error["extensions"]["errorCode"]) == (message, "VALUE_INVALID")


async def test_a_null_for_a_field_that_may_only_be_left_out_is_an_invalid_value(client: httpx.AsyncClient) -> None:
    query = "query ($c: Credentials!) { logIn(credentials: $c) }"
    (error,) = await errors_of(client, query, c={"name": "a", "nick": None})
    assert (error["message"], error["extensions"]["errorCode"]) == (
        "A value may not be null; leave the field out instead.",
        "VALUE_INVALID",
    )


async def test_a_scalar_may_explain_itself_with_a_refusal(client: httpx.AsyncClient) -> None:
    query = "query ($c: Credentials!) { logIn(credentials: $c) }"
    (error,) = await errors_of(client, query, c={"name": "a", "explained": SECRET})
    assert (error["message"], error["extensions"]["errorCode"]) == ("A date has the form 2026-01-31.", "DATE_INVALID")


async def test_a_list_item_made_null_by_a_variable_is_an_invalid_value(client: httpx.AsyncClient) -> None:
    (error,) = await errors_of(client, "query ($n: Int = 1) { numbers(of: [1, $n]) }", n=None)
    assert error["extensions"]["errorCode"] == "VALUE_INVALID"
    assert error["message"].startswith("Argument 'of' has invalid value at [1]: Expected variable '$n'")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("{", "Syntax Error: Expected Name, found <EOF>."),
        ('{ plain "hunter2" }', "Syntax Error: Expected Name, found String."),
        ('{ plain """hunter2""" }', "Syntax Error: Expected Name, found BlockString."),
        ("{ unknown }", "Cannot query field 'unknown' on type 'Query'."),
        ('{ logIn(credentials: "hunter2") }', "Expected value of type 'Credentials' to be an object."),
        ("{ numbers(of: [HUNTER]) }", "Int cannot represent non-integer value."),
        ('{ logIn(credentials: {name: "a", colour: HUNTER}) }', "The value does not exist in 'Colour' enum."),
        ('{ logIn(credentials: {name: "a", strict: "hunter2"}) }', "Expected value of type 'Strict'."),
        (
            "query A { plain } query B { plain }",
            "The document must have one operation, or operationName must name one of them.",
        ),
    ],
)
async def test_a_document_that_does_not_fit_is_explained_without_its_literals(
    client: httpx.AsyncClient, query: str, message: str
) -> None:
    (error,) = await errors_of(client, query)
    assert (error["message"], error["extensions"]["errorCode"]) == (message, "DOCUMENT_INVALID")


async def test_a_literal_refused_by_its_scalar_keeps_the_code_of_the_refusal(client: httpx.AsyncClient) -> None:
    (error,) = await errors_of(client, '{ logIn(credentials: {name: "a", explained: "hunter2"}) }')
    assert error["extensions"]["errorCode"] == "DATE_INVALID"


# Names of the schema in errors


class MayIntrospect(LetAllIn):
    """Says whether the viewer may introspect."""

    def __init__(self, may: bool) -> None:
        self.may = may

    def may_introspect(self, _viewer: Viewer) -> bool:
        return self.may


def make_client(**settings: Any) -> httpx.AsyncClient:
    app = Starlette(routes=[Route("/graphql", endpoint(SCHEMA, **settings))])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


@pytest.mark.parametrize(
    ("query", "message", "suggestion"),
    [
        ("{ plan }", "Cannot query field 'plan' on type 'Query'.", " Did you mean 'plain'?"),
        (
            '{ find(be: 1, by: {name: "a"}) }',
            "Unknown argument 'be' on field 'Query.find'.",
            " Did you mean 'by'?",
        ),
        ('{ find(by: {nam: "a"}) }', "Expected value of type 'By' not to include unknown field 'nam'.", ""),
        ("query ($b: Bye) { plain }", "Unknown type 'Bye'.", " Did you mean 'By'?"),
        (
            '{ __type(name: "By") }',
            "Field '__type' of type '__Type' must have a selection of subfields.",
            " Did you mean '__type { ... }'?",
        ),
    ],
)
async def test_names_of_the_schema_are_suggested_only_to_those_who_may_introspect(
    query: str, message: str, suggestion: str
) -> None:
    for may, told in ((True, message + suggestion), (False, message)):
        async with make_client(guard=MayIntrospect(may)) as client:
            assert told in [error["message"] for error in await errors_of(client, query)]


# Validation


ONE_OF = "fragment F on Query { find(by: {name: $n}) }"


@pytest.mark.parametrize(
    "document",
    [
        "query A($n: String!) { ...F } query B { __typename } " + ONE_OF,
        ONE_OF + " query A($n: String!) { ...F } query B { __typename }",
    ],
)
@pytest.mark.parametrize("planned", [None, no_plan])
async def test_a_variable_of_a_one_of_input_is_looked_up_in_the_operations_that_use_it(
    document: str, planned: Any
) -> None:
    async with make_client(planned=planned) as client:
        for _ in range(2):
            given: dict[str, Any] = {"query": document, "operationName": "B"}
            assert (await client.post("/graphql", json=given)).json()["data"] == {"__typename": "Query"}
            given |= {"operationName": "A", "variables": {"n": "Kari"}}
            assert "Kari" in (await client.post("/graphql", json=given)).json()["data"]["find"]
        given["query"] = document.replace("String!", "String")
        (error,) = (await client.post("/graphql", json=given)).json()["errors"]
    assert error["extensions"]["errorCode"] == "DOCUMENT_INVALID"
    assert error["message"] == "Variable 'n' must be non-nullable to be used for OneOf Input Object 'By'."


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ('name: "hunter2", number: 1', "OneOf Input Object 'By' must specify exactly one key."),
        ("", "OneOf Input Object 'By' must specify exactly one key."),
        ("name: null", "Field 'By.name' must be non-null."),
        ("name: $n, number: 1", "OneOf Input Object 'By' must specify exactly one key."),
    ],
)
async def test_a_one_of_input_in_a_document_takes_one_field(client: httpx.AsyncClient, by: str, message: str) -> None:
    errors = await errors_of(client, f"query ($n: String!) {{ find(by: {{{by}}}) name(n: $n) }}", n="x")
    assert message in [error["message"] for error in errors]
    assert {error["extensions"]["errorCode"] for error in errors} == {"DOCUMENT_INVALID"}


@pytest.mark.parametrize(("planned", "times"), [(None, 3), (no_plan, 1)])
async def test_a_known_document_is_validated_again_only_where_there_are_no_plans(
    planned: Any, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    validated: list[DocumentNode] = []
    errors_in = documents.validation_errors

    def note(schema: Any, document: DocumentNode, rules: Any) -> list[GraphQLError]:
        validated.append(document)
        return errors_in(schema, document, rules)

    monkeypatch.setattr(documents, "validation_errors", note)
    async with make_client(planned=planned) as client:
        for _ in range(3):
            response = await client.post("/graphql", json={"query": "{ numbers(of: [1]) }"})
            assert response.json()["data"] == {"numbers": "[1]"}
    assert len(validated) == times


def test_validation_ends_when_enough_is_wrong() -> None:
    document = parse("{" + " ".join(f"x{number}" for number in range(1000)) + "}")
    errors = documents.validation_errors(SCHEMA._schema, document, tuple(specified_rules))
    assert len(errors) == MOST_ERRORS + 1
    assert errors[-1].message == "Too many validation errors, error limit reached. Validation aborted."


@pytest.mark.parametrize("field", ["crash", "database", "wrongType", "nothing"])
async def test_an_unexpected_exception_is_masked(client: httpx.AsyncClient, lines: io.StringIO, field: str) -> None:
    (error,) = await errors_of(client, f"{{ {field} }}")
    assert error["message"] == "Internal error"
    assert (error["extensions"]["code"], error["extensions"]["status"]) == ("INTERNAL", 500)
    assert SECRET not in json.dumps(error)
    logged = next(json.loads(line) for line in lines.getvalue().splitlines() if "unexpected_error" in line)
    assert (logged["correlation_id"], logged["path"]) == ("test-1", [field])


async def test_the_stack_of_an_unexpected_exception_is_logged(client: httpx.AsyncClient, lines: io.StringIO) -> None:
    await errors_of(client, "{ crash }")
    assert f"builtins.RuntimeError: password {SECRET}" in lines.getvalue()
    assert "in crash" in lines.getvalue()


async def test_a_database_exception_is_logged_without_its_parameters(
    client: httpx.AsyncClient, lines: io.StringIO
) -> None:
    await errors_of(client, "{ database }")
    assert "sqlalchemy.exc.IntegrityError" in lines.getvalue()
    assert "in database" in lines.getvalue()
    assert SECRET not in lines.getvalue()


async def test_at_most_twenty_errors_are_listed_and_messages_are_cut(client: httpx.AsyncClient) -> None:
    fields = " ".join(f"f{number}: {'x' * 600}{number}" for number in range(50))
    errors = await errors_of(client, f"{{ __schema {{ {fields} }} }}")
    assert len(errors) == MOST_ERRORS
    assert {len(error["message"]) for error in errors} == {LONGEST_MESSAGE}
