"""The settings of the gateway, read from `KUNDEPORT_*` environment variables."""

from dataclasses import fields
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from gateway.limits import Limits

DRIVERS = ("sqlite+aiosqlite", "postgresql+asyncpg")
DEFAULT_DATABASE_URL = "sqlite+aiosqlite:///kundeport.db"
DEMO_DATABASE_URL = "sqlite+aiosqlite:///kundeport-demo.db"


class Settings(BaseSettings):
    """Every setting has a default that is safe in production. The README's table is made from the descriptions."""

    model_config = SettingsConfigDict(env_prefix="KUNDEPORT_", extra="ignore")

    database_url: str = Field(
        default=DEFAULT_DATABASE_URL,
        description="SQLAlchemy URL of the database: `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://USER@HOST/NAME`.",
    )

    @field_validator("database_url")
    @classmethod
    def has_a_known_driver(cls, url: str) -> str:
        """Raises ValueError, without the URL, which may hold a password."""
        try:
            driver = make_url(url).drivername
        except (ArgumentError, ValueError):
            raise ValueError("this is not a database URL") from None
        if driver not in DRIVERS:
            raise ValueError(f"the URL must begin with {' or '.join(f'{known}://' for known in DRIVERS)}")
        return url

    database_pool_size: int = Field(
        default=10,
        ge=1,
        le=500,
        description="Most connections for reading, and as many for writing, per worker.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Signs cursors and recognises repeated requests; by default a random key kept in the database.",
    )
    organisation_id: int = Field(default=1, description="Organisation whose customers are served.")
    internal: bool = Field(
        default=False, description="Whether callers count as internal: they may name other organisations."
    )
    log_format: Literal["console", "json"] | None = Field(
        default=None, description="`console` or `json`; by default console on a terminal, else json."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Lowest level that is logged."
    )
    max_body_bytes: int = Field(default=Limits.body_bytes, ge=1_000, description="Largest request body.")
    max_document_length: int = Field(
        default=Limits.document_length, ge=1_000, description="Longest document, in characters."
    )
    max_tokens: int = Field(default=Limits.tokens, ge=100, description="Most tokens of a document.")
    max_text_length: int = Field(
        default=Limits.text_length, ge=100, description="Longest text in a document or in variables, in characters."
    )
    max_variable_bytes: int = Field(
        default=Limits.variable_bytes, ge=1_000, description="Largest total of the texts in the variables."
    )
    max_variable_values: int = Field(
        default=Limits.variable_values, ge=100, description="Most values in the variables, those in lists included."
    )
    max_definitions: int = Field(
        default=Limits.definitions, ge=1, description="Most operations and fragments in a document."
    )
    max_depth: int = Field(
        default=Limits.depth, ge=1, description="Most levels of fields in an operation; GraphiQL needs 15."
    )
    max_root_fields: int = Field(default=Limits.root_fields, ge=1, description="Most root fields of an operation.")
    max_aliases: int = Field(
        default=Limits.aliases, ge=0, description="Most aliases in an operation, its fragments expanded."
    )
    max_directives: int = Field(
        default=Limits.directives, ge=0, description="Most directives in an operation, its fragments expanded."
    )
    max_fields: int = Field(
        default=Limits.fields, ge=1, description="Most fields in an operation, its fragments expanded."
    )
    max_cost: int = Field(
        default=Limits.cost,
        ge=1,
        description="Highest cost of an operation, in points as `@cost` and `@listSize` in the schema tell them.",
    )
    execution_timeout: float = Field(default=30, gt=0, description="Seconds after which an operation is stopped.")
    drain_seconds: float = Field(
        default=0, ge=0, description="Seconds to go on serving after SIGTERM while `/health/ready` answers 503."
    )

    @property
    def limits(self) -> Limits:
        """The settings `max_...` together."""
        return Limits(**{each.name: getattr(self, f"max_{each.name}") for each in fields(Limits)})
