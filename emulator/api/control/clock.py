"""``/clock``: read and move a store's time."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, BeforeValidator, Field

from emulator.api.control.common import Exactly, Selected, SessionView, bad_request, view_session
from emulator.clock import Clock, to_datetime
from emulator.operations.body import in_thread
from emulator.operations.expiry import Expiry
from emulator.units import parse_duration

_LONGEST = timedelta(days=3650)


def _signed_duration(value: object) -> object:
    if isinstance(value, str) and value.strip().startswith("-"):
        step = parse_duration(value.strip()[1:])
        return -step if isinstance(step, timedelta) else step
    return parse_duration(value)


Step = Annotated[timedelta, BeforeValidator(_signed_duration), Field(ge=-_LONGEST, le=_LONGEST)]


class ClockView(BaseModel):
    """A store's time."""

    now: datetime
    mode: Literal["real", "frozen", "offset", "scaled"]
    rate: float = Field(description="seconds that pass in one of the machine's")
    offset_seconds: float = Field(description="how far it is ahead of the machine's clock")
    expiry: Expiry


class AdvanceView(ClockView):
    """A store's time after a step, and the sessions whose time is up."""

    expired: list[SessionView]


class ClockChange(Exactly):
    """Any of these; with `freeze` and `now` it stands still at that moment."""

    now: datetime | None = Field(None, description="move to this moment")
    freeze: bool | None = Field(None, description="stand still, or go on")
    rate: float | None = Field(
        None, gt=0, le=1_000_000, description="run this many times as fast as the machine's clock"
    )
    expiry: Expiry | None = Field(None, description="when a session whose time is up is gone")


class Advance(Exactly):
    """How far to move the clock."""

    by: Step = Field(description="31m, 90s, 2d, or seconds; with - in front of it, back")


routes = APIRouter(prefix="/clock", tags=["clock"])


@routes.get("")
async def read_clock(store: Selected) -> ClockView:
    """The time in the store."""
    return ClockView(**_view(store.clock), expiry=store.life.mode)


@routes.put("")
async def set_clock(change: ClockChange, store: Selected) -> ClockView:
    """Freeze it, move it to a moment, or make it run faster."""
    clock = store.clock
    if change.freeze and change.rate is not None:
        raise HTTPException(400, "a clock that stands still has no rate")
    try:
        _change(clock, change)
    except ValueError as error:
        raise bad_request(error) from None
    if change.expiry is not None:
        store.life.set_mode(change.expiry)
    return ClockView(**_view(clock), expiry=store.life.mode)


def _change(clock: Clock, change: ClockChange) -> None:
    if change.freeze:
        clock.freeze(change.now)
    elif change.now is not None:
        clock.set(change.now)
    if change.freeze is False and not clock.rate:
        clock.run(1.0)
    if change.rate is not None:
        clock.run(change.rate)


@routes.post("/advance")
async def advance_clock(step: Advance, store: Selected) -> AdvanceView:
    """Let time pass at once, and answer with the sessions that this ends."""
    try:
        store.clock.advance(step.by)
    except ValueError as error:
        raise bad_request(error) from None
    expired = await in_thread(store.expire)
    views = [view_session(each, store) for each in expired]
    return AdvanceView(**_view(store.clock), expiry=store.life.mode, expired=views)


@routes.delete("")
async def reset_clock(store: Selected) -> ClockView:
    """Run like the machine's clock again."""
    store.clock.reset()
    return ClockView(**_view(store.clock), expiry=store.life.mode)


def _view(clock: Clock) -> dict[str, object]:
    mode = "real" if clock.is_real else "frozen" if not clock.rate else "offset" if clock.rate == 1 else "scaled"
    return {
        "now": to_datetime(clock.now_ns()),
        "mode": mode,
        "rate": clock.rate,
        "offset_seconds": round(clock.offset.total_seconds(), 3),
    }
