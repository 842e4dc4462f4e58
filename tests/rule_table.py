"""The tables of business rules in `docs/`, each rule with the tests that hold it: `make rules` writes them.

`docs/rules/DOMAIN.tsv` has a rule a line: its id, what it says, and for a rule without a test why there is none.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
TEST = ast.FunctionDef | ast.AsyncFunctionDef
DOMAINS = {"customer": "Customer rules", "employee": "Employee rules", "loyalty": "Loyalty rules"}


class Rule(NamedTuple):
    """A business rule, in the words of this project."""

    id: str
    says: str
    why_untested: str = ""


def rules(domain: str) -> list[Rule]:
    """The rules of a domain, in the order of their file."""
    lines = (ROOT / "docs" / "rules" / f"{domain}.tsv").read_text().splitlines()
    return [Rule(*line.split("\t")) for line in lines]


def markers(path: Path) -> Iterator[tuple[str, str]]:
    """Rule id and test, for each `@pytest.mark.rule(id)` of a test or of a class of tests in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            tests = [each.name for each in node.body if isinstance(each, TEST) and each.name.startswith("test_")]
        elif isinstance(node, TEST):
            tests = [node.name]
        else:
            continue
        for call in node.decorator_list:
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.rule":
                yield from ((str(each.value), test) for each in call.args for test in tests)  # type: ignore[attr-defined]


def held_by() -> Mapping[str, Sequence[str]]:
    """Rule id -> the tests that hold it, as `customer/test_update.py: name`, sorted."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (ROOT / "tests").rglob("test_*.py"):
        place = path.relative_to(ROOT / "tests").as_posix()
        for rule, test in markers(path):
            found[rule].add(f"`{place}` {test.removeprefix('test_').replace('_', ' ')}")
    return {rule: sorted(tests) for rule, tests in found.items()}


def table(domain: str) -> str:
    """The Markdown page of a domain's rules."""
    held = held_by()
    rows = []
    for rule in rules(domain):
        tests = held.get(rule.id, ())
        cell = "<br>".join(tests) if tests else f"No test: {rule.why_untested or '?'}"
        rows.append(f"| {rule.id} | {rule.says} | {cell} |")
    head = (
        f"# {DOMAINS[domain]}\n\nEvery rule, and the tests that hold it. Written by `make rules` from "
        f"`docs/rules/{domain}.tsv` and from the markers of the tests.\n\n"
    )
    return head + "\n".join(["| rule | says | held by |", "| --- | --- | --- |", *rows]) + "\n"


def page(domain: str) -> Path:
    return ROOT / "docs" / f"{domain}-rules.md"


if __name__ == "__main__":
    for name in DOMAINS:
        page(name).write_text(table(name))
