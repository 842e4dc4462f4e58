"""What callers ask about the loyalty programs and contracts of others."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

from datastore.viewer import TenantKind
from gateway.identity.demo import Role
from resolvers.oslo import today
from schema.node import written
from tests.security.leaks import UNKNOWN_ORGANISATION, Asker, answered_alike, any_of
from tests.security.loyalty import NEIGHBOUR, OWN, Contracts
from tests.security.organisations import Stock, World, nowhere
from tests.security.questions import Question, asked, mutation

PROGRAM = "loyaltyProgramId organisationId productId productVersion internalDescription loyaltyProgramCode createdBy"
DESCRIPTIONS = "descriptions { displayName description createdBy }"
PROGRAM_ALL = f"""{PROGRAM} {DESCRIPTIONS} defaultCouponsLimit versions {{ {PROGRAM} }}
  couponConfig {{ defaultQuantity loyaltyProgramId loyaltyProgram {{ {PROGRAM} }} }}
  contracts(first: 50) {{ totalItems nodes {{ uuid externalRef }} }}"""
LINE = "orderId orderLineId orderLineText manualTransactionComment codespace"
MONEY = "internalTransactionId externalTransactionId rrn email posId"
SHORT = "uuid externalRef ticketOrderId parent organisationId createdBy lastChangedBy"
CONSUMERS = """contractConsumers { customerNumber customerRef customerOrganisationId isContractHolder isBlocked
  createdBy lastChangedBy customer { customerNumber firstName } }"""
CONTRACT_ALL = f"""{SHORT} remainingCoupons policies {{ id key }} couponYears {{ year remaining }}
  loyaltyProgram {{ {PROGRAM} {DESCRIPTIONS} }} parentContract {{ {SHORT} }} subContracts {{ {SHORT} }} {CONSUMERS}
  currentTotal {{ amount }}
  transactions {{ {MONEY} reverses {{ {MONEY} }} reversedBy {{ {MONEY} }} }}
  orderLineEvents {{ {LINE} taxDistributions {{ taxSaving }} cancels {{ {LINE} }} subContract {{ {SHORT} }} }}
  reservations {{ uuid coupons orderLineEvent {{ {LINE} }} }}"""
ENTITLEMENT = f"""productId productVersion displayName {{ text description }} contractUUID contractExternalRef
  contractOwner {{ customerNumber firstName }} contractOwnerCustomerNumber contractOwnerDisplayName
  contractOwnerDateOfBirth remainingCoupons ticketOrderId parentContract {{ {SHORT} }}
  contract {{ {SHORT} {CONSUMERS} }}"""
PAGE = "totalItems totalPages pageInfo { startCursor endCursor }"
CONTRACT = f"query ($key: ID!) {{ contract(by: {{uuid: $key}}) {{ {SHORT} {CONSUMERS} }} }}"
CONTRACT_WHOLE = f"query ($key: ID!) {{ contract(by: {{uuid: $key}}) {{ {CONTRACT_ALL} }} }}"
CONTRACTS = f"query ($filter: ContractFilterInput) {{ contracts(filter: $filter) {{ {PAGE} nodes {{ {SHORT} }} }} }}"
CONTRACTS_WHOLE = f"{{ contracts(first: 50) {{ {PAGE} nodes {{ {CONTRACT_ALL} }} }} }}"
ENTITLED = f"""query ($number: Long!) {{ entitlements(customerNumber: $number) {{
  {PAGE} nodes {{ {ENTITLEMENT} }} }} }}"""
PROGRAM_BY_ID = f"query ($key: Long!) {{ loyaltyProgram(loyaltyProgramId: $key) {{ {PROGRAM_ALL} }} }}"
PROGRAMS = f"""query ($filter: LoyaltyProgramFilterInput) {{ loyaltyPrograms(filter: $filter) {{
  {PAGE} nodes {{ {PROGRAM_ALL} }} }} }}"""
NODE = f"""query ($id: ID!) {{ node(id: $id) {{
  __typename ... on Contract {{ {SHORT} }} ... on LoyaltyProgram {{ {PROGRAM} }} }} }}"""
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
PROOF = "query ($key: ID!) { ledgerProof(contractUuid: $key) { head count sum } }"
VALIDATION = """query ($uses: [ContractConsumptionInput!]) { validateContractConsumption(consumptions: $uses) {
  code results { contractUuid outcome } } }"""
OF_CUSTOMER = f"""query ($number: Long!) {{ customer(by: {{customerNumber: $number}}) {{
  contracts {{ {PAGE} nodes {{ {SHORT} {CONSUMERS} }} }} entitlements {{ {PAGE} nodes {{ {ENTITLEMENT} }} }} }} }}"""
VERSIONS = (None, 1, 99)
SHARES = ("addContractConsumer", "blockContractConsumer", "unblockContractConsumer")
PRICE = {"price": "1.00", "orderLineId": "1"}


def by_key(document: str, key: Any) -> Question:
    return Question(document, {"key": key})


def found_by(document: str, **criteria: Any) -> Question:
    """A list with a filter."""
    return Question(document, {"filter": criteria})


def use(contract: Any, product: str, number: int, **more: Any) -> dict[str, Any]:
    """A use of a contract, in a year in which it was used before."""
    travel = {"firstTravelDate": f"{today()}T12:00:00Z", "entitlementProductId": product, "coupons": 1}
    return {"contractUuid": contract.uuid, "customerNumber": number, **travel, **more}


def validated(given: dict[str, Any], **instead: Any) -> Question:
    return Question(VALIDATION, {"uses": [given]}, {"uses": [{**given, **instead}]})


def own_contracts(own: Contracts, stock: Stock, *, is_user: bool) -> Iterator[Question]:
    """Questions about the caller's own contracts: nothing of others may be in their answers."""
    number = stock.customers["active"].customer_number
    yield Question(CONTRACTS_WHOLE, {}, {})
    yield Question(ENTITLED, {"number": number}, {})
    yield Question(OF_CUSTOMER, {"number": number}, {})
    yield Question(PROGRAM_BY_ID, {"key": own.programs["COUPONS"].id}, {})
    yield Question(f"{{ viewer {{ customer {{ contracts {{ nodes {{ {SHORT} }} }} }} }} }}", {}, {})
    if not is_user:
        yield Question(PROGRAMS, {}, {})
        yield Question(PROOF, {"key": own.contracts["POINTS"].uuid}, {})


