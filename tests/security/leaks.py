"""What a caller can find out about others: each question about them is asked again about what exists nowhere."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from graphql import get_named_type

from datastore.viewer import GRANTABLE, TenantKind
from gateway.identity.demo import Role
from resolvers.customer.inputs import CustomerOrderField, SortDirection
from schema.node import written
from tests.gateway.client import authorization
from tests.security.heard import heard
from tests.security.matrix import Step, fields_of, leads_on
from tests.security.organisations import (
    KINDS,
    OWN_CARD,
    OWN_ORDER,
    PASSWORD,
    SHARED_ORDER,
    Stock,
    World,
    nowhere,
    shared_card,
)
from tests.security.personnel import (
    ASTRAY,
    COLLEAGUE,
    FOREIGN,
    NEIGHBOUR,
    OWN,
    of_company,
    of_customers,
    of_households,
    of_member,
    of_people,
    own_lists,
)
from tests.security.questions import MADE, WHO, WRITTEN_TO, Question, mutation, mutations

UNKNOWN_ORGANISATION = 7
CHANGES_EACH_TIME = re.compile(r'"(?:correlationId|timestamp)":"[^"]*"|"(?:budget|remaining)":\d+')
OTHER_HEADERS = {"x-correlation-id", "content-length"}
EMPLOYEE = Role("", TenantKind.PERSON, 1, GRANTABLE, "an-employee", "an-app", employee_id="E1")
"""A user without any customer profile."""
PARTNER = Role("", TenantKind.PARTNER, 1, GRANTABLE, "somebody", "a-client")
FOREIGN_PARTNER = Role("", TenantKind.PARTNER, 2, GRANTABLE, "somebody", "a-client")
"""With the same issuer and subject as the other."""


def user(stock: Stock) -> Role:
    """The user whose profile is the active one of a stock."""
    number = stock.customers["active"].customer_number
    return Role("", TenantKind.TRAVELLER, stock.organisation_id, GRANTABLE, f"user-{number}", "an-app", number)


BELOW = "customerNumber uuid firstName email parentId notes { text } ecards { ecardNumber } postalAddresses { town }"


ONE_STEP = {
    "Company": "companyId name",
    "Contract": "uuid externalRef",
    "ContractConnection": "totalItems nodes { uuid externalRef }",
    "Customer": BELOW,
    "Employee": "employeeNo firstName surname",
    "EmployeeConnection": "totalItems nodes { employeeNo }",
    "EntitlementConnection": "totalItems nodes { productId contractUUID contractOwnerCustomerNumber }",
    "FamilyMember": "firstName surname",
    "LoyaltyProgram": "loyaltyProgramId productId",
    "ManualOrder": "ticketNo",
    "OrderLineEvent": "orderId",
    "TicketHolder": "__typename",
    "TicketRight": "ticketrightId note",
    "TicketRightsHolder": "ticketHolderCode",
    "Transaction": "internalTransactionId",
}
"""Type that leads back to where one came from -> what is asked of it."""


def everything(type_name: str) -> str:
    """All fields of a type, and of the types it leads to; of those in `ONE_STEP` not all."""
    parts = []
    for name, definition in fields_of(type_name).items():
        step, below = Step(type_name, name), get_named_type(definition.type).name
        parts.append(step.text(ONE_STEP.get(below) or everything(below)) if leads_on(step) else step.text())
    return " ".join(parts)


ALL = everything("Customer")
PERSON = f"employee {{ {ONE_STEP['Employee']} }} familyMember {{ {ONE_STEP['FamilyMember']} }}"
PERSON_ALL = f"employee {{ {everything('Employee')} }} familyMember {{ {everything('FamilyMember')} }}"
PAGE = f"totalItems totalPages pageInfo {{ startCursor endCursor hasNextPage hasPreviousPage }} nodes {{ {WHO} }}"
LOOKUP = f"""query ($by: CustomerLookup!, $deleted: Boolean!) {{
  customer(by: $by, includeDeleted: $deleted) {{ {WHO} }}
}}"""
LOOKUP_ALL = LOOKUP.replace(WHO, ALL)
NODE = f"query ($id: ID!) {{ node(id: $id) {{ __typename ... on Customer {{ {WHO} }} }} }}"
NODES = f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ __typename id ... on Customer {{ {WHO} }} }} }}"
BY_KEY = f"""query ($numbers: [Long!], $references: [String!]) {{
  customersByKey(customerNumbers: $numbers, customerReferences: $references) {{ {WHO} }}
}}"""
SEARCH = f"""query ($filter: CustomerFilterInput, $orderBy: CustomerOrder, $first: Int, $after: String) {{
  customers(filter: $filter, orderBy: $orderBy, first: $first, after: $after) {{ {PAGE} }}
}}"""
PREVIEW = """query ($number: Long!, $pticket: Long!) {
  mergeCustomersPreview(customerNumber: $number, pticketCustomerNumber: $pticket) { object moves clashes clashingKeys }
}"""
OFFERED = f"""query ($organisation: Long) {{ preferences(organisationId: $organisation, first: 100) {{
  totalItems nodes {{ {everything("Preference")} }}
}} }}"""
TRAVELLERS = """query ($order: String!) { travellerInfos(orderId: $order) {
  totalItems totalPages nodes { organisationId customer { organisationId } }
} }"""
TRAVELLERS_ALL = TRAVELLERS.replace("organisationId customer { organisationId }", everything("TravellerInfo"))
AUDIT_LOG = (
    "query ($number: Long) { auditLog(filter: {customerNumber: $number}) { totalItems nodes { subject reason } } }"
)
ACCESS_LOG = """query ($after: String, $first: Int) { viewer { dataAccessLog(first: $first, after: $after) {
  totalItems pageInfo { endCursor } nodes { accessedAt organisationId clientName reason fields }
} } }"""
WITH_ALL = {"includeTemporary": True, "includeDeleted": True}


@dataclass(frozen=True, slots=True)
class Answer:
    """All that a caller can observe of an answer but time, for which the statements stand."""

    status: int
    headers: tuple[tuple[str, str], ...]
    text: str
    statements: tuple[str, ...]


class Asker:
    """Asks one gateway as one caller."""

    def __init__(self, client: httpx.AsyncClient, caller: Role) -> None:
        self.client = client
        self.known: set[str] = set()
        self.headers = authorization(caller) | {"ET-Client-Name": "test-asker", "X-Access-Reason": "a test"}
        self.requests = 0

    async def ask(self, document: str, variables: Mapping[str, Any]) -> Answer:
        """The answer, without what changes each time, and with each text of the variables replaced."""
        self.requests += 1
        body = {"query": document, "variables": variables}
        if document not in self.known and not document.startswith("mutation"):
            # A document is run in another way once it is known.
            self.known.add(document)
            await self.client.post("/graphql", json=body, headers=self.headers)
        with heard() as seen:
            response = await self.client.post("/graphql", json=body, headers=self.headers)
        headers = tuple((name, value) for name, value in response.headers.items() if name not in OTHER_HEADERS)
        text = CHANGES_EACH_TIME.sub("", response.text)
        for quoted in sorted(set(texts(variables)), key=len, reverse=True):
            text = text.replace(quoted, "?")
        # Sibling fields ask side by side, so their order is chance.
        return Answer(response.status_code, headers, text, tuple(sorted(seen)))

    async def data(self, document: str, variables: Mapping[str, Any]) -> Any:
        """The data that a document answers."""
        body = {"query": document, "variables": variables}
        return (await self.client.post("/graphql", json=body, headers=self.headers)).json()["data"]


def texts(value: Any) -> Iterator[str]:
    """The keys in variables: texts and numbers that are long enough to be nobody else's."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str | int) and len(str(value)) >= 8:
        yield str(value)


