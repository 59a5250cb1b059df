"""Every setting once: type, default, unit, environment variable (``IMAGESTORE_`` and the name in capitals)."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from emulator.protocol.limits import PAGE_SIZE, SESSION_TIMEOUT
from emulator.protocol.profile import NEWEST_RUNTIME, RUNTIME_BUILDS, Platform, Profile
from emulator.storage.durability import Durability

ENVIRONMENT_PREFIX = "IMAGESTORE_"
DATABASE_URL_FILE: Final = ENVIRONMENT_PREFIX + "DATABASE_URL_FILE"
"""The variable that names a file with the database's URL, for secrets that are mounted into a container."""

_DATABASE_URL: Final = re.compile(
    r"postgres(ql)?(\+psycopg)?://([^@/?#\s]*@)?(\[[0-9a-fA-F:.]+\]|[^:@/?#\s]*)(:[0-9]{1,5})?(/[^@?#\s]*)?(\?[^@#\s]*)?"
)
"""Strict, so that no part of a password with unescaped characters is taken for a host and shown as one."""

_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) *(ms|s|m|h|d)?")
_LONGEST = timedelta(days=3650)
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: object) -> object:
    """``30m``, ``90s``, ``1.5h``, ``250ms`` or a bare number of seconds as a `timedelta`; anything else unchanged."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError("a duration is written 30m, 90s, 1.5h, 250ms, 2d or as seconds")
    try:
        return timedelta(seconds=float(match.group(1)) * _UNITS[match.group(2) or "s"])
    except OverflowError:
        return timedelta.max


def _check_duration(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= _LONGEST:
        raise ValueError(f"a duration has to be greater than 0s and at most {show_duration(_LONGEST)}")
    return value


def show_duration(value: timedelta) -> str:
    """A duration in its largest whole unit."""
    seconds = value.total_seconds()
    unit, size = next((unit, size) for unit, size in reversed(_UNITS.items()) if seconds % size == 0 or size < 1)
    return f"{seconds / size:g}{unit}"


def _read_secret(value: object) -> object:
    if not isinstance(value, Path):
        return value
    try:
        return value.read_text(errors="replace").strip()
    except OSError as error:
        raise ValueError(f"{DATABASE_URL_FILE}: {value} cannot be read: {error.strerror}") from None


def _check_database_url(value: SecretStr) -> SecretStr:
    if value and not _DATABASE_URL.fullmatch(value.get_secret_value()):
        raise ValueError("it is written postgresql://user:password@host:port/name, special characters as in %40")
    return value


Duration = Annotated[timedelta, BeforeValidator(parse_duration), AfterValidator(_check_duration)]


class Settings(BaseSettings):
    """How one emulator runs. An option of the command line beats the environment, which beats the default."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = Field("127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0 for every interface")
    port: int = Field(19080, ge=0, le=65535, description="TCP port; 0 picks a free one and prints it")
    workers: int = Field(1, ge=1, le=64, description="server processes that share the port and the data")
    data: Path = Field(Path("imagestore-data"), description="directory that holds content and upload sessions")
    database_url: Annotated[SecretStr, BeforeValidator(_read_secret), AfterValidator(_check_database_url)] = Field(
        SecretStr(""), description="PostgreSQL database for upload sessions; without one they are in the data directory"
    )
    in_memory: bool = Field(False, description="keep everything in a temporary directory, gone when the emulator ends")
    durability: Durability = Field(
        Durability.PROCESS,
        description="what an acknowledged change survives: process (kill -9), or power (fsync before each answer)",
    )
    session_timeout: Duration = Field(
        SESSION_TIMEOUT, description="an upload session's life after its last accepted chunk, as 30m, 90s or seconds"
    )
    sweep_interval: Duration = Field(
        timedelta(minutes=1), description="how often the disk space of expired upload sessions is freed"
    )
    runtime_version: str = Field(NEWEST_RUNTIME, description="Service Fabric runtime to emulate; caps api-version")
    platform: Platform = Field(
        Platform.WINDOWS, description="build of the runtime; linux has no upload sessions and is case-sensitive"
    )
    cluster_id: str = Field("", description="id that a ClusterId request header must name, if it is sent")
    page_size: int = Field(PAGE_SIZE, ge=64, description="estimated bytes of entries in one page of a listing")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe line to log")
    log_format: Literal["auto", "text", "json"] = Field(
        "auto", description="text for people, json for machines; auto is text on a terminal"
    )
    access_log: bool = Field(True, description="log a line for each request")
    shutdown_timeout: Duration = Field(
        timedelta(seconds=10), description="how long running requests may take to finish after SIGTERM"
    )

    @model_validator(mode="before")
    @classmethod
    def _look_into_file(cls, values: dict[str, Any]) -> dict[str, Any]:
        file = os.environ.get(DATABASE_URL_FILE)
        return {"database_url": Path(file), **values} if file else values

    @field_validator("data", mode="before")
    @classmethod
    def _is_named(cls, value: object) -> object:
        if value == "":
            raise ValueError("the path of a directory")
        return value

    @field_validator("runtime_version")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in RUNTIME_BUILDS:
            raise ValueError(f"one of {', '.join(RUNTIME_BUILDS)}")
        return value

    @property
    def profile(self) -> Profile:
        """The runtime to emulate."""
        return Profile(self.platform, self.runtime_version)
