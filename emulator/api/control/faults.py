"""``/faults``: set, list and take back what is to go wrong."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, HTTPException
from fastapi.openapi.models import Example
from pydantic import BaseModel, Field

from emulator.api.control.common import Selected
from emulator.control.faults import ArmedFault, Fault, Faults, read_faults
from emulator.control.presets import PRESETS


class FaultView(BaseModel):
    """A fault that is set, and what it has done so far."""

    id: int
    name: str
    fault: dict[str, Any] = Field(description="as it was given")
    matched: int = Field(description="requests it is about")
    hits: int = Field(description="requests it happened to")
    is_over: bool = Field(description="it will not happen again")


class PresetView(BaseModel):
    """Named faults, and where the real service does the same."""

    name: str
    does: str
    source: str
    faults: list[dict[str, Any]]


_EXAMPLES: Final[dict[str, Example]] = {
    "text": {"value": "operation=UploadFileChunk chunk=3 cut=1MiB times=1"},
    "object": {"value": {"operation": "CommitImageStoreUploadSession", "cut": "after", "times": 1}},
    "preset": {"value": {"preset": "lost-chunk", "path": "MyApp/*"}},
}


routes = APIRouter(tags=["faults"])


@routes.get("/faults")
async def list_faults(store: Selected) -> list[FaultView]:
    """All faults that are set in the store, in the order in which they are tried."""
    return [_view(each, store.faults) for each in store.faults.all()]


@routes.post("/faults", status_code=201)
async def add_faults(
    store: Selected,
    fault: Annotated[Any, Body(openapi_examples=_EXAMPLES, description="an object, a text, or a list of such")],
) -> list[FaultView]:
    """Set one or several; the first that fits a request happens to it."""
    try:
        faults = read_faults(fault)
    except ValueError as error:
        raise HTTPException(400, str(error)) from None
    return [_view(store.faults.add(each), store.faults) for each in faults]


@routes.delete("/faults", status_code=204)
async def clear_faults(store: Selected) -> None:
    """Take all back."""
    store.faults.clear()


@routes.delete("/faults/{number}", status_code=204)
async def remove_fault(number: int, store: Selected) -> None:
    """Take one back."""
    if not store.faults.remove(number):
        raise HTTPException(404, f"no fault {number} is set")


@routes.get("/presets")
async def list_presets() -> list[PresetView]:
    """The faults named after the real service's own."""
    return [
        PresetView(name=name, does=preset.does, source=preset.source, faults=list(preset.faults))
        for name, preset in PRESETS.items()
    ]


@routes.get("/fault-schema")
async def fault_schema() -> dict[str, Any]:
    """What a fault can say, as JSON schema."""
    return Fault.model_json_schema()


def _view(armed: ArmedFault, faults: Faults) -> FaultView:
    given = armed.fault.model_dump(mode="json", exclude_defaults=True)
    return FaultView(
        id=armed.number,
        name=armed.fault.describe(),
        fault=given,
        matched=armed.matched,
        hits=armed.hits,
        is_over=faults.is_over(armed),
    )
