"""The JSON of the service: properties in wire order, every 64-bit number as text (reference: gateway 7.5, 9.2)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from pydantic import TypeAdapter
from typing_extensions import TypedDict  # pydantic takes the standard one from Python 3.12 on

from emulator.operations.content import Listing, StoreInfo, Usage
from emulator.protocol.upload_session import UploadSession

_EPOCH_DATA_LOSS: Final = "131538184900620219"
_EPOCH_CONFIGURATION: Final = "8589934592"
_TICKS_1601_TO_1970: Final = 116_444_736_000_000_000


class ErrorDetail(TypedDict):
    """What went wrong."""

    Code: str
    Message: str


class ErrorBody(TypedDict):
    """Every error with a body."""

    Error: ErrorDetail


class FileVersion(TypedDict):
    """The version of a stored file; only the middle number ever changes."""

    EpochDataLossNumber: str
    VersionNumber: str
    EpochConfigurationNumber: str


class FileInfo(TypedDict):
    """A file in a listing."""

    StoreRelativePath: str
    FileVersion: FileVersion
    FileSize: str
    ModifiedDate: str


class FolderInfo(TypedDict):
    """A folder in a listing."""

    StoreRelativePath: str
    FileCount: str


class UnpagedContent(TypedDict):
    """A listing of api-version 1.0, 2.0 and 3.0."""

    StoreFiles: list[FileInfo]
    StoreFolders: list[FolderInfo]


class PagedContent(UnpagedContent):
    """A page of a listing."""

    ContinuationToken: str


class ExpectedRange(TypedDict):
    """Bytes still to be sent, both ends inclusive."""

    StartPosition: str
    EndPosition: str


class UploadSessionInfo(TypedDict):
    """One upload session."""

    StoreRelativePath: str
    SessionId: str
    FileSize: str
    ModifiedDate: str
    ExpectedRanges: list[ExpectedRange]


class UploadSessions(TypedDict):
    """The answer of ``GetUploadSession``."""

    UploadSessions: list[UploadSessionInfo]


class FolderSizeInfo(TypedDict):
    """The answer of ``FolderSize``."""

    StoreRelativePath: str
    FolderSize: str


class DiskInfo(TypedDict):
    """The disk the store is on."""

    Capacity: str
    AvailableSpace: str


class UsageInfo(TypedDict):
    """What a part of the store takes."""

    UsedSpace: str
    FileCount: str


class ImageStoreInfo(TypedDict):
    """The answer of ``Info``."""

    DiskInfo: DiskInfo
    UsedByMetadata: UsageInfo
    UsedByStaging: UsageInfo
    UsedByCopy: UsageInfo
    UsedByRegister: UsageInfo


class ClusterVersion(TypedDict):
    """The answer of ``GetClusterVersion``."""

    Version: str


UNPAGED_CONTENT: Final = TypeAdapter(UnpagedContent)
PAGED_CONTENT: Final = TypeAdapter(PagedContent)
UPLOAD_SESSIONS: Final = TypeAdapter(UploadSessions)
FOLDER_SIZE: Final = TypeAdapter(FolderSizeInfo)
STORE_INFO: Final = TypeAdapter(ImageStoreInfo)
CLUSTER_VERSION: Final = TypeAdapter(ClusterVersion)

DateFormat = Callable[[int], str]


def iso_date(moment_ns: int) -> str:
    """``YYYY-MM-DDThh:mm:ss.mmmZ`` with exactly three digits of fraction, from nanoseconds since 1970."""
    seconds, rest = divmod(moment_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1_000_000:03d}Z"


def tick_date(moment_ns: int) -> str:
    """Units of 100 ns since 1601, the dates of api-versions below 3.0."""
    return str(moment_ns // 100 + _TICKS_1601_TO_1970)


def content_page(listing: Listing, separator: str, date: DateFormat) -> UnpagedContent:
    """A listing without its token."""
    return {
        "StoreFiles": [
            {
                "StoreRelativePath": separator.join(file.parts),
                "FileVersion": {
                    "EpochDataLossNumber": _EPOCH_DATA_LOSS,
                    "VersionNumber": str(file.version),
                    "EpochConfigurationNumber": _EPOCH_CONFIGURATION,
                },
                "FileSize": str(file.size),
                "ModifiedDate": date(file.modified_ns),
            }
            for file in listing.files
        ],
        "StoreFolders": [
            {"StoreRelativePath": separator.join(folder.parts), "FileCount": str(folder.file_count)}
            for folder in listing.folders
        ],
    }


def upload_sessions(sessions: list[UploadSession], date: DateFormat) -> UploadSessions:
    """Sessions with what each still expects."""
    return {
        "UploadSessions": [
            {
                "StoreRelativePath": session.path,
                "SessionId": session.session_id,
                "FileSize": str(session.size),
                "ModifiedDate": date(session.modified_ns),
                "ExpectedRanges": [
                    {"StartPosition": str(start), "EndPosition": str(end)} for start, end in session.expected_ranges
                ],
            }
            for session in sessions
        ]
    }


def store_info(info: StoreInfo) -> ImageStoreInfo:
    """The figures of the store."""

    def usage(part: Usage) -> UsageInfo:
        return {"UsedSpace": str(part.used_space), "FileCount": str(part.file_count)}

    return {
        "DiskInfo": {"Capacity": str(info.capacity), "AvailableSpace": str(info.available_space)},
        "UsedByMetadata": usage(info.metadata),
        "UsedByStaging": usage(info.staging),
        "UsedByCopy": usage(info.copy),
        "UsedByRegister": usage(info.register),
    }
