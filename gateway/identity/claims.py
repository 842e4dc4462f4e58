"""From the claims of a verified token to the caller."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from datastore.viewer import GRANTABLE, Permission, Viewer
from gateway.identity.issuer import Issuer

GREATEST_NUMBER = 2**63 - 1
LONGEST_TEXT = 200
MOST_PERMISSIONS = 500
GRANTED: dict[str, Permission] = {permission.value: permission for permission in GRANTABLE}


class Unfit(Exception):
    """A token is not accepted. The message is a word for it, and nothing of the token."""


def viewer_of(issuer: Issuer, claims: Mapping[str, Any]) -> Viewer:
    """The caller that verified claims speak of (rules T03 and T05). The profile keys of a user are left to be found.

    A client is nobody's customer: a customer number in its token is checked and left out. A user is bound to no
    company: a company id in its token is. Raises Unfit.
    """
    names = issuer.claims
    organisation_id = _number(claims, names.organisation_id)
    if organisation_id is None:
        raise Unfit("organisation")
    if issuer.organisations is not None and organisation_id not in issuer.organisations:
        raise Unfit("organisation-of-others")
    customer_number = _number(claims, names.customer_number)
    employee_id = _employee_id(claims, names.employee_id)
    company_id = _number(claims, names.company_id)
    viewer = Viewer(
        organisation_id,
        issuer.tenant,
        permissions=_permissions(claims.get(names.permissions)),
        subject=_text(claims, "sub"),
        client_id=_text(claims, names.client_id) or _text(claims, "client_id"),
        issuer=issuer.issuer,
        employee_id=employee_id,
        customer_number=customer_number,
        company_id=company_id,
    )
    if not viewer.subject:
        raise Unfit("sub")
    if viewer.is_user and viewer.customer_number is None and employee_id is None:
        raise Unfit("customer-number")
    return replace(viewer, company_id=None) if viewer.is_user else replace(viewer, customer_number=None)


def _number(claims: Mapping[str, Any], name: str) -> int | None:
    """A key of the source systems, which count from 1; None where there is no such claim. Raises Unfit."""
    value = claims.get(name)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= len(str(GREATEST_NUMBER)):
        value = int(value)
    if value is not None and (type(value) is not int or not 1 <= value <= GREATEST_NUMBER):
        raise Unfit("number")
    return value


def _text(claims: Mapping[str, Any], name: str) -> str:
    """A text that can be stored and logged; empty where there is no such claim. Raises Unfit."""
    value = claims.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not value.isprintable():
        raise Unfit("text")
    return value


def _employee_id(claims: Mapping[str, Any], name: str) -> str | None:
    """Raises Unfit."""
    value = claims.get(name)
    return str(value) if type(value) is int else _text(claims, name) or None


def _permissions(given: object) -> frozenset[Permission]:
    """Those of a list of strings, or a string with spaces between, that the gateway knows. Raises Unfit."""
    words = given.split() if isinstance(given, str) else [] if given is None else given
    if not isinstance(words, list) or len(words) > MOST_PERMISSIONS:
        raise Unfit("permissions")
    return frozenset(GRANTED[word] for word in words if isinstance(word, str) and word in GRANTED)
