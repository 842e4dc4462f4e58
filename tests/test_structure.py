"""What every file, row class and word of the graph must be like, so that the next ones are like it."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from graphql import (
    DirectiveLocation,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    is_introspection_type,
    is_non_null_type,
    is_specified_directive,
    is_specified_scalar_type,
)
from strawberry.types.base import StrawberryObjectDefinition

from datastore import bookkeeping
from datastore.base import Base
from datastore.migrate import METADATA
from datastore.sealing import SEALED
from schema.permission import SensitiveDirective
from schema.root import schema
from schema.view import DECLARED, Sensitive

ROOT = Path(__file__).parents[1]
PACKAGES = ("datastore", "resolvers", "schema", "gateway")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LONGEST_FILE = 400
LONG_FILES = {
    "schema/customer/types.py": "one field a line, and its words",
}
"""File with more than `LONGEST_FILE` lines -> why it is not a package."""

LEFT_OUT = {
    *(".git", ".venv", "node_modules", "static", "dist", "build", "results"),
    *("__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".import_linter_cache"),
}
"""Folders that are made, not written."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Line and name of everything a file calls; of `a.b()` only the `b`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = node.func
            yield node.lineno, called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, each.name) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{each.name}") for each in node.names)


SQL = {"select", "insert", "update", "delete", "text", "union", "exists", "literal_column"}


def test_resolvers_start_every_read_from_what_the_viewer_may_see() -> None:
    """`visible`, `reached` and the loaders ask whose a row is; a bare `select(Row)` does not."""
    bare = [
        f"{name(path)}:{line} {what}"
        for path in SOURCES
        if name(path).startswith("resolvers/")
        for line, what in imports(path)
        if what in {f"sqlalchemy.{each}" for each in SQL} | {f"sqlalchemy.orm.{each}" for each in SQL}
        or what == "sqlalchemy"
    ]
    assert bare == []


def test_the_schema_has_no_sql() -> None:
    found = [
        f"{name(path)}:{line} {what}"
        for path in SOURCES
        if name(path).startswith("schema/")
        for line, what in [*imports(path), *calls(path)]
        if what in {f"sqlalchemy.{each}" for each in SQL | {"func", "and_", "or_", "tuple_"}}
        or what in {"fetch", "execute"}
    ]
    assert found == []


ROWS = sorted((mapper.class_ for mapper in Base.registry.mappers), key=lambda row: str(row.__name__))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_every_row_says_who_may_see_it_and_bookkeeping_is_for_nobody(row: type[Base]) -> None:
    says = row.visible_to.__func__ is not Base.visible_to.__func__  # type: ignore[attr-defined]
    assert says == (row.__module__ != bookkeeping.__name__)


def test_migrations_know_every_module_with_rows() -> None:
    """Tables of a module that is not imported there would silently be left out."""
    with_rows = {path for path in SOURCES if re.search(r"^    __tablename__ = ", path.read_text(), re.MULTILINE)}
    imported = {what.replace(".", "/") + ".py" for _, what in imports(ROOT / "datastore/migrate.py")}
    assert {name(path) for path in with_rows} <= imported


@pytest.mark.parametrize("table", METADATA.tables.values(), ids=str)
def test_every_foreign_key_has_an_index(table: sa.Table) -> None:
    """Loaders come through it, and every delete of the row it refers to looks there. A partial index may leave out the
    rows that refer to nothing."""
    first = {
        next(iter(index.columns)).name
        for index in table.indexes
        if str(index.dialect_options["sqlite"]["where"]) in {"None", f"{next(iter(index.columns)).name} IS NOT NULL"}
    }
    first |= {next(iter(each.columns)).name for each in table.constraints if isinstance(each, sa.UniqueConstraint)}
    first |= {column.name for column in table.primary_key} if len(table.primary_key) == 1 else set()
    without = [column.name for column in table.columns if column.foreign_keys and column.name not in first]
    assert without == []


def shown_fields() -> Iterator[tuple[str, type[Base], Any, Any]]:
    """Every field of a view: its name, the row class, how it is declared, and its type in the graph."""
    rows = {row.__name__: row for row in ROWS}
    for graphql_type in schema._schema.type_map.values():
        definition = graphql_type.extensions.get("strawberry-definition")
        if isinstance(definition, StrawberryObjectDefinition) and definition.name in rows:
            assert isinstance(graphql_type, GraphQLObjectType)
            for field in definition.fields:
                member = graphql_type.fields[schema.config.name_converter.get_graphql_name(field)]
                yield f"{definition.name}.{field.python_name}", rows[definition.name], field, member.type


