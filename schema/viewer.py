"""The caller, as shown."""

import strawberry

from datastore.viewer import Mode, Permission, TenantKind
from datastore.viewer import Viewer as Caller
from resolvers import audit
from resolvers import viewer as resolve
from resolvers.employee import reads as employee_reads
from resolvers.scalars import Long
from schema.audit import DataAccess
from schema.connection import PAGING, Connection
from schema.customer.types import Customer
from schema.employee.personnel import Employee, FamilyMember
from schema.permission import needs
from schema.view import computed, describe, query

describe(
    TenantKind,
    "Kind of tenant that a caller is of.",
    INTERNAL="The platform itself; may name other organisations than its own.",
    PARTNER="A company that sells or serves.",
    TRAVELLER="A customer.",
    PERSON="A person, such as an employee.",
)
describe(Mode, "For whom a caller asks.", CLIENT="For itself.", USER="For the user who is logged in.")


@strawberry.type(description="Who asks, and what they may do.", directives=[needs(Permission.SIGNED_IN)])
class Viewer:
    organisation_id: Long = strawberry.field(description="The caller's own organisation.")
    tenant_kind: TenantKind = computed(lambda viewer: viewer.kind, description="Kind of tenant that the caller is of.")
    mode: Mode = strawberry.field(description="For whom the caller asks.")
    subject: str = strawberry.field(description="Who the caller is, as the token issuer names it.")
    client_id: str = strawberry.field(description="The client that the token was issued to.")
    customer_number: Long | None = strawberry.field(description="Number of the user's own customer profile.")
    employee_id: str | None = strawberry.field(description="The user's own id as an employee.")
    company_id: Long | None = strawberry.field(description="The company that the client is bound to, if it is.")
    permissions: list[str] = computed(
        lambda viewer: granted(viewer), description="What the caller may do, as @permission names it."
    )
    customer: Customer | None = query(
        resolve.own_customer, needs=Permission.SIGNED_IN, description="The user's own customer profile."
    )
    employee: Employee | None = query(
        employee_reads.own_employee,
        needs=Permission.EMPLOYEE_READ,
        description="The user's own employment, the newest of several.",
    )
    family_member: FamilyMember | None = query(
        employee_reads.own_family_member,
        needs=Permission.EMPLOYEE_READ,
        description="The user as a member of an employee's family.",
    )
    data_access_log: Connection[DataAccess] = query(
        audit.data_access_log,
        needs=Permission.SIGNED_IN,
        description="Who read sensitive data of the user, the newest first; empty for clients.",
        arguments=PAGING,
    )


def granted(viewer: Caller) -> list[str]:
    return sorted(permission.value for permission in viewer.permissions)


@strawberry.type
class ViewerQueries:
    viewer: Viewer = query(resolve.viewer, needs=Permission.SIGNED_IN, description="Who asks, and what they may do.")
