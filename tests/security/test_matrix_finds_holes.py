"""Whether the matrix would notice a hole: each line of the permission table is broken in turn, in one gateway."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count, cycle, groupby, islice

import pytest

from datastore.viewer import GRANTABLE, Permission
from gateway.permissions import Guard
from schema.permission import Callers, Need
from tests.gateway.client import endpoint_of
from tests.security.conftest import ON_SQLITE
from tests.security.matrix import ROLES, Matrix, allows, snapshot

pytestmark = [pytest.mark.asyncio(loop_scope="module"), ON_SQLITE]

NEEDS = snapshot()
LINES = 1032
"""How many lines there were when this was written: all of them are broken, so there are at least as many."""
PUBLIC = Need(Permission.PUBLIC, Callers.EVERYONE)
PERMISSIONS = sorted(GRANTABLE, key=lambda each: each.value)


@contextmanager
def broken(matrix: Matrix, coordinate: str, need: Need | None) -> Iterator[None]:
    """Within the block, the gateway takes a field to need this."""
    guard = endpoint_of(matrix.client).guard
    type_name, field = coordinate.split(".")
    fields = guard.needs[type_name]  # type: ignore[attr-defined]
    kept, fields[field] = fields[field], need
    guard._known.clear()  # type: ignore[attr-defined]
    try:
        yield
    finally:
        fields[field] = kept
        guard._known.clear()  # type: ignore[attr-defined]


async def is_found(matrix: Matrix, coordinate: str, need: Need | None, among: Iterable[str] = ()) -> bool:
    """Whether the matrix notices that a field needs something else, asked for alone or among others; the roles that
    should notice are asked first."""
    words = str(need or "NOBODY")
    roles = sorted(ROLES, key=lambda name: allows(words, ROLES[name]) == allows(NEEDS[coordinate], ROLES[name]))
    with broken(matrix, coordinate, need):
        for name in roles:
            if await matrix.differences(name, NEEDS, among or [coordinate]):
                return True
    return False


def type_of(coordinate: str) -> str:
    return coordinate.partition(".")[0]


def need_of(words: str) -> Need:
    """The need that a line of the snapshot tells of."""
    permission, _, callers = words.partition(" ")
    return Need(Permission(permission), Callers[callers or "EVERYONE"])


async def test_a_line_without_its_need_is_found(matrix: Matrix) -> None:
    """And, where the line needs nothing, one that suddenly is for nobody."""
    broken_needs = {each: None if NEEDS[each] == "public" else PUBLIC for each in NEEDS}
    unnoticed = [each for each, need in broken_needs.items() if not await is_found(matrix, each, need)]
    assert unnoticed == []
    assert len(broken_needs) == len(NEEDS) >= LINES


async def test_a_line_without_its_need_is_found_among_the_others_of_its_type(matrix: Matrix) -> None:
    """As most roles of the matrix ask."""
    unnoticed, places = [], count()
    for _, of_type in groupby(NEEDS, key=type_of):
        fields = list(of_type)
        coordinate = fields[next(places) % len(fields)]
        need = None if NEEDS[coordinate] == "public" else PUBLIC
        if not await is_found(matrix, coordinate, need, fields):
            unnoticed.append(coordinate)
    assert unnoticed == []
    assert next(places) == len(set(map(type_of, NEEDS))) > 50


async def test_a_line_with_the_need_of_another_permission_is_found(matrix: Matrix) -> None:
    unnoticed, broken_lines = [], 0
    for coordinate, words in NEEDS.items():
        need = need_of(words)
        others = [each for each in (Permission.SIGNED_IN, *PERMISSIONS) if each is not need.permission]
        # Another one for each line in turn, so that all pairs of permissions come up.
        other = next(islice(cycle(others), broken_lines, None))
        if not await is_found(matrix, coordinate, Need(other, need.callers)):
            unnoticed.append(f"{coordinate}: {other.value} instead of {words}")
        broken_lines += 1
    assert unnoticed == []
    assert broken_lines == len(NEEDS) >= LINES


async def test_a_line_for_other_callers_is_found(matrix: Matrix) -> None:
    unnoticed, broken_lines = [], 0
    for coordinate, words in NEEDS.items():
        need = need_of(words)
        for callers in sorted(set(Callers) - {need.callers}, key=lambda each: each.name):
            if not await is_found(matrix, coordinate, Need(need.permission, callers)):
                unnoticed.append(f"{coordinate}: {callers.name} instead of {words}")
            broken_lines += 1
    assert unnoticed == []
    assert broken_lines == len(NEEDS) * (len(Callers) - 1)


async def test_a_field_that_is_asked_for_as_one_of_its_interface_is_found(
    matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Node.id` needs less than `Customer.id`: a guard that took one for the other would let it out."""
    text = "{ auditLog { nodes { customer { ... on Node { id } } } } }"
    assert await matrix.is_denied("only audit:read", text, ["Customer.id"]) == ""
    monkeypatch.setattr(Guard, "selected", lambda _, parent, condition: condition or parent)
    assert await matrix.is_denied("only audit:read", text + " ", ["Customer.id"]) != ""


async def test_the_whole_matrix_agrees_where_nothing_is_broken(matrix: Matrix) -> None:
    for name in ("anonymous", "conductor", "nothing"):
        assert await matrix.differences(name, NEEDS, NEEDS) == []
