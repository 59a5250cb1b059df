"""Every error the service can answer with, as data: code, HTTP status, message.

Sources: the runtime's ``HttpUtil.cpp`` (code to status), ``ErrorBody.cpp`` and ``resourceids.h`` (messages) in
``src/prod/src`` of microsoft/service-fabric; restated in the fidelity notes. A code without an entry in the
runtime's message table answers with the literal text ``Null``.
"""

from dataclasses import dataclass
from typing import Final

NO_MESSAGE: Final = "Null"
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class ErrorEntry:
    """One row of the table: what the wire shows for a code."""

    code: str
    status: int
    message: str = NO_MESSAGE


def _table(*entries: ErrorEntry) -> dict[str, ErrorEntry]:
    return {entry.code: entry for entry in entries}


_NOT_REACHABLE: Final = "A communication error caused the operation to fail."

ERRORS: Final = _table(
    ErrorEntry("E_INVALIDARG", 400, "Invalid argument"),
    ErrorEntry("FABRIC_E_INVALID_NAME_URI", 400, "Invalid name URI."),
    ErrorEntry("FABRIC_E_INVALID_DIRECTORY", 400, "Invalid Directory"),
    ErrorEntry("FABRIC_E_PATH_TOO_LONG", 400, "Path is too long"),
    ErrorEntry("FABRIC_E_INVALID_OPERATION", 400, "The operation is invalid."),
    ErrorEntry("FABRIC_E_IMAGEBUILDER_RESERVED_DIRECTORY_ERROR", 400),
    ErrorEntry(
        "FABRIC_E_IMAGEBUILDER_VALIDATION_ERROR", 400, "There is a content validation error in the manifest file(s)"
    ),
    ErrorEntry("FABRIC_E_UPLOAD_SESSION_RANGE_NOT_SATISFIABLE", 400),
    ErrorEntry("FABRIC_E_INVALID_UPLOAD_SESSION_ID", 400, "The upload session identity is invalid."),
    ErrorEntry("FABRIC_E_SERVER_AUTHENTICATION_FAILED", 401, "Failed to authenticate server identity"),
    ErrorEntry("E_ACCESSDENIED", 403, "Access denied."),
    ErrorEntry("FABRIC_E_NAME_DOES_NOT_EXIST", 404, "Name does not exist."),
    ErrorEntry("FABRIC_E_FILE_NOT_FOUND", 404, "File not found"),
    ErrorEntry("FABRIC_E_DIRECTORY_NOT_FOUND", 404, "Directory not found"),
    ErrorEntry("FABRIC_E_SERVICE_DOES_NOT_EXIST", 404, "Service does not exist."),
    ErrorEntry("FABRIC_E_APPLICATION_TYPE_NOT_FOUND", 404, "Application type and version not found"),
    ErrorEntry("FABRIC_E_SERVICE_MANIFEST_NOT_FOUND", 404, "Service Manifest not found"),
    ErrorEntry("FABRIC_E_NODE_NOT_FOUND", 404, "Node not found."),
    ErrorEntry("FABRIC_E_HEALTH_ENTITY_NOT_FOUND", 404, "Entity not found in Health Store"),
    ErrorEntry("NotFound", 404),
    ErrorEntry("FABRIC_E_WRITE_CONFLICT", 409, "Write conflict."),
    ErrorEntry("FABRIC_E_UPLOAD_SESSION_ID_CONFLICT", 409),
    ErrorEntry("FABRIC_E_APPLICATION_TYPE_ALREADY_EXISTS", 409, "Application type and version already exists"),
    ErrorEntry(
        "FABRIC_E_APPLICATION_TYPE_PROVISION_IN_PROGRESS",
        409,
        "Cannot provision multiple versions of the same application type simultaneously.",
    ),
    ErrorEntry("FABRIC_E_APPLICATION_TYPE_IN_USE", 409, "Application type and version is still in use"),
    ErrorEntry("FABRIC_E_VALUE_TOO_LARGE", 413, "Invalid argument"),
    ErrorEntry("FABRIC_E_MESSAGE_TOO_LARGE", 413, "Fabric Message is too large"),
    ErrorEntry("E_FAIL", 500),
    ErrorEntry("E_OUTOFMEMORY", 500, "Insufficient memory to continue the execution of the program."),
    ErrorEntry("FABRIC_E_IMAGESTORE_IOERROR", 500, "There was an IOException when using the Image Store."),
    ErrorEntry(
        "FABRIC_E_CORRUPTED_IMAGE_STORE_OBJECT_FOUND",
        500,
        "The Image Store object related to this operation appears corrupted. Please re-upload to the Image Store "
        "incoming folder before retrying the operation.",
    ),
    ErrorEntry(
        "FABRIC_E_ACQUIRE_FILE_LOCK_FAILED",
        500,
        "There was an error acquiring lock on the file. This indicates that another process has acquired write lock "
        "on the file or the process does not have access to the file location.",
    ),
    ErrorEntry("FABRIC_E_CONNECTION_DENIED", 500, "Not authorized to connect"),
    ErrorEntry("FABRIC_E_IMAGEBUILDER_UNEXPECTED_ERROR", 500, "The Image Builder encountered an unexpected error."),
    ErrorEntry("OperationsPending", 500),
    ErrorEntry("FileStoreServiceNotReady", 500),
    ErrorEntry("StagingFileNotFound", 500),
    ErrorEntry("FileUpdateInProgress", 500),
    ErrorEntry("FileAlreadyExists", 500),
    ErrorEntry("SerializationError", 500),
    ErrorEntry("AlreadyExists", 500),
    ErrorEntry("E_NOTIMPL", 501, "The method or operation is not implemented."),
    ErrorEntry("FABRIC_E_GATEWAY_NOT_REACHABLE", 502, _NOT_REACHABLE),
    ErrorEntry("E_ABORT", 503, "Operation canceled."),
    ErrorEntry("FABRIC_E_SERVICE_OFFLINE", 503, "The operation failed because the service is currently offline."),
    ErrorEntry(
        "FABRIC_E_NOT_READY",
        503,
        "The requested data is not yet in cache.  This same operation is likely to succeed if retried later.",
    ),
    ErrorEntry(
        "FABRIC_E_NOT_PRIMARY",
        503,
        "The operation failed because this node is not the primary replica.  Consider re-resolving the primary and "
        "retrying the operation there.",
    ),
    ErrorEntry(
        "FABRIC_E_NO_WRITE_QUORUM",
        503,
        "The operation failed because a quorum of nodes are not available for this replica set.  Consider retrying "
        "once more nodes are up.",
    ),
    ErrorEntry(
        "FABRIC_E_RECONFIGURATION_PENDING",
        503,
        "The operation failed because this replica set is currently reconfiguring.",
    ),
    ErrorEntry("FABRIC_E_REPLICATION_QUEUE_FULL", 503, "Replication queue is full."),
    ErrorEntry(
        "FABRIC_E_SERVICE_TOO_BUSY",
        503,
        "The service cannot process the request because it is too busy. Please retry.",
    ),
    ErrorEntry("FABRIC_E_OBJECT_CLOSED", 503, "The object is closed."),
    ErrorEntry("FABRIC_E_TIMEOUT", 504, "Operation timed out."),
    ErrorEntry("FABRIC_E_COMMUNICATION_ERROR", 504, _NOT_REACHABLE),
    ErrorEntry("FABRIC_E_OPERATION_NOT_COMPLETE", 504, "The operation has not completed."),
)
"""All codes an operation can surface, by code (reference: gateway 6.2 and 6.3)."""


class FabricError(Exception):
    """The one exception of the program that becomes an answer: a code of the table, perhaps with its own message.

    `why` explains it to a person, in words the service does not have; no client may depend on it.
    """

    def __init__(self, code: str, message: str | None = None, *, why: str = "") -> None:
        entry = ERRORS[code]
        self.code = entry.code
        self.status = entry.status
        self.message = entry.message if message is None else message
        self.why = why
        super().__init__(f"{self.code}: {self.message}")


def invalid_argument(why: str) -> FabricError:
    """``E_INVALIDARG``, the answer to every bad argument and every unknown route."""
    return FabricError("E_INVALIDARG", why=why)


def range_not_satisfiable(why: str) -> FabricError:
    """The answer to every bad, repeated or overlapping range: 400, never 416."""
    return FabricError("FABRIC_E_UPLOAD_SESSION_RANGE_NOT_SATISFIABLE", why=why)


def file_not_found(why: str) -> FabricError:
    """A copy source or a sized folder that isn't there."""
    return FabricError("FABRIC_E_FILE_NOT_FOUND", why=why)


def shortened(text: str) -> str:
    """Text a client sent, cut to what fits into an explanation."""
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