def about(own: Stock, other: Stock, kind: str, is_user: bool) -> Iterator[Question]:
    """Questions about a customer of others: by every look-up key, and what `mutations` has."""
    them, card = other.customers[kind], other.cards[kind]
    number, email = them.customer_number, them.email or them.email_old
    organisation = other.organisation_id
    for by in (
        {"customerNumber": number},
        {"customerRef": {"customerRef": them.customer_ref}},
        {"customerRef": {"customerRef": them.customer_ref, "organisationId": organisation}},
        {"uuid": them.uuid},
        {"ecardNumber": card.ecard_number},
        {"ecardNumber": card.ecard_number_16digits},
        {"username": {"username": email, "organisationId": organisation}},
        {"username": {"username": email, "organisationId": own.organisation_id}},
    ):
        for deleted in (False, True) if kind == "deleted" else (True,):
            yield Question(LOOKUP, {"by": by, "deleted": deleted})
    mine = written("Customer", own.customers["active"].customer_number)
    theirs, nobodys = (written("Customer", each) for each in (number, nowhere(number)))
    yield Question(NODE, {"id": theirs}, {"id": nobodys})
    yield Question(NODES, {"ids": [theirs, mine]}, {"ids": [nobodys, mine]})
    own_number = own.customers["active"].customer_number
    yield Question(BY_KEY, {"numbers": [number, own_number]}, {"numbers": [nowhere(number), own_number]})
    yield Question(BY_KEY, {"references": [them.customer_ref]})
    yield Question(TRAVELLERS, {"order": other.travellers[kind].order_id})
    if not is_user:
        own_ticket = own.customers["pticket"].customer_number
        of_two = {"number": own_number, "pticket": own_ticket}
        for name in of_two:
            yield Question(PREVIEW, {**of_two, name: number}, {**of_two, name: nowhere(number)})
    yield Question(AUDIT_LOG, {"number": number})
    if kind in WRITTEN_TO:
        yield from mutations(own, other, kind, is_user)


