"""The settings of the gateway, read from `KUNDEPORT_*` environment variables."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

DEFAULT_DATABASE_URL = "sqlite+aiosqlite:///kundeport.db"
DEMO_DATABASE_URL = "sqlite+aiosqlite:///kundeport-demo.db"


class Settings(BaseSettings):
    """Every setting has a default that is safe in production. The README's table is made from the descriptions."""

    model_config = SettingsConfigDict(env_prefix="KUNDEPORT_", extra="ignore")

    database_url: str = Field(
        default=DEFAULT_DATABASE_URL,
        description="SQLAlchemy URL of the database: `sqlite+aiosqlite:///FILE` or `postgresql+asyncpg://USER@HOST/NAME`.",
    )
    database_pool_size: int = Field(default=10, ge=1, le=500, description="Database connections kept open, per worker.")
    secret_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Signs page cursors; by default a random key that is kept in the database.",
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
    max_body_bytes: int = Field(default=1_048_576, ge=1_000, description="Largest request body.")
    execution_timeout: float = Field(default=30, gt=0, description="Seconds after which an operation is stopped.")
    drain_seconds: float = Field(
        default=0, ge=0, description="Seconds to go on serving after SIGTERM while `/health/ready` answers 503."
    )
