"""Faults by meaning: which requests, and what is to go wrong with them. Deciding is done here, doing in the api."""

import itertools
import random
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from emulator.clock import Clock
from emulator.control.pattern import Facts, Pattern, parse_fields
from emulator.protocol.content_range import ContentRange
from emulator.protocol.errors import ERRORS
from emulator.units import Duration, Size, parse_size

_SESSIONS_KEPT: Final = 1000
_ACTS: Final = ("error", "delay", "throttle", "stall", "cut", "reply", "forget")


def _check_code(value: str) -> str:
    if value and value not in ERRORS:
        raise ValueError(f"no error of the service; one of {', '.join(sorted(ERRORS))}")
    return value


def _cut_position(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("before, after, or a number of bytes as 1000, 64k or 1MiB")  # noqa: TRY004
    try:
        return value if value in ("before", "after") else parse_size(value)
    except ValueError:
        raise ValueError("before, after, or a number of bytes as 1000, 64k or 1MiB") from None


Cut = Annotated[
    Literal["before", "after"] | Annotated[int, Field(ge=0)],
    BeforeValidator(_cut_position, json_schema_input_type=int | str),
]
"""Where a connection ends: before the work, after it, or after so many bytes of the body."""


class Fault(Pattern):
    """What goes wrong, with which requests, and how often. Several acts may be combined."""

    name: str = Field("", max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$", description="what the journal calls it")
    chunk: int | None = Field(
        None, ge=1, description="only the nth different chunk of its session, repeats of one range counted once"
    )
    nth: int | None = Field(None, ge=1, description="only the nth request that matches")
    every: int | None = Field(None, ge=1, description="only each nth request that matches")
    probability: float = Field(1.0, gt=0, le=1, description="how likely it is for a request that matches")
    seed: int | None = Field(None, description="makes probability repeatable")
    times: int | None = Field(None, ge=1, description="how often it happens before it is over")
    lasts: Duration | None = Field(None, description="after how much of the store's time it is over")

    error: Annotated[str, AfterValidator(_check_code)] = Field("", description="answer this error of the service")
    delay: Duration | None = Field(None, description="wait this much of the store's time")
    when: Literal["before", "after"] = Field("before", description="error and delay: before the work is done, or after")
    throttle: Size | None = Field(None, gt=0, description="take in the body at this many bytes a second")
    stall: Duration | None = Field(None, description="stop taking in the body for this long, then go on")
    stall_at: Size = Field(0, ge=0, description="after how many bytes of the body to stall, or at its end")
    cut: Cut | None = Field(
        None, description="cut the connection: before the work, after it, or at that byte of the body or its end"
    )
    reply: Literal["empty", "broken"] | None = Field(
        None, description="do the work, and answer without a body, or with half of one and a cut"
    )
    forget: Literal["chunk", "sessions"] | None = Field(
        None,
        description="acknowledge a chunk and lose it; or forget all sessions of the store first, as a failover does",
    )

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not any(getattr(self, act) is not None and getattr(self, act) != "" for act in _ACTS):
            raise ValueError(f"what shall go wrong? give one of {', '.join(_ACTS)}")
        return self

    @property
    def touches_body(self) -> bool:
        """Whether the body has to be taken in under control."""
        return self.throttle is not None or self.stall is not None or isinstance(self.cut, int)

    @property
    def keeps_from_work(self) -> bool:
        """Whether the body is taken in, and nothing is done with it."""
        return isinstance(self.cut, int) or self.forget == "chunk" or (bool(self.error) and self.when == "before")

    def describe(self) -> str:
        """What it is called, or as it is written."""
        given = self.model_dump(mode="json", exclude_defaults=True)
        return self.name or " ".join(f"{name}={value}" for name, value in given.items())


@dataclass(slots=True)
class ArmedFault:
    """A fault in a store, with what it has done so far."""

    number: int
    fault: Fault
    set_ns: int
    matched: int = 0
    hits: int = 0
    chance: random.Random = field(default_factory=random.Random)

    def is_over(self, now_ns: int) -> bool:
        """Whether it will never happen again."""
        fault = self.fault
        if fault.times is not None and self.hits >= fault.times:
            return True
        if fault.nth is not None and self.matched >= fault.nth:
            return True
        return fault.lasts is not None and now_ns - self.set_ns >= fault.lasts.total_seconds() * 1e9

    def fits(self, facts: Facts, chunk_number: int | None, now_ns: int) -> bool:
        """Count a request it is about, and say whether this is one that it is to happen to."""
        fault = self.fault
        if self.is_over(now_ns) or not fault.matches(facts):
            return False
        if fault.chunk is not None and fault.chunk != chunk_number:
            return False
        self.matched += 1
        if fault.nth is not None and self.matched != fault.nth:
            return False
        if fault.every is not None and self.matched % fault.every:
            return False
        return fault.probability == 1 or self.chance.random() < fault.probability


class Faults:
    """The faults of one store, in the order in which they were set; the first that fits a request happens to it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._armed: dict[int, ArmedFault] = {}
        self._numbers = itertools.count(1)
        self._chunks: OrderedDict[str, dict[ContentRange, int]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._armed)

    def add(self, fault: Fault) -> ArmedFault:
        """Set a fault."""
        armed = ArmedFault(next(self._numbers), fault, self._clock.now_ns(), chance=random.Random(fault.seed))  # noqa: S311
        self._armed[armed.number] = armed
        return armed

    def all(self) -> list[ArmedFault]:
        """Those that are set, those that are over included."""
        return list(self._armed.values())

    def is_over(self, armed: ArmedFault) -> bool:
        """Whether it will never happen again."""
        return armed.is_over(self._clock.now_ns())

    def remove(self, number: int) -> bool:
        """Take one back; false if there is none of that number."""
        return self._armed.pop(number, None) is not None

    def clear(self) -> None:
        """Take all back, and count the chunks of sessions anew."""
        self._armed.clear()
        self._chunks.clear()

    def hit(self, facts: Facts) -> Fault | None:
        """What is to go wrong with this request, if anything."""
        if not self._armed:
            return None
        chunk_number = self._chunk_number(facts)
        now_ns = self._clock.now_ns()
        fitting = [each for each in self._armed.values() if each.fits(facts, chunk_number, now_ns)]
        if not fitting:
            return None
        fitting[0].hits += 1
        return fitting[0].fault

    def _chunk_number(self, facts: Facts) -> int | None:
        """Which different chunk of its session this is, of those that came while faults were set."""
        if facts.range is None or not facts.session:
            return None
        known = self._chunks.setdefault(facts.session, {})
        self._chunks.move_to_end(facts.session)
        while len(self._chunks) > _SESSIONS_KEPT:
            self._chunks.popitem(last=False)
        return known.setdefault(facts.range, len(known) + 1)


def read_faults(value: Any) -> list[Fault]:
    """Faults as people give them: a dictionary, text like ``preset=lost-chunk path=App/*``, or a list of such.

    A preset stands for its faults; what is given beside it changes each of them. Raises `ValueError`.
    """
    if isinstance(value, list):
        return [fault for each in value for fault in read_faults(each)]
    if isinstance(value, str):
        value = parse_fields(value)
    if not isinstance(value, dict):
        raise ValueError("a fault is an object, or text like 'operation=UploadFile error=FABRIC_E_TIMEOUT'")  # noqa: TRY004
    if "preset" not in value:
        return [_fault(value)]
    from emulator.control.presets import PRESETS

    given = dict(value)
    name = given.pop("preset")
    preset = PRESETS.get(str(name))
    if preset is None:
        raise ValueError(f"no preset {name!r}; one of {', '.join(PRESETS)}")
    return [_fault({"name": name, **fields, **given}) for fields in preset.faults]


def _fault(fields: dict[str, Any]) -> Fault:
    try:
        return Fault.model_validate(fields)
    except ValidationError as error:
        raise ValueError("; ".join(_reason(each) for each in error.errors())) from None


def _reason(error: ErrorDetails) -> str:
    where = f"{error['loc'][0]}: " if error["loc"] else ""
    return where + error["msg"].removeprefix("Value error, ")
