"""Every setting once: type, default, unit, environment variable (``IMAGESTORE_`` and the name in capitals)."""

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from emulator.cluster.description import Cluster
from emulator.operations.expiry import Expiry
from emulator.protocol.limits import PAGE_SIZE, SESSION_TIMEOUT
from emulator.protocol.profile import NEWEST_RUNTIME, RUNTIME_BUILDS, Platform, Profile
from emulator.storage.durability import Durability
from emulator.units import Duration, Size

ENVIRONMENT_PREFIX = "IMAGESTORE_"
DATABASE_URL_FILE: Final = ENVIRONMENT_PREFIX + "DATABASE_URL_FILE"
"""The variable that names a file with the database's URL, for secrets that are mounted into a container."""

_DATABASE_URL: Final = re.compile(
    r"postgres(ql)?(\+psycopg)?://([^@/?#\s]*@)?(\[[0-9a-fA-F:.]+\]|[^:@/?#\s]*)(:[0-9]{1,5})?(/[^@?#\s]*)?(\?[^@#\s]*)?"
)
"""Strict, so that no part of a password with unescaped characters is taken for a host and shown as one."""


def variable_of(name: str) -> str:
    """A setting's environment variable."""
    return ENVIRONMENT_PREFIX + name.upper()


def option_of(name: str) -> str:
    """A setting's option on the command line."""
    return "--" + name.replace("_", "-")


class SettingError(Exception):
    """A setting's value turned out to be of no use."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


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
    in_memory_unless_mounted: bool = Field(
        False, description="the same, but only if --data is not on a mounted volume: what the container image is set to"
    )
    durability: Durability = Field(
        Durability.PROCESS,
        description="what an acknowledged change survives: process (kill -9), or power (fsync before each answer)",
    )
    session_timeout: Duration = Field(
        SESSION_TIMEOUT, description="an upload session's life after its last accepted chunk, as 30m, 90s or seconds"
    )
    expiry: Expiry = Field(
        Expiry.EXACT,
        description="exact: sessions are gone when their time is up; swept: at the real service's next sweep",
    )
    sweep_interval: Duration = Field(
        timedelta(minutes=1), description="how often the disk space of expired upload sessions is freed"
    )
    runtime_version: str = Field(NEWEST_RUNTIME, description="Service Fabric runtime to emulate; caps api-version")
    platform: Platform = Field(
        Platform.WINDOWS, description="build of the runtime; linux has no upload sessions and is case-sensitive"
    )
    cluster_id: str = Field("", description="id that a ClusterId request header must name, if it is sent")
    cluster_name: str = Field(
        "ImageStoreEmulator", pattern=r"^[A-Za-z0-9_.-]+$", description="name of the fake cluster, in its manifest"
    )
    node_count: int = Field(1, ge=1, le=1000, description="nodes of the fake cluster")
    node_prefix: str = Field(
        "_Node_", pattern=r"^[A-Za-z0-9_.-]*$", description="what their names begin with, before the number from 0 on"
    )
    page_size: int = Field(PAGE_SIZE, ge=64, description="estimated bytes of entries in one page of a listing")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least severe line to log")
    log_format: Literal["auto", "text", "json"] = Field(
        "auto", description="text for people, json for machines; auto is text on a terminal"
    )
    access_log: bool = Field(True, description="log a line for each request")
    journal: int = Field(1000, ge=0, le=1_000_000, description="requests each store remembers; 0 for none")
    journal_hash_limit: Size = Field(
        1024 * 1024, ge=0, description="largest body whose SHA-256 the journal takes, as 1MiB or bytes"
    )
    hints: bool = Field(True, description="say in a header of each error why it was given")
    faults: Path | None = Field(None, description="JSON file with faults that are set from the start")
    seed: Path | None = Field(None, description="folder, zip or .sfpkg to put into the store at the start")
    control_token: str = Field("", description="bearer token that requests below /_emulator must have", repr=False)
    allowed_origins: str = Field(
        "", description="origins, separated by commas, whose web pages may use what is below /_emulator"
    )
    shutdown_timeout: Duration = Field(
        timedelta(seconds=10), description="how long running requests may take to finish after SIGTERM"
    )

    @field_validator("faults", "seed")
    @classmethod
    def _is_there(cls, value: Path | None) -> Path | None:
        if value is not None and not value.exists():
            raise ValueError("a file or folder that is there")
        return value

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

    @property
    def cluster(self) -> Cluster:
        """The fake cluster around the image store."""
        return Cluster(self.cluster_name, self.node_count, self.node_prefix)
