"""Mutations that name what belongs to others, each to be asked again about what exists nowhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from tests.security.organisations import OPERATOR, PASSWORD, UNUSED_CARD, Stock, nowhere

WHO = "id customerNumber uuid organisationId firstName email status"
ERRORS = "userErrors { code message field rejectedValues }"
RECEIPT = "receipt { customerNumber entries { object rows } }"
PREFERENCE = "preferenceCode preferenceType"
CALCULATED = "calculation { inserted kept changed ended effect { holdersGaining holdersLosing } } employeeId"
IMPORTED = "importedEmployee { employeeNo }"
LINE = "orderLineEvent { couponsUsed cancels { orderId } } contract { organisationId }"
PROGRAM = "loyaltyProgram { organisationId loyaltyProgramCode couponConfig { defaultQuantity } }"
INPUTS = {
    "acceptContract": f"contract {{ uuid }} {ERRORS}",
    "activateLoyaltyProgram": f"contract {{ organisationId }} customer {{ {WHO} }} {ERRORS}",
    "addContractConsumer": f"contractConsumer {{ customerNumber isBlocked }} {ERRORS}",
    "addEcard": f"ecard {{ ecardNumber version }} {ERRORS}",
    "blockContractConsumer": f"contractConsumer {{ customerNumber isBlocked }} {ERRORS}",
    "calculateTicketRights": f"{CALCULATED} {ERRORS}",
    "captureReservation": f"reservation {{ uuid }} {LINE} {ERRORS}",
    "changePassword": f"customer {{ {WHO} }} {ERRORS}",
    "claimPersonnelTicket": f"success customerNumber customer {{ {WHO} }} contract {{ uuid }} {ERRORS}",
    "connectCustomer": f"customer {{ {WHO} }} changedAt relatedCustomerNumbers relatedCustomers {{ {WHO} }} {ERRORS}",
    "consumeContract": f"{LINE} subContract {{ organisationId }} {ERRORS}",
    "convertTemporaryCustomer": f"customer {{ status profileType }} {ERRORS}",
    "createCompany": f"company {{ name organisationId }} {ERRORS}",
    "createContract": f"contract {{ organisationId contractConsumers {{ customerNumber }} }} {ERRORS}",
    "createCustomer": f"customer {{ status profileType }} {ERRORS}",
    "createCustomerAccount": f"customerAccount {{ version alias }} {ERRORS}",
    "createCustomerPreference": f"customerPreference {{ version preference {{ {PREFERENCE} }} }} {ERRORS}",
    "createFamilyMember": f"familyMember {{ firstName employeeId }} {ERRORS}",
    "createLoyaltyProgram": f"{PROGRAM} {ERRORS}",
    "createManualOrder": f"manualOrder {{ employeeId ticketRights {{ validFrom }} }} {ERRORS}",
    "createNote": f"note {{ version text }} {ERRORS}",
    "createPostalAddress": f"postalAddress {{ town }} {ERRORS}",
    "createPreference": f"preference {{ {PREFERENCE} }} {ERRORS}",
    "createTemporaryCustomer": f"customer {{ status profileType }} {ERRORS}",
    "deactivateCustomer": f"customer {{ {WHO} }} {ERRORS}",
    "deleteCustomerPreference": f"deletedPreferenceId customer {{ {WHO} }} {ERRORS}",
    "deleteManualOrder": f"manualOrder {{ ticketNo }} {ERRORS}",
    "deleteNote": f"deletedNoteId customer {{ {WHO} }} {ERRORS}",
    "deletePostalAddress": f"deletedPostalAddressId customer {{ {WHO} }} {ERRORS}",
    "depositToContract": f"transaction {{ amount }} contract {{ organisationId }} {ERRORS}",
    "eraseCustomer": f"{RECEIPT} {ERRORS}",
    "exportCustomer": f"document {ERRORS}",
    "generatePassword": f"customer {{ {WHO} }} {ERRORS}",
    "importEmployee": f"{IMPORTED} {ERRORS}",
    "importEmployees": f"employeeImport {{ rowsTotal }} {ERRORS}",
    "mergeCustomers": f"customer {{ {WHO} }} mergedCustomer {{ {WHO} }} moved {{ object moves }} {ERRORS}",
    "patchImportedEmployee": f"{IMPORTED} {ERRORS}",
    "publishLoyaltyProgramVersion": f"{PROGRAM} {ERRORS}",
    "registerOrderLineEvent": f"{LINE} subContract {{ organisationId }} {ERRORS}",
    "releaseReservation": f"reservation {{ uuid }} contract {{ uuid }} {ERRORS}",
    "replaceCustomerPreferences": f"customer {{ {WHO} preferences {{ preferenceId }} }} {ERRORS}",
    "reserveContractConsumption": f"reservation {{ status }} contract {{ organisationId }} {ERRORS}",
    "restoreCustomer": f"customer {{ {WHO} }} {ERRORS}",
    "reverseTransaction": f"transaction {{ rrn reverses {{ rrn }} }} contract {{ uuid }} {ERRORS}",
    "setContractStatus": f"contract {{ uuid }} {ERRORS}",
    "setCustomerConsent": f"customerConsent {{ consentChoice history {{ answeredBy }} }} {ERRORS}",
    "setEmployeeCategory": f"category {{ year }} {ERRORS}",
    "setEmployeeDisabilityProof": f"disabilityProof {{ year }} {ERRORS}",
    "setEmployeeYearlyFee": f"yearlyFee {{ year }} {ERRORS}",
    "setFamilyMemberLowIncome": f"lowIncome {{ year }} {ERRORS}",
    "setLoyaltyProgramDescription": f"loyaltyProgramDescription {{ description }} {ERRORS}",
    "setPassword": f"customer {{ {WHO} }} {ERRORS}",
    "setTicketRightSyncStatus": f"ticketRight {{ note employee {{ customerNumber }} }} {ERRORS}",
    "startTaxSavingReport": f"taxSavingReport {{ year csv }} {ERRORS}",
    "unblockContractConsumer": f"contractConsumer {{ customerNumber isBlocked }} {ERRORS}",
    "unmergeCustomers": f"customer {{ {WHO} }} survivingCustomer {{ {WHO} }} {ERRORS}",
    "updateCompany": f"company {{ name employeeNoPrefix }} {ERRORS}",
    "updateCustomer": f"customer {{ status profileType }} {ERRORS}",
    "updateCustomerAccount": f"customerAccount {{ version alias }} {ERRORS}",
    "updateCustomerPreference": f"customerPreference {{ version preference {{ {PREFERENCE} }} }} {ERRORS}",
    "updateEcard": f"ecard {{ ecardNumber version customerId }} {ERRORS}",
    "updateFamilyMember": f"familyMember {{ firstName surname }} {ERRORS}",
    "updateNote": f"note {{ version text }} {ERRORS}",
    "updatePostalAddress": f"postalAddress {{ town }} {ERRORS}",
    "updatePreference": f"preference {{ {PREFERENCE} }} {ERRORS}",
    "updateTemporaryCustomer": f"customer {{ {WHO} }} {ERRORS}",
    "verifyCredentials": f"customer {{ {WHO} }} {ERRORS}",
    "withdrawFromContract": f"transaction {{ amount }} contract {{ organisationId }} {ERRORS}",
}
"""Mutation -> what is asked of its payload."""
WRITTEN_TO = ("active", "deleted", "merged", "pticket", "temporary")
"""The kinds of customers whose state mutations look at."""
MADE = "the customer that was made before"
BY_WHOM = {"changedBy": "leaks", "changedByChannel": "leaks"}
SINCE = "2026-01-01T00:00:00Z"
UNTIL = "2099-12-31"


def mutation(name: str, key: str = "") -> str:
    """The document of a mutation, under an idempotency key if there is one."""
    given = f"{name[0].upper()}{name[1:]}Input!"
    once = f' @idempotent(key: "{key}")' if key else ""
    return f"mutation ($input: {given}) {{ {name}(input: $input){once} {{ {INPUTS[name]} }} }}"


@dataclass(frozen=True, slots=True)
class Question:
    """A document and the variables that name something of others. `instead` are the variables that name what exists
    nowhere, if they are not just `nowhere` of the others, and `document_instead` a document that does."""

    document: str
    variables: Mapping[str, Any]
    instead: Mapping[str, Any] | None = None
    document_instead: str = ""
    before: tuple[str, Mapping[str, Any]] | None = None
    """A mutation about a customer that is sent before each of the two, and its input; `MADE` in the variables of the
    question stands for the number of the customer that it answers."""

    def __str__(self) -> str:
        return f"{self.document[:90]} {orjson.dumps(self.variables).decode()}"


def mutations(own: Stock, other: Stock, kind: str, is_user: bool) -> Iterator[Question]:
    """Mutations that name a customer of others, or what belongs to it."""
    if not is_user:
        yield from of_names(other, kind)  # before the caller has own customers with that email
    if kind in ("active", "deleted", "merged"):
        yield from of_profiles(own, other, kind, is_user)
        yield from of_everybody(own, other, kind)
    if kind != "deleted" and not is_user:
        yield from of_clients(own, other, kind)


def of_names(other: Stock, kind: str) -> Iterator[Question]:
    """Mutations that name the email of a customer."""
    email = other.customers[kind].email or other.customers[kind].email_old
    yield asked("verifyCredentials", {"email": email, "password": PASSWORD})
    yield asked("verifyCredentials", {"email": email, "password": f"{PASSWORD} 2"})
    yield asked("generatePassword", {"email": email})


def of_profiles(own: Stock, other: Stock, kind: str, is_user: bool) -> Iterator[Question]:
    """Mutations of a profile and its addresses."""
    them, address = other.customers[kind], other.addresses[kind]
    number, email = them.customer_number, them.email or them.email_old
    own_number = own.customers["active"].customer_number
    names = {"firstName": "A", "surname": "B", **BY_WHOM}
    home = {"typeOfAddress": "PRIVATE", "postCode": "0155", "town": "Oslo", "countryCode": "NOR"}
    for version in (None, 1, 99) if kind == "active" else (None,):
        expected = {"customerNumber": number, "expectedVersion": version}
        of_address = {**expected, "postalAddressId": str(address.id)}
        yield Question(mutation("updateCustomer"), {"input": {**expected, **names, "status": "ACTIVE"}})
        yield Question(mutation("restoreCustomer"), {"input": {**expected, **BY_WHOM}})
        erased = {"expirationDate": "2099-12-31"}
        yield Question(mutation("deactivateCustomer"), {"input": {**expected, **erased, **BY_WHOM}})
        yield Question(mutation("updatePostalAddress"), {"input": {**of_address, **home}})
        yield Question(mutation("deletePostalAddress"), {"input": of_address})
        for name, more in (("updatePostalAddress", home), ("deletePostalAddress", {})):
            on_mine: dict[str, Any] = {**of_address, **more, "customerNumber": own_number}
            instead = {**on_mine, "postalAddressId": nowhere(str(address.id))}
            yield Question(mutation(name), {"input": on_mine}, {"input": instead})
    yield Question(mutation("createPostalAddress"), {"input": {**home, "customerNumber": number}})
    with_address: dict[str, Any] = {
        **names,
        "customerNumber": own_number,
        "postalAddresses": [{**home, "id": str(address.id)}],
    }
    instead = {**with_address, "postalAddresses": [{**home, "id": nowhere(str(address.id))}]}
    yield Question(mutation("updateCustomer"), {"input": with_address}, {"input": instead})
    yield Question(mutation("updateCustomer", "used"), {"input": {**names, "customerNumber": number}})
    yield Question(
        mutation("updateCustomer", "used"),
        {"input": {**names, "customerNumber": number}},
        {"input": {**names, "customerNumber": number}},
        mutation("updateCustomer", "free"),
    )
    if other.organisation_id != own.organisation_id or not is_user:
        # Within an organisation it has to be told that an email is taken (rule C05).
        with_email = {**names, "customerNumber": own_number, "email": email}
        instead = {"input": {**with_email, "email": nowhere(email)}}
        before = ("updateCustomer", {**with_email, "email": None})
        yield Question(mutation("updateCustomer"), {"input": with_email}, instead, before=before)
    if not is_user:
        new = {"organisationId": own.organisation_id, "firstName": "A", "surname": "B", "createdBy": "leaks"}
        new |= {"createdByChannel": "leaks", "email": email, "customerRef": them.customer_ref}
        without = ("updateCustomer", {**names, "customerNumber": own_number, "email": None})
        yield Question(mutation("createCustomer"), {"input": new}, before=without)


def asked(name: str, given: Mapping[str, Any], **instead: Any) -> Question:
    """A mutation with an input; `instead` are the values that name what exists nowhere, or all of them are made so."""
    return Question(mutation(name), {"input": given}, {"input": {**given, **instead}} if instead else None)


def of_everybody(own: Stock, other: Stock, kind: str) -> Iterator[Question]:
    """Mutations that users may do with their own profile: on the profile of others, and with what is theirs on the
    caller's."""
    number, own_number = other.customers[kind].customer_number, own.customers["active"].customer_number
    card, account = other.cards[kind], other.accounts[kind]
    assert other.preference
    assert own.preference
    key, theirs = str(own.preference.id), str(other.preference.id)
    is_foreign = theirs != key
    new_card = {"ecardOperator": OPERATOR, "ecardNumber": UNUSED_CARD, "startOfOwnership": SINCE}
    same_card = {**new_card, "ecardNumber": card.ecard_number}
    consent = {"consentCode": other.consents[kind].consent_code, "consentChoice": True, **BY_WHOM}
    passwords = {"oldPassword": PASSWORD, "newPassword": f"{PASSWORD} 2"}
    of = {"customerNumber": number}
    none = nowhere(number)
    for version in (None, 1, 99) if kind == "active" else (None,):
        expected = {**of, "expectedVersion": version}
        for preference in {key, theirs}:
            chosen = {**expected, "preferenceId": preference}
            yield asked("updateCustomerPreference", {**chosen, "preferenceValue": "A"}, customerNumber=none)
            yield asked("deleteCustomerPreference", chosen, customerNumber=none)
        yield asked("updateEcard", {**expected, **same_card}, customerNumber=none)
        yield asked("updateEcard", {**expected, **same_card})
        yield asked("updateCustomerAccount", {**expected, "customerAccountId": str(account.id), "alias": "A"})
    yield asked("addEcard", {**of, **new_card}, customerNumber=none)
    yield asked("addEcard", {**of, **same_card}, customerNumber=none)
    yield asked("setCustomerConsent", {**of, **consent})
    yield asked("changePassword", {**of, **passwords})
    for preference in {key, theirs}:
        yield asked("createCustomerPreference", {**of, "preferenceId": preference}, customerNumber=none)
        several = {**of, "preferences": [{"preferenceId": preference}]}
        yield asked("replaceCustomerPreferences", several, customerNumber=none)

    mine = {"customerNumber": own_number}
    yield asked("updateEcard", {**mine, **same_card}, ecardNumber=nowhere(card.ecard_number))
    of_account = {**mine, "customerAccountId": str(account.id), "alias": "A"}
    yield asked("updateCustomerAccount", of_account, customerAccountId=nowhere(str(account.id)))
    if is_foreign:
        unknown = nowhere(theirs)
        chosen = {**mine, "preferenceId": theirs}
        yield asked("createCustomerPreference", chosen, preferenceId=unknown)
        for more in ({"preferenceId": key}, {}):
            several = {**mine, "preferences": [{"preferenceId": theirs}, *([more] if more else [])]}
            others = [{"preferenceId": unknown}, *([more] if more else [])]
            yield asked("replaceCustomerPreferences", several, preferences=others)


