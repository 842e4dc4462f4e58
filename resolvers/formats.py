"""The formats of single values: text in, the value as it is stored out, or `Refused` without a path.

Every function bounds the length of its text before anything else looks at it (H5). Digits are ASCII digits (H2). No
pattern has a quantifier inside a quantifier, all are matched in full (H1, H3). What people type is trimmed; identifiers
(uuid, e-card number, organisation number) are taken exactly as they are.
"""

import re
import secrets
import string
from datetime import date, timedelta

import phonenumbers
from iso3166 import countries_by_alpha3

from datastore.text import email_key, nfc
from resolvers.errors import ErrorCode, Refused, refuse

EMAIL_LENGTH = 80
PHONE_LENGTH = 20
POST_CODE_LENGTH = 10

UNSTORABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and lone surrogates: no database or no JSON takes them all."""
UNSTORABLE_IN_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""The same but for tabs and line feeds."""


def clean(text: str, max_length: int) -> str:
    """`text` trimmed and in NFC (H5); "" for a blank one.

    Refuses TEXT_TOO_LONG (more than `max_length` characters) and TEXT_INVALID (a control character inside, line breaks
    and tabs too, or a lone surrogate).
    """
    return _cleaned(text, max_length, UNSTORABLE)


def clean_lines(text: str, max_length: int) -> str:
    """As `clean`, but tabs and line breaks are allowed inside; each line break, however it came, is one `\\n`."""
    return _cleaned(text.replace("\r\n", "\n").replace("\r", "\n"), max_length, UNSTORABLE_IN_LINES)


def email(text: str) -> str:
    """An email address, trimmed and in NFC, its case kept (C12, H4).

    Refuses EMAIL_INVALID unless it is name@domain with exactly one @, a domain of two or more labels of letters, digits
    and hyphens between dots, no space, invisible character or separator of address lists, and at most 80 characters
    (in the form of `email_key`, too). Letters such as æøå are allowed everywhere.
    """
    trimmed = text.strip()
    address = nfc(trimmed) if len(trimmed) <= 4 * EMAIL_LENGTH else ""
    local, _, domain = address.partition("@")
    labels = domain.split(".")
    if (
        len(address) > EMAIL_LENGTH
        or not address.isprintable()
        or any(character in ' ()<>[]:;,\\"' for character in local)
        or not local
        or len(labels) < 2
        or not all(label.replace("-", "").isalnum() for label in labels)
        or len(email_key(address)) > EMAIL_LENGTH
    ):
        raise _refused(ErrorCode.EMAIL_INVALID, text)
    return address


def phone(country_code: str, number: str) -> tuple[str, str]:
    """Country code ("+47") and national number (digits only), together an E.164 number (C20, C22); both trimmed.

    Refuses PHONE_NUMBER_INVALID: another form, a country code that does not exist, more than 15 digits, or a number
    that is not possible in that country. A national trunk prefix goes away, as E.164 asks: ("+46", "0701234567") gives
    ("+46", "701234567").

    Possible (the country has numbers of that length), not valid (in a series that is in use): series are opened every
    month, and a pinned copy of the numbering plans would refuse real customers.
    """
    code, digits = country_code.strip(), number.strip()
    if re.fullmatch(r"\+[1-9][0-9]{0,2}", code) and re.fullmatch("[0-9]{1,15}", digits):
        try:
            parsed = phonenumbers.parse(code + digits)
        except phonenumbers.NumberParseException:
            raise _refused(ErrorCode.PHONE_NUMBER_INVALID, country_code, number) from None
        national = phonenumbers.national_significant_number(parsed)
        possible = phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
        if possible and code == f"+{parsed.country_code}" and len(code) + len(national) <= 1 + 15:
            return code, national
    raise _refused(ErrorCode.PHONE_NUMBER_INVALID, country_code, number)


def legacy_phone(text: str) -> str:
    """The deprecated whole telephone number (C21): digits, spaces and a leading +; the spaces go away.

    Refuses PHONE_NUMBER_INVALID: anything else in it, no digit, or more than 20 characters without the spaces.
    """
    compact = text.replace(" ", "") if len(text) <= 2 * PHONE_LENGTH else ""
    if len(compact) > PHONE_LENGTH or not re.fullmatch(r"\+?[0-9]{1,20}", compact):
        raise _refused(ErrorCode.PHONE_NUMBER_INVALID, text)
    return compact


def landline(text: str) -> str:
    """The landline number (C20), of which the sources say no more than of the deprecated number: see `legacy_phone`."""
    return legacy_phone(text)


