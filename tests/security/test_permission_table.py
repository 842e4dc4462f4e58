"""The table of who may see and do what: its snapshot is true, and nothing in it is left open or closed by mistake."""

import pytest

from datastore.viewer import GRANTABLE, Permission
from schema.permission import permission_table
from schema.root import schema
from tests.security.matrix import SNAPSHOT, WAYS, snapshot, step_of

NOT_ASKED_BY_A_FIELD = {
    Permission.NOTE_REVEAL: "asked for when the text of a note is opened, by @sensitive",
    Permission.SSN_REVEAL: "asked for when a social security number is opened, by @sensitive",
}
"""Permission that no line of the table names -> where it is used, or why not yet."""
OPEN = ("public", "signed-in")


CODE_LISTS = (
    *("employmentEndCauses", "employmentTypes", "familyRelations", "fipTicketTypes", "payTypes", "postalPlaces"),
    *("products", "stations", "ticketTypes", "travelTypes"),
)
"""They say nothing about anybody."""


def test_snapshot_is_what_the_schema_declares() -> None:
    assert SNAPSHOT.read_text().splitlines() == permission_table(schema._schema).lines(), "run: make schema"


def test_nothing_is_for_nobody() -> None:
    """NOBODY stands where neither the field nor its type declares anything."""
    assert [coordinate for coordinate, need in snapshot().items() if need == "NOBODY"] == []


def test_every_permission_is_used_or_named_as_used_elsewhere() -> None:
    used = {need.partition(" ")[0] for need in snapshot().values()}
    assert used <= {permission.value for permission in Permission}
    unused = {permission for permission in GRANTABLE if permission.value not in used}
    assert unused == set(NOT_ASKED_BY_A_FIELD)


@pytest.mark.rule("T02")
def test_what_writes_is_never_public_and_never_for_whoever_is_signed_in() -> None:
    writes = {coordinate: need for coordinate, need in snapshot().items() if coordinate.startswith("Mutation.")}
    assert writes
    assert [coordinate for coordinate, need in writes.items() if need.partition(" ")[0] in OPEN] == []


def test_roots_that_are_open_are_known() -> None:
    """A new one is a decision to be made on purpose."""
    roots = {coordinate: need for coordinate, need in snapshot().items() if coordinate.startswith("Query.")}
    assert {coordinate: need for coordinate, need in roots.items() if need in OPEN} == {
        "Query.errorMessages": "public",
        "Query.node": "signed-in",
        "Query.nodes": "signed-in",
        "Query.viewer": "signed-in",
        **{f"Query.{name}": "signed-in" for name in CODE_LISTS},
    }


def test_every_field_can_be_reached_from_a_root() -> None:
    """What could not be reached would be in no matrix."""
    assert [coordinate for coordinate in snapshot() if step_of(coordinate).type_name not in WAYS] == []