def of_contracts(own: Contracts, other: Contracts, mine: Stock, theirs: Stock, *, is_user: bool) -> Iterator[Question]:
    """Questions about the contracts of others by every key and criterion, and mutations that name them."""
    number, product = mine.customers["active"].customer_number, own.programs["COUPONS"].product_id
    is_foreign = own.organisation_id != other.organisation_id
    for name in ("COUPONS", "free", "blocked"):
        each = other.contracts[name]
        yield by_key(CONTRACT, each.uuid)
        if name != "COUPONS":
            continue
        ids = [written("Contract", key) for key in (each.uuid, nowhere(each.uuid), own.contracts["TIMED"].uuid)]
        yield Question(NODE, {"id": ids[0]}, {"id": ids[1]})
        yield Question(NODES, {"ids": [ids[0], ids[2]]}, {"ids": ids[1:]})
        yield found_by(CONTRACTS, uuid=each.uuid)
        yield found_by(CONTRACTS, externalRef=each.external_ref)
        yield validated(use(each, product, number), contractUuid=nowhere(each.uuid))
        if not is_user:
            yield by_key(PROOF, each.uuid)
    for kind in ("active", "deleted"):
        who = theirs.customers[kind]
        yield Question(ENTITLED, {"number": who.customer_number})
        is_holder = kind == "active"
        yield found_by(CONTRACTS, customerNumber=who.customer_number, contractHolder=is_holder)
        reference = {"customerRef": who.customer_ref, "organisationId": None if is_holder else theirs.organisation_id}
        yield found_by(CONTRACTS, customerRef=reference)
        on_mine = use(own.contracts["COUPONS"], product, who.customer_number)
        yield validated(on_mine, customerNumber=nowhere(who.customer_number))
    line = other.lines["COUPONS"]
    reference = {"orderId": line.order_id, "orderLineId": line.order_line_id}
    too_many = use(own.contracts["COUPONS"], product, number, coupons=9_999, orderLineReference=reference)
    yield validated(too_many, orderLineReference=nowhere(reference))
    yield from of_everybody(own, other, mine, theirs)
    if is_foreign:
        yield from of_programs(own, other, mine, is_user=is_user)
    if not is_user:
        yield from of_clients(own, other, mine, theirs)