def alpha3(text: str) -> str:
    """An ISO 3166-1 alpha-3 country code in capitals, trimmed (C13, C81). Refuses COUNTRY_CODE_INVALID."""
    code = _three_letters(text)
    if code.upper() not in countries_by_alpha3:
        raise _refused(ErrorCode.COUNTRY_CODE_INVALID, text)
    return code.upper()


def language(text: str) -> str:
    """An ISO 639-3 language code in capitals, trimmed (C13). Refuses LANGUAGE_INVALID.

    The first call reads the code table (a tenth of a second, 11 MB): the gateway calls it once when it starts.
    """
    from iso639 import is_language

    code = _three_letters(text)
    if not is_language(code.lower(), "pt3"):
        raise _refused(ErrorCode.LANGUAGE_INVALID, text)
    return code.upper()


def post_code(country_alpha3: str, text: str) -> str:
    """A post code, trimmed, in a country whose code has passed `alpha3` (C81, F06). Leading zeros stay.

    Refuses POST_CODE_INVALID (in NOR: anything but 4 digits), for other countries REQUIRED (blank), TEXT_TOO_LONG (over
    10 characters) or TEXT_INVALID.
    """
    if country_alpha3 == "NOR":
        if not re.fullmatch("[0-9]{4}", text.strip()):
            raise _refused(ErrorCode.POST_CODE_INVALID, text)
        return text.strip()
    code = clean(text, POST_CODE_LENGTH)
    if not code:
        raise refuse(ErrorCode.REQUIRED)
    return code


def ecard_number(text: str) -> str:
    """An e-card number of exactly 10 or 16 digits (C71). Refuses ECARD_NUMBER_INVALID."""
    return _exactly("[0-9]{10}|[0-9]{16}", text, ErrorCode.ECARD_NUMBER_INVALID)


def ecard_number_10digits(text: str) -> str:
    """The number that a card has with its operator: exactly 10 digits (C72). Refuses ECARD_NUMBER_INVALID."""
    return _exactly("[0-9]{10}", text, ErrorCode.ECARD_NUMBER_INVALID, "This number has exactly 10 digits.")


def ecard_number_16digits(text: str) -> str:
    """The number that is printed on a card: exactly 16 digits (C72). Refuses ECARD_NUMBER_INVALID."""
    return _exactly("[0-9]{16}", text, ErrorCode.ECARD_NUMBER_INVALID, "This number has exactly 16 digits.")


def ecard_operator(text: str) -> str:
    """An operator of e-cards: 1 to 10 digits (C72). Refuses VALUE_INVALID."""
    return _exactly("[0-9]{1,10}", text, ErrorCode.VALUE_INVALID, "An operator of e-cards has 1 to 10 digits.")


def luhn_digit(digits: str) -> str:
    """The Luhn check digit to be put after up to 31 digits (C72)."""
    return next(last for last in string.digits if luhn_is_valid(digits + last))


def luhn_is_valid(digits: str) -> bool:
    """Whether the last digit is the Luhn check digit of the others (C72); False for anything but digits."""
    if not re.fullmatch("[0-9]{2,32}", digits):
        return False
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[::-2]))) % 10 == 0


def netex_id(text: str) -> str:
    """A NeTEx id such as ENT:EntitlementProduct:levelA1, or the version of one (F08). Refuses NETEX_ID_INVALID."""
    return _exactly("[A-Z]{3}:[A-Za-z]{1,64}:[A-Za-z0-9_.\\-]{1,64}", text, ErrorCode.NETEX_ID_INVALID)


DURATION = re.compile(r"P(?:([0-9]{1,6})D)?(?:T(?=[0-9])(?:([0-9]{1,8})H)?(?:([0-9]{1,8})M)?(?:([0-9]{1,8})S)?)?")


def duration(text: str) -> tuple[int, timedelta]:
    """An ISO 8601 duration as its days, which are days of the calendar, and the rest, which is time (L05, F09).

    Refuses DURATION_INVALID: years, months and weeks, parts with decimals, nothing at all, and 0.
    """
    match = DURATION.fullmatch(text) if len(text) <= 40 else None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups()) if match else (0, 0, 0, 0)
    rest = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    if (not days and not rest) or days > 100_000 or rest > timedelta(days=100_000):
        raise _refused(ErrorCode.DURATION_INVALID, text)
    return days, rest


