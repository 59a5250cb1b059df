"""Durations and sizes as people write them: ``30m``, ``250ms``, ``1.5h``; ``1MiB``, ``64k``, ``1000``."""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

_DURATION: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) *(ms|s|m|h|d)?")
_LONGEST: Final = timedelta(days=3650)
_UNITS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}

_SIZE: Final = re.compile(r"([0-9]{1,15}) *(?:([kmgt])(?:i?b)?|b)?", re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_duration(value: object) -> object:
    """``30m``, ``90s``, ``1.5h``, ``250ms`` or a bare number of seconds as a `timedelta`; anything else unchanged."""
    if not isinstance(value, str):
        return value
    match = _DURATION.fullmatch(value.strip())
    if match is None:
        raise ValueError("a duration is written 30m, 90s, 1.5h, 250ms, 2d or as seconds")
    try:
        return timedelta(seconds=float(match.group(1)) * _UNITS[match.group(2) or "s"])
    except OverflowError:
        return timedelta.max


def _check_duration(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= _LONGEST:
        raise ValueError(f"a duration has to be greater than 0s and at most {show_duration(_LONGEST)}")
    return value


def show_duration(value: timedelta) -> str:
    """A duration in its largest whole unit."""
    seconds = value.total_seconds()
    unit, size = next((unit, size) for unit, size in reversed(_UNITS.items()) if seconds % size == 0 or size < 1)
    return f"{seconds / size:g}{unit}"


def parse_size(value: object) -> object:
    """``1MiB``, ``64k`` (1024 each), ``1000`` or a number as bytes; anything else unchanged."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError("a size is written 1000, 64k, 1MiB or 2GiB")
    return int(match.group(1)) * 1024 ** _POWERS[(match.group(2) or "").lower()]


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    AfterValidator(_check_duration),
    PlainSerializer(show_duration, return_type=str, when_used="json"),
]
"""A length of time greater than none, shown as it is written."""

Size = Annotated[int, BeforeValidator(parse_size)]
"""A number of bytes."""
