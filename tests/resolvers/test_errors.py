"""The error catalogue, and refusals as values."""

import re
from pathlib import Path

import pytest

import resolvers.errors
from datastore.database import Database
from resolvers.context import Context
from resolvers.errors import Category, ErrorCode, Refused, UserError, refuse
from resolvers.given import Problems
from schema.root import schema
from tests.execute import VIEWER

ROOT = Path(resolvers.errors.__file__).parents[1]
TEXTS = ("short_english", "long_english", "short_norwegian", "long_norwegian")


@pytest.mark.rule("T09")
def test_every_code_has_all_texts_and_no_two_share_one() -> None:
    assert len(ErrorCode.__members__) == len(ErrorCode)  # an equal value would make an alias
    for name in TEXTS:
        texts = [getattr(code.value, name) for code in ErrorCode]
        assert all(text == text.strip() != "" for text in texts)
        assert len(set(texts)) == len(texts)
        assert {text.endswith(".") for text in texts} == {name.startswith("long")}


def test_both_languages_are_written() -> None:
    for code in ErrorCode:
        assert code.value.short_english != code.value.short_norwegian
        assert code.value.long_english != code.value.long_norwegian
        assert not re.search("[æøåÆØÅ]", code.value.short_english + code.value.long_english)


@pytest.mark.rule("T10")
def test_every_code_has_a_category_with_an_http_status() -> None:
    assert {code.category for code in ErrorCode} <= set(Category)
    assert {code.category.value for code in ErrorCode} <= {400, 401, 403, 404, 409, 429, 500, 503}


def test_every_code_is_raised_somewhere_and_every_code_raised_exists() -> None:
    sources = [
        file.read_text()
        for name in ("datastore", "resolvers", "schema", "gateway")
        for file in (ROOT / name).rglob("*.py")
    ]
    used = {name for text in sources for name in re.findall(r"ErrorCode\.([A-Z][A-Z_]+)", text)}
    assert used == set(ErrorCode.__members__)


async def test_the_catalogue_is_answered_whole(database: Database) -> None:
    text = "{ errorMessages { errorCode shortEnglish longEnglish shortNorwegian longNorwegian } }"
    result = await schema.execute(text, context_value=Context(database, VIEWER))
    assert not result.errors
    listed = [tuple(entry.values()) for entry in (result.data or {})["errorMessages"]]
    assert listed == [(code.name, *(getattr(code.value, name) for name in TEXTS)) for code in ErrorCode]


def test_a_refusal_quotes_what_can_be_shown_and_no_more_than_200_characters() -> None:
    refusal = refuse(ErrorCode.EMAIL_INVALID, "email", rejected=["x" * 300, 7, "a\x00b", "a\nb", "\ud800", "ø"])
    assert refusal.errors == (UserError(ErrorCode.EMAIL_INVALID, ("email",), ("x" * 200, "7", "ø")),)
    assert str(refusal) == "EMAIL_INVALID"


def test_problems_are_collected_in_order_below_their_path() -> None:
    problems = Problems()
    problems.raise_any()
    with problems.at("addresses", "0"):
        raise Refused(UserError(ErrorCode.REQUIRED, ("town",)), UserError(ErrorCode.POST_CODE_INVALID, ("postCode",)))
    problems.add(ErrorCode.DATE_INVALID, "birth", rejected=["2999-01-01"])
    with pytest.raises(ZeroDivisionError), problems.at("elsewhere"):
        raise ZeroDivisionError
    with pytest.raises(Refused) as caught:
        problems.raise_any()
    assert list(caught.value.errors) == [
        UserError(ErrorCode.REQUIRED, ("addresses", "0", "town")),
        UserError(ErrorCode.POST_CODE_INVALID, ("addresses", "0", "postCode")),
        UserError(ErrorCode.DATE_INVALID, ("birth",), ("2999-01-01",)),
    ]