def searches(other: Stock) -> Iterator[Question]:
    """Searches by every criterion of the filter, with values of others."""
    them, address, ticket = other.customers["active"], other.addresses["active"], other.tickets["active"]
    criteria: dict[str, Any] = {
        "dateOfBirth": str(them.date_of_birth),
        "email": them.email,
        "firstName": them.first_name,
        "invoiceOrganisationId": them.invoice_organisation_id,
        "landlineNumber": them.landline_number,
        "postCode": address.post_code,
        "postalAddress": address.address_line1,
        "surname": them.surname,
        "telephoneNumber": them.telephone_number,
        "ticketRightBearer": ticket.ticket_right_bearer,
        "ticketRightOwner": ticket.ticket_right_owner,
        "vippsId": them.vipps_id,
    }
    for name, value in criteria.items():
        yield Question(SEARCH, {"filter": {name: value, **WITH_ALL}})
    phone = {"countryCode": them.country_code, "telephoneNumberNoCountryCode": them.telephone_number_no_country_code}
    yield Question(SEARCH, {"filter": {**phone, **WITH_ALL}})


def organisations(own: Stock) -> Iterator[Question]:
    """Questions that name another organisation, which exists or does not (rule T04)."""
    other, none = 2, UNKNOWN_ORGANISATION
    yield Question(SEARCH, {"filter": {"organisationId": other}}, {"filter": {"organisationId": none}})
    new = {"firstName": "A", "surname": "B", "createdBy": "leaks", "createdByChannel": "leaks"}
    for name, made in (("customerRef", "customerRef"), ("username", "username")):
        yield Question(
            LOOKUP,
            {"by": {name: {made: "zq700000", "organisationId": other}}, "deleted": True},
            {"by": {name: {made: "zq700000", "organisationId": none}}, "deleted": True},
        )
    yield Question(OFFERED, {"organisation": other}, {"organisation": none})
    temporary = {"createdBy": "leaks", "createdByChannel": "leaks", "expirationDate": "2099-12-31"}
    names = {"firstName": "A", "surname": "B", "changedBy": "leaks", "changedByChannel": "leaks"}
    user_name = {"email": "zq700000@example.no"}
    for name, given in (
        ("createCustomer", new),
        ("createTemporaryCustomer", temporary),
        ("convertTemporaryCustomer", {**names, "customerNumber": own.customers["temporary"].customer_number}),
        ("createPreference", {"preferenceCode": "A", "preferenceType": "leaks"}),
        ("verifyCredentials", {**user_name, "password": PASSWORD}),
        ("generatePassword", user_name),
    ):
        document = mutation(name).replace("rejectedValues", "")  # it quotes the organisation that was named
        there, instead = ({"input": {**given, "organisationId": each}} for each in (other, none))
        yield Question(document, there, instead)


