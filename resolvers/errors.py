"""Every refusal the gateway can answer, with its words in English and Norwegian.

A business refusal is raised as `Refused`. In a mutation it becomes `userErrors` of the payload; in a query it becomes
a GraphQL error whose `extensions.errorCode` is the code and whose `extensions.code` is the code's `category`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Self


class Category(Enum):
    """The kinds of failure (rule T10), each with the HTTP status it has in the source systems."""

    BAD_USER_INPUT = 400
    UNAUTHENTICATED = 401
    FORBIDDEN = 403
    NOT_FOUND = 404
    CONFLICT = 409
    RATE_LIMITED = 429
    INTERNAL = 500
    UNAVAILABLE = 503


class Words(NamedTuple):
    """What one error code means: its category, then a short and a long text in English and in Norwegian."""

    category: Category
    short_english: str
    long_english: str
    short_norwegian: str
    long_norwegian: str


BAD, CONFLICT, NOT_FOUND = Category.BAD_USER_INPUT, Category.CONFLICT, Category.NOT_FOUND


class ErrorCode(Enum):
    """The closed list of error codes. A client may switch on a name; the texts may be reworded."""

    # fmt: off
    # The request itself
    REQUEST_MALFORMED = Words(BAD, "Malformed request", "The HTTP request is not a well-formed GraphQL request.", "Ugyldig forespørsel", "HTTP-forespørselen er ikke en gyldig GraphQL-forespørsel.")  # noqa: E501
    REQUEST_TOO_LARGE = Words(BAD, "Request too large", "The request body, its variables or a text in it are larger than the gateway accepts.", "For stor forespørsel", "Forespørselen, variablene eller en tekst i den er større enn det som godtas.")  # noqa: E501
    DOCUMENT_INVALID = Words(BAD, "Invalid document", "The GraphQL document does not parse or does not fit the schema.", "Ugyldig dokument", "GraphQL-dokumentet lar seg ikke tolke eller passer ikke til skjemaet.")  # noqa: E501
    DOCUMENT_TOO_DEEP = Words(BAD, "Document too deep", "The GraphQL document is nested more deeply than the gateway accepts. Ask for less in one request.", "For dypt dokument", "GraphQL-dokumentet er nøstet dypere enn det som godtas. Be om mindre i én forespørsel.")  # noqa: E501
    DOCUMENT_TOO_LARGE = Words(BAD, "Document too large", "The GraphQL document, its fragments expanded, has more fields, aliases, directives or text than the gateway accepts. Ask for less in one request.", "For stort dokument", "GraphQL-dokumentet har, med fragmentene satt inn, flere felt, alias, direktiver eller mer tekst enn det som godtas. Be om mindre i én forespørsel.")  # noqa: E501
    COST_TOO_HIGH = Words(BAD, "Cost too high", "The operation may cost more points than one operation is allowed. Ask for shorter pages or fewer lists within lists.", "For høy kostnad", "Operasjonen kan koste flere poeng enn én operasjon har lov til. Be om kortere sider eller færre lister i lister.")  # noqa: E501
    VALUE_INVALID = Words(BAD, "Invalid value", "A value has the wrong type or is out of range.", "Ugyldig verdi", "En verdi har feil type eller er utenfor gyldig område.")  # noqa: E501
    INTERNAL = Words(Category.INTERNAL, "Internal error", "Something failed inside the gateway. Report the correlation id to its operator.", "Intern feil", "Noe gikk galt i tjenesten. Oppgi korrelasjons-id-en til driftsansvarlig.")  # noqa: E501
    UNAVAILABLE = Words(Category.UNAVAILABLE, "Not available", "The gateway is starting, draining or without its database, or the operation took too long. Try again shortly.", "Ikke tilgjengelig", "Tjenesten starter, stenger eller mangler databasen, eller operasjonen tok for lang tid. Prøv igjen om litt.")  # noqa: E501
    TOKEN_INVALID = Words(Category.UNAUTHENTICATED, "Token not accepted", "The access token is not accepted. Sign in again.", "Tokenet godtas ikke", "Tilgangstokenet godtas ikke. Logg inn på nytt.")  # noqa: E501
    SIGN_IN_REQUIRED = Words(Category.UNAUTHENTICATED, "Sign-in required", "This needs a caller who has signed in: send an access token.", "Krever innlogging", "Dette krever innlogging: send et tilgangstoken.")  # noqa: E501
    RATE_LIMITED = Words(Category.RATE_LIMITED, "Too many requests", "The caller has used up its points. Try again after the time in Retry-After.", "For mange forespørsler", "Du har brukt opp poengene dine. Prøv igjen etter tiden i Retry-After.")  # noqa: E501
    CLIENT_NAME_REQUIRED = Words(Category.FORBIDDEN, "Client name required", "The header ET-Client-Name must name the client as <company>-<application>.", "Krever klientnavn", "Headeren ET-Client-Name må oppgi klienten som <firma>-<applikasjon>.")  # noqa: E501
    ACCESS_REASON_INVALID = Words(BAD, "Invalid reason", "The header X-Access-Reason must be plain text with at least three letters or digits and at most 200 characters.", "Ugyldig begrunnelse", "Headeren X-Access-Reason må være ren tekst med minst tre bokstaver eller siffer og høyst 200 tegn.")  # noqa: E501
    DOCUMENT_UNKNOWN = Words(NOT_FOUND, "Unknown document", "No document with this documentId is registered with the gateway.", "Ukjent dokument", "Ingen dokument med denne documentId er registrert i tjenesten.")  # noqa: E501
    DOCUMENT_NOT_TRUSTED = Words(Category.FORBIDDEN, "Document not trusted", "The gateway only runs documents that are registered with it.", "Dokumentet er ikke godkjent", "Tjenesten kjører bare dokumenter som er registrert i den.")  # noqa: E501
    FORBIDDEN = Words(Category.FORBIDDEN, "Not allowed", "The caller may not do this.", "Ikke tillatt", "Du har ikke tilgang til dette.")  # noqa: E501
    ORGANISATION_NOT_ALLOWED = Words(Category.FORBIDDEN, "Organisation not allowed", "Only internal callers may name another organisation than their own.", "Organisasjonen er ikke tillatt", "Bare interne klienter kan oppgi en annen organisasjon enn sin egen.")  # noqa: E501
    # Pages, keys, writes
    PAGE_SIZE_INVALID = Words(BAD, "Invalid page size", "Give either first or last, from 1 to the maximum page size.", "Ugyldig sidestørrelse", "Oppgi enten first eller last, fra 1 til største sidestørrelse.")  # noqa: E501
    CURSOR_INVALID = Words(BAD, "Invalid cursor", "The cursor is damaged or was made by another query. Start again from the first page.", "Ugyldig markør", "Markøren er skadet eller laget av en annen spørring. Begynn på første side.")  # noqa: E501
    TOO_MANY_KEYS = Words(BAD, "Too many keys", "A look-up takes at most 1000 keys at a time.", "For mange nøkler", "Et oppslag tar høyst 1000 nøkler om gangen.")  # noqa: E501
    GLOBAL_ID_INVALID = Words(BAD, "Invalid id", "The id is not a global id of this graph.", "Ugyldig id", "Id-en er ikke en global id i denne grafen.")  # noqa: E501
    VERSION_CONFLICT = Words(CONFLICT, "Changed meanwhile", "Somebody else changed the object after you read it. Read the current values and try again.", "Endret i mellomtiden", "Noen andre har endret objektet etter at du leste det. Les gjeldende verdier og prøv igjen.")  # noqa: E501
    IDEMPOTENCY_KEY_INVALID = Words(BAD, "Invalid idempotency key", "An idempotency key is 1 to 100 letters, digits, '-', '_', '.' or ':'.", "Ugyldig idempotensnøkkel", "En idempotensnøkkel er 1 til 100 bokstaver, siffer, «-», «_», «.» eller «:».")  # noqa: E501
    IDEMPOTENCY_KEY_REUSED = Words(CONFLICT, "Idempotency key reused", "The idempotency key was used with another input. Use a new key for a new request.", "Idempotensnøkkelen er brukt", "Idempotensnøkkelen er brukt med andre verdier. Bruk en ny nøkkel for en ny forespørsel.")  # noqa: E501
    # Formats
    REQUIRED = Words(BAD, "Missing value", "This field needs a value; it may not be null or blank.", "Mangler verdi", "Feltet må ha en verdi og kan ikke være tomt.")  # noqa: E501
    TEXT_TOO_LONG = Words(BAD, "Text too long", "The text is longer than the field allows.", "For lang tekst", "Teksten er lengre enn feltet tillater.")  # noqa: E501
    TEXT_INVALID = Words(BAD, "Invalid text", "The text holds a character that is not allowed (such as NUL).", "Ugyldig tekst", "Teksten har et tegn som ikke er tillatt (for eksempel NUL).")  # noqa: E501
    EMAIL_INVALID = Words(BAD, "Invalid email", "The email address needs the form name@domain and at most 80 characters.", "Ugyldig e-post", "E-postadressen må ha formen navn@domene og høyst 80 tegn.")  # noqa: E501
    PHONE_NUMBER_INVALID = Words(BAD, "Invalid telephone number", "Country code (+ and digits) and number (digits only) must together be an E.164 number.", "Ugyldig telefonnummer", "Landkode (+ og siffer) og nummer (bare siffer) må til sammen være et E.164-nummer.")  # noqa: E501
    COUNTRY_CODE_INVALID = Words(BAD, "Unknown country code", "The country is not an ISO 3166-1 alpha-3 code, such as NOR.", "Ukjent landkode", "Landet er ikke en ISO 3166-1 alfa-3-kode, som NOR.")  # noqa: E501
    LANGUAGE_INVALID = Words(BAD, "Unknown language code", "The language is not an ISO 639-3 code, such as NOB.", "Ukjent språkkode", "Språket er ikke en ISO 639-3-kode, som NOB.")  # noqa: E501
    POST_CODE_INVALID = Words(BAD, "Invalid post code", "A Norwegian post code is exactly 4 digits.", "Ugyldig postnummer", "Et norsk postnummer er nøyaktig 4 siffer.")  # noqa: E501
    ECARD_NUMBER_INVALID = Words(BAD, "Invalid e-card number", "An e-card number has 10 or 16 digits and nothing else.", "Ugyldig reisekortnummer", "Et reisekortnummer har 10 eller 16 siffer og ikke noe annet.")  # noqa: E501
    UUID_INVALID = Words(BAD, "Invalid uuid", "A customer uuid is 32 letters and digits.", "Ugyldig uuid", "En kunde-uuid er 32 bokstaver og siffer.")  # noqa: E501
    DATE_INVALID = Words(BAD, "Invalid date", "The date cannot be right: a birth in the future, a death before the birth, or an erasure in the past.", "Ugyldig dato", "Datoen kan ikke stemme: fødsel i framtiden, død før fødsel eller sletting i fortiden.")  # noqa: E501
    ORGANISATION_NUMBER_INVALID = Words(BAD, "Invalid organisation number", "A Norwegian organisation number has 9 digits with a valid check digit.", "Ugyldig organisasjonsnummer", "Et norsk organisasjonsnummer har 9 siffer med gyldig kontrollsiffer.")  # noqa: E501
    # Customers
    CUSTOMER_NOT_FOUND = Words(NOT_FOUND, "Unknown customer", "There is no such customer that the caller may change.", "Ukjent kunde", "Det finnes ingen slik kunde som du kan endre.")  # noqa: E501
    CUSTOMER_MERGED = Words(CONFLICT, "Customer is merged", "The customer has been merged into another; change that one.", "Kunden er slått sammen", "Kunden er slått sammen med en annen; endre den.")  # noqa: E501
    CUSTOMER_DELETED = Words(CONFLICT, "Customer is deleted", "The customer is deleted. Restore it first.", "Kunden er slettet", "Kunden er slettet. Gjenopprett den først.")  # noqa: E501
    CUSTOMER_NOT_DELETED = Words(CONFLICT, "Customer is not deleted", "Only a deleted customer can be restored.", "Kunden er ikke slettet", "Bare en slettet kunde kan gjenopprettes.")  # noqa: E501
    EMAIL_TAKEN = Words(CONFLICT, "Email in use", "Another customer of the organisation has this email.", "E-posten er i bruk", "En annen kunde i organisasjonen har denne e-posten.")  # noqa: E501
    CUSTOMER_REF_TAKEN = Words(CONFLICT, "Customer reference in use", "Another customer of the organisation has this reference.", "Kundereferansen er i bruk", "En annen kunde i organisasjonen har denne referansen.")  # noqa: E501
    POSTAL_ADDRESS_NOT_FOUND = Words(NOT_FOUND, "Unknown address", "The customer has no address with this id.", "Ukjent adresse", "Kunden har ingen adresse med denne id-en.")  # noqa: E501
    TOO_MANY_POSTAL_ADDRESSES = Words(CONFLICT, "Too many addresses", "A customer may have at most 50 addresses.", "For mange adresser", "En kunde kan ha høyst 50 adresser.")  # noqa: E501
    CUSTOMER_NOT_ACTIVE = Words(CONFLICT, "Customer is not active", "This can be done with an active customer only.", "Kunden er ikke aktiv", "Dette kan bare gjøres med en aktiv kunde.")  # noqa: E501
    PROFILE_TYPE_NOT_ALLOWED = Words(CONFLICT, "Type of profile not allowed", "This cannot be done with a profile of this type.", "Profiltypen er ikke tillatt", "Dette kan ikke gjøres med en profil av denne typen.")  # noqa: E501
    SAME_CUSTOMER = Words(BAD, "The same customer twice", "Both numbers lead to the same customer.", "Samme kunde to ganger", "Begge numrene fører til samme kunde.")  # noqa: E501
    OTHER_ORGANISATION = Words(CONFLICT, "Of another organisation", "Both customers must be of the same organisation.", "Fra en annen organisasjon", "Begge kundene må tilhøre samme organisasjon.")  # noqa: E501
    EXACTLY_ONE_NEEDED = Words(BAD, "Exactly one needed", "Exactly one of these fields must be given.", "Nøyaktig ett kreves", "Nøyaktig ett av disse feltene må oppgis.")  # noqa: E501
    DATES_REVERSED = Words(BAD, "Dates reversed", "The later date or time lies before the earlier one.", "Datoene er byttet om", "Den seneste datoen eller tiden ligger før den tidligste.")  # noqa: E501
    ALREADY_CONNECTED = Words(CONFLICT, "Already connected", "The customer is already connected to a profile, or profiles would be connected in a circle.", "Allerede tilknyttet", "Kunden er allerede tilknyttet en profil, eller profiler ville bli tilknyttet i ring.")  # noqa: E501
    MERGE_NOT_FOUND = Words(NOT_FOUND, "Unknown merge", "The customer has not been merged, or the merge was undone.", "Ukjent sammenslåing", "Kunden er ikke slått sammen, eller sammenslåingen er angret.")  # noqa: E501
    MERGE_TOO_OLD = Words(CONFLICT, "Merge is too old", "The merge lies too far back to be undone.", "Sammenslåingen er for gammel", "Sammenslåingen ligger for langt tilbake til å kunne angres.")  # noqa: E501
    MERGE_NOT_LAST = Words(CONFLICT, "A later merge stands in the way", "The profiles were merged again since. Undo the later merge first.", "En senere sammenslåing er i veien", "Profilene er slått sammen igjen siden. Angre den siste sammenslåingen først.")  # noqa: E501
    CUSTOMER_CHANGED_SINCE = Words(CONFLICT, "Changed since", "What was moved has been changed since in a way that cannot be undone.", "Endret siden", "Det som ble flyttet, er siden endret på en måte som ikke kan angres.")  # noqa: E501
    # What hangs on customers
    PREFERENCE_NOT_FOUND = Words(NOT_FOUND, "Unknown preference", "The organisation has no preference with this id.", "Ukjent preferanse", "Organisasjonen har ingen preferanse med denne id-en.")  # noqa: E501
    PREFERENCE_CODE_TAKEN = Words(CONFLICT, "Preference code in use", "The organisation already has a preference with this code.", "Preferansekoden er i bruk", "Organisasjonen har allerede en preferanse med denne koden.")  # noqa: E501
    PREFERENCE_INACTIVE = Words(BAD, "Preference is not active", "The preference cannot be chosen any more.", "Preferansen er ikke aktiv", "Preferansen kan ikke velges lenger.")  # noqa: E501
    PREFERENCE_REPEATED = Words(BAD, "Preference given twice", "The list has the same preference more than once.", "Preferansen er oppgitt to ganger", "Listen har samme preferanse mer enn én gang.")  # noqa: E501
    PREFERENCE_ALREADY_CHOSEN = Words(CONFLICT, "Preference already chosen", "The customer already has this preference.", "Preferansen er allerede valgt", "Kunden har allerede denne preferansen.")  # noqa: E501
    PREFERENCE_NOT_CHOSEN = Words(NOT_FOUND, "Preference not chosen", "The customer does not have this preference.", "Preferansen er ikke valgt", "Kunden har ikke denne preferansen.")  # noqa: E501
    PREFERENCE_ID_MISMATCH = Words(BAD, "Another preference id", "The two ids of the preference differ.", "En annen preferanse-id", "De to id-ene for preferansen er forskjellige.")  # noqa: E501
    TOO_MANY_PREFERENCES = Words(CONFLICT, "Too many preferences", "There may be at most 100 preferences.", "For mange preferanser", "Det kan være høyst 100 preferanser.")  # noqa: E501
    ECARD_NOT_FOUND = Words(NOT_FOUND, "Unknown e-card", "No customer that the caller may see owns this e-card.", "Ukjent reisekort", "Ingen kunde du har tilgang til, eier dette reisekortet.")  # noqa: E501
    ECARD_OWNED = Words(CONFLICT, "E-card has an owner", "The e-card has an owner. Move it with updateEcard.", "Reisekortet har en eier", "Reisekortet har en eier. Flytt det med updateEcard.")  # noqa: E501
    ECARD_PARTS_DISAGREE = Words(BAD, "Parts of the number disagree", "The 16 digits are not those of the operator, the number and a control digit.", "Delene av nummeret stemmer ikke", "De 16 sifrene består ikke av operatøren, nummeret og et kontrollsiffer.")  # noqa: E501
    ECARD_DIGIT_INVALID = Words(BAD, "Wrong control digit", "The last of the 16 digits is not the control digit of the others.", "Feil kontrollsiffer", "Det siste av de 16 sifrene er ikke kontrollsifferet for de andre.")  # noqa: E501
    TOO_MANY_ECARDS = Words(CONFLICT, "Too many e-cards", "A customer may have at most 100 e-cards, given-up ones included.", "For mange reisekort", "En kunde kan ha høyst 100 reisekort, medregnet de som er gitt opp.")  # noqa: E501
    TOO_MANY_CONSENTS = Words(CONFLICT, "Too many consents", "A customer may have answered at most 100 consents.", "For mange samtykker", "En kunde kan ha svart på høyst 100 samtykker.")  # noqa: E501
    NOTE_NOT_FOUND = Words(NOT_FOUND, "Unknown note", "The customer has no note with this id.", "Ukjent notat", "Kunden har ikke noe notat med denne id-en.")  # noqa: E501
    TOO_MANY_NOTES = Words(CONFLICT, "Too many notes", "A customer may have at most 500 notes.", "For mange notater", "En kunde kan ha høyst 500 notater.")  # noqa: E501
    CUSTOMER_ACCOUNT_NOT_FOUND = Words(NOT_FOUND, "Unknown account", "The customer has no account with this id.", "Ukjent konto", "Kunden har ingen konto med denne id-en.")  # noqa: E501
    CUSTOMER_ACCOUNT_TAKEN = Words(CONFLICT, "Account already there", "The customer already has this account.", "Kontoen finnes allerede", "Kunden har allerede denne kontoen.")  # noqa: E501
    TOO_MANY_CUSTOMER_ACCOUNTS = Words(CONFLICT, "Too many accounts", "A customer may have at most 50 accounts.", "For mange kontoer", "En kunde kan ha høyst 50 kontoer.")  # noqa: E501
    # Signing in
    CREDENTIALS_INVALID = Words(BAD, "Wrong user name or password", "The user name or the password is wrong.", "Feil brukernavn eller passord", "Brukernavnet eller passordet er feil.")  # noqa: E501
    SIGN_IN_LOCKED = Words(Category.RATE_LIMITED, "Locked for a while", "Signing in has failed too often. Try again later.", "Sperret en stund", "Innlogging har mislyktes for ofte. Prøv igjen senere.")  # noqa: E501
    # Personnel
    COMPANY_NOT_FOUND = Words(NOT_FOUND, "Unknown company", "There is no such company that the caller may see.", "Ukjent selskap", "Det finnes ikke noe slikt selskap som du har tilgang til.")  # noqa: E501
    COMPANY_DELETED = Words(CONFLICT, "Company is deleted", "Nothing can be added to a deleted company.", "Selskapet er slettet", "Ingenting kan legges til et slettet selskap.")  # noqa: E501
    EMPLOYEE_NOT_FOUND = Words(NOT_FOUND, "Unknown employee", "There is no such employee that the caller may see.", "Ukjent ansatt", "Det finnes ingen slik ansatt som du har tilgang til.")  # noqa: E501
    EMPLOYEE_DELETED = Words(CONFLICT, "Employee is deleted", "The employee is marked for deletion.", "Den ansatte er slettet", "Den ansatte er merket for sletting.")  # noqa: E501
    EMPLOYEE_NO_TAKEN = Words(CONFLICT, "Employee number in use", "Another employee of the company has this number.", "Ansattnummeret er i bruk", "En annen ansatt i selskapet har dette nummeret.")  # noqa: E501
    FAMILY_MEMBER_NOT_FOUND = Words(NOT_FOUND, "Unknown family member", "There is no such family member that the caller may see.", "Ukjent familiemedlem", "Det finnes ikke noe slikt familiemedlem som du har tilgang til.")  # noqa: E501
    HOLDER_NOT_FAMILY = Words(CONFLICT, "Not of the family", "The family member does not belong to this employee.", "Ikke i familien", "Familiemedlemmet hører ikke til denne ansatte.")  # noqa: E501
    SSN_INVALID = Words(BAD, "Invalid social security number", "The last part of a social security number is 5 digits.", "Ugyldig personnummer", "Et personnummer er 5 siffer.")  # noqa: E501
    PERCENTAGE_INVALID = Words(BAD, "Invalid percentage", "A percentage is a whole number from 0 to 100.", "Ugyldig prosent", "En prosent er et helt tall fra 0 til 100.")  # noqa: E501
    CODE_UNKNOWN = Words(BAD, "Unknown code", "The code is not in the code list, or is deleted there.", "Ukjent kode", "Koden finnes ikke i kodelisten, eller er slettet der.")  # noqa: E501
    CODE_TAKEN = Words(CONFLICT, "Code in use", "The code list already has this code.", "Koden er i bruk", "Kodelisten har allerede denne koden.")  # noqa: E501
    YEAR_NOT_ALLOWED = Words(BAD, "Year not allowed", "Only the current and the next year can be set.", "Året er ikke tillatt", "Bare inneværende og neste år kan settes.")  # noqa: E501
    MONTH_INVALID = Words(BAD, "Invalid month", "A month is a year and a number from 1 to 12, and has begun.", "Ugyldig måned", "En måned er et år og et tall fra 1 til 12, og har begynt.")  # noqa: E501
    LOCAL_EMPLOYEES_NOT_ALLOWED = Words(CONFLICT, "Local employees not allowed", "The company does not allow local employees.", "Lokalt ansatte er ikke tillatt", "Selskapet tillater ikke lokalt ansatte.")  # noqa: E501
    E_TICKETS_NOT_ALLOWED = Words(CONFLICT, "E-tickets not allowed", "The company does not allow e-tickets.", "E-billetter er ikke tillatt", "Selskapet tillater ikke e-billetter.")  # noqa: E501
    PRODUCT_NOT_FOUND = Words(NOT_FOUND, "Unknown product", "There is no personnel ticket product with this id that is valid then.", "Ukjent produkt", "Det finnes ikke noe personalbillettprodukt med denne id-en som gjelder da.")  # noqa: E501
    TICKET_TYPE_NOT_FOUND = Words(NOT_FOUND, "Unknown ticket type", "There is no ticket type with this id, or it is deleted.", "Ukjent billettype", "Det finnes ingen billettype med denne id-en, eller den er slettet.")  # noqa: E501
    STATION_PAIRS_NOT_ALLOWED = Words(CONFLICT, "Station pairs not allowed", "The ticket type cannot have station pairs.", "Stasjonspar er ikke tillatt", "Billettypen kan ikke ha stasjonspar.")  # noqa: E501
    STATIONS_EQUAL = Words(BAD, "The same station twice", "A station pair has two different stations.", "Samme stasjon to ganger", "Et stasjonspar har to forskjellige stasjoner.")  # noqa: E501
    STATION_NOT_FOUND = Words(NOT_FOUND, "Unknown station", "There is no station with this id.", "Ukjent stasjon", "Det finnes ingen stasjon med denne id-en.")  # noqa: E501
    NETEX_ID_INVALID = Words(BAD, "Invalid NeTEx id", "A NeTEx id has the form AAA:Type:value.", "Ugyldig NeTEx-id", "En NeTEx-id har formen AAA:Type:verdi.")  # noqa: E501
    MANUAL_ORDER_NOT_FOUND = Words(NOT_FOUND, "Unknown manual order", "There is no such manual order that the caller may see, or it is deleted.", "Ukjent manuell bestilling", "Det finnes ingen slik manuell bestilling som du har tilgang til, eller den er slettet.")  # noqa: E501
    TICKET_RIGHT_NOT_FOUND = Words(NOT_FOUND, "Unknown ticket right", "There is no such ticket right that the caller may see.", "Ukjent billettrettighet", "Det finnes ingen slik billettrettighet som du har tilgang til.")  # noqa: E501
    TICKET_RIGHT_OVERLAPS = Words(CONFLICT, "Ticket rights overlap", "The holder has a right to this ticket type in a part of this time already.", "Overlappende rettigheter", "Innehaveren har allerede rett til denne billettypen i deler av denne tiden.")  # noqa: E501
    HOLDER_ABSTAINS = Words(CONFLICT, "Holder has opted out", "The holder has opted out of personnel tickets.", "Innehaveren har reservert seg", "Innehaveren har reservert seg mot personalbilletter.")  # noqa: E501
    HOLDER_HAS_LEFT = Words(CONFLICT, "Employee has left", "The employee has left, or is deleted, and gets no new ticket right.", "Den ansatte har sluttet", "Den ansatte har sluttet eller er slettet og får ingen ny billettrettighet.")  # noqa: E501
    CALCULATION_RUNNING = Words(CONFLICT, "Rights are being calculated", "The ticket rights of this company are being changed. Try again when that is done.", "Rettighetene beregnes", "Billettrettighetene i dette selskapet er under endring. Prøv igjen når det er ferdig.")  # noqa: E501
    RULE_NOT_FOUND = Words(NOT_FOUND, "Unknown rule", "There is no rule with this id.", "Ukjent regel", "Det finnes ingen regel med denne id-en.")  # noqa: E501
    RULE_NAME_TAKEN = Words(CONFLICT, "Rule name in use", "Another rule has this name.", "Regelnavnet er i bruk", "En annen regel har dette navnet.")  # noqa: E501
    RULE_CONTRADICTS_ITSELF = Words(BAD, "Rule that nobody can meet", "No employee and no family member could meet all conditions of the rule.", "Regel som ingen kan oppfylle", "Ingen ansatte eller familiemedlemmer kan oppfylle alle vilkårene i regelen.")  # noqa: E501
    CSV_INVALID = Words(BAD, "Not a readable CSV", "The text is not a CSV in UTF-8 with a line of column names.", "Ikke en lesbar CSV", "Teksten er ikke en CSV i UTF-8 med en linje med kolonnenavn.")  # noqa: E501
    COLUMN_MISSING = Words(BAD, "Column missing", "The CSV lacks a column that is needed.", "Kolonne mangler", "CSV-en mangler en kolonne som trengs.")  # noqa: E501
    TOO_MANY_ROWS = Words(BAD, "Too many rows", "An import takes at most 100,000 rows.", "For mange rader", "En import tar høyst 100 000 rader.")  # noqa: E501
    IMPORT_RUNNING = Words(CONFLICT, "Import is running", "Another import of this company is running.", "Importen pågår", "En annen import for dette selskapet pågår.")  # noqa: E501
    IMPORT_NOT_FOUND = Words(NOT_FOUND, "Unknown import", "There is no such import that the caller may see.", "Ukjent import", "Det finnes ingen slik import som du har tilgang til.")  # noqa: E501
    REPORT_RUNNING = Words(CONFLICT, "Report is being made", "The report of this month is being made.", "Rapporten lages", "Rapporten for denne måneden er under arbeid.")  # noqa: E501
    # Loyalty
    LOYALTY_PROGRAM_NOT_FOUND = Words(NOT_FOUND, "Unknown loyalty program", "There is no such loyalty program that the caller may see.", "Ukjent lojalitetsprogram", "Det finnes ikke et slikt lojalitetsprogram som du kan se.")  # noqa: E501
    LOYALTY_PROGRAM_TYPE_NOT_ALLOWED = Words(CONFLICT, "Type of program not allowed", "This cannot be done with a loyalty program of this type.", "Programtypen er ikke tillatt", "Dette kan ikke gjøres med et lojalitetsprogram av denne typen.")  # noqa: E501
    LOYALTY_PROGRAM_NOT_CURRENT = Words(CONFLICT, "Program is not current", "The loyalty program has not started, or has ended.", "Programmet er ikke gjeldende", "Lojalitetsprogrammet har ikke startet, eller er avsluttet.")  # noqa: E501
    LOYALTY_PROGRAM_CODE_TAKEN = Words(CONFLICT, "Program code in use", "Another loyalty program of the organisation has this code.", "Programkoden er i bruk", "Et annet lojalitetsprogram i organisasjonen har denne koden.")  # noqa: E501
    PRODUCT_TAKEN = Words(CONFLICT, "Product in use", "The product belongs to another loyalty program.", "Produktet er i bruk", "Produktet tilhører et annet lojalitetsprogram.")  # noqa: E501
    COUPON_CONFIG_REQUIRED = Words(BAD, "Coupon configuration missing", "A program of coupons needs a coupon configuration.", "Kupongoppsett mangler", "Et kupongprogram må ha et kupongoppsett.")  # noqa: E501
    COUPON_CONFIG_NOT_ALLOWED = Words(BAD, "Coupon configuration not allowed", "Only a program of coupons has a coupon configuration or a number of coupons.", "Kupongoppsett er ikke tillatt", "Bare et kupongprogram har kupongoppsett eller et antall kuponger.")  # noqa: E501
    DURATION_INVALID = Words(BAD, "Invalid duration", "A duration is ISO 8601 with days, hours, minutes and seconds only, such as P3DT12H30M5S, and not zero.", "Ugyldig varighet", "En varighet er ISO 8601 med bare dager, timer, minutter og sekunder, som P3DT12H30M5S, og ikke null.")  # noqa: E501
    DURATION_NOT_ALLOWED = Words(BAD, "Duration not allowed", "A program of coupons has its duration in the coupon configuration.", "Varighet er ikke tillatt", "Et kupongprogram har varigheten i kupongoppsettet.")  # noqa: E501
    TIME_OF_DAY_INVALID = Words(BAD, "Invalid time of day", "A time of day is HH:MM or HH:MM:SS.", "Ugyldig klokkeslett", "Et klokkeslett er HH:MM eller HH:MM:SS.")  # noqa: E501
    VERSION_START_INVALID = Words(CONFLICT, "Version starts at a wrong time", "A new version starts after the one before it, not in the past, and not after the end of the program.", "Versjonen starter på feil tidspunkt", "En ny versjon starter etter den forrige, ikke i fortiden og ikke etter programmets slutt.")  # noqa: E501
    CONTRACT_NOT_FOUND = Words(NOT_FOUND, "Unknown contract", "There is no such contract that the caller may see.", "Ukjent kontrakt", "Det finnes ingen slik kontrakt som du kan se.")  # noqa: E501
    CONTRACT_NOT_VALID = Words(CONFLICT, "Contract is not valid", "The contract was refunded, cancelled or misused.", "Kontrakten er ikke gyldig", "Kontrakten er refundert, kansellert eller misbrukt.")  # noqa: E501
    CONTRACT_NOT_YET_CONSUMABLE = Words(CONFLICT, "Contract cannot be used yet", "The contract can be used from a later time on.", "Kontrakten kan ikke brukes ennå", "Kontrakten kan først brukes på et senere tidspunkt.")  # noqa: E501
    CONTRACT_EXPIRED = Words(CONFLICT, "Contract has expired", "The contract, or its loyalty program, has ended.", "Kontrakten er utløpt", "Kontrakten eller lojalitetsprogrammet er avsluttet.")  # noqa: E501
    CONTRACT_ALREADY_ACCEPTED = Words(CONFLICT, "Contract already accepted", "The contract has been accepted before.", "Kontrakten er allerede akseptert", "Kontrakten er akseptert tidligere.")  # noqa: E501
    CONTRACT_STATUS_FINAL = Words(CONFLICT, "Status cannot be changed", "A contract that was refunded, cancelled or misused stays so.", "Statusen kan ikke endres", "En kontrakt som er refundert, kansellert eller misbrukt, forblir det.")  # noqa: E501
    CONTRACT_ALREADY_CLAIMED = Words(CONFLICT, "Contract has a holder", "The contract already has a holder.", "Kontrakten har en innehaver", "Kontrakten har allerede en innehaver.")  # noqa: E501
    NOT_A_CONSUMER = Words(CONFLICT, "Not a consumer", "The customer is not a consumer of the contract.", "Ikke bruker av kontrakten", "Kunden er ikke bruker av kontrakten.")  # noqa: E501
    ALREADY_A_CONSUMER = Words(CONFLICT, "Already a consumer", "The customer is a consumer of the contract already.", "Allerede bruker av kontrakten", "Kunden er allerede bruker av kontrakten.")  # noqa: E501
    CONSUMER_BLOCKED = Words(CONFLICT, "Consumer is blocked", "The customer may not use the contract.", "Brukeren er sperret", "Kunden kan ikke bruke kontrakten.")  # noqa: E501
    CONSUMER_NOT_BLOCKED = Words(CONFLICT, "Consumer is not blocked", "Only a blocked consumer can be unblocked.", "Brukeren er ikke sperret", "Bare en sperret bruker kan åpnes igjen.")  # noqa: E501
    CONTRACT_HOLDER_NEEDED = Words(CONFLICT, "The holder stays", "The holder of a contract cannot be blocked or added again.", "Innehaveren består", "Innehaveren av en kontrakt kan ikke sperres eller legges til på nytt.")  # noqa: E501
    NOT_THE_CONTRACT_HOLDER = Words(Category.FORBIDDEN, "Not the holder", "Only the holder of the contract may do this.", "Ikke innehaveren", "Bare innehaveren av kontrakten kan gjøre dette.")  # noqa: E501
    TOO_MANY_CONSUMERS = Words(CONFLICT, "Too many consumers", "A contract may have at most 100 consumers.", "For mange brukere", "En kontrakt kan ha høyst 100 brukere.")  # noqa: E501
    POLICY_REPEATED = Words(BAD, "Policy given twice", "The list has the same key more than once.", "Vilkåret er oppgitt to ganger", "Listen har samme nøkkel mer enn én gang.")  # noqa: E501
    CLAIM_REFUSED = Words(NOT_FOUND, "Nothing to claim", "There is nothing that the customer can claim with this code.", "Ingenting å hente", "Det finnes ikke noe som kunden kan hente med denne koden.")  # noqa: E501
    CLAIM_CODE_INVALID = Words(BAD, "Invalid code", "A code to claim a personnel ticket with has the form text-text-text and at most 64 characters.", "Ugyldig kode", "En kode for å hente en personalbillett har formen tekst-tekst-tekst og høyst 64 tegn.")  # noqa: E501
    CLAIM_LOCKED = Words(Category.RATE_LIMITED, "Claiming is locked", "Claiming has failed too often. Try again later.", "Henting er sperret", "Det er gjort for mange forsøk. Prøv igjen senere.")  # noqa: E501
    PRODUCT_MISMATCH = Words(CONFLICT, "Another product", "The product is not that of the contract.", "Et annet produkt", "Produktet er ikke kontraktens.")  # noqa: E501
    PRODUCT_VERSION_MISMATCH = Words(CONFLICT, "Another product version", "The version of the product is not that of the contract.", "En annen produktversjon", "Versjonen av produktet er ikke kontraktens.")  # noqa: E501
    COUPONS_INVALID = Words(BAD, "Invalid number of coupons", "A number of coupons is a whole number from 1 to 10,000.", "Ugyldig antall kuponger", "Et antall kuponger er et heltall fra 1 til 10 000.")  # noqa: E501
    TOO_FEW_COUPONS = Words(CONFLICT, "Too few coupons", "The contract has too few coupons left in the year of travel.", "For få kuponger", "Kontrakten har for få kuponger igjen i reiseåret.")  # noqa: E501
    TOO_MANY_CONSUMPTIONS = Words(BAD, "Too many consumptions", "At most 100 consumptions are validated at a time.", "For mange bruk", "Høyst 100 bruk kontrolleres om gangen.")  # noqa: E501
    ORDER_LINE_CONFLICT = Words(CONFLICT, "Order line is known", "The order line was registered with other values.", "Ordrelinjen er kjent", "Ordrelinjen er registrert med andre verdier.")  # noqa: E501
    PURCHASE_NOT_FOUND = Words(NOT_FOUND, "Unknown purchase", "The contract has no purchase with this order line.", "Ukjent kjøp", "Kontrakten har ikke noe kjøp med denne ordrelinjen.")  # noqa: E501
    ALREADY_CANCELLED = Words(CONFLICT, "Already cancelled", "The purchase has been cancelled before.", "Allerede kansellert", "Kjøpet er kansellert tidligere.")  # noqa: E501
    FIELD_NOT_ALLOWED = Words(BAD, "Field not allowed here", "This field is for another kind of event.", "Feltet er ikke tillatt her", "Feltet gjelder en annen type hendelse.")  # noqa: E501
    RESERVATION_NOT_FOUND = Words(NOT_FOUND, "Unknown reservation", "There is no such reservation that the caller may see.", "Ukjent reservasjon", "Det finnes ingen slik reservasjon som du kan se.")  # noqa: E501
    RESERVATION_EXPIRED = Words(CONFLICT, "Reservation has expired", "The reservation was not captured in time.", "Reservasjonen er utløpt", "Reservasjonen ble ikke brukt i tide.")  # noqa: E501
    RESERVATION_SETTLED = Words(CONFLICT, "Reservation is settled", "The reservation has been captured or released before.", "Reservasjonen er gjort opp", "Reservasjonen er brukt eller frigitt tidligere.")  # noqa: E501
    AMOUNT_INVALID = Words(BAD, "Invalid amount", "An amount is text with digits, a point and exactly two decimals, such as 123.34, above zero and below ten million million.", "Ugyldig beløp", "Et beløp er tekst med siffer, punktum og nøyaktig to desimaler, som 123.34, over null og under ti billioner.")  # noqa: E501
    CURRENCY_INVALID = Words(BAD, "Invalid currency", "A currency is three capital letters, such as NOK.", "Ugyldig valuta", "En valuta er tre store bokstaver, som NOK.")  # noqa: E501
    CURRENCY_MISMATCH = Words(CONFLICT, "Another currency", "All transactions of a contract have the currency of the first one.", "En annen valuta", "Alle transaksjoner på en kontrakt har samme valuta som den første.")  # noqa: E501
    TOTAL_TOO_LOW = Words(CONFLICT, "Too little left", "The contract has less than this left.", "For lite igjen", "Kontrakten har mindre enn dette igjen.")  # noqa: E501
    TOTAL_TOO_HIGH = Words(CONFLICT, "Too much", "The contract cannot have this much.", "For mye", "Kontrakten kan ikke ha så mye.")  # noqa: E501
    NOT_A_POINTS_CONTRACT = Words(CONFLICT, "Not a contract of points", "Only a contract of a POINTS program has transactions.", "Ikke en poengkontrakt", "Bare en kontrakt i et poengprogram har transaksjoner.")  # noqa: E501
    TRANSACTION_NOT_FOUND = Words(NOT_FOUND, "Unknown transaction", "There is no such transaction that the caller may see.", "Ukjent transaksjon", "Det finnes ingen slik transaksjon som du kan se.")  # noqa: E501
    ALREADY_REVERSED = Words(CONFLICT, "Already reversed", "The transaction has been reversed before.", "Allerede reversert", "Transaksjonen er reversert tidligere.")  # noqa: E501
    REVERSAL_NOT_ALLOWED = Words(CONFLICT, "Cannot be reversed", "A reversal cannot itself be reversed.", "Kan ikke reverseres", "En reversering kan ikke selv reverseres.")  # noqa: E501
    REVERSAL_TOO_LARGE = Words(BAD, "More than the transaction", "A reversal is at most as large as the transaction.", "Større enn transaksjonen", "En reversering er høyst like stor som transaksjonen.")  # noqa: E501
    ALREADY_ACTIVATED = Words(CONFLICT, "Already activated", "The customer holds a contract of this loyalty program that can be used.", "Allerede aktivert", "Kunden har allerede en gyldig kontrakt i dette lojalitetsprogrammet.")  # noqa: E501
    # fmt: on

    @property
    def category(self) -> Category:
        return self.value.category


@dataclass(frozen=True, slots=True)
class UserError:
    """One reason for a refusal: its code, the path of the input field it is about (from `input`'s own fields on, list
    positions as digits) and the values that were rejected, never those of secret fields."""

    code: ErrorCode
    path: tuple[str, ...] = ()
    rejected_values: tuple[str, ...] = ()
    message: str = ""

    def at(self, *prefix: str) -> Self:
        """The same error, seen from an enclosing input object."""
        return type(self)(self.code, (*prefix, *self.path), self.rejected_values, self.message)


class Refused(Exception):
    """Raised by a resolver when a rule forbids what was asked; nothing is written then.

    `current` is the stored object where the caller needs it to try again (a version conflict).
    """

    def __init__(self, *errors: UserError, current: object = None) -> None:
        super().__init__(", ".join(error.code.name for error in errors))
        self.errors: Sequence[UserError] = errors
        self.current = current


def refuse(
    code: ErrorCode, *path: str, rejected: Sequence[object] = (), message: str = "", current: object = None
) -> Refused:
    """A `Refused` with one error: `raise refuse(ErrorCode.EMAIL_TAKEN, "email", rejected=[email])`.

    Rejected values are cut to 200 characters; those with a control character or a lone surrogate are left out: they
    should not go into an answer or a log.
    """
    quoted = [str(value)[:200] for value in rejected]
    return Refused(UserError(code, path, tuple(filter(str.isprintable, quoted)), message), current=current)
