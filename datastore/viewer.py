"""Who asks, and what they may do."""

from dataclasses import dataclass, field
from enum import Enum


class TenantKind(Enum):
    """The kinds of tenants (rule T03): each token issuer speaks for one of them."""

    INTERNAL = "internal"
    PARTNER = "partner"
    TRAVELLER = "traveller"
    PERSON = "person"


class Mode(Enum):
    """Whether a client asks for itself or for a user who is logged in (rule T01)."""

    CLIENT = "client"
    USER = "user"


class Permission(Enum):
    """What a caller can be allowed to do. The value is what stands in the claim `permissions` of a token.

    Each field of the graph needs one of them, or `PUBLIC` or `SIGNED_IN`, which no token has to grant.
    """

    PUBLIC = "public"
    SIGNED_IN = "signed-in"
    CUSTOMER_READ = "customer:read"
    CUSTOMER_SEARCH = "customer:search"
    CUSTOMER_CREATE = "customer:create"
    CUSTOMER_UPDATE = "customer:update"
    CUSTOMER_DELETE = "customer:delete"
    CUSTOMER_MERGE = "customer:merge"
    CUSTOMER_ERASE = "customer:erase"
    CUSTOMER_EXPORT = "customer:export"
    CONTACT_READ = "contact:read"
    JOURNEY_READ = "journey:read"
    NOTE_READ = "note:read"
    NOTE_REVEAL = "note:reveal"
    NOTE_WRITE = "note:write"
    PREFERENCE_WRITE = "preference:write"
    CREDENTIALS_VERIFY = "credentials:verify"
    PASSWORD_WRITE = "password:write"  # noqa: S105 - the name of a permission
    EMPLOYEE_READ = "employee:read"
    EMPLOYEE_SENSITIVE_READ = "employee-sensitive:read"
    EMPLOYEE_WRITE = "employee:write"
    SSN_REVEAL = "ssn:reveal"
    COMPANY_WRITE = "company:write"
    PERSONNEL_CODE_WRITE = "personnel-code:write"
    TICKET_RIGHT_READ = "ticket-right:read"
    TICKET_RIGHT_WRITE = "ticket-right:write"
    TICKET_RULE_WRITE = "ticket-rule:write"
    REPORT_READ = "report:read"
    CONTRACT_READ = "contract:read"
    CONTRACT_WRITE = "contract:write"
    CONTRACT_SHARE = "contract:share"
    CONTRACT_CLAIM = "contract:claim"
    CONTRACT_CONSUME = "contract:consume"
    CONTRACT_MONEY_WRITE = "contract-money:write"
    LEDGER_READ = "ledger:read"
    LOYALTY_PROGRAM_READ = "loyalty-program:read"
    LOYALTY_PROGRAM_WRITE = "loyalty-program:write"
    AUDIT_READ = "audit:read"


GRANTABLE = frozenset(Permission) - {Permission.PUBLIC, Permission.SIGNED_IN}
"""The permissions that a token can grant."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """The caller of one request.

    `organisation_id` is the caller's own organisation; only internal callers may name another one (rule T04).
    In user mode (rule T05) `customer_ids` are the keys of the caller's own profile and of those merged into it,
    `employee_ids` those of the caller's employments and `family_member_ids` those of the caller as a family member.
    A client with a `company_id` is bound to that company of its organisation (rule E23).
    `subject` and `client_id` say who the issuer says it is: they go into the audit log, never into other logs.
    """

    organisation_id: int
    kind: TenantKind = TenantKind.PARTNER
    permissions: frozenset[Permission] = frozenset()
    subject: str = ""
    client_id: str = ""
    issuer: str = ""
    customer_number: int | None = None
    customer_ids: frozenset[int] = field(default=frozenset())
    employee_id: str | None = None
    employee_ids: frozenset[int] = field(default=frozenset())
    family_member_ids: frozenset[int] = field(default=frozenset())
    company_id: int | None = None
    is_signed_in: bool = True

    @property
    def mode(self) -> Mode:
        """Internal and partner tenants are clients, travellers and persons are users (rule T03)."""
        return Mode.CLIENT if self.kind in (TenantKind.INTERNAL, TenantKind.PARTNER) else Mode.USER

    @property
    def is_internal(self) -> bool:
        return self.kind is TenantKind.INTERNAL

    @property
    def is_user(self) -> bool:
        return self.mode is Mode.USER

    def holds(self, permission: Permission) -> bool:
        """Whether the caller may do what needs this permission."""
        if permission is Permission.SIGNED_IN:
            return self.is_signed_in
        return permission is Permission.PUBLIC or permission in self.permissions


ANONYMOUS = Viewer(0, TenantKind.PERSON, is_signed_in=False)
"""A caller without a token: a user who has no profile, and so sees no row at all."""