async def cursors(client: httpx.AsyncClient, world: World) -> AsyncIterator[Question]:
    """Cursors from pages of others, and just as long ones that nobody was given."""
    orders = [None, {"field": "EMAIL", "direction": "DESC"}]
    theirs = Asker(client, FOREIGN_PARTNER)
    for order in orders:
        page = (await theirs.data(SEARCH, {"orderBy": order, "first": 2}))["customers"]["pageInfo"]["endCursor"]
        for filter_ in (None, {"organisationId": 2}):
            given = {"filter": filter_, "orderBy": order, "first": 2}
            instead = given | ({"filter": {"organisationId": UNKNOWN_ORGANISATION}} if filter_ else {})
            yield Question(SEARCH, {**given, "after": page}, {**instead, "after": page[::-1]})
    for stock in (world.foreign, world.neighbour):
        log = (await Asker(client, user(stock)).data(ACCESS_LOG, {"first": 1}))["viewer"]["dataAccessLog"]
        page = log["pageInfo"]["endCursor"]
        yield Question(ACCESS_LOG, {"first": 1, "after": page}, {"first": 1, "after": page[::-1]})


def own_questions(own: Stock) -> Iterator[Question]:
    """Questions about the caller's own rows, from which something of others could be reached; those that show most
    of what leaks come first."""
    yield from own_lists()
    for kind, customer in own.customers.items():
        document = LOOKUP if kind in KINDS and kind != "active" else LOOKUP_ALL
        yield Question(document, {"by": {"customerNumber": customer.customer_number}, "deleted": True}, {})
        yield Question(NODE, {"id": written("Customer", customer.customer_number)}, {})
    numbers = [customer.customer_number for customer in own.customers.values()]
    yield Question(BY_KEY, {"numbers": numbers}, {})
    for order in CustomerOrderField:
        for direction in SortDirection:
            by = {"field": order.name, "direction": direction.name}
            yield Question(SEARCH, {"orderBy": by, "first": 1000, "filter": WITH_ALL}, {})
    yield Question(f"{{ viewer {{ organisationId subject customer {{ {ALL} }} }} }}", {}, {})
    yield Question(ACCESS_LOG, {"first": 100}, {})
    yield Question(OFFERED, {}, {})
    yield Question(TRAVELLERS_ALL, {"order": SHARED_ORDER}, {})
    yield Question(TRAVELLERS, {"order": SHARED_ORDER}, {"order": OWN_ORDER})
    active, ticket = (own.customers[kind].customer_number for kind in ("active", "pticket"))
    yield Question(PREVIEW, {"number": active, "pticket": ticket}, {})
    yield Question(mutation("exportCustomer"), {"input": {"customerNumber": active}}, {})
    yield Question(AUDIT_LOG, {}, {})
    passive = {"by": {"customerNumber": own.customers["passive"].customer_number}, "deleted": True}
    yield Question(LOOKUP.replace(WHO, PERSON), passive, {})
    yield Question(f"{{ viewer {{ {PERSON_ALL} }} }}", {}, {})


async def find(
    client: httpx.AsyncClient,
    world: World,
    caller: Role,
    others: list[Stock],
    kinds: Sequence[str] = KINDS,
    *,
    only_queries: bool = False,
) -> AsyncIterator[str]:
    """Each thing that the caller finds out about the stocks of others, asking for their customers of these kinds."""
    is_user, own = caller.tenant in (TenantKind.TRAVELLER, TenantKind.PERSON), world.own
    asker = Asker(client, caller)
    kept = {mark for other in others for mark in other.marks}
    kept |= {mark for other in others if other.organisation_id != own.organisation_id for mark in other.offered}
    households = [world.households[other.number] for other in others]
    households += [world.households[ASTRAY]] if world.foreign in others else []
    households += [world.households[COLLEAGUE]] if is_user else []
    for each in households:
        kept |= each.marks | (each.company_marks if each.number != COLLEAGUE else set())
    marks = any_of(kept)
    await Asker(client, FOREIGN_PARTNER).ask(mutation("updateCustomer", "used"), used(world.foreign))
    await Asker(client, user(world.neighbour)).ask(mutation("updateCustomer", "used"), used(world.neighbour))
    questions = [*own_questions(own)]
    for other in others:
        shared = {"by": {"ecardNumber": shared_card(other)}, "deleted": False}
        questions.append(Question(LOOKUP, shared, {"by": {"ecardNumber": OWN_CARD}, "deleted": False}))
    questions += organisations(own)
    for household in households:
        questions += of_households(world.households[OWN], household, is_user=is_user)
    for other in others:
        if not is_user and kinds is KINDS:
            questions += of_customers(world.households[OWN], other)
        questions += [*searches(other), *(each for kind in kinds for each in about(own, other, kind, is_user))]
        if across := own.customers.get(f"merged into {other.number}"):
            for by in ({"customerNumber": across.customer_number}, {"uuid": across.uuid}):
                questions.append(Question(LOOKUP, {"by": by, "deleted": True}))
    questions += [each async for each in cursors(client, world)]
    async for leak in answered_alike(asker, questions, marks, only_queries):
        yield leak


