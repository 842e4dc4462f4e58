"""No text, however long and however odd, keeps the gateway busy (rules H1 to H5): each pattern takes linear time.

Patterns are found, not listed: a new one is checked from the day it is written.
"""

import ast
import importlib
import inspect
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resolvers import formats
from resolvers.errors import Refused

# The parser of `re` has no public name.
from re import _constants as sre  # type: ignore[attr-defined] # isort: skip
from re import _parser as parser  # type: ignore[attr-defined] # isort: skip

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for package in ("datastore", "resolvers", "schema", "gateway")
    for path in (ROOT / package).rglob("*.py")
    if "migrations" not in path.parts
)
METHODS = {"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
ANYHOW = {"match", "fullmatch", "search"}
"""How a pattern may be used that is handed on."""
LONG = 100_000
FAST = 0.3
"""Seconds of this thread that are never too many. What is linear takes some 10 ms, what is quadratic many seconds."""
GROWS_AT_MOST = 40
"""Times as long for ten times the length: linear with much room for noise; quadratic is a hundred times."""
UNICODE_DIGITS_AND_WORDS = {"gateway/errors.py", "gateway/command.py", "datastore/database.py"}
"""Files whose patterns read sentences of libraries, not what callers send."""
PASSED_ON = {("resolvers/formats.py", "_exactly")}
"""Functions that take a pattern as their first argument; those are constants where they are called."""

REPEATS = (sre.MAX_REPEAT, sre.MIN_REPEAT)
CATEGORIES = {
    sre.CATEGORY_DIGIT: r"\d",
    sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_SPACE: r"\s",
    sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_WORD: r"\w",
    sre.CATEGORY_NOT_WORD: r"\W",
}
SOME_CHARACTERS = [*map(chr, range(0x180)), "\u0660", "\u4e2d", "\ud800"]


# Finding them


@cache
def module_of(path: Path) -> ModuleType:
    return importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def calls(path: Path) -> Iterator[tuple[ast.Call, str, str]]:
    """Every call of a file with the name it is called by and what stands before the dot."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            called = node.func
            if isinstance(called, ast.Attribute):
                before = called.value
                yield node, called.attr, before.id if isinstance(before, ast.Name) else getattr(before, "attr", "")
            elif isinstance(called, ast.Name):
                yield node, called.id, ""


def uses() -> dict[str, set[str]]:
    """Name of something -> what is called of it anywhere."""
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        for _, name, before in calls(path):
            found.setdefault(before, set()).add(name)
    return found


def patterns() -> Iterator[tuple[str, re.Pattern[Any], set[str]]]:
    """Where a pattern stands, the pattern, and how it is used."""
    used = uses()
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        if "re" in {
            alias.name for node in ast.walk(tree_of(path)) if isinstance(node, ast.Import) for alias in node.names
        }:
            for attribute, value in vars(module_of(path)).items():
                if isinstance(value, re.Pattern):
                    yield f"{name} {attribute}", value, used.get(attribute, set()) & METHODS or ANYHOW
        for node, called, before in calls(path):
            is_passed_on = (name, called) in PASSED_ON
            if is_passed_on or (before == "re" and called in METHODS):
                text = node.args[0]
                if isinstance(text, ast.Constant):
                    yield f"{name}:{node.lineno}", re.compile(text.value), {"fullmatch" if is_passed_on else called}


PATTERNS = {where: (pattern, used) for where, pattern, used in patterns()}


def test_every_pattern_is_found() -> None:
    """One that is put together elsewhere than at the top of a module would escape."""
    for path in SOURCES:
        name = path.relative_to(ROOT).as_posix()
        tree = tree_of(path)
        at_top = {id(node.value) for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)}
        inside = {
            id(node): function.name
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
            for node in ast.walk(function)
        }
        for node, called, before in calls(path):
            if before == "re" and called in {"compile", *METHODS}:
                is_constant = isinstance(node.args[0], ast.Constant) and called != "compile"
                is_passed_on = (name, inside.get(id(node), "")) in PASSED_ON
                assert is_constant or is_passed_on or id(node) in at_top, f"{name}:{node.lineno}"
        assert not [
            alias
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "re"
            for alias in node.names
        ], f"{name} imports from re: import re"
    assert {"resolvers/formats.py UNSTORABLE", "resolvers/scalars.py TIME", "gateway/rate.py CLIENT_NAME"} <= set(
        PATTERNS
    )


# What they are made of


def nested(pattern: str, flags: int = 0) -> bool:
    """Whether a repeat without end holds another repeat, and one text can be shared out between them in many ways.

    It cannot where each round begins with a character that the inner repeats do not take, nor where the inner ones give
    nothing back (`++`).
    """
    return any(_is_nested(body) for body in endless(parser.parse(pattern, flags)))


def endless(tree: Any) -> Iterator[Any]:
    """The bodies of all repeats without end."""
    for operator, argument in tree:
        if operator in REPEATS and argument[1] == sre.MAXREPEAT:
            yield argument[2]
        for part in parts_of(operator, argument):
            yield from endless(part)


def parts_of(operator: Any, argument: Any) -> list[Any]:
    """The patterns within an item of a pattern."""
    if operator in (*REPEATS, sre.POSSESSIVE_REPEAT):
        return [argument[2]]
    if operator is sre.SUBPATTERN:
        return [argument[3]]
    if operator is sre.BRANCH:
        return list(argument[1])
    if operator in (sre.ASSERT, sre.ASSERT_NOT):
        return [argument[1]]
    if operator is sre.ATOMIC_GROUP:
        return [argument]
    if operator is sre.GROUPREF_EXISTS:
        return [part for part in argument[1:] if part is not None]
    return []


def repeats_in(tree: Any) -> Iterator[Any]:
    """The bodies of the repeats that can be matched in several lengths, and give back what they took."""
    for operator, argument in tree:
        if operator in REPEATS and argument[0] != argument[1]:
            yield argument[2]
        if operator not in (sre.POSSESSIVE_REPEAT, sre.ATOMIC_GROUP):
            for part in parts_of(operator, argument):
                yield from repeats_in(part)


def _is_nested(body: Any) -> bool:
    inner = list(repeats_in(body))
    if not inner:
        return False
    first, argument = next(iter(body))
    begins = {character for character in SOME_CHARACTERS if takes(first, argument, character)}
    items = [item for part in inner for item in part]
    return not begins or any(takes(each, of, character) for each, of in items for character in begins)


def takes(operator: Any, argument: Any, character: str) -> bool:
    """Whether an item of a pattern can take the character; of an item that is none of one character it is assumed."""
    code = ord(character)
    if operator is sre.LITERAL:
        return bool(argument == code)
    if operator is sre.NOT_LITERAL:
        return bool(argument != code)
    if operator is sre.RANGE:
        return bool(argument[0] <= code <= argument[1])
    if operator is sre.CATEGORY:
        return bool(re.fullmatch(CATEGORIES[argument], character))
    if operator is sre.IN:
        is_negated = argument[0][0] is sre.NEGATE
        return any(takes(each, of, character) for each, of in argument[is_negated:]) != is_negated
    return True


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (r"\w+-(\w+)+-\w+", True),
        (r"\w+-\w+-\w+", False),
        (r"(a*)*", True),
        (r"(a|b+)*", True),
        (r"(?:a?b?)+", True),
        (r"(x+y*)*?", True),
        (r"a+(?:\.a+)*", False),
        (r"a+(?:[.a]a+)*", True),
        (r"(?:a++)*", False),
        (r"(?:a{3})*", False),
        (r"(?:a{1,3})*", True),
        (r"(?:a+){1,3}", False),
        (r"(?:(?:\.[^.]+)*-)*", True),
    ],
)
@pytest.mark.rule("H1")
def test_a_nested_repeat_is_recognised(pattern: str, expected: bool) -> None:
    assert nested(pattern) == expected


@pytest.mark.rule("H1")
@pytest.mark.rule("H4")
def test_no_pattern_has_a_repeat_within_an_endless_repeat() -> None:
    assert [where for where, (pattern, _) in PATTERNS.items() if nested(pattern.pattern, pattern.flags)] == []


@pytest.mark.rule("H2")
def test_words_and_digits_of_callers_are_ascii() -> None:
    """Where others are meant, the pattern names them: `å` is a letter, an Arabic digit is none."""
    found = [
        where
        for where, (pattern, _) in PATTERNS.items()
        if isinstance(pattern.pattern, str)
        and re.search(r"(?<!\\)(?:\\\\)*\\[wWdD]", pattern.pattern)
        and not pattern.flags & re.ASCII
        and not any(where.startswith(file) for file in UNICODE_DIGITS_AND_WORDS)
    ]
    assert found == []


# How long they take


def characters_of(tree: Any) -> Iterator[str]:
    """Some of the characters that a pattern names, in order."""
    for operator, argument in tree:
        if operator in (sre.LITERAL, sre.NOT_LITERAL):
            yield chr(argument)
        elif operator is sre.IN:
            taken = [character for character in SOME_CHARACTERS if takes(operator, argument, character)]
            yield from [*taken[:2], *taken[-1:]]
        elif operator is sre.ANY:
            yield "a"
        for part in parts_of(operator, argument):
            yield from characters_of(part)


def texts(alphabet: str) -> st.SearchStrategy[Callable[[int], str]]:
    """Texts of any length: a beginning, a few characters over and over, an end."""
    few = st.text(st.sampled_from(sorted({*alphabet, "!"})), max_size=8)
    again = st.text(st.sampled_from(sorted(set(alphabet))), min_size=1, max_size=4)

    def made(beginning: str, repeated: str, end: str) -> Callable[[int], str]:
        return lambda length: beginning + repeated * (length // len(repeated)) + end

    return st.builds(made, st.just("") | few | st.just(alphabet), again, few | st.just("!"))


def seconds(act: Callable[[str], object], text: str) -> float:
    began = time.thread_time()
    act(text)
    return time.thread_time() - began


def is_linear(act: Callable[[str], object], text_of: Callable[[int], str], length: int = LONG) -> bool:
    """Whether a text ten times as long takes at most some ten times as long."""
    short = seconds(act, text_of(length // 10))
    if short > FAST:
        return False
    long = seconds(act, text_of(length))
    return long < FAST or long < GROWS_AT_MOST * short


quick = settings(
    max_examples=10, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.rule("H3")
def test_quadratic_work_is_recognised() -> None:
    assert not is_linear(lambda text: re.search(r"-?\d*\.\d\d", text), lambda length: "1" * length, 20_000)
    assert is_linear(lambda text: re.fullmatch(r"-?\d*\.\d\d", text), lambda length: "1" * length)


@pytest.mark.rule("H1")
@pytest.mark.rule("H3")
@pytest.mark.parametrize("where", sorted(PATTERNS))
def test_a_pattern_takes_linear_time(where: str) -> None:
    pattern, used = PATTERNS[where]
    tree = parser.parse(pattern.pattern, pattern.flags)
    alphabet = "".join(characters_of(tree)) or "a"

    @quick
    @given(texts(alphabet))
    def holds(text_of: Callable[[int], str]) -> None:
        for method in sorted(used):
            assert is_linear(partial(applied, pattern, method), text_of), method

    holds()


def applied(pattern: re.Pattern[Any], method: str, text: str) -> object:
    given: Any = text if isinstance(pattern.pattern, str) else text.encode(errors="replace")
    if method in ("sub", "subn"):
        return getattr(pattern, method)("" if isinstance(given, str) else b"", given)
    found = getattr(pattern, method)(given)
    return list(found) if method == "finditer" else found


# What looks at the texts of callers


def checks() -> Iterator[tuple[str, Callable[..., object], list[str]]]:
    """The public functions of `formats` that look at a text, with the names of their texts."""
    for name, function in inspect.getmembers(formats, inspect.isfunction):
        taken = [each.name for each in inspect.signature(function).parameters.values() if each.annotation is str]
        if function.__module__ == formats.__name__ and not name.startswith("_") and taken:
            yield name, function, taken


CHECKS = {name: (function, taken) for name, function, taken in checks()}
KNOWN: dict[str, dict[str, list[Any]]] = {
    "clean": {"max_length": [1, 100, LONG]},
    "clean_lines": {"max_length": [1, 100, LONG]},
    "phone": {"country_code": ["+47"], "number": ["90000000"]},
    "post_code": {"country_alpha3": ["NOR", "SWE"]},
}
"""Function -> values of its arguments beside which another one is long."""
ODD = "a-@.+ 0\t\n\x00æ̈å\u0301\u0327\u0660\ud800\U0001f600ﬃß(\"'"


@pytest.mark.rule("H4")
@pytest.mark.rule("H5")
@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_check_of_a_text_takes_linear_time(name: str) -> None:
    function, taken = CHECKS[name]
    if name == "language":
        formats.language("NOB")  # reads the table of languages

    @quick
    @given(texts(ODD), st.data())
    def holds(text_of: Callable[[int], str], data: st.DataObject) -> None:
        known = {each: data.draw(st.sampled_from(values)) for each, values in KNOWN.get(name, {}).items()}
        long = data.draw(st.sampled_from(taken))

        def act(text: str) -> object:
            with suppress(Refused, StopIteration):  # the latter of `luhn_digit`, which is given digits only
                return function(**{**dict.fromkeys(taken, text), **known, long: text})
            return None

        assert is_linear(act, text_of)

    holds()
