"""Waiting for something the server does after it has answered, or without answering at all."""

import time
from collections.abc import Callable

_PATIENCE = 20.0
_PAUSE = 0.002


def eventually(is_so: Callable[[], object], what: str) -> None:
    """Look until it is so; fails when it never comes to be. Nothing depends on how long that takes."""
    deadline = time.monotonic() + _PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, f"it never came to be that {what}"
        time.sleep(_PAUSE)
