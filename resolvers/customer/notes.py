"""What employees write about customers (rules C12 and C107). The text of a note is sealed, and never quoted."""

from collections.abc import Mapping
from typing import Any

import strawberry
from strawberry import ID

from datastore import customer as stored
from datastore.writing import Write
from resolvers import formats
from resolvers.customer.changing import assign, changeable, same_version
from resolvers.customer.inputs import BY_WHOM, CUSTOMER_NUMBER, EXPECTED_VERSION
from resolvers.customer.owned import owned
from resolvers.errors import ErrorCode, refuse
from resolvers.given import Problems, checked
from resolvers.scalars import Long

MOST_NOTES = 500
LONGEST_NOTE = 10_000
TEXT = "The note itself: 1 to 10,000 characters, line breaks and tabs allowed."


@strawberry.input(description="A new note about a customer.")
class CreateNoteInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    text: str = strawberry.field(description=TEXT)
    created_by: str = strawberry.field(description=BY_WHOM)


@strawberry.input(description="Another text for a note.")
class UpdateNoteInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    note_id: ID = strawberry.field(description="The note to change.")
    text: str = strawberry.field(description=TEXT)
    changed_by: str = strawberry.field(description=BY_WHOM)
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)


@strawberry.input(description="A note to delete.")
class DeleteNoteInput:
    customer_number: Long = strawberry.field(description=CUSTOMER_NUMBER)
    note_id: ID = strawberry.field(description="The note to delete.")
    expected_version: int | None = strawberry.field(default=None, description=EXPECTED_VERSION)


async def create_note(write: Write, given: CreateNoteInput) -> stored.Note:
    """A new note about a customer; posts UPDATE.

    Raises `Refused`: what `changeable` and the formats refuse, TOO_MANY_NOTES.
    """
    customer = await changeable(write, given.customer_number)
    if await write.count(stored.Note.customer_id, customer.id) >= MOST_NOTES:
        raise refuse(ErrorCode.TOO_MANY_NOTES)
    values = note_values(write, given)
    note = stored.Note(
        **values,
        customer_id=customer.id,
        created_at=write.now,
        changed_at=write.now,
        changed_by=values["created_by"],
    )
    write.session.add(note)
    write.customer_changed(customer)
    return note


async def update_note(write: Write, given: UpdateNoteInput) -> stored.Note:
    """The note with another text; posts UPDATE.

    Raises `Refused`: what `changeable` and the formats refuse, NOTE_NOT_FOUND, VERSION_CONFLICT.
    """
    customer = await changeable(write, given.customer_number)
    note = await note_of(write, customer, given.note_id)
    same_version(note, given.expected_version)
    assign(write, note, note_values(write, given))
    write.customer_changed(customer)
    return note


async def delete_note(write: Write, given: DeleteNoteInput) -> Mapping[str, Any]:
    """The customer, without the note; posts UPDATE.

    Raises `Refused`: what `changeable` refuses, NOTE_NOT_FOUND, VERSION_CONFLICT.
    """
    customer = await changeable(write, given.customer_number)
    note = await note_of(write, customer, given.note_id)
    same_version(note, given.expected_version, shown=customer)
    await write.session.delete(note)
    write.customer_changed(customer)
    return {"customer": customer, "deleted_note_id": str(note.id)}


def note_values(write: Write, given: CreateNoteInput | UpdateNoteInput) -> dict[str, Any]:
    """The given values, the text sealed. Raises `Refused` without the text: REQUIRED, TEXT_TOO_LONG, TEXT_INVALID."""
    problems = Problems()
    values = checked(problems, given, stored.Note, {}, skip={"text"})
    with problems.at("text"):
        text = formats.clean_lines(given.text, LONGEST_NOTE)
        if not text:
            raise refuse(ErrorCode.REQUIRED)
        values["text"] = write.keys.seal(text, stored.Note.text)
    problems.raise_any()
    return values


async def note_of(write: Write, customer: stored.Customer, given_id: str) -> stored.Note:
    """The customer's note with this id. Raises `Refused`: NOTE_NOT_FOUND, for a note about another customer too."""
    found: stored.Note = await owned(write, customer, stored.Note.id, given_id, ErrorCode.NOTE_NOT_FOUND, "noteId")
    return found
