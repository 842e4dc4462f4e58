"""The formats of `resolvers.formats`."""

import re
import subprocess
import sys
from collections.abc import Callable

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datastore.text import email_key
from resolvers import formats
from resolvers.errors import ErrorCode, Refused, UserError

HUGE = 100_000


def refused(check: Callable[..., object], *arguments: object) -> UserError:
    """The one error with which `check` refuses the arguments."""
    with pytest.raises(Refused) as caught:
        check(*arguments)
    (error,) = caught.value.errors
    assert error.path == ()
    return error


def refusal(check: Callable[..., object], *arguments: object) -> ErrorCode:
    return refused(check, *arguments).code


# Texts


@pytest.mark.rule("H5")
@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("  Kari \n", "Kari"),
        ("A\u030ase", "Åse"),
        ("", ""),
        ("   ", ""),
        ("12345", "12345"),
        ("A\u030a" * 5, "ÅÅÅÅÅ"),
        ("😀 ’", "😀 ’"),
    ],
)
def test_a_text_is_trimmed_and_composed(text: str, stored: str) -> None:
    assert formats.clean(text, 5) == stored


@pytest.mark.rule("H5")
@pytest.mark.parametrize("text", ["123456", "x" * 21, "x" * HUGE, "\u0301\u0323" * HUGE])
def test_a_text_over_its_maximum_is_refused(text: str) -> None:
    assert refusal(formats.clean, text, 5) is ErrorCode.TEXT_TOO_LONG


@pytest.mark.parametrize("text", ["a\x00b", "\x00", "a\nb", "a\tb", "a\x1bb", "a\x7fb", "a\x85b", "\ud800", "a\udfffb"])
def test_a_text_with_a_control_character_or_a_lone_surrogate_is_refused(text: str) -> None:
    assert refusal(formats.clean, text, 100) is ErrorCode.TEXT_INVALID


@given(st.text(st.characters(exclude_categories=[])), st.integers(0, 50))
def test_a_clean_text_can_be_stored_and_stays_as_it_is(text: str, max_length: int) -> None:
    try:
        stored = formats.clean(text, max_length)
    except Refused:
        return
    assert len(stored) <= max_length
    assert formats.clean(stored, max_length) == stored
    assert "\x00" not in stored
    stored.encode()


# Email


@pytest.mark.rule("H4")
@pytest.mark.parametrize(
    ("text", "stored"),
    [
        (" Kari.Nordmann+tog@example.co.uk ", "Kari.Nordmann+tog@example.co.uk"),
        ("bjørn.åse.ærlig@blåbær.no", "bjørn.åse.ærlig@blåbær.no"),
        ("A\u030ase@x.no", "Åse@x.no"),
        ("o'neil_1@a-b.x1.no", "o'neil_1@a-b.x1.no"),
        ("k" * 75 + "@x.no", "k" * 75 + "@x.no"),
    ],
)
def test_an_email_keeps_its_case_and_is_trimmed(text: str, stored: str) -> None:
    assert formats.email(text) == stored


@pytest.mark.rule("H4")
@pytest.mark.parametrize(
    "text",
    [
        *("", "@", "kari", "kari@", "@x.no", "kari@x", "kari@.no", "kari@x.", "kari@x..no", "kari@@x.no", "a@b@x.no"),
        *("kari@-.no", "ka ri@x.no", "kari@x .no", "kari\n@x.no", "kari\x00@x.no", "kari\u00a0n@x.no"),
        *("kari\u200b@x.no", "\ud800@x.no", "<kari@x.no>", "Kari <kari@x.no>", "a,b@x.no", 'a"b@x.no', "kari@x.no>"),
        "kari@x_y.no",
    ],
)
def test_another_form_of_email_is_refused(text: str) -> None:
    assert refusal(formats.email, text) is ErrorCode.EMAIL_INVALID


@pytest.mark.rule("C12")
@pytest.mark.parametrize("text", ["k" * 76 + "@x.no", "ß" * 40 + "@x.no", "k" * HUGE + "@x.no", "@" * HUGE])
def test_an_email_that_is_too_long_or_has_too_long_a_key_is_refused(text: str) -> None:
    assert refusal(formats.email, text) is ErrorCode.EMAIL_INVALID


@pytest.mark.rule("C12")
@given(st.emails(domains=st.sampled_from(["x.no", "blåbær.no", "a.b.c-d.example"])) | st.text(max_size=90))
def test_every_email_that_passes_fits_its_columns(text: str) -> None:
    try:
        address = formats.email(text)
    except Refused:
        return
    assert len(address) <= 80
    assert len(email_key(address)) <= 80
    assert formats.email(address) == address


# Telephone


