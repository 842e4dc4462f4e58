"""What an operator decides about the rules."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules that installations differ in. The settings say which; tests make their own."""

    checks_ecard_digit: bool = False
    """Whether the last of the 16 digits of an e-card must be the check digit of the others (rule C72)."""
    merge_undo: timedelta = timedelta(days=30)
    """How long after a merge it can be undone."""
    sign_in_failures: int = 10
    """How many times in a row signing in may fail before a name is locked (rule C103)."""
    sign_in_pause: timedelta = timedelta(minutes=15)
    """How long it is locked then, from the last failure on."""
    claim_failures: int = 5
    """How many times in a row a customer's claims by a code may fail before more are refused (rule L41)."""
    claim_pause: timedelta = timedelta(minutes=15)
    """How long they are refused then, from the last failure on."""
    reservation: timedelta = timedelta(minutes=15)
    """How long coupons are held, unless a reservation says otherwise."""
