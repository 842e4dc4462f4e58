"""Trusted documents: the only ones that a gateway runs which has a folder of them, named by the hash of their text."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import strawberry
from graphql import GraphQLError, specified_rules

from gateway.documents import ParsedDocument, operations_of, parse_document, validation_errors
from gateway.limits import Limits, measure
from gateway.request import Parameters, RequestRefused
from resolvers.errors import ErrorCode, Refused
from schema.cost import PriceList, price_list
from schema.mutation import IdempotentMutationsOnly

PREFIX = "sha256:"
HASH = re.compile("[0-9a-f]{64}")
LONGEST_CHARACTER = 4
"""Bytes of a character in UTF-8."""
RULES = (*specified_rules, IdempotentMutationsOnly)


class BadDocument(Exception):
    """A file or folder does not hold what could be run: says which, in which line, and why."""


@dataclass(frozen=True, slots=True)
class Trusted:
    """The trusted documents by the SHA-256 of their text, in lower-case hexadecimal digits."""

    documents: Mapping[str, ParsedDocument]

    def find(self, parameters: Parameters) -> ParsedDocument:
        """The document that a request names or has written out.

        Raises RequestRefused: 404 DOCUMENT_UNKNOWN for a documentId, 403 DOCUMENT_NOT_TRUSTED for a text, 400 for both
        if they are not the same document.
        """
        written = None if parameters.query is None else hash_of(parameters.query.encode())
        named = written if parameters.document_id is None else hash_in(parameters.document_id)
        if written is not None and named != written:
            message = "The parameters query and documentId are not the same document: give one of them."
            raise RequestRefused(400, ErrorCode.REQUEST_MALFORMED, message)
        if document := self.documents.get(named or ""):
            return document
        if written is None:
            raise RequestRefused(404, ErrorCode.DOCUMENT_UNKNOWN, ErrorCode.DOCUMENT_UNKNOWN.value.long_english)
        raise RequestRefused(403, ErrorCode.DOCUMENT_NOT_TRUSTED, ErrorCode.DOCUMENT_NOT_TRUSTED.value.long_english)


def hash_of(text: bytes) -> str:
    """The hash that names a document."""
    return sha256(text).hexdigest()


def hash_in(document_id: str) -> str | None:
    """The hash in a documentId, `sha256:<hex>` or the digits alone; None if it has none."""
    found = document_id.lower().removeprefix(PREFIX)
    return found if HASH.fullmatch(found) else None


def read_trusted(folder: Path, schema: strawberry.Schema, limits: Limits) -> Trusted:
    """The documents in the files `*.graphql` of a folder, not of those below it.

    Raises BadDocument for a file that could not be run, one that has been changed since it was named by its hash, and
    a folder that is missing or has none: then nothing at all would be run.
    """
    documents: dict[str, ParsedDocument] = {}
    for file, document in documents_in(folder, sorted(folder.glob("*.graphql")), schema, limits):
        key = hash_of(document.text.encode())
        if HASH.fullmatch(file.stem.lower()) and file.stem.lower() != key:
            raise BadDocument(f"{file}: the file has been changed since it was named; its hash is {key}")
        documents[key] = document
    return Trusted(documents)


@dataclass(frozen=True, slots=True)
class Collected:
    """One line of the manifest: a document, the file it was found in and the names of its operations."""

    document_id: str
    file: str
    operations: tuple[str, ...]
    """An operation without a name has the empty one."""


def collect(source: Path, target: Path, schema: strawberry.Schema, limits: Limits, *, prune: bool) -> list[Collected]:
    """Write the documents in all files `*.graphql` below `source` into the folder `target`, each named by its hash.

    Nothing is written if one of them could not be run: then BadDocument is raised. Files that are there stay as they
    are; with `prune` those are removed that are named by the hash of a document that `source` no longer has.
    """
    files = sorted(each for each in source.rglob("*.graphql") if not each.is_relative_to(target))
    found = {
        file: (hash_of(document.text.encode()), document)
        for file, document in documents_in(source, files, schema, limits)
    }
    target.mkdir(parents=True, exist_ok=True)
    wanted = {f"{key}.graphql": document for key, document in found.values()}
    for name, document in wanted.items():
        if not (target / name).exists():
            (target / name).write_bytes(document.text.encode())
    if prune:
        for file in target.glob("*.graphql"):
            if HASH.fullmatch(file.stem) and file.name not in wanted:
                file.unlink()
    return [
        Collected(
            f"{PREFIX}{key}",
            file.relative_to(source).as_posix(),
            tuple(each.name.value if each.name else "" for each in operations_of(document.document)),
        )
        for file, (key, document) in found.items()
    ]


def documents_in(
    folder: Path, files: list[Path], schema: strawberry.Schema, limits: Limits
) -> Iterator[tuple[Path, ParsedDocument]]:
    """The documents in these files of a folder. Raises BadDocument for the first that could not be run, and if there
    is none."""
    if not folder.is_dir():
        raise BadDocument(f"{folder}: there is no such folder of documents")
    if not files:
        raise BadDocument(f"{folder}: the folder has no file *.graphql")
    prices = price_list(schema._schema)
    for file in files:
        yield file, read_document(file, schema, prices, limits)


def read_document(file: Path, schema: strawberry.Schema, prices: PriceList, limits: Limits) -> ParsedDocument:
    """The document in a file. Raises BadDocument unless it fits the schema and is within the limits.

    What is within them only with certain variables is let in, and measured again with those of each request.
    """
    try:
        if file.stat().st_size > LONGEST_CHARACTER * limits.document_length:
            raise BadDocument(f"{file}: the file has more than {limits.document_length} characters")
        parsed = parse_document(file.read_bytes().decode(), limits)
        operations = operations_of(parsed.document)
        if not operations:
            raise BadDocument(f"{file}: the document has no operation")
        for operation in operations:
            measure(prices, parsed.document, operation, {}, limits)
        errors = validation_errors(schema._schema, parsed.document, RULES)
        parsed.is_valid = not errors
    except UnicodeDecodeError:
        raise BadDocument(f"{file}: the file is not UTF-8") from None
    except OSError as error:
        raise BadDocument(f"{file}: {error.strerror}") from None
    except GraphQLError as error:
        errors = [error]
    except Refused as refused:
        raise BadDocument(f"{file}: {refused.errors[0].message or refused.errors[0].code.value.long_english}") from None
    if errors:
        raise BadDocument("\n".join(f"{file}:{line_of(error)}: {error.message}" for error in errors))
    return parsed


def line_of(error: GraphQLError) -> int:
    """The line of a document that an error is about; the first if it does not say."""
    return error.locations[0].line if error.locations else 1
