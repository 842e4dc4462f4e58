"""Every business rule is held by a test, or says why not."""

import pytest

from tests.rule_table import DOMAINS, held_by, page, rules, table


@pytest.mark.parametrize("domain", sorted(DOMAINS))
def test_every_rule_has_a_test_or_says_why_not(domain: str) -> None:
    held = held_by()
    assert [rule.id for rule in rules(domain) if rule.id not in held and not rule.why_untested] == []
    assert [rule.id for rule in rules(domain) if rule.id in held and rule.why_untested] == []


@pytest.mark.parametrize("domain", sorted(DOMAINS))
def test_the_page_of_rules_is_up_to_date(domain: str) -> None:
    assert page(domain).read_text() == table(domain), "run `make rules`"


def test_a_rule_is_listed_once() -> None:
    listed = [rule.id for domain in DOMAINS for rule in rules(domain)]
    assert len(set(listed)) == len(listed)
