"""A request's body as operations see it, and the threads that do their blocking work."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

Piece = bytes | memoryview

_Result = TypeVar("_Result")


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


async def in_thread(work: Callable[..., _Result], *arguments: object) -> _Result:
    """Run blocking work on a worker thread."""
    return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)