def of_clients(own: Stock, other: Stock, kind: str) -> Iterator[Question]:
    """Mutations that clients alone may do."""
    them, note, account = other.customers[kind], other.notes[kind], other.accounts[kind]
    number, own_number = them.customer_number, own.customers["active"].customer_number
    none, email = nowhere(number), them.email or them.email_old
    own_ticket, own_temporary = (own.customers[each].customer_number for each in ("pticket", "temporary"))
    of, mine = {"customerNumber": number}, {"customerNumber": own_number}
    names = {"firstName": "A", "surname": "B", **BY_WHOM}
    text = {"text": "A", "changedBy": "leaks"}
    for version in (None, 1, 99) if kind == "active" else (None,):
        expected = {**of, "expectedVersion": version}
        yield asked("updateNote", {**expected, **text, "noteId": str(note.id)})
        yield asked("deleteNote", {**expected, "noteId": str(note.id)})
        yield asked("updateTemporaryCustomer", {**expected, **BY_WHOM, "expirationDate": UNTIL})
        yield asked("convertTemporaryCustomer", {**expected, **names, "password": PASSWORD})
        yield asked("connectCustomer", {**expected, **BY_WHOM, "customerNumberToConnect": own_temporary},
                    customerNumber=none)  # fmt: skip
        yield asked("mergeCustomers", {**expected, **BY_WHOM, "pticketCustomerNumber": own_ticket},
                    customerNumber=none)  # fmt: skip
        yield asked("eraseCustomer", {**expected, **BY_WHOM})
    yield asked("createNote", {**of, "text": "A", "createdBy": "leaks"})
    yield asked("createCustomerAccount", {**of, "accountId": "A", "createdBy": "leaks"})
    yield asked("connectCustomer", {**mine, "customerNumberToConnect": number}, customerNumberToConnect=none)
    yield asked("connectCustomer", {**mine, "temporaryCustomerNumber": number}, temporaryCustomerNumber=none)
    yield asked("connectCustomer", {**of, "customerNumberToConnect": number})
    yield asked("mergeCustomers", {**mine, "pticketCustomerNumber": number}, pticketCustomerNumber=none)
    yield asked("mergeCustomers", {**of, "pticketCustomerNumber": number})
    yield asked("unmergeCustomers", {**of, **BY_WHOM})
    yield asked("setPassword", {**of, "newPassword": PASSWORD})
    yield asked("exportCustomer", of)

    unknown = nowhere(str(note.id))
    yield asked("updateNote", {**mine, **text, "noteId": str(note.id)}, noteId=unknown)
    yield asked("deleteNote", {**mine, "noteId": str(note.id)}, noteId=unknown)
    account_id = account.customer_account_id
    new_account = {**mine, "accountId": account_id, "createdBy": "leaks"}
    yield asked("createCustomerAccount", new_account, accountId=nowhere(account_id))
    temporary = {"createdBy": "leaks", "createdByChannel": "leaks", "expirationDate": UNTIL}
    yield asked("createTemporaryCustomer", {**temporary, "email": email})
    for more in ({"email": email}, {"customerRef": them.customer_ref}):
        yield Question(
            mutation("convertTemporaryCustomer"),
            {"input": {**names, **more, "customerNumber": MADE}},
            {"input": {**names, **nowhere(more), "customerNumber": MADE}},
            before=("createTemporaryCustomer", temporary),
        )
    if own.organisation_id != other.organisation_id:
        assert other.preference
        key = str(other.preference.id)
        for version in (None, 1, 99):
            changes = {"preferenceId": key, "expectedVersion": version, "preferenceCode": "A"}
            yield asked("updatePreference", changes)
        new_code = {"preferenceType": "leaks", "preferenceCode": other.preference.preference_code}
        yield asked("createPreference", new_code)
