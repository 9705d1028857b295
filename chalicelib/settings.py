"""Every setting of the hub in one typed model; the only reader of the environment in this package."""

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chalicelib.errors import InvalidInput

_PREFIX = "INTERLINE_"


class Settings(BaseModel):
    """What may differ between one machine and AWS; each field is the variable ``INTERLINE_<NAME>``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: str = Field(
        "sqlite:///.interline/interline.db",
        description="SQLAlchemy URL of the system of record: `sqlite:///file` or `mysql+pymysql://user:password@host/db`.",
    )
    database_pool_max: int = Field(1, ge=1, description="Connections one process may hold; 1 in a Lambda environment.")
    database_tls: Literal["required", "off"] = Field(
        "required", description="TLS to MySQL; `off` is refused for hosts that are not loopback."
    )
    bucket_prefix: str = Field("", description="Put before `hub-in`, `hub-archive`, `hub-out` and `hub-reject`.")
    queue_prefix: str = Field(
        "interline-",
        description="Put before the names of queues: `files`, `deliveries`, `backtests`, `exports`, `schedules`.",
    )
    secret_prefix: str = Field("interline/", description="Put before the names of secrets.")
    rule_approval: Literal["required", "off"] = Field(
        "required",
        description="`off` lets an author activate alone; a local hub sets it, and Lambda refuses to start with it.",
    )
    load_data: Literal["auto", "off"] = Field(
        "auto",
        description="`auto` writes bulk rows by LOAD DATA LOCAL where the server allows it; `off` by inserts.",
    )
    slice_rows: int = Field(5000, ge=1, description="Rows one file slice applies in one transaction on MySQL.")
    slice_rows_sqlite: int = Field(
        450, ge=1, le=500, description="The same on SQLite, where one writer locks out the others."
    )
    slice_reserve_s: int = Field(
        60, ge=1, description="Seconds of a handler's time kept back before a file continues by a new message."
    )
    file_lease_s: int = Field(
        900, ge=10, description="Seconds after which a file whose handler is silent may be taken over."
    )
    sidecar_wait_s: int = Field(
        900, ge=0, description="Seconds a file waits for the sidecar that its layout requires before it is refused."
    )
    expanded_bytes_max: int = Field(2_000_000_000, ge=1, description="Largest size of a compressed file once expanded.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Lowest level that is logged.")
    public_url: str = Field("http://127.0.0.1:8000", description="The URL callers use; shown in the OpenAPI document.")

    def bucket(self, name: str) -> str:
        """The real name of one of the hub's four buckets."""
        return self.bucket_prefix + name

    def queue(self, name: str) -> str:
        """The real name of one of the hub's queues."""
        return self.queue_prefix + name

    def secret(self, name: str) -> str:
        """The real name of a secret."""
        return self.secret_prefix + name


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in an environment. Raises InvalidInput naming each wrong or unknown ``INTERLINE_`` variable."""
    values = {
        name.removeprefix(_PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(_PREFIX) and name.removeprefix(_PREFIX).lower() not in {"home", "reference_data"}
    }
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(
            f"{_PREFIX}{str(e['loc'][0]).upper()}: {'no such setting' if e['type'] == 'extra_forbidden' else e['msg']}"
            for e in error.errors()
        )
        raise InvalidInput(f"The environment is not usable: {wrong}.") from error
    if settings.rule_approval == "off" and "AWS_LAMBDA_FUNCTION_NAME" in environment:
        raise InvalidInput("INTERLINE_RULE_APPROVAL=off is refused on Lambda: rule changes need a second person there.")
    return settings


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once."""
    return read_settings(os.environ)
