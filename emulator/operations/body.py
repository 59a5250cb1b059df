"""A request's body as operations see it, and the threads that do their blocking work."""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

_Result = TypeVar("_Result")


class ClientGoneError(Exception):
    """The connection broke before the whole body had arrived. Nobody is left to answer."""


class Body(Protocol):
    """Bytes that are still arriving."""

    async def read_piece(self) -> tuple[bytes, bool]:
        """The next piece, of about 1 MiB, and whether more may follow; raises `ClientGoneError`."""
        ...


async def in_thread(work: Callable[..., _Result], *arguments: object) -> _Result:
    """Run blocking work on a worker thread."""
    return await asyncio.get_running_loop().run_in_executor(None, work, *arguments)
