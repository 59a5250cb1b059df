"""For tests of client code: a server on a thread of the test's own process, and fixtures for pytest.

The fixtures are those of `emulator.testing.plugin`, which pytest finds by itself once the package is installed.
"""

from emulator.testing.server import EmulatorThread
from emulator.testing.store import ImageStore

__all__ = ["EmulatorThread", "ImageStore"]
