"""What goes wrong below the rules, said as the service would say it."""

import errno

from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionInTimeError

from emulator.protocol.errors import FabricError
from emulator.storage.errors import LockTimeoutError, NameTakenError


def as_fabric_error(error: Exception) -> FabricError | None:
    """The service's error for a failure of disk, database or locks; ``None`` for a mistake in the program."""
    match error:
        case FabricError():
            return error
        case LockTimeoutError() | NoConnectionInTimeError():
            return FabricError("FABRIC_E_TIMEOUT", why="another request works on the same path, session or database")
        case NameTakenError():
            return FabricError(
                "FABRIC_E_INVALID_DIRECTORY",
                f"Invalid Directory: {error}, which keeps no file and folder of one name.",
            )
        case OSError(errno=errno.ENAMETOOLONG):
            return FabricError("FABRIC_E_PATH_TOO_LONG", why="too long for the emulator's own disk")
        case OperationalError() if "locked" in str(error.orig):
            return FabricError("FABRIC_E_TIMEOUT", why="another process keeps the database locked")
        case OSError():
            return FabricError("FABRIC_E_IMAGESTORE_IOERROR", why=f"the emulator's disk: {error.strerror or error}")
        case SQLAlchemyError():
            return FabricError("FABRIC_E_IMAGESTORE_IOERROR", why="the emulator's database failed: see its log")
        case _:
            return None