def test_what_is_sealed_is_shown_to_those_who_may_see_it_only() -> None:
    """Opened by `sensitive`, which asks for a permission and a reason, and null to all others."""
    sealed = {
        f"{row.__name__}.{column.name}" for row in ROWS for column in row.__table__.columns if column.info.get(SEALED)
    }
    sensitive = set()
    for where, row, field, graphql_type in shown_fields():
        declared = field.metadata.get(DECLARED)
        if not isinstance(declared, Sensitive):
            assert where not in sealed, f"{where} shows what is stored, and that is sealed"
            continue
        assert declared.sealed.class_ is row, where
        assert f"{row.__name__}.{declared.sealed.key}" in sealed, f"{where} opens what is not sealed"
        assert not is_non_null_type(graphql_type), f"{where} has to be null for whoever may not see it"
        assert SensitiveDirective(reveal=declared.reveal.value) in field.directives, where
        sensitive.add(where)
    assert "Note.text" in sensitive


@pytest.mark.parametrize("table", METADATA.tables.values(), ids=str)
def test_what_is_sealed_is_a_text_of_any_length_that_nothing_sorts_or_compares(table: sa.Table) -> None:
    """A sealed text is longer than what it seals, and another one each time."""
    sealed = {column.name for column in table.columns if column.info.get(SEALED)}
    assert all(isinstance(table.c[each].type, sa.Text) for each in sealed)
    assert not [str(index.name) for index in table.indexes if sealed & {column.name for column in index.columns}]
    compared = [each for each in table.constraints if sealed & {column.name for column in getattr(each, "columns", ())}]
    assert compared == []


def test_long_files_are_named() -> None:
    long = {name(path) for path in SOURCES if len(path.read_text().splitlines()) > LONGEST_FILE}
    assert long == LONG_FILES.keys(), "make a package of it, or say in LONG_FILES why not"


def test_packages_have_empty_inits() -> None:
    inits = [path for path in SOURCES if path.name == "__init__.py"]
    assert [name(path) for path in inits if path.stat().st_size] == []
    folders = {path.parent for path in SOURCES if "migrations" not in path.parts}
    assert [name(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def described() -> Iterator[tuple[str, str | None]]:
    """Every type, field, argument, input field, enum value and directive of the graph with its description, and every
    deprecation with its reason."""
    types = [each for each in schema._schema.type_map.values() if not is_introspection_type(each)]
    for graphql_type in types:
        if is_specified_scalar_type(graphql_type):
            continue
        yield graphql_type.name, graphql_type.description
        members: dict[str, Any] = {}
        if isinstance(graphql_type, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            members = dict(graphql_type.fields)
        elif isinstance(graphql_type, GraphQLEnumType):
            members = dict(graphql_type.values)
        for member, definition in members.items():
            yield f"{graphql_type.name}.{member}", definition.description
            if definition.deprecation_reason is not None:
                yield f"{graphql_type.name}.{member} @deprecated", definition.deprecation_reason
            for argument, given in getattr(definition, "args", {}).items():
                yield f"{graphql_type.name}.{member}({argument})", given.description
    for directive in schema._schema.directives:
        if not is_specified_directive(directive):
            yield f"@{directive.name}", directive.description
            # Strawberry drops the words for the arguments of directives that stand in the schema only.
            is_for_documents = DirectiveLocation.FIELD in directive.locations
            for argument, given in directive.args.items() if is_for_documents else ():
                yield f"@{directive.name}({argument})", given.description


SENTENCE = re.compile(r"[A-ZÆØÅ0-9`](?!.*(  |\s$)).*[^\s.]\.", re.DOTALL)
"""Begins like a sentence, ends in one dot, has no double spaces."""


def test_everything_in_the_graph_is_described_in_a_sentence() -> None:
    assert [(where, text) for where, text in described() if not SENTENCE.fullmatch(text or "")] == []


def test_the_snapshot_of_the_schema_is_up_to_date() -> None:
    snapshot = (ROOT / "schema" / "schema.graphql").read_text()
    assert snapshot.strip() == schema.as_str().strip(), "the graph has changed: run `make schema` and look at the diff"


def written_files() -> Iterator[Path]:
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [each for each in folders if each not in LEFT_OUT]
        yield from (Path(folder) / file for file in files)


def test_no_file_names_a_registry_or_the_machine_it_was_written_on() -> None:
    """Where packages come from is the matter of whoever installs. The names are put together here, or this file would
    be found."""
    hosts = ["pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "yarn" + "pkg.com"]
    machine = ["/" + "work" + "/", "/" + "root" + "/"]
    options = ["--" + "index-url", "--" + "extra-index-url", "--" + "find-links", "--" + "trusted-host"]
    forbidden = re.compile("|".join(re.escape(each) for each in [*hosts, *machine, *options]))
    found = []
    for path in written_files():
        if path.suffix in {".db", ".png", ".ico", ".woff2"} or ".db-" in path.name:
            continue
        lines = path.read_text(errors="replace").splitlines()
        found += [f"{name(path)}:{n} {hit[0]}" for n, line in enumerate(lines, 1) if (hit := forbidden.search(line))]
    assert found == []