@pytest.mark.rule("C20")
@pytest.mark.rule("C22")
@pytest.mark.parametrize(
    ("country_code", "number", "stored"),
    [
        ("+47", "91234567", ("+47", "91234567")),
        (" +47 ", " 22225555 ", ("+47", "22225555")),
        ("+47", "59999999", ("+47", "59999999")),  # possible, in no series of today
        ("+46", "0701234567", ("+46", "701234567")),  # the trunk prefix is not part of E.164
        ("+39", "0612345678", ("+39", "0612345678")),  # in Italy the 0 is
        ("+1", "2125551234", ("+1", "2125551234")),
        ("+358", "401234567", ("+358", "401234567")),
        ("+800", "12345678", ("+800", "12345678")),
    ],
)
def test_a_telephone_number_is_stored_as_e164(country_code: str, number: str, stored: tuple[str, str]) -> None:
    assert formats.phone(country_code, number) == stored
    assert formats.phone(*stored) == stored


@pytest.mark.rule("C20")
@pytest.mark.rule("C22")
@pytest.mark.parametrize(
    ("country_code", "number"),
    [
        ("47", "91234567"),
        ("0047", "91234567"),
        ("+", "91234567"),
        ("+0", "91234567"),
        ("+4", "791234567"),
        ("+999", "91234567"),
        ("+4700", "91234567"),
        ("+47", ""),
        ("+47", "9123456"),
        ("+47", "912345678"),
        ("+47", "912 34 567"),
        ("+47", "+4791234567"),
        ("+47", "٩١٢٣٤٥٦٧"),
        ("+٤٧", "91234567"),
        ("+47\n", "91234567x"),
        ("+1", "5551234"),  # local only
        ("+49", "301234567890123"),  # 17 digits
        ("+47", "9" * HUGE),
        ("+" + "4" * HUGE, "91234567"),
    ],
)
def test_another_form_of_telephone_number_is_refused(country_code: str, number: str) -> None:
    assert refusal(formats.phone, country_code, number) is ErrorCode.PHONE_NUMBER_INVALID


@pytest.mark.rule("C22")
@given(st.sampled_from(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)), st.from_regex("[0-9]{1,15}", fullmatch=True))
def test_every_number_that_passes_is_e164(code: int, number: str) -> None:
    try:
        country_code, national = formats.phone(f"+{code}", number)
    except Refused:
        return
    assert country_code == f"+{code}"
    assert re.fullmatch(r"\+[1-9][0-9]{1,14}", country_code + national)


@pytest.mark.rule("C20")
@pytest.mark.rule("C21")
@pytest.mark.parametrize("check", [formats.legacy_phone, formats.landline])
def test_an_older_number_loses_its_spaces(check: Callable[[str], str]) -> None:
    assert check(" +47 22 22 55 55 ") == "+4722225555"
    assert check("02000") == "02000"
    assert check("1" * 20) == "1" * 20
    for text in ["", " ", "+", "4+7", "++47", "1" * 21, "+" + "1" * 20, "22-22", "٢٢", "22\n", " " * HUGE, "1" * HUGE]:
        assert refusal(check, text) is ErrorCode.PHONE_NUMBER_INVALID


# Codes


@pytest.mark.rule("C13")
@pytest.mark.rule("C81")
@pytest.mark.rule("F12")
def test_a_country_is_an_alpha3_code_in_either_case() -> None:
    assert [formats.alpha3(text) for text in ("NOR", " nor ", "Swe")] == ["NOR", "NOR", "SWE"]
    for text in ["", "NO", "578", "XXX", "NORGE", "Norway", "N0R", "\u0131ta", "NOR\x00", "N" * HUGE]:
        assert refusal(formats.alpha3, text) is ErrorCode.COUNTRY_CODE_INVALID


@pytest.mark.rule("C13")
def test_a_language_is_an_iso_639_3_code_in_either_case() -> None:
    assert [formats.language(text) for text in ("NOB", "nob", " Nno ", "sme", "eng")] == [
        "NOB",
        "NOB",
        "NNO",
        "SME",
        "ENG",
    ]
    for text in ["", "NO", "nb", "xxx", "fre", "norsk", "Norwegian", "en\u0262", "n" * HUGE]:
        assert refusal(formats.language, text) is ErrorCode.LANGUAGE_INVALID


def test_the_language_table_is_not_read_before_it_is_needed() -> None:
    program = "import sys, resolvers.formats; sys.exit('iso639' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.rule("C81")
@pytest.mark.rule("F06")
def test_a_norwegian_post_code_has_four_digits_and_keeps_its_zeros() -> None:
    assert formats.post_code("NOR", "0150") == "0150"
    assert formats.post_code("NOR", " 9999 ") == "9999"
    for text in ["", "150", "01500", "01 50", "0150x", "N-0150", "٠١٥٠", "0" * HUGE]:
        assert refusal(formats.post_code, "NOR", text) is ErrorCode.POST_CODE_INVALID


