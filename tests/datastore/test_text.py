"""The keys of `datastore.text`."""

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datastore.text import email_key, nfc, prefix_bounds, sort_key

NORWEGIAN_ORDER = [
    "",
    "2. divisjon",
    "7-Eleven",
    "Abel",
    "Andersen",
    "Anne Kari",
    "Anne-Lise",
    "Anneli",
    "Annelise",
    "BERG",
    "Bergersen",
    "de Vries",
    "Dea",
    "Đorđević",
    "Eide",
    "Émile",
    "Enger",
    "Lodz",
    "Łódź Ost",
    "Mydland",
    "Müller",
    "Myrvold",
    "Oda",
    "O'Neil",
    "Opsahl",
    "St. Hanshaugen",
    "Strasse",
    "Straße 2",
    "Thoresen",
    "Þorgeir",
    "Thorstein",
    "Ulv",
    "Zachariassen",
    "Zola",
    "Ära",
    "Ærfugl",
    "Æsop",
    "Öberg og sønn",
    "Øberg ved sjøen",
    "Ødegård",
    "Østby",
    "Aagaard",
    "Aas",
    "ÅSHEIM",
    "Aasland",
    "Åsnes",
    "Жуков",
]

latin_texts = st.text(st.sampled_from("aAbcdeéèoøöuüyæäåÅzZđþłß0129 -'’.,_&/({|}~\u030a\u0308\u0301"), max_size=30)
marks = st.text(
    st.sampled_from("aeåøשک\u0301\u0323\u0327\u030a\u05b4\u0651한\u1100\u1161\ufb03\U0001d160"), max_size=40
)


@pytest.mark.parametrize("seed", range(20))
def test_names_are_sorted_as_in_norwegian(seed: int) -> None:
    shuffled = random.Random(seed).sample(NORWEGIAN_ORDER, len(NORWEGIAN_ORDER))
    assert sorted(shuffled, key=sort_key) == NORWEGIAN_ORDER
    assert sorted(shuffled, key=lambda name: sort_key(name).encode()) == NORWEGIAN_ORDER  # PostgreSQL compares bytes


@pytest.mark.parametrize(
    "texts",
    [
        ["Aas", "Ås", "ÅS", "AAS", "aas", "A\u030as", "\u212bs", "}s"],
        ["Ødegård", "ødegaard", "Ödegård", "O\u0308DEGÅRD", "Œdegård", "|deg}rd"],
        ["Ægir", "ægir", "Ägir", "A\u0308gir", "\u01fdgir"],
        ["O'Neil", "O’Neil", "O\u00b4Neil", "ONEIL", "o`neil"],
        ["Anne-Lise", "anne lise", "Anne\u2013Lise", " Anne  Lise ", "Anne\u00a0Lise", "ANNE_LISE"],
        ["Müller", "MYLLER", "Mu\u0308ller"],
        ["René", "rene", "Re\u0301ne\u0301", "R\u00adene"],
        ["Þór", "thor", "THÓR"],
        ["Ołówek Đŋ ŧħ", "olowek dn th"],
        ["Steﬃ", "STEFFI"],
    ],
)
def test_spellings_of_one_name_have_one_key(texts: list[str]) -> None:
    assert len({sort_key(text) for text in texts}) == 1


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", ""),
        (" -./ ", ""),
        ("Ærlig Ørjan Åse", "{rlig |rjan }se"),
        ("Isaac", "is}c"),
        ("Aaa", "}a"),
        ("Lillestrøm (stasjon), spor 2", "lillestr|m stasjon spor 2"),
        ("A/S Nord-Trøndelag & Sønn", "a s nord tr|ndelag s|nn"),
        ("ẞß", "ssss"),
        ("a\x00b", "a b"),
        ("\ud800a\U0010ffff", "a"),
        ("ΑΣ ας", "ασ ασ"),
        ("한국", "한국"),
    ],
)
def test_sort_key_has_an_exact_value(text: str, key: str) -> None:
    assert sort_key(text) == key