def of_programs(own: Contracts, other: Contracts, mine: Stock, *, is_user: bool) -> Iterator[Question]:
    """Questions about the programs of others, and mutations that name them."""
    number = mine.customers["active"].customer_number
    for each in other.programs.values():
        yield by_key(PROGRAM_BY_ID, each.id)
        ids = [written("LoyaltyProgram", key) for key in (each.id, nowhere(each.id))]
        yield Question(NODE, {"id": ids[0]}, {"id": ids[1]})
        if each is not other.programs["UNMAPPED"]:  # of which the caller has a contract, which ought not to be
            yield found_by(CONTRACTS, loyaltyProgramId=each.id)
        claimed = {"customerNumber": number, "loyaltyProgramCode": each.loyalty_program_code}
        yield asked("activateLoyaltyProgram", claimed, loyaltyProgramCode=nowhere(each.loyalty_program_code))
    if is_user:
        return
    theirs, coupons = other.programs["TIMED"], other.programs["COUPONS"]
    none, organisation = nowhere(theirs.id), other.organisation_id
    yield found_by(PROGRAMS, loyaltyProgramId=theirs.id)
    yield found_by(PROGRAMS, productId=theirs.product_id)
    for document in (PROGRAMS, CONTRACTS):
        elsewhere = {"filter": {"organisationId": UNKNOWN_ORGANISATION}}
        yield Question(document, {"filter": {"organisationId": organisation}}, elsewhere)
    for version in VERSIONS:
        expected = {"expectedVersion": version, "loyaltyProgramId": theirs.id}
        yield asked("publishLoyaltyProgramVersion", {**expected, "internalDescription": "A"})
        yield asked("setLoyaltyProgramDescription", {**expected, "languageCode": "NOB", "description": "A"})
    config = {"defaultQuantity": 1, "loyaltyProgramId": theirs.id}
    nobodys = {**config, "loyaltyProgramId": none}
    next_one = {"loyaltyProgramId": own.programs["COUPONS"].id, "couponConfig": config}
    yield asked("publishLoyaltyProgramVersion", next_one, couponConfig=nobodys)
    new = {
        "loyaltyProgramType": "COUPONS", "productId": "ENT:EntitlementProduct:new1", "internalDescription": "A",
        "productVersion": "ENT:Version:V1", "endDate": "2099-01-01T00:00:00Z",
    }  # fmt: skip
    yield asked("createLoyaltyProgram", {**new, "couponConfig": config}, couponConfig=nobodys)
    # A product belongs to one program anywhere (rule L03): that another one is taken has to be told.
    timed = {**new, "loyaltyProgramType": "TIMED", "loyaltyProgramCode": coupons.loyalty_program_code}
    unused = {"loyaltyProgramCode": nowhere(coupons.loyalty_program_code), "productId": "ENT:EntitlementProduct:new2"}
    yield asked("createLoyaltyProgram", timed, **unused)
    yield asked("createContract", {"loyaltyProgramId": theirs.id, "customerNumber": number}, loyaltyProgramId=none)
    of_mine = {"loyaltyProgramId": own.programs["TIMED"].id, "customerNumber": number}
    for name, given in (("createLoyaltyProgram", new), ("createContract", of_mine)):
        document = mutation(name).replace("rejectedValues", "")  # it quotes the organisation that was named
        there = {**given, "organisationId": organisation}
        yield Question(document, {"input": there}, {"input": {**there, "organisationId": UNKNOWN_ORGANISATION}})