def time_of_day(text: str) -> str:
    """A time of day as HH:MM:SS; the seconds may be left out (L06). Refuses TIME_OF_DAY_INVALID."""
    time = _exactly("(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?", text, ErrorCode.TIME_OF_DAY_INVALID)
    return time if len(time) == 8 else f"{time}:00"


def currency(text: str) -> str:
    """A currency: three capital letters, of ISO 4217 or of a program's own points. Refuses CURRENCY_INVALID."""
    return _exactly("[A-Z]{3}", text, ErrorCode.CURRENCY_INVALID)


def claim_code(text: str) -> str:
    """A code of the form text-text-text, by which a personnel ticket is claimed, trimmed (L40, H1, H2).

    Refuses CLAIM_CODE_INVALID, and never quotes it: it may be somebody's.
    """
    code = text.strip() if len(text) <= 64 else ""
    if not re.fullmatch("[A-Za-z0-9_]{1,62}-[A-Za-z0-9_]{1,62}-[A-Za-z0-9_]{1,62}", code):
        raise refuse(ErrorCode.CLAIM_CODE_INVALID)
    return code


def uuid32(text: str) -> str:
    """A customer uuid: 32 letters and digits, which is no RFC 4122 uuid (C08). Refuses UUID_INVALID."""
    return _exactly("[A-Za-z0-9]{32}", text, ErrorCode.UUID_INVALID)


def new_uuid32() -> str:
    """A new customer uuid of 32 letters and digits, from the system's secure random source (C08)."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(32))


def organisation_number(text: str) -> str:
    """A Norwegian organisation number of 9 digits with its check digit (F07). Refuses ORGANISATION_NUMBER_INVALID.

    None starts with 0, so 000000000, which would pass the check, is refused.
    """
    number = _exactly("[1-9][0-9]{8}", text, ErrorCode.ORGANISATION_NUMBER_INVALID)
    if _remainder(number, (3, 2, 7, 6, 5, 4, 3, 2, 1)):
        raise _refused(ErrorCode.ORGANISATION_NUMBER_INVALID, text)
    return number


def fodselsnummer_is_valid(digits: str) -> bool:
    """Whether 11 digits can be a fødselsnummer, D-number (day + 40) or H-number (month + 40) (F01-F04).

    Synthetic numbers (month + 80) are valid, too, and so are numbers by the rule of 2032, whose first check digit may
    leave a remainder of 0 to 3. Sex and century are not looked at, as they are not encoded any more then. FH-numbers,
    which hold no date, are not valid: here the number is made of a birth date and five digits (F05).
    Never raises; False for anything but 11 digits. The number is secret: nothing is logged or quoted.
    """
    if not re.fullmatch("[0-9]{11}", digits):
        return False
    day, month, year = int(digits[:2]), int(digits[2:4]), int(digits[4:6])
    try:
        # The century is unknown; in the 21st every year is a leap year that is one in some century.
        date(2000 + year, month % 40, day - 40 if day > 40 else day)
    except ValueError:
        return False
    first = _remainder(digits[:10], (3, 7, 6, 1, 8, 9, 4, 5, 2, 1))
    second = _remainder(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1))
    return first <= 3 and second == 0


def _cleaned(text: str, max_length: int, unstorable: re.Pattern[str]) -> str:
    trimmed = text.strip()
    if len(trimmed) > 4 * max_length:  # NFC makes a text at most four times shorter
        raise refuse(ErrorCode.TEXT_TOO_LONG)
    if unstorable.search(trimmed):
        raise refuse(ErrorCode.TEXT_INVALID)
    composed = nfc(trimmed)
    if len(composed) > max_length:
        raise refuse(ErrorCode.TEXT_TOO_LONG)
    return composed


def _remainder(digits: str, weights: tuple[int, ...]) -> int:
    """The weighted sum of `digits`, modulo 11."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=True)) % 11


def _three_letters(text: str) -> str:
    """`text` trimmed if it is three ASCII letters, else ""."""
    return code if re.fullmatch("[A-Za-z]{3}", code := text.strip()) else ""


def _exactly(pattern: str, text: str, code: ErrorCode, message: str = "") -> str:
    """`text` if it is what `pattern` says, from end to end; refuses `code`. The pattern bounds the length."""
    if not re.fullmatch(pattern, text):
        raise _refused(code, text, message=message)
    return text


def _refused(code: ErrorCode, *values: str, message: str = "") -> Refused:
    """The refusal of `values`, quoted unless they hold characters that should not go into an answer or a log."""
    quoted = [value[:200] for value in values]
    return refuse(code, rejected=[value for value in quoted if value.isprintable()], message=message)