async def find_of_households(
    client: httpx.AsyncClient, world: World, caller: Role, *, only_queries: bool = False
) -> AsyncIterator[str]:
    """Each thing that a client who is bound to the own company finds out about the employees of all others."""
    own, others = world.households[OWN], [world.households[number] for number in (FOREIGN, NEIGHBOUR, ASTRAY)]
    questions = [*own_lists(), *(each for other in others for each in of_households(own, other, is_user=False))]
    kept = {mark for other in others for mark in other.marks | other.company_marks}
    async for leak in answered_alike(Asker(client, caller), questions, any_of(kept), only_queries):
        yield leak


async def find_of_relative(
    client: httpx.AsyncClient, world: World, caller: Role, *, only_queries: bool = False
) -> AsyncIterator[str]:
    """Each thing that a member of the own family finds out about the employee and others."""
    own, others = world.households[OWN], [world.households[each] for each in (FOREIGN, NEIGHBOUR, COLLEAGUE, ASTRAY)]
    questions = [Question(f"{{ viewer {{ {PERSON_ALL} }} }}", {}, {}), *own_lists(), *of_people(own, own)]
    # The own right is found by the company's id: whoever has a right may know of which company it is.
    questions += [each for each in of_company(own, own) if "$filter" not in each.document]
    questions += of_member(own)
    questions += [each for other in others for each in of_households(own, other, is_user=True)]
    kept = (own.marks - own.member_marks) | own.company_marks | {mark for other in others for mark in other.marks}
    async for leak in answered_alike(Asker(client, caller), questions, any_of(kept), only_queries):
        yield leak


def any_of(marks: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(sorted(map(re.escape, marks))))


async def answered_alike(
    asker: Asker, questions: Iterable[Question], marks: re.Pattern[str], only_queries: bool
) -> AsyncIterator[str]:
    """Each answer that has a mark in it, or is another one than that about what exists nowhere."""
    for question in questions:
        if only_queries and question.document.startswith("mutation"):
            continue
        theirs = await prepared(asker, question, question.document, question.variables)
        if '"errorCode":"DOCUMENT_' in theirs.text or '"errorCode":"INTERNAL"' in theirs.text:
            yield f"{question}: {theirs.text[:300]}"
        if found := marks.search(theirs.text):
            yield f"{question}: {found[0]} in {theirs.text[max(0, found.start() - 100) :][:200]}"
        if question.instead == {}:
            continue
        variables = nowhere(question.variables) if question.instead is None else question.instead
        nobodys = await prepared(asker, question, question.document_instead or question.document, variables)
        if theirs != nobodys:
            yield f"{question}: {difference(theirs, nobodys)}"


async def prepared(asker: Asker, question: Question, document: str, variables: Mapping[str, Any]) -> Answer:
    """The answer, after what is to be done before."""
    if question.before is not None:
        name, given = question.before
        data = await asker.data(mutation(name).replace("status", "customerNumber"), {"input": given})
        made = ((data or {}).get(name) or {}).get("customer") or {}
        if variables["input"].get("customerNumber") == MADE:
            variables = {"input": {**variables["input"], "customerNumber": made.get("customerNumber", 0)}}
    return await asker.ask(document, variables)


def used(stock: Stock) -> dict[str, Any]:
    """The input that its owner has sent under the idempotency key `used`."""
    names = {"firstName": "A", "surname": "B", "changedBy": "leaks", "changedByChannel": "leaks"}
    return {"input": {**names, "customerNumber": stock.customers["active"].customer_number}}


def difference(theirs: Answer, nobodys: Answer) -> str:
    """Where two answers differ."""
    if theirs.statements != nobodys.statements:
        here, there = Counter(theirs.statements), Counter(nobodys.statements)
        return f"statements: {list((here - there).elements())} | {list((there - here).elements())}"
    for name in ("status", "headers", "text"):
        one, other = getattr(theirs, name), getattr(nobodys, name)
        if one != other:
            return f"{name}: {str(one)[:600]} | {str(other)[:600]}"
    return ""
