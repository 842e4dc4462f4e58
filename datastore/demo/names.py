"""Names for the demo data: the common ones by hand, the long tail from mimesis, and how they look in an email."""

from functools import cache, lru_cache
from unicodedata import normalize

from mimesis import Gender, Person
from mimesis.locales import Locale

from datastore.demo.draw import Draw
from datastore.text import stored_key

_DRAWS = 3000


def _listed(names: str) -> tuple[str, ...]:
    return tuple(names.split("|"))


COMMON_FIRST_NAMES = (
    _listed(
        "Anne|Inger|Kari|Marit|Ingrid|Liv|Eva|Berit|Astrid|Bjørg|Hilde|Anna|Solveig|Marianne|Randi|Ida|Nina|Maria"
        "|Elisabeth|Kristin|Bente|Heidi|Silje|Hanne|Linda|Tone|Wenche|Camilla|Marte|Nora|Emma|Sara|Thea|Sofie|Åse|Mari"
    ),
    _listed(
        "Jan|Per|Bjørn|Ole|Lars|Kjell|Knut|Arne|Svein|Thomas|Hans|Geir|Tor|Morten|Terje|Odd|Erik|Martin|Andreas|John"
        "|Anders|Rune|Trond|Tore|Daniel|Jon|Kristian|Marius|Magnus|Henrik|Jonas|Øyvind|Håkon|Øystein|Pål|Espen|Åge"
    ),
)
RARE_FIRST_NAMES = _listed(
    "Anne-Lise|Inger-Johanne|Ann-Kristin|Karl-Erik|Jan-Åge|Per-Ivar|Odd-Arne|Bjørn-Tore|Máret|Áilu|Sárá|Zoë|André|René"
    "|Renée|Aase|Haakon|Paal|Kjærsti|Ægir|Søren"
)
COMMON_SURNAMES = _listed(
    "Hansen|Johansen|Olsen|Larsen|Andersen|Pedersen|Nilsen|Kristiansen|Jensen|Karlsen|Johnsen|Pettersen|Eriksen|Berg"
    "|Haugen|Hagen|Johannessen|Andreassen|Jacobsen|Halvorsen|Jørgensen|Dahl|Henriksen|Lund|Sørensen|Moen|Strand|Solberg"
    "|Iversen|Bakken|Svendsen|Eide|Knutsen|Rasmussen|Lie|Kristoffersen|Aas|Ødegård|Bråten|Sæther|Myhre|Øverby|Aasen"
)
RARE_SURNAMES = _listed(
    "von der Lippe|de Besche|van der Meer|von Krogh|af Geijerstam|le Fèvre|Utsi|Eira-Hætta|Äärelä|Sara|Aagaard-Åsen"
    "|Æsøy|Ærø|Ølstad|Øyen|Åkerø|Ånestad|Skjærvø|Brændshøi|Ek|By|Ås|Aa"
)
NAMES_ABROAD = {
    nationality: (_listed(first_names), _listed(surnames))
    for nationality, first_names, surnames in (
        ("SWE", "Björn|Åsa|Göran|Märta", "Nyström|Björkman|Åström|Öberg|Andersson|Lindqvist"),
        ("DNK", "Søren|Mette|Jens|Pernille", "Nielsen|Kjær|Ægidius|Nørgaard|Østergaard"),
        ("DEU", "Jürgen|Anke|Lukas|Zoë", "Müller|Strauß|von der Heide|Schröder|Weiß"),
        ("POL", "Łukasz|Zuzanna|Paweł|Małgorzata", "Kowalska|Wójcik|Nowak|Zieliński|Łuczak"),
        ("LTU", "Jonas|Rūta|Žydrūnas|Eglė", "Žukauskas|Kazlauskienė|Petrauskas"),
        ("GBR", "Siân|Oliver|Mary Ann|D'Arcy", "O'Neill|O’Brien|McDonald|Smith-Jones"),
        ("SOM", "Amina|Abdi|Hodan|Mohamed", "Ahmed|Ali|Hassan|Warsame"),
        ("PAK", "Fatima|Muhammad|Ayesha|Imran", "Khan|Hussain|Malik"),
        ("SYR", "Layla|Omar|Rania|Yousef", "al-Khatib|Haddad|Ibrahim"),
        ("UKR", "Oksana|Andrij|Sofija|Taras", "Kovalenko|Ševčenko|Bondarenko"),
        ("VNM", "Nguyễn|Minh|Thảo|Linh", "Nguyen|Trần|Phạm"),
    )
}
"""First names and surnames of people from other countries, by nationality."""

_IN_ADDRESSES = str.maketrans({"æ": "ae", "ø": "o", "å": "a", "ä": "a", "ö": "o", "ü": "u", "ł": "l", "ß": "ss"})


@cache
def first_names() -> tuple[str, ...]:
    """First names of the long tail, in a fixed order: drawn once from mimesis, which is slow."""
    person = Person(Locale.NO, seed=1814)
    genders = (Gender.FEMALE, Gender.MALE)
    return tuple(sorted({person.first_name(gender=gender) for gender in genders for _ in range(_DRAWS)}))


@cache
def surnames() -> tuple[str, ...]:
    """Surnames of the long tail, in a fixed order."""
    person = Person(Locale.NO, seed=1814)
    return tuple(sorted({person.last_name() for _ in range(_DRAWS)}))


def full_name(draw: Draw, nationality: str) -> tuple[str, str]:
    """A first name and a surname for somebody of that nationality."""
    if nationality in NAMES_ABROAD:
        first, last = NAMES_ABROAD[nationality]
        return draw.pick(first), draw.pick(last)
    return _first_name(draw), _surname(draw)


def _first_name(draw: Draw) -> str:
    """A first name, or two, sometimes of another kind than most."""
    lot = draw.random()
    if lot < 0.03:
        return draw.pick(RARE_FIRST_NAMES)
    if lot < 0.25:
        return draw.pick(first_names())
    common = draw.pick(COMMON_FIRST_NAMES)
    name, other = draw.pick(common), draw.pick(common)
    return f"{name} {other}" if lot > 0.85 and other != name else name


def _surname(draw: Draw) -> str:
    """A surname, or two, with or without a hyphen or a particle."""
    lot = draw.random()
    if lot < 0.03:
        return draw.pick(RARE_SURNAMES)
    name = draw.pick(COMMON_SURNAMES) if lot < 0.50 else draw.pick(surnames())
    if lot > 0.94:
        return f"{draw.pick(COMMON_SURNAMES)}{' ' if lot < 0.98 else '-'}{name}"
    return name


@cache
def in_address(name: str) -> str:
    """A name as people write it in an email address: `Åse Marie` becomes `ase.marie`."""
    letters = normalize("NFKD", normalize("NFC", name.lower()).translate(_IN_ADDRESSES))
    words = "".join(letter if letter.isascii() and letter.isalpha() else " " * (letter in " -") for letter in letters)
    return ".".join(words.split())


@lru_cache(maxsize=65536)
def name_key(name: str | None) -> str:
    """`stored_key`, remembered: the same names and streets come again and again."""
    return stored_key(name)
