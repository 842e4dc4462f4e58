"""What the README says is true."""

import re
from pathlib import Path

import orjson
import pytest
from pydantic import SecretStr

from datastore.database import Database
from datastore.demo.load import load
from gateway.settings import Settings
from tests.gateway.client import gateway_client, settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def block(language: str) -> str:
    return README.partition(f"```{language}\n")[2].partition("```")[0]


@pytest.mark.parametrize("dialect", ["sqlite"])
async def test_the_readmes_query_answers_what_it_says(database: Database, url: str) -> None:
    await load(database, 3, 1, lambda _: None)
    points = {"rate_points": 100_000, "rate_points_per_second": 0.001}
    async with gateway_client(settings(url, **points), "crm", {"ET-Client-Name": "kundeport-graphiql"}) as client:
        response = await client.post("/graphql", json={"query": block("graphql")})
    assert response.json() == orjson.loads(block("json"))


def test_the_settings_table_lists_every_setting_with_its_default_and_meaning() -> None:
    rows = re.findall(r"^\| `(KUNDEPORT_\w+)` \|(.*?)\| (.*?) \|$", README, re.MULTILINE)
    found = {name: (default.strip().strip("`"), meaning) for name, default, meaning in rows}
    expected = {
        f"KUNDEPORT_{name.upper()}": ("" if field.default is None else str(field.default), field.description)
        for name, field in Settings.model_fields.items()
    }
    assert found == expected


@pytest.mark.parametrize("file", sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]))
def test_links_lead_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", file.read_text()):
        assert (file.parent / target).exists(), target


def test_a_secret_never_shows_in_the_settings() -> None:
    assert "0123456789abcdef" not in repr(Settings(secret_key=SecretStr("0123456789abcdef")))
