"""The GraphiQL page in a real browser that can reach nothing but the gateway."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from graphql import OperationDefinitionNode, OperationType, parse
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Route, expect, sync_playwright

OPERATIONS = Path(__file__).resolve().parents[2] / "operations"
CHROMIUM = shutil.which("chromium")
PATIENCE = 30_000
WHO = "query Who { viewer { organisationId tenantKind permissions } }"
NOTES = "query Notes { customer(by: { customerNumber: 1000000001 }) { notes { text } } }"

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
    may_be_refused: bool = False
    """Chromium complains of every refused request, even of one that the page deals with."""

    def note_request(self, request: Request) -> None:
        self.requests.append(request.url)

    def note_message(self, message: ConsoleMessage) -> None:
        is_refusal = message.text.startswith("Failed to load resource: the server responded with a status of 4")
        if message.type in {"error", "warning"} and not (is_refusal and self.may_be_refused):
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

    def write(self, document: str) -> None:
        """Puts one named operation into the editor, and waits until the page has read its name."""
        self.set_editor("operation.graphql", document)
        name = document.split()[1]
        expect(self.page.get_by_role("tab", name=name, exact=True)).to_be_visible(timeout=PATIENCE)

    def sign_in_as(self, role: str) -> None:
        self.page.get_by_label("Signed in as").select_option(role)

    def give_reason(self, reason: str) -> None:
        self.page.get_by_label("Reason for access").fill(reason)

    def editor(self, uri_end: str) -> str:
        """All an editor holds: on the screen Monaco keeps only the lines in sight."""
        text = self.page.evaluate(
            "(end) => __MONACO.editor.getModels().find((model) => model.uri.path.endsWith(end)).getValue()", uri_end
        )
        assert isinstance(text, str)
        return text

    def set_editor(self, uri_end: str, text: str) -> None:
        self.page.evaluate(
            "([end, text]) => __MONACO.editor.getModels().find((model) => model.uri.path.endsWith(end)).setValue(text)",
            [uri_end, text],
        )

    def run(self) -> dict[str, Any]:
        self.set_editor("response.json", "")
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


def is_introspection(request: Request) -> bool:
    return "IntrospectionQuery" in (request.post_data or "")


def is_operation(request: Request) -> bool:
    return request.url.endswith("/graphql") and not is_introspection(request)


def codes(answer: dict[str, Any]) -> list[str]:
    return [error["extensions"]["code"] for error in answer.get("errors", [])]


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
    first = the_example()
    assert visit.editor("operation.graphql") == first.text
    assert json.loads(visit.editor("variables.json") or "{}") == first.variables
    assert visit.run()["data"]["customer"]["customerNumber"] == first.variables["customerNumber"]


def test_every_document_is_in_the_menu(visit: Visit) -> None:
    menu = visit.page.get_by_role("region", name="Examples")
    shown = menu.get_by_role("listitem").locator(".examples-name").all_inner_texts()
    assert {text.split("\n")[0] for text in shown} == {document.name for document in DOCUMENTS}
    assert len(shown) == len(DOCUMENTS)


def test_example_runs_and_shows_its_answer(visit: Visit, live_headers: dict[str, str]) -> None:
    example = the_example()
    visit.choose(example.name)
    assert visit.editor("operation.graphql") == example.text
    assert json.loads(visit.editor("variables.json") or "{}") == example.variables

    with visit.page.expect_request(is_operation) as sent:
        answer = visit.run()

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


def test_nothing_typed_reaches_the_browser_storage(visit: Visit) -> None:
    visit.type_headers({"X-Trial": "a-secret-header"})
    visit.choose(the_example().name)
    visit.run()
    visit.page.wait_for_timeout(1_500)  # GraphiQL writes late
    assert "a-secret-header" in visit.editor("request-headers.json")
    stored = visit.browser_storage()
    assert "visiblePlugin" in stored  # the check looks in the right place
    for private in ("a-secret-header", "query ", "customerNumber", "data"):
        assert private not in stored


def test_page_signs_in_by_itself_as_crm(visit: Visit, live_headers: dict[str, str]) -> None:
    expect(visit.page.get_by_label("Signed in as")).to_have_value("crm")
    visit.write(WHO)
    answer = visit.run()
    direct = httpx.post(f"{visit.base}/graphql", json={"query": WHO}, headers=live_headers).json()
    assert answer["data"] == direct["data"]
    assert answer["data"]["viewer"]["organisationId"] == 1


def test_every_role_of_the_demo_is_offered_with_its_description(visit: Visit) -> None:
    roles = httpx.get(f"{visit.base}/demo/roles").json()["roles"]
    choice = visit.page.get_by_label("Signed in as")
    offered = choice.locator("option").all()
    assert [option.inner_text() for option in offered] == [*(role["name"] for role in roles), "nobody"]
    assert [option.get_attribute("title") for option in offered[:-1]] == [role["description"] for role in roles]
    described = {role["name"]: role["description"] for role in roles}
    expect(choice).to_have_attribute("title", described["crm"])


def test_another_role_is_another_viewer_and_fetches_the_schema_again(visit: Visit) -> None:
    visit.write(WHO)
    before = visit.run()["data"]["viewer"]
    with visit.page.expect_request(is_introspection) as introspection:
        visit.sign_in_as("partner")
    with visit.page.expect_request(is_operation) as operation:
        after = visit.run()["data"]["viewer"]
    assert (before["organisationId"], after["organisationId"]) == (1, 2)
    assert before["permissions"] != after["permissions"]
    assert introspection.value.headers["authorization"] == operation.value.headers["authorization"]


def test_answer_to_one_role_is_not_left_on_the_screen_for_the_next(visit: Visit) -> None:
    visit.write(WHO)
    visit.run()
    visit.sign_in_as("hr")
    assert visit.editor("response.json") == ""


def test_nobody_is_told_to_sign_in(visit: Visit) -> None:
    visit.may_be_refused = True
    visit.write(NOTES)
    visit.sign_in_as("nobody")
    with visit.page.expect_request(is_operation) as sent:
        answer = visit.run()
    assert "authorization" not in sent.value.headers
    assert set(codes(answer)) == {"UNAUTHENTICATED"}


def test_reason_reveals_the_text_of_a_note(visit: Visit) -> None:
    visit.write(NOTES)
    masked = visit.run()["data"]["customer"]["notes"]
    assert masked
    assert all(note["text"] is None for note in masked)
    visit.give_reason("Sak 42 – Ås")
    shown = visit.run()["data"]["customer"]["notes"]
    assert len(shown) == len(masked)
    assert all(note["text"] for note in shown)


def test_reason_is_explained_to_those_who_use_the_keyboard(visit: Visit) -> None:
    visit.page.get_by_label("Signed in as").focus()
    visit.page.keyboard.press("Tab")
    reason = visit.page.get_by_label("Reason for access")
    expect(reason).to_be_focused()
    expect(reason).to_have_accessible_description(re.compile("Sensitive values"))


def test_token_and_reason_stay_in_the_memory_of_the_page(visit: Visit, context: BrowserContext) -> None:
    visit.give_reason("a-secret-reason")
    visit.choose(the_example().name)
    with visit.page.expect_request(is_operation) as sent:
        visit.run()
    visit.page.wait_for_timeout(1_500)  # GraphiQL writes late
    token = sent.value.headers["authorization"].removeprefix("Bearer ")
    assert len(token) > 100
    assert sent.value.headers["x-access-reason"] == "a-secret-reason"
    stored = visit.browser_storage()
    for private in (token, "a-secret-reason"):
        assert private not in stored
        assert private not in visit.page.url
        assert not any(private in url for url in visit.requests)
    assert context.cookies() == []
    visit.page.reload()
    expect(visit.page.get_by_label("Reason for access")).to_have_value("", timeout=PATIENCE)


def test_headers_of_ones_own_come_before_the_sign_in(visit: Visit) -> None:
    visit.may_be_refused = True
    visit.give_reason("not this one")
    visit.write(WHO)
    visit.type_headers({"authorization": "Bearer of-my-own", "x-access-reason": "this one"})
    sent: list[Request] = []
    visit.page.on("request", lambda request: sent.append(request) if is_operation(request) else None)
    assert codes(visit.run()) == ["UNAUTHENTICATED"]
    assert [request.headers["authorization"] for request in sent] == ["Bearer of-my-own"]
    assert sent[0].headers["x-access-reason"] == "this one"


@pytest.mark.parametrize(("refusals", "answered"), [(1, []), (2, ["UNAUTHENTICATED"])])
def test_refused_token_is_replaced_once(visit: Visit, refusals: int, answered: list[str]) -> None:
    visit.may_be_refused = True
    visit.write(WHO)
    sent: list[Request] = []

    def refuse(route: Route, request: Request) -> None:
        if is_introspection(request):
            route.continue_()
            return
        sent.append(request)
        if len(sent) <= refusals:
            error = {"message": "Sign in again.", "extensions": {"code": "UNAUTHENTICATED"}}
            route.fulfill(status=401, json={"errors": [error]})
        else:
            route.continue_()

    visit.page.route("**/graphql", refuse)
    with visit.page.expect_request("**/demo/token"):
        answer = visit.run()
    assert codes(answer) == answered
    assert len(sent) == 2


def test_token_about_to_expire_is_replaced_before_it_is_used(visit: Visit) -> None:
    asked: list[Route] = []

    def shorten_the_first(route: Route) -> None:
        asked.append(route)
        answer = route.fetch()
        changes = {"expiresAt": datetime.now(UTC).isoformat()} if len(asked) == 1 else {}
        route.fulfill(response=answer, json=answer.json() | changes)

    visit.write(WHO)
    visit.page.route("**/demo/token", shorten_the_first)
    visit.sign_in_as("partner")
    assert visit.run()["data"]["viewer"]["organisationId"] == 2
    visit.run()
    assert len(asked) == 2


def test_refused_sign_in_is_said_in_one_sentence(visit: Visit) -> None:
    visit.may_be_refused = True
    visit.page.route("**/demo/token", lambda route: route.fulfill(status=429))
    visit.sign_in_as("partner")
    message = visit.run()["errors"][0]["message"]
    assert message.startswith("Request not sent. Signing in as partner failed: the gateway answered 429")


def test_time_to_wait_is_said_when_there_are_too_many_requests(visit: Visit) -> None:
    visit.may_be_refused = True
    refusal = {"errors": [{"message": "Too many.", "extensions": {"code": "RATE_LIMITED"}}]}
    headers = {"Retry-After": "7"}
    visit.page.route("**/graphql", lambda route: route.fulfill(status=429, json=refusal, headers=headers))
    assert visit.run()["errors"][0]["message"] == "Too many. Try again in 7 s."


def test_token_is_pasted_where_there_is_no_demo(
    live_server: str, live_headers: dict[str, str], context: BrowserContext
) -> None:
    visit = Visit(context.new_page(), live_server.rstrip("/"))
    visit.page.route("**/demo/roles", lambda route: route.fulfill(status=404))
    visit.open()
    page = visit.page
    button = page.get_by_role("button", name="Sign in", exact=True)
    button.press("Enter")
    token = page.get_by_label("Bearer token")
    expect(token).to_be_focused()
    expect(token).to_have_attribute("type", "password")
    token.press("Escape")
    expect(button).to_be_focused()

    button.press("Enter")
    token.fill(live_headers["Authorization"])
    with page.expect_request(is_introspection) as sent:
        token.press("Enter")
    assert sent.value.headers["authorization"] == live_headers["Authorization"]
    expect(page.get_by_role("button", name="Sign out")).to_be_focused()
    visit.write(WHO)
    assert visit.run()["data"]["viewer"]["organisationId"] == 1
    assert live_headers["Authorization"].removeprefix("Bearer ") not in visit.browser_storage() + page.url

    page.get_by_role("button", name="Sign out").click()
    expect(button).to_be_focused()
    visit.write(NOTES)
    assert codes(visit.run()) == ["UNAUTHENTICATED"]


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_sign_in_has_room_on_a_narrow_page(
    browser: Browser, live_server: str, color_scheme: Literal["light", "dark"]
) -> None:
    narrow = browser.new_context(viewport={"width": 800, "height": 600}, color_scheme=color_scheme)
    visit = Visit(narrow.new_page(), live_server.rstrip("/"))
    visit.open()
    visit.page.get_by_role("button", name="Show Examples").click()
    for label in ("Signed in as", "Reason for access"):
        expect(visit.page.get_by_label(label)).to_be_in_viewport(ratio=1)
    narrow.close()


def test_unreachable_gateway_is_said_in_one_sentence(live_server: str, context: BrowserContext) -> None:
    visit = Visit(context.new_page(), live_server.rstrip("/"))
    visit.open()
    visit.page.route("**/graphql", lambda route: route.abort())
    message = visit.run()["errors"][0]["message"]
    assert "cannot be reached" in message
    assert visit.base in message