@pytest.mark.parametrize(
    ("prefix", "found", "missed"),
    [
        ("Aa", ["Aas", "Ås", "AAGE"], ["Abel", "Anders"]),
        ("Å", ["Aas", "Åse"], ["Anders"]),
        ("A", ["Abel", "Anders"], ["Aas", "Åse"]),
        ("anne l", ["Anne-Lise", "Anne Line"], ["Anneli", "Annelise", "Anne Kari"]),
        ("anne ", ["Anne", "Anne-Lise", "Annelise"], ["Ann"]),
        ("o'n", ["O’Neil", "Oneil"], ["Oda"]),
        ("z", ["Zola"], ["Ærfugl", "Øyvind"]),
    ],
)
def test_prefix_search_finds_names_that_begin_so(prefix: str, found: list[str], missed: list[str]) -> None:
    low, high = prefix_bounds(sort_key(prefix))
    assert all(low <= sort_key(name) < high for name in found)
    assert not any(low <= sort_key(name) < high for name in missed)


@given(latin_texts, latin_texts)
def test_the_key_of_a_beginning_is_the_beginning_of_the_key(beginning: str, rest: str) -> None:
    # a letter boundary: no mark belongs to the letter before it, and no "aa" is cut
    beginning, rest = beginning.rstrip("aA'’\u0301"), rest.lstrip("\u030a\u0308\u0301")
    if sort_key(beginning).endswith("a"):
        beginning += "b"
    assert sort_key(beginning + rest).startswith(sort_key(beginning))


@given(st.text() | latin_texts | marks)
def test_every_text_has_a_short_key_that_is_its_own_key(text: str) -> None:
    key = sort_key(text)
    assert len(key) <= 2 * len(text)
    assert sort_key(key) == key
    key.encode()


@given(latin_texts | st.text())
def test_keys_do_not_depend_on_case_of_norwegian_letters_or_on_the_normal_form(text: str) -> None:
    assert sort_key(unicodedata.normalize("NFD", text)) == sort_key(unicodedata.normalize("NFC", text))
    assert sort_key("Æøå" + text) == sort_key("æØÅ" + text)


@given(st.text() | marks)
def test_nfc_is_the_normal_form_c_of_unicode(text: str) -> None:
    assert nfc(text) == unicodedata.normalize("NFC", text)


@pytest.mark.rule("C05")
@pytest.mark.parametrize(
    ("email", "key"),
    [
        (" Kari.Nordmann@Example.NO\n", "kari.nordmann@example.no"),
        ("ØYVIND@BLÅBÆR.NO", "øyvind@blåbær.no"),
        ("A\u030ase@x.no", "åse@x.no"),
        ("", ""),
    ],
)
def test_emails_are_compared_trimmed_and_without_case(email: str, key: str) -> None:
    assert email_key(email) == key


@pytest.mark.rule("C05")
@given(st.text() | marks)
def test_the_key_of_an_email_key_is_itself(email: str) -> None:
    assert email_key(email_key(email)) == email_key(email)


@given(st.text() | latin_texts, st.text() | latin_texts)
def test_prefix_bounds_hold_every_key_with_that_prefix_and_no_other(one: str, other: str) -> None:
    prefix, key = sort_key(one), sort_key(other)
    low, high = prefix_bounds(prefix)
    assert (low <= key < high) == key.startswith(prefix)
    assert low <= prefix + key < high


@pytest.mark.timeout(20)
@pytest.mark.rule("H5")
@pytest.mark.parametrize(
    "piece", ["a", "å", " ", "-", "{", "\u0301\u0323", "a\u0323\u0301", "한", "ﬃ", "\u0651\u064e", "aa"]
)
def test_keys_of_huge_texts_take_linear_time(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    assert len(sort_key(text)) <= 2 * len(text)
    assert len(email_key(text)) <= 3 * len(text)
