"""Every setting once: type, default, unit, environment variable (``IMAGESTORE_`` and the name in capitals)."""

import os
import re
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from emulator.cluster.description import Cluster
from emulator.operations.expiry import Expiry
from emulator.protocol.access import UserAccess, parse_clients
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

_BASE_PATH: Final = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
"""What no proxy or client writes in a second way."""


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


def _check_base_path(value: str) -> str:
    path = value.rstrip("/")
    if not _BASE_PATH.fullmatch(path):
        raise ValueError("it is written /some/prefix, with letters, digits and -._~ only")
    return path


class TlsMode(StrEnum):
    """Where the server's certificate comes from."""

    OFF = "off"
    AUTO = "auto"
    FILES = "files"


class Settings(BaseSettings):
    """How one emulator runs. An option of the command line beats the environment, which beats the default."""

    model_config = SettingsConfigDict(env_prefix=ENVIRONMENT_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    host: str = Field(
        "127.0.0.1", min_length=1, description="address to listen on; 0.0.0.0 for every interface, :: for IPv6 as well"
    )
    port: int = Field(19080, ge=0, le=65535, description="TCP port; 0 picks a free one and prints it")
    base_path: Annotated[str, AfterValidator(_check_base_path)] = Field(
        "", description="prefix of a proxy's URLs, as /some/prefix; it is taken off where it is there"
    )
    workers: int = Field(1, ge=1, le=64, description="server processes that share the port and the data")
    tls: TlsMode = Field(
        TlsMode.OFF,
        description="HTTPS: off, auto (with a certificate authority of the emulator's own) or files",
    )
    https_port: int | None = Field(
        None, ge=0, le=65535, description="port for HTTPS, with HTTP left on --port; else --port itself speaks HTTPS"
    )
    tls_names: str = Field("", description="more names for the certificate that auto makes, separated by commas")
    tls_certificate: Path | None = Field(None, description="the server's certificate and its chain, PEM")
    tls_key: Path | None = Field(None, description="its key, if that is in a file of its own, PEM")
    client_certificates: bool = Field(False, description="serve only clients with a certificate that has a role")
    client_ca: Path | None = Field(None, description="authorities, or client certificates themselves, to trust, PEM")
    admin_clients: str = Field("", description="clients that may do everything: thumbprints, cn=NAME, or ca for any")
    user_clients: str = Field("", description="clients that may only read: thumbprints, cn=NAME, or ca for any")
    user_access: UserAccess = Field(
        UserAccess.READ, description="what those may do with the image store; a cluster's own default is nothing"
    )
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
    upload_limit: Size = Field(0, ge=0, description="largest body of a PUT, as 100MiB or bytes; 0 for no limit")
    store_limit: Size = Field(
        0, ge=0, description="what one store may hold, content and chunks together, as 10GiB or bytes; 0 for no limit"
    )
    session_limit: int = Field(0, ge=0, description="living upload sessions a store may have; 0 for no limit")
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
    echo_request_id: bool = Field(
        False, description="answer with the X-ServiceFabricRequestId that the log has; the real gateway does not"
    )
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
    keep_alive: Duration = Field(
        timedelta(seconds=120), description="how long a connection is kept open for the next request"
    )
    shutdown_timeout: Duration = Field(
        timedelta(seconds=10), description="how long running requests may take to finish after SIGTERM"
    )

    @field_validator("admin_clients", "user_clients")
    @classmethod
    def _are_clients(cls, value: str) -> str:
        parse_clients(value)
        return value

    @field_validator("faults", "seed", "tls_certificate", "tls_key", "client_ca")
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