@pytest.mark.rule("C81")
def test_a_foreign_post_code_has_at_most_ten_characters() -> None:
    assert formats.post_code("GBR", " SW1A 1AA ") == "SW1A 1AA"
    assert formats.post_code("SWE", "0123456789") == "0123456789"
    assert refusal(formats.post_code, "SWE", "0123456789 1") is ErrorCode.TEXT_TOO_LONG
    assert refusal(formats.post_code, "SWE", "1" * HUGE) is ErrorCode.TEXT_TOO_LONG
    assert refusal(formats.post_code, "SWE", "1\x001") is ErrorCode.TEXT_INVALID
    assert refusal(formats.post_code, "SWE", " ") is ErrorCode.REQUIRED


# E-cards and uuids


@pytest.mark.rule("C71")
@pytest.mark.parametrize("text", ["0691250417", "1616006912504173", "0000000000000000"])
def test_an_ecard_number_of_10_or_16_digits_is_taken_as_it_is(text: str) -> None:
    assert formats.ecard_number(text) == text


@pytest.mark.rule("C71")
@pytest.mark.parametrize("length", [*range(10), *range(11, 16), 17, 32, HUGE])
def test_an_ecard_number_of_another_length_is_refused(length: int) -> None:
    assert refusal(formats.ecard_number, "1" * length) is ErrorCode.ECARD_NUMBER_INVALID


@pytest.mark.rule("C71")
@pytest.mark.rule("H2")
@pytest.mark.rule("H3")
@pytest.mark.parametrize(
    "text",
    [
        "069125041x",
        "0691250417\n",
        " 0691250417",
        "٠٦٩١٢٥٠٤١٧",
        "²691250417",
        "-691250417",
        "1616 00691250417",
        "0691250417\ud800",
    ],
)
def test_an_ecard_number_with_anything_but_digits_is_refused(text: str) -> None:
    assert refusal(formats.ecard_number, text) is ErrorCode.ECARD_NUMBER_INVALID


@pytest.mark.rule("C72")
@pytest.mark.parametrize("number", ["1616006912504173", "1616006933634710"])
def test_exactly_one_control_digit_passes_luhn(number: str) -> None:
    passing = [digit for digit in "0123456789" if formats.luhn_is_valid(number[:-1] + digit)]
    assert passing == [number[-1]] == [formats.luhn_digit(number[:-1])]


@pytest.mark.rule("C72")
@pytest.mark.parametrize("text", ["", "0", "161600691250417x", "١٦", "1616006912504173\n", "0" * HUGE])
def test_luhn_holds_for_nothing_but_a_number(text: str) -> None:
    assert not formats.luhn_is_valid(text)


@pytest.mark.rule("C08")
def test_a_uuid_is_32_letters_and_digits_and_no_rfc_4122_uuid() -> None:
    text = "zZ9" + "g" * 29
    assert formats.uuid32(text) == text
    for wrong in [
        "",
        text[1:],
        text + "a",
        text + "\n",
        "ø" + text[1:],
        "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        "a" * HUGE,
    ]:
        assert refusal(formats.uuid32, wrong) is ErrorCode.UUID_INVALID


@pytest.mark.rule("C08")
def test_new_uuids_pass_and_differ() -> None:
    made = {formats.new_uuid32() for _ in range(1000)}
    assert len(made) == 1000
    assert all(formats.uuid32(uuid) == uuid for uuid in made)
    assert len(set("".join(made))) == 62


# Check digits


@pytest.mark.rule("F07")
def test_an_organisation_number_has_a_check_digit() -> None:
    assert formats.organisation_number("988077917") == "988077917"
    for text in [
        "988077918",
        "98807791",
        "9880779170",
        "988 077 917",
        "000000000",
        "988077917\n",
        "٩٨٨٠٧٧٩١٧",
        "9" * HUGE,
    ]:
        assert refusal(formats.organisation_number, text) is ErrorCode.ORGANISATION_NUMBER_INVALID


def with_check_digits(nine: str) -> str | None:
    """The first nine digits with the check digits of the old rule (F01), written as the rule has it."""
    digits = [int(digit) for digit in nine]
    for weights in ([3, 7, 6, 1, 8, 9, 4, 5, 2], [5, 4, 3, 2, 7, 6, 5, 4, 3, 2]):
        check = (11 - sum(a * b for a, b in zip(digits, weights, strict=True)) % 11) % 11
        if check == 10:
            return None
        digits.append(check)
    return "".join(map(str, digits))


@pytest.mark.rule("F01")
@pytest.mark.parametrize("number", ["15108695088", "31129956715", "17859000185"])
def test_a_number_with_the_check_digits_of_the_old_rule_is_valid(number: str) -> None:
    assert number == with_check_digits(number[:9])
    assert formats.fodselsnummer_is_valid(number)


