"""Keys by which texts are sorted, searched and compared the same way on every database."""

from itertools import groupby
from unicodedata import category, combining, normalize

LAST = "\U0010ffff"
"""The greatest text there is: what is missing is sorted after everything else."""

FOLDED_SEQUENCES = {
    "a\u0308": "{",  # ä with æ
    "e\u0328": "{",  # ę with æ, as CLDR says
    "o\u0308": "|",  # ö with ø
    "o\u030b": "|",  # ő with ø
    "a\u030a": "}",  # å
    "u\u0308": "y",  # ü with y
    "u\u030b": "y",  # ű with y
}
"""Letters with a mark (decomposed) that are not sorted with their base letter (CLDR, collation of `no`)."""

FOLDED_LETTERS = {
    **dict(zip("æøœđðłħŋŧ\u0131", "{||ddlhnti", strict=True)),  # \u0131 is the Turkish i without a dot
    **dict(zip("{|}", "{|}", strict=True)),  # not punctuation: what æ, ø and å became
    **dict.fromkeys("'`\u00b4\u02b9\u02bb\u02bc\u02bd\u2018\u2019\u2032", ""),  # O'Neil, straight or curly
    "þ": "th",
}
"""Letters that Unicode does not decompose, and apostrophes."""


def nfc(text: str) -> str:
    """`text` in normal form C, in time proportional to its length (H5). Never raises.

    `unicodedata.normalize` alone sorts combining marks by insertion: 100,000 of them take it seven seconds. Here they
    are sorted before it sees them.
    """
    return text if text.isascii() else normalize("NFC", _decomposed(text))


def sort_key(text: str) -> str:
    """The key by which `text` stands in Norwegian order: a..z, æ, ø, å, whatever the case. Never raises.

    Keys are compared by code point: SQLite BINARY, PostgreSQL COLLATE "C" on UTF-8. As in ISO 646-NO, `{|}`, the
    characters after `z`, are æ, ø and å, so a key is mostly ASCII. Letters fold as CLDR has it for Norwegian: aa is å,
    ä is æ, ö and œ are ø, ü is y, đ and ð are d, þ is th; other letters lose their marks. Apostrophes vanish. All other
    punctuation parts words like a space, and spaces come first, then digits, then letters: words are sorted one by one
    ("de Vries" before "Dea"). Other scripts come after å. A text without a letter or digit has the empty key.

    The key of a key is itself, no key is longer than twice its text, and the key of the beginning of a text is the
    beginning of the text's key, except that a lone final "a" does not begin "aa" ("Aa" and "Å" find "Aas", "A" not).
    """
    letters = _decomposed(text).casefold()
    for sequence, letter in FOLDED_SEQUENCES.items():
        letters = letters.replace(sequence, letter)
    words = "".join(map(_folded, letters)).split()
    key = normalize("NFC", " ".join(words)).replace("aa", "}")
    return key[: 2 * len(text)].rstrip()  # only a row of ligatures such as ffi is ever cut


def stored_key(text: str | None) -> str:
    """The sort key to store for `text`: that of `sort_key`, or `LAST` for a text that is missing or has none."""
    return sort_key(text or "") or LAST


def email_key(email: str) -> str:
    """The form in which emails are compared (C05): trimmed, NFC, without case. Never raises.

    The key of a key is itself. It can be longer than its email (ß becomes ss), but `resolvers.formats.email` refuses
    an email whose key has more than 80 characters.
    """
    return nfc(nfc(email.strip()).casefold())


def prefix_bounds(key: str) -> tuple[str, str]:
    """`(low, high)` with `low <= k < high` for every key k that starts with `key`, compared by code point.

    An empty key bounds all keys: refuse it before a prefix search. Never raises.
    """
    return key, key + LAST


def _decomposed(text: str) -> str:
    """`text` in normal form D."""
    if text.isascii():
        return text
    decomposed = "".join(normalize("NFD", character) for character in text)
    runs = groupby(decomposed, lambda character: combining(character) > 0)
    return "".join(character for _, run in runs for character in sorted(run, key=combining))


def _folded(character: str) -> str:
    """What is left of one character in a sort key: itself, other letters, a space or nothing."""
    if (folded := FOLDED_LETTERS.get(character)) is not None:
        return folded
    kind = category(character)
    if combining(character) or kind == "Cf":
        return ""
    return character if kind[0] in "LMN" else " "
