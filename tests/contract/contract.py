"""Holds answers against ``image_store.schema.json``, the contract of the Image Store in one file."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

SCHEMA_FILE: Final = Path(__file__).with_name("image_store.schema.json")

_UNPAGED: Final = ("1.0", "2.0", "3.0")


def _ordered(_: Any, wanted: Any, instance: Any, schema: dict[str, Any]) -> Iterator[ValidationError]:
    """An object marked as ordered names its properties in the order of their declaration."""
    if not wanted or not isinstance(instance, dict):
        return
    declared = [name for name in schema["properties"] if name in instance]
    found = [name for name in instance if name in schema["properties"]]
    if found != declared:
        yield ValidationError(f"properties are in the order {found}, not {declared}")


_extend: Final[Any] = validators.extend  # untyped in the stubs
_Validator: Final = _extend(Draft202012Validator, {"ordered": _ordered})


@cache
def schema() -> dict[str, Any]:
    """The schema file, read once."""
    loaded: dict[str, Any] = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return loaded


def violations(definition: str, instance: Any) -> list[str]:
    """What is wrong with `instance` as a `definition`, as readable lines; none when it keeps to the contract."""
    rooted = {"$ref": f"#/$defs/{definition}", "$defs": schema()["$defs"]}
    found = sorted(_Validator(rooted).iter_errors(instance), key=lambda error: list(map(str, error.absolute_path)))
    return [f"{'/'.join(map(str, error.absolute_path)) or '(top)'}: {error.message}" for error in found]


def compact(instance: Any) -> bytes:
    """The bytes the runtime writes for a value: no white space, UTF-8 as it is, ``/`` escaped (gateway 7.1)."""
    return json.dumps(instance, ensure_ascii=False, separators=(",", ":")).replace("/", r"\/").encode()


def definition_of(method: str, target: str, status: int) -> str:
    """The definition that the JSON answer to a request has to keep to."""
    if status >= 400:
        return "FabricError"
    path, _, query = target.partition("?")
    if method != "GET":
        raise AssertionError(f"{method} {target} answers without a body when it succeeds")
    for ending, definition in (
        ("/$/GetUploadSession", "UploadSession"),
        ("/$/FolderSize", "FolderSizeInfo"),
        ("/ImageStore/$/Info", "ImageStoreInfo"),
        ("/$/GetClusterVersion", "ClusterVersion"),
    ):
        if path.endswith(ending):
            return definition
    version = next((pair[12:] for pair in query.split("&") if pair.startswith("api-version=")), "")
    paged = "" if version in _UNPAGED else "Paged"
    ticks = "InTicks" if version.partition(".")[0] in ("1", "2") else ""
    return f"{paged}ImageStoreContent{ticks}"
