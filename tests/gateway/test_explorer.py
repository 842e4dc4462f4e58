"""The GraphiQL page in a real browser that can reach nothing but the gateway."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from graphql import OperationDefinitionNode, OperationType, parse
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

OPERATIONS = Path(__file__).resolve().parents[2] / "operations"
CHROMIUM = shutil.which("chromium")
PATIENCE = 30_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on the PATH: install the package 'chromium' to run this"),
    pytest.mark.timeout(180),
]

REPORT_VIOLATIONS = """
addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI, sourceFile, lineNumber }) =>
    console.error(`CSP violation: ${violatedDirective} ${blockedURI} ${sourceFile}:${lineNumber}`))
"""


@dataclass(frozen=True)
class Document:
    """An example document, its first operation and its variables."""

    file: str
    name: str
    is_query: bool
    text: str
    variables: dict[str, Any]


def read_document(file: Path) -> Document:
    text = file.read_text()
    operation = next(part for part in parse(text).definitions if isinstance(part, OperationDefinitionNode))
    beside = file.with_suffix(".variables.json")
    return Document(
        file=file.stem,
        name=operation.name.value if operation.name else file.stem,
        is_query=operation.operation is OperationType.QUERY,
        text=text,
        variables=json.loads(beside.read_text()) if beside.exists() else {},
    )


DOCUMENTS = sorted(
    (read_document(file) for file in OPERATIONS.glob("*.graphql")),
    key=lambda document: (not document.is_query, document.file),
)


@dataclass
class Visit:
    """A page, and all it asked for and complained about."""

    page: Page
    base: str
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def note_request(self, request: Request) -> None:
        self.requests.append(request.url)

    def note_message(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def open(self) -> None:
        self.page.goto(f"{self.base}/")
        expect(self.page.locator(".graphiql-query-editor .view-line").first).to_be_visible(timeout=PATIENCE)

    def choose(self, name: str) -> None:
        self.page.get_by_role("region", name="Examples").get_by_text(name, exact=True).click()

    def type_headers(self, headers: dict[str, str]) -> None:
        self.page.get_by_role("button", name="Headers", exact=True).click()
        self.page.locator(".graphiql-editor-tool .graphiql-editor:not(.hidden) .view-lines").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(json.dumps(headers))

    def editor(self, uri_end: str) -> str:
        """All an editor holds: on the screen Monaco keeps only the lines in sight."""
        text = self.page.evaluate(
            "(end) => __MONACO.editor.getModels().find((model) => model.uri.path.endsWith(end)).getValue()", uri_end
        )
        assert isinstance(text, str)
        return text

    def run(self) -> dict[str, Any]:
        self.page.get_by_role("button", name="Execute query").click()
        expect(self.page.locator(".result-window .view-lines")).to_contain_text('"', timeout=PATIENCE)
        answer = json.loads(self.editor("response.json"))
        assert isinstance(answer, dict)
        return answer

    def browser_storage(self) -> str:
        return str(self.page.evaluate("JSON.stringify({ ...localStorage }) + JSON.stringify({ ...sessionStorage })"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            ],
        )
        yield launched
        launched.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    opened = browser.new_context(viewport={"width": 1400, "height": 900})
    opened.add_init_script(REPORT_VIOLATIONS)
    yield opened
    opened.close()


@pytest.fixture
def visit(live_server: str, context: BrowserContext) -> Iterator[Visit]:
    begun = Visit(context.new_page(), live_server.rstrip("/"))
    context.on("request", begun.note_request)
    context.on("console", begun.note_message)
    begun.page.on("pageerror", lambda error: begun.complaints.append(str(error)))
    begun.open()
    yield begun
    elsewhere = [url for url in begun.requests if not url.startswith((f"{begun.base}/", "data:"))]
    assert elsewhere == []
    assert begun.complaints == []


def the_example() -> Document:
    """The document named after one customer, else the first one that only reads."""
    reading = [document for document in DOCUMENTS if document.is_query]
    return next((document for document in reading if document.name.lower() == "customer"), reading[0])


def test_page_is_served_under_a_strict_policy(live_server: str) -> None:
    answer = httpx.get(f"{live_server.rstrip('/')}/")
    assert answer.status_code == httpx.codes.OK
    parts = (part.split() for part in answer.headers["content-security-policy"].split(";") if part.strip())
    policy = {name: set(sources) for name, *sources in parts}
    assert policy["default-src"] == {"'none'"}
    assert policy["style-src"] <= {"'self'", "'unsafe-inline'"}
    assert policy["img-src"] <= {"'self'", "data:"}
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == {"'none'"}
    for directive in ("script-src", "font-src", "connect-src", "worker-src"):
        assert policy[directive] == {"'self'"}, directive


def test_first_visit_opens_an_example_with_its_variables(visit: Visit) -> None:
    first = DOCUMENTS[0]
    assert visit.editor("operation.graphql") == first.text
    assert json.loads(visit.editor("variables.json") or "{}") == first.variables


def test_every_document_is_in_the_menu(visit: Visit) -> None:
    menu = visit.page.get_by_role("region", name="Examples")
    shown = menu.get_by_role("listitem").locator(".examples-name").all_inner_texts()
    assert {text.split("\n")[0] for text in shown} == {document.name for document in DOCUMENTS}
    assert len(shown) == len(DOCUMENTS)


def test_example_runs_and_shows_its_answer(visit: Visit, live_headers: dict[str, str]) -> None:
    example = the_example()
    visit.type_headers(live_headers)
    visit.choose(example.name)
    assert visit.editor("operation.graphql") == example.text
    assert json.loads(visit.editor("variables.json") or "{}") == example.variables

    with visit.page.expect_request("**/graphql") as sent:
        answer = visit.run()

    assert live_headers.items() <= {name: sent.value.headers.get(name.lower()) for name in live_headers}.items()
    assert sent.value.headers["et-client-name"] == "kundeport-graphiql"
    body = {"query": example.text, "variables": example.variables, "operationName": example.name}
    direct = httpx.post(f"{visit.base}/graphql", json=body, headers=live_headers).json()
    assert "errors" not in answer
    assert answer["data"]
    assert answer["data"] == direct["data"]


def test_every_language_worker_comes_from_our_own_origin(visit: Visit) -> None:
    visit.type_headers({})
    deadline = time.monotonic() + PATIENCE / 1000
    while len(visit.page.workers) < 3 and time.monotonic() < deadline:
        visit.page.wait_for_timeout(100)
    workers = [worker.url for worker in visit.page.workers]
    assert {url.rsplit("/", 1)[-1].split(".")[0] for url in workers} == {"editor", "graphql", "json"}
    assert all(url.startswith(f"{visit.base}/static/") for url in workers)


def test_nothing_typed_reaches_the_browser_storage(visit: Visit, live_headers: dict[str, str]) -> None:
    visit.type_headers({**live_headers, "X-Trial": "a-secret-header"})
    visit.choose(the_example().name)
    visit.run()
    visit.page.wait_for_timeout(1_500)  # GraphiQL writes late
    assert "a-secret-header" in visit.editor("request-headers.json")
    stored = visit.browser_storage()
    assert "visiblePlugin" in stored  # the check looks in the right place
    for private in ("a-secret-header", "query ", "customerNumber", "data", *live_headers.values()):
        assert private not in stored


def test_unreachable_gateway_is_said_in_one_sentence(live_server: str, context: BrowserContext) -> None:
    visit = Visit(context.new_page(), live_server.rstrip("/"))
    visit.open()
    visit.page.route("**/graphql", lambda route: route.abort())
    message = visit.run()["errors"][0]["message"]
    assert "cannot be reached" in message
    assert visit.base in message
