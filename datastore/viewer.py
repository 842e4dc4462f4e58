"""Who asks."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Viewer:
    """The caller of one request, as far as stored rows care.

    `organisation_id` is the caller's own organisation. Only internal callers may name another one (rule T04).
    """

    organisation_id: int
    is_internal: bool = False
