"""Notes."""

import strawberry

from datastore.viewer import Permission
from resolvers.customer import notes
from schema.customer.types import Customer, Note
from schema.mutation import Payload, mutation, payload
from schema.permission import Callers


@payload("What createNote answers.")
class CreateNotePayload(Payload):
    note: Note | None = strawberry.field(description="The note as created.")


@payload("What updateNote answers.")
class UpdateNotePayload(Payload):
    note: Note | None = strawberry.field(description="The note as it is now.")


@payload("What deleteNote answers.")
class DeleteNotePayload(Payload):
    customer: Customer | None = strawberry.field(description="The customer it was about.")
    deleted_note_id: strawberry.ID | None = strawberry.field(description="Id of the note that is gone.")


@strawberry.type
class NoteMutations:
    create_note: CreateNotePayload = mutation(
        notes.create_note,
        needs=Permission.NOTE_WRITE,
        callers=Callers.CLIENTS,
        description="Adds a note about a customer; posts UPDATE.",
    )
    update_note: UpdateNotePayload = mutation(
        notes.update_note,
        needs=Permission.NOTE_WRITE,
        callers=Callers.CLIENTS,
        description="Gives a note another text; posts UPDATE.",
    )
    delete_note: DeleteNotePayload = mutation(
        notes.delete_note,
        needs=Permission.NOTE_WRITE,
        callers=Callers.CLIENTS,
        description="Deletes a note about a customer; posts UPDATE.",
    )
