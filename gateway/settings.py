"""The settings of the gateway, read from `KUNDEPORT_*` environment variables."""

import hashlib
import time
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from datastore.database import Database
from datastore.policy import Policy
from datastore.sealing import Keyring
from gateway.bill import TOLL
from gateway.identity.issuer import Issuer
from gateway.identity.public_key import public_keys
from gateway.limits import Limits
from gateway.shared_rate import SharedBuckets
from gateway.transport import checked_origins

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
        description="Most connections of a worker for planned queries, for other reads and for writing, each.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="Signs cursors and recognises repeated requests; by default a random key kept in the database.",
    )
    encryption_keys: SecretStr | None = Field(
        default=None,
        description="Keys that seal sensitive values: `ID:BASE64,...`, the newest first; `kundeport key` makes one.",
    )
    issuers: list[Issuer] = Field(default=[], description="Trusted token issuers, a JSON list; see docs/security.md.")
    clock_skew: float = Field(
        default=30, ge=0, le=300, description="Seconds by which the clocks of token issuers may differ from this one."
    )
    demo: bool = Field(default=False, description="Set by `serve --demo`: trusts the demo issuer. Never in production.")
    introspection: Literal["everyone", "signed-in", "nobody"] | None = Field(
        default=None,
        description="Who may introspect: `everyone`, `signed-in` or `nobody`; signed-in, if not set, but in the demo.",
    )
    trusted_documents: Path | None = Field(
        default=None, description="Folder of the only documents that are run; `kundeport documents` fills it."
    )
    client_name_required: bool = Field(
        default=False, description="Whether callers that do not name themselves in ET-Client-Name are refused."
    )
    rate_points: int = Field(default=100_000, ge=1, description="Cost points that a caller may use at once.")
    rate_points_per_second: float = Field(
        default=2_000, gt=0, description="Cost points that a caller gets back each second."
    )
    rate_unidentified_percent: int = Field(
        default=6, ge=1, le=100, description="Share of both for a caller that does not name itself in ET-Client-Name."
    )
    redis_url: SecretStr | None = Field(
        default=None,
        description="URL of a Redis in which processes and machines share the points; by default each has its own.",
    )
    cors_origins: list[str] = Field(
        default=[], description="Origins whose web pages may call the gateway, a JSON list; none by default."
    )
    client_timeout: float = Field(
        default=15, gt=0, description="Seconds that a client may take to send a request, or to take its answer."
    )
    log_format: Literal["console", "json"] | None = Field(
        default=None, description="`console` or `json`; by default console on a terminal, else json."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Lowest level that is logged."
    )
    max_body_bytes: int = Field(default=Limits.body_bytes, ge=1_000, description="Largest request body.")
    max_upload_bytes: int = Field(
        default=50_000_000, ge=1_000, description="Largest CSV that is uploaded to `/uploads/employees`."
    )
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
    execution: Literal["planned", "standard"] = Field(
        default="planned",
        description="`planned` has the database make the answer, where it can; `standard` resolves field by field.",
    )
    execution_timeout: float = Field(default=30, gt=0, description="Seconds after which an operation is stopped.")
    check_ecard_digit: bool = Field(
        default=False, description="Whether the last of the 16 digits of an e-card must be their Luhn check digit."
    )
    merge_undo_days: int = Field(
        default=30, ge=0, le=3650, description="Days for which a merge of two customers can be undone."
    )
    sign_in_failures: int = Field(
        default=10, ge=1, description="Failed sign-ins in a row after which a user name is locked for a while."
    )
    sign_in_pause_minutes: float = Field(
        default=15, gt=0, description="Minutes for which it is locked, from the last failure on."
    )
    claim_failures: int = Field(
        default=5, ge=1, description="Failed claims by code in a row after which a customer's are refused for a while."
    )
    claim_pause_minutes: float = Field(
        default=15, gt=0, description="Minutes for which they are refused, from the last failure on."
    )
    reservation_minutes: float = Field(
        default=15,
        gt=0,
        le=1440,
        description="Minutes for which coupons are held, unless a reservation says otherwise.",
    )
    expire_seconds: float = Field(
        default=3600,
        ge=0,
        description="Seconds between two looks for customers to erase and contracts that have ended; 0: none.",
    )
    background_seconds: float = Field(
        default=1,
        ge=0,
        description="Seconds between two looks for imports and reports to go on with; 0: this process does none.",
    )
    drain_seconds: float = Field(
        default=0, ge=0, description="Seconds to go on serving after SIGTERM while `/health/ready` answers 503."
    )

    @field_validator("issuers")
    @classmethod
    def has_issuers_that_can_be_told_apart(cls, issuers: list[Issuer]) -> list[Issuer]:
        """Raises ValueError for an issuer that is there twice, or a key set without a key that it could sign with."""
        for place, issuer in enumerate(issuers):
            if issuer.issuer in {each.issuer for each in issuers[:place]}:
                raise ValueError(f"[{place}].issuer: this issuer is there twice")
            if issuer.jwks is None:
                continue
            try:
                keys = public_keys(issuer.jwks)
            except ValueError as error:
                raise ValueError(f"[{place}].jwks: {error}") from None
            if not any(key.algorithms & set(issuer.algorithms) for key in keys):
                raise ValueError(f"[{place}].jwks: there is no public key in it for {', '.join(issuer.algorithms)}")
        return issuers

    @field_validator("redis_url")
    @classmethod
    def has_a_url_of_a_redis(cls, url: SecretStr | None) -> SecretStr | None:
        """Raises ValueError, without the URL, which may hold a password."""
        if url is not None:
            try:
                SharedBuckets(url.get_secret_value(), time.monotonic)  # connects only when it is used
            except ValueError:
                message = "must be redis://..., rediss://... or unix://..., special characters as %XX"
                raise ValueError(message) from None
        return url

    @field_validator("cors_origins")
    @classmethod
    def has_whole_origins(cls, origins: list[str]) -> list[str]:
        """Raises ValueError."""
        return checked_origins(origins)

    @field_validator("encryption_keys")
    @classmethod
    def has_whole_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        """Raises ValueError, without the keys."""
        if keys is not None:
            Keyring.parse(keys.get_secret_value())
        return keys

    def database(self) -> Database:
        """The database, not yet connected, with the keys to seal and sign with."""
        if self.encryption_keys:
            keys = Keyring.parse(self.encryption_keys.get_secret_value())
        else:
            keys = Keyring.for_demo() if self.demo else Keyring()
        database = Database(self.database_url, self.database_pool_size, keys, self.policy)
        if self.secret_key:
            database.cursor_key = self.secret_key.get_secret_value().encode()
        return database

    @property
    def policy(self) -> Policy:
        """What the settings say about the rules."""
        return Policy(
            checks_ecard_digit=self.check_ecard_digit,
            merge_undo=timedelta(days=self.merge_undo_days),
            sign_in_failures=self.sign_in_failures,
            sign_in_pause=timedelta(minutes=self.sign_in_pause_minutes),
            claim_failures=self.claim_failures,
            claim_pause=timedelta(minutes=self.claim_pause_minutes),
            reservation=timedelta(minutes=self.reservation_minutes),
        )

    @property
    def shared_secret(self) -> bytes:
        """A secret that all processes with the same encryption keys share; not one of the keys."""
        keys = self.encryption_keys.get_secret_value() if self.encryption_keys else ""
        return hashlib.sha256(f"shared secret of {keys}".encode()).digest()

    def check_can_serve(self) -> None:
        """Raises ValueError where a setting is missing without which nobody could sign in, or nothing be sealed, or
        where some callers could never pay for a request. Only the demo brings an issuer and a key of its own."""
        if not self.demo and not self.issuers:
            raise ValueError("KUNDEPORT_ISSUERS must name a trusted token issuer; only `serve --demo` brings its own")
        if not self.demo and not self.encryption_keys:
            raise ValueError("KUNDEPORT_ENCRYPTION_KEYS must have a key; `kundeport key` makes one")
        if self.rate_points * self.rate_unidentified_percent // 100 < TOLL:
            raise ValueError(
                f"KUNDEPORT_RATE_POINTS is too low: KUNDEPORT_RATE_UNIDENTIFIED_PERCENT of it must be at least {TOLL}, "
                "the points that any request must have"
            )

    @property
    def limits(self) -> Limits:
        """The settings `max_...` together."""
        return Limits(**{each.name: getattr(self, f"max_{each.name}") for each in fields(Limits)})
