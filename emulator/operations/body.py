"""A request's body as operations see it, and the threads that do their blocking work."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, Protocol, TypeVar

from emulator.protocol.errors import FabricError

Piece = bytes | memoryview

_Result = TypeVar("_Result")
_AT_ONCE: Final = 8


class ClientGoneError(Exception):
    """The connection broke before the whole body had arrived. Nobody is left to answer."""


class Body(Protocol):
    """Bytes that are still arriving."""

    async def read_small(self) -> bytes | None:
        """The whole body if it fits into one piece of about 1 MiB, or else ``None``; to be called first."""
        ...

    async def pour(self, write: Callable[[Piece], None]) -> None:
        """Pass all of a larger body to `write`, piece by piece, on worker threads; raises `ClientGoneError`."""
        ...


async def in_thread(
    work: Callable[..., _Result], *arguments: object, on_cancel: Callable[[], None] | None = None
) -> _Result:
    """Run blocking work on a worker thread. It is waited for even when the request is cancelled.

    What the work uses, open files above all, may be let go of when this returns and not before. `on_cancel` can make
    the work end sooner.
    """
    working = asyncio.get_running_loop().run_in_executor(None, work, *arguments)
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        if on_cancel:
            on_cancel()
        await asyncio.wait([working])
        raise


class Turns:
    """Lets a few requests of a kind onto threads at a time: however long these wait for locks, others have threads."""

    def __init__(self, at_once: int = _AT_ONCE) -> None:
        self._free = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def take(self, timeout: float) -> AsyncIterator[None]:
        """One turn; raises ``FABRIC_E_TIMEOUT`` when it does not come within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._free.acquire()
        except TimeoutError:
            raise FabricError(
                "FABRIC_E_TIMEOUT", why=f"other requests of its kind kept it waiting for {timeout:g} s"
            ) from None
        try:
            yield
        finally:
            self._free.release()
