"""Numbers that look drawn by lot and never meet: customer numbers, e-card numbers, and their check digits."""

CUSTOMERS_PER_SEED = 2_500_000
"""How many customers one seed can have."""
SEEDS = 1000
"""Seeds that differ in their last three digits share no customer number and no e-card."""
CARDS_PER_CUSTOMER = 3

DEFAULT_SEED = 1
SHOWCASE = range(3)
"""The customers that `datastore.demo.showcase` describes. Those of the default seed have numbers of their own."""
FIRST_SHOWCASE_NUMBER = 1_000_000_001
FIRST_CUSTOMER_NUMBER = 1_100_000_000
FIRST_ECARD_NUMBER = 700_000_000
"""Smaller numbers are never given out here: the showcase has them."""

_OPERATORS = ("16160", "16160", "16160", "16160", "16161", "16170", "16180")

_BITS = 33  # the numbers spread over 2**33 = 8,589,934,592; seeds, customers and cards need 7,500,000,000
_MASK = (1 << _BITS) - 1
_WEIGHTS = (3, 2, 7, 6, 5, 4, 3, 2)


def customer_number(seed: int, index: int) -> int:
    """The customer number of customer `index` (below CUSTOMERS_PER_SEED) of a seed: 10 digits, no two alike (SEEDS)."""
    if seed == DEFAULT_SEED and index in SHOWCASE:
        return FIRST_SHOWCASE_NUMBER + index
    return FIRST_CUSTOMER_NUMBER + scrambled(_slot(seed, index))


def ecard(seed: int, index: int, card: int) -> tuple[str, str]:
    """Operator and 10-digit number of the `card`-th e-card (0 to 2) of customer `index`: no two alike (SEEDS)."""
    number = FIRST_ECARD_NUMBER + scrambled(_slot(seed, index) * CARDS_PER_CUSTOMER + card)
    return _OPERATORS[number % len(_OPERATORS)], f"{number:010d}"


def ecard_number_16digits(operator: str, number: str) -> str:
    """Operator, number and Luhn digit: the number that is printed on the card (rule C72)."""
    digits = operator + number
    return f"{digits}{luhn_digit(digits)}"


def luhn_digit(digits: str) -> int:
    """The Luhn check digit to be put after `digits`."""
    doubled = sum(map(int, "".join([str(2 * int(digit)) for digit in digits[::-2]])))
    return -(doubled + sum(map(int, digits[-2::-2]))) % 10


def organisation_number(draw: int) -> str:
    """A synthetic organisation number (first digit 3: the register gives out 8 and 9) with a valid check digit (F07).

    Any whole number from 0 gives one; where the check digit would be 10, the next number is taken.
    """
    for base in range(draw, draw + 11):  # the last digit but one changes the remainder: at most one in a row is lost
        digits = f"3{base % 10_000_000:07d}"
        check = -sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True)) % 11
        if check < 10:
            return f"{digits}{check}"
    raise AssertionError("no organisation number without a check digit of 10")


def scrambled(number: int) -> int:
    """A fixed one-to-one shuffle of the numbers below 2**33: each step can be undone, so no two results are alike."""
    for factor in (0x1C69B3F75, 0x0D1B54A33):  # odd, so multiplying is one-to-one
        number = number * factor & _MASK
        number ^= number >> 17
    return number


def _slot(seed: int, index: int) -> int:
    return seed % SEEDS * CUSTOMERS_PER_SEED + index