@pytest.mark.rule("F04")
def test_a_number_of_the_rule_of_2032_is_valid_and_was_not_before() -> None:
    assert with_check_digits("178590001") == "17859000185"
    assert formats.fodselsnummer_is_valid("17859000193")


@pytest.mark.rule("F04")
def test_at_most_four_first_check_digits_are_valid_each_with_one_second() -> None:
    valid = [n for n in range(100) if formats.fodselsnummer_is_valid(f"178590001{n:02}")]
    assert 85 in valid
    assert 93 in valid
    assert len({n // 10 for n in valid}) == len(valid) <= 4


@pytest.mark.rule("F02")
@pytest.mark.parametrize(
    "start", ["010190", "410190", "014190", "414190", "018190", "418190", "310190", "710190", "290200", "290204"]
)
def test_days_plus_40_and_months_plus_40_or_80_are_dates(start: str) -> None:
    numbers = [with_check_digits(f"{start}{individual:03}") for individual in range(100)]
    assert all(formats.fodselsnummer_is_valid(number) for number in numbers if number)


@pytest.mark.rule("F01")
@pytest.mark.rule("F02")
@pytest.mark.parametrize(
    "start", ["000190", "320190", "720190", "400190", "010090", "011390", "014090", "015390", "018090", "019390"]
)
def test_a_number_without_a_date_is_not_valid(start: str) -> None:
    numbers = [with_check_digits(f"{start}{individual:03}") for individual in range(100)]
    assert not any(formats.fodselsnummer_is_valid(number) for number in numbers if number)


@pytest.mark.rule("F02")
@pytest.mark.parametrize("start", ["290201", "290299", "310490", "810190", "990190", "850685"])
def test_an_impossible_day_or_an_fh_number_is_not_valid(start: str) -> None:
    numbers = [with_check_digits(f"{start}{individual:03}") for individual in range(100)]
    assert not any(formats.fodselsnummer_is_valid(number) for number in numbers if number)


@pytest.mark.rule("F01")
@pytest.mark.parametrize(
    "text",
    ["", "1785900018", "178590001850", "17859000186", "17859000185\n", "178590 00185", "١٧٨٥٩٠٠٠١٨٥", "1" * HUGE],
)
def test_anything_but_eleven_right_digits_is_not_valid(text: str) -> None:
    assert not formats.fodselsnummer_is_valid(text)


# All of them

CHECKS: list[Callable[[str], object]] = [
    lambda text: formats.clean(text, 40),
    formats.email,
    lambda text: formats.phone("+47", text),
    lambda text: formats.phone(text, "91234567"),
    formats.legacy_phone,
    formats.landline,
    formats.alpha3,
    formats.language,
    lambda text: formats.post_code("NOR", text),
    lambda text: formats.post_code("SWE", text),
    formats.ecard_number,
    formats.ecard_number_10digits,
    formats.ecard_number_16digits,
    formats.ecard_operator,
    formats.luhn_is_valid,
    formats.uuid32,
    formats.organisation_number,
    formats.fodselsnummer_is_valid,
]


@given(
    st.sampled_from(CHECKS), st.text(st.characters(exclude_categories=[])) | st.text("0123456789+@. aøÅ", max_size=40)
)
def test_no_text_raises_anything_but_a_refusal_that_can_be_answered(check: Callable[[str], object], text: str) -> None:
    try:
        check(text)
    except Refused as refusal:
        for error in refusal.errors:
            assert error.path == ()
            "".join(error.rejected_values).encode()  # no lone surrogate, which JSON cannot hold
            assert all(value.isprintable() for value in error.rejected_values)


@pytest.mark.timeout(20)
@pytest.mark.rule("H1")
@pytest.mark.rule("H5")
@pytest.mark.parametrize(
    "piece", ["0", "a", "@", ".", "a.", "@.", " ", "-", "+", "å", "\u0301\u0323", "\x00", "\ud800"]
)
@pytest.mark.parametrize("check", CHECKS)
def test_huge_texts_are_refused_in_linear_time(check: Callable[[str], object], piece: str) -> None:
    try:
        answer = check(piece * (HUGE // len(piece)))
    except Refused as refusal:
        quoted = [value for error in refusal.errors for value in error.rejected_values]
    else:
        assert answer in (False, "")  # "" is a blank text
        quoted = []
    assert all(len(value) <= 200 for value in quoted)


def test_a_refusal_quotes_the_rejected_values() -> None:
    assert refused(formats.email, "kari").rejected_values == ("kari",)
    assert refused(formats.phone, "+47", "1").rejected_values == ("+47", "1")
    assert refused(formats.email, "kari\r\nSet-Cookie: x").rejected_values == ()
