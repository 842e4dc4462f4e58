"""The error catalogue, as shown."""

import strawberry

from datastore.viewer import Permission
from resolvers.errors import ErrorCode
from schema.permission import needs
from schema.view import describe


@strawberry.type(description="The texts of an error code.", directives=[needs(Permission.PUBLIC)])
class ErrorMessage:
    error_code: ErrorCode = strawberry.field(description="The error code.")
    short_english: str = strawberry.field(description="Short text in English.")
    long_english: str = strawberry.field(description="Long text in English.")
    short_norwegian: str = strawberry.field(description="Short text in Norwegian.")
    long_norwegian: str = strawberry.field(description="Long text in Norwegian.")


describe(ErrorCode, "What can be wrong with a request.", **{code.name: code.value.long_english for code in ErrorCode})


@strawberry.type
class ErrorQueries:
    @strawberry.field(description="Every error code with its texts.", directives=[needs(Permission.PUBLIC)])
    def error_messages(self) -> list[ErrorMessage]:
        return [
            ErrorMessage(
                error_code=code,
                short_english=code.value.short_english,
                long_english=code.value.long_english,
                short_norwegian=code.value.short_norwegian,
                long_norwegian=code.value.long_norwegian,
            )
            for code in ErrorCode
        ]