def of_everybody(own: Contracts, other: Contracts, mine: Stock, theirs: Stock) -> Iterator[Question]:
    """Mutations that users may do with what they hold, and claims."""
    number = mine.customers["active"].customer_number
    for name in ("COUPONS", "free", "blocked"):
        each = other.contracts[name]
        of = {"contractUuid": each.uuid}
        yield asked("acceptContract", of)
        for share in SHARES:
            yield asked(share, {**of, "customerNumber": number}, contractUuid=nowhere(each.uuid))
        yield from claimed(number, each.external_ref)
        by_code = {"customerNumber": number, "loyaltyProgramCode": own.programs["TIMED"].loyalty_program_code}
        yield asked("activateLoyaltyProgram", {**by_code, "externalRef": each.external_ref},
                    externalRef=nowhere(each.external_ref))  # fmt: skip
    for kind in ("active", "deleted"):
        who = theirs.customers[kind]
        for share in SHARES:
            of_mine = {"contractUuid": own.contracts["POINTS"].uuid}
            yield asked(share, {**of_mine, "customerNumber": who.customer_number},
                        customerNumber=nowhere(who.customer_number))  # fmt: skip
            yield asked(share, {**of_mine, "customerRef": who.customer_ref}, customerRef=nowhere(who.customer_ref))
        for code in (own.contracts["free"].external_ref, other.contracts["COUPONS"].external_ref):
            by_them = {"customerNumber": who.customer_number, "externalReference": code}
            yield asked("claimPersonnelTicket", by_them, customerNumber=nowhere(who.customer_number))
        by_code = {"loyaltyProgramCode": own.programs["POINTS"].loyalty_program_code}
        yield asked("activateLoyaltyProgram", {**by_code, "customerNumber": who.customer_number},
                    customerNumber=nowhere(who.customer_number))  # fmt: skip


def claimed(number: int, code: str | None) -> Iterator[Question]:
    """A claim of a code that nobody may know to be one."""
    given = {"customerNumber": number, "externalReference": code}
    yield asked("claimPersonnelTicket", given, externalReference=nowhere(code))


def of_clients(own: Contracts, other: Contracts, mine: Stock, theirs: Stock) -> Iterator[Question]:
    """Mutations that clients alone may do."""
    number, who = mine.customers["active"].customer_number, theirs.customers["active"]
    product, none = own.programs["COUPONS"].product_id, nowhere(who.customer_number)
    coupons, line = own.contracts["COUPONS"], other.lines["COUPONS"]
    their_order = {**PRICE, "orderId": line.order_id, "orderLineId": line.order_line_id}
    their_line = {name: their_order[name] for name in ("orderId", "orderLineId")}
    unknown_line = nowhere(their_line)
    for name in ("COUPONS", "POINTS"):
        each = other.contracts[name]
        of = {"contractUuid": each.uuid}
        for version in VERSIONS if name == "POINTS" else ():
            yield asked("setContractStatus", {**of, "status": "CANCELLED", "expectedVersion": version})
        used = use(each, product, number)
        yield asked("consumeContract", {**used, **PRICE, "orderId": "A"}, contractUuid=nowhere(each.uuid))
        yield asked("reserveContractConsumption", used, contractUuid=nowhere(each.uuid))
        bought = {**of, **their_order, "eventType": "PURCHASE"}
        yield asked("registerOrderLineEvent", bought)
        yield asked("registerOrderLineEvent", {**bought, "eventType": "CANCELLATION", "price": "-1.00"})
        for move in ("depositToContract", "withdrawFromContract"):
            yield asked(move, {**of, "amount": "1.00", "currency": "NOK"})
    for hold in list(other.reservations.values())[:1]:
        yield asked("captureReservation", {**PRICE, "reservationUuid": hold.uuid, "orderId": "A"})
        yield asked("releaseReservation", {"reservationUuid": hold.uuid})
    for told in list(other.transactions.values())[:3]:
        yield asked("reverseTransaction", {"internalTransactionId": told.internal_transaction_id})
    for use_name, more in (("consumeContract", {**PRICE, "orderId": "A"}), ("reserveContractConsumption", {})):
        yield asked(use_name, {**use(coupons, product, who.customer_number), **more}, customerNumber=none)
    on_mine = {"contractUuid": coupons.uuid}
    yield asked("consumeContract", {**use(coupons, product, number), **their_order}, **unknown_line)
    for is_purchased in (True, False):
        by_them = {**on_mine, **PRICE, "eventType": "PURCHASE", "orderId": "B", "isPurchased": is_purchased}
        yield asked("registerOrderLineEvent", {**by_them, "customerNumber": who.customer_number}, customerNumber=none)
    # Another line of theirs than above, which by now is one of the caller's own, too.
    line = other.lines["TIMED"]
    their_line = {"orderId": line.order_id, "orderLineId": line.order_line_id}
    cancelled = {**on_mine, **their_line, "eventType": "CANCELLATION"}
    yield asked("registerOrderLineEvent", cancelled, **nowhere(their_line))
    bought = {**on_mine, **PRICE, **their_line, "eventType": "PURCHASE"}
    yield asked("registerOrderLineEvent", bought, **nowhere(their_line))
    told = other.transactions["POINTS 0"]
    paid = {"contractUuid": own.contracts["POINTS"].uuid, "amount": "1.00", "currency": "NOK"}
    elsewhere = {"externalTransactionId": told.external_transaction_id, "rrn": told.rrn}
    yield asked("depositToContract", {**paid, **elsewhere}, **nowhere(elsewhere))
    for program in ("TIMED", "COUPONS"):
        new = {"loyaltyProgramId": own.programs[program].id}
        yield asked("createContract", {**new, "customerNumber": who.customer_number}, customerNumber=none)
        yield asked("createContract", {**new, "customerRef": who.customer_ref}, customerRef=nowhere(who.customer_ref))
        coded = {**new, "customerNumber": number, "externalRef": other.contracts["free"].external_ref}
        yield asked("createContract", coded, externalRef=nowhere(coded["externalRef"]))


def of_shared(own: Contracts, other: Contracts, mine: Stock, theirs: Stock) -> Iterator[Question]:
    """Questions of a consumer about the contract that somebody else holds, and about those who use it too."""
    of, number = other.contracts["shared"], mine.customers["active"].customer_number
    product = own.programs["COUPONS"].product_id
    yield Question(CONTRACT_WHOLE, {"key": of.uuid}, {})
    yield asked("acceptContract", {"contractUuid": of.uuid}, contractUuid=of.uuid)
    for kind in ("active", "connected"):
        who = theirs.customers[kind]
        none = nowhere(who.customer_number)
        for share in SHARES:
            given = {"contractUuid": of.uuid, "customerNumber": who.customer_number}
            yield asked(share, given, customerNumber=none)
            by_reference = {"contractUuid": of.uuid, "customerRef": who.customer_ref}
            yield asked(share, by_reference, customerRef=nowhere(who.customer_ref))
        yield validated(use(of, product, who.customer_number), customerNumber=none)
        for is_holder in (True, False):
            criteria = {"uuid": of.uuid, "customerNumber": who.customer_number, "contractHolder": is_holder}
            yield Question(CONTRACTS, {"filter": criteria}, {"filter": {**criteria, "customerNumber": none}})
    line = other.lines["shared"]
    reference = {"orderId": line.order_id, "orderLineId": line.order_line_id}
    too_many = use(of, product, number, coupons=9_999, orderLineReference=reference)
    yield validated(too_many, orderLineReference=nowhere(reference))
    # The one whose consumer the caller is, but blocked.
    yield from claimed(number, own.contracts["blocked"].external_ref)


async def find_of_contracts(
    client: httpx.AsyncClient,
    world: World,
    caller: Role,
    others: list[Stock],
    *,
    only_queries: bool = False,
) -> AsyncIterator[str]:
    """Each thing that the caller finds out about the programs and contracts of others."""
    is_user, own = caller.tenant in (TenantKind.TRAVELLER, TenantKind.PERSON), world.contracts[OWN]
    questions = [*own_contracts(own, world.own, is_user=is_user)]
    # The first failure of the caller is counted in another way than all others.
    number = world.own.customers["active"].customer_number
    first = {"customerNumber": number, "externalReference": "zq7-zq7-zq7"}
    questions.append(Question(mutation("claimPersonnelTicket"), {"input": first}, {}))
    kept: set[str] = set()
    for other in others:
        theirs = world.contracts[other.number]
        kept |= theirs.marks
        if other.organisation_id != own.organisation_id:
            kept |= theirs.program_marks
        if is_user and other.number == NEIGHBOUR:
            questions += of_shared(own, theirs, world.own, other)
        questions += of_contracts(own, theirs, world.own, other, is_user=is_user)
    async for leak in answered_alike(Asker(client, caller), questions, any_of(kept), only_queries):
        yield leak
