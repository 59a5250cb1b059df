"""The body of ``$/Copy`` (reference: gateway 7.6)."""

from dataclasses import dataclass, field
from typing import Final

from emulator.protocol.json_body import boolean, enumeration, members, text, texts

_FLAGS: Final = {"Invalid": 0, "Echo": 1, "Overwrite": 2}
_OVERWRITE: Final = _FLAGS["Overwrite"]


@dataclass(slots=True)
class CopyDescription:
    """What to copy where. ``CheckMarkFile`` is read and then ignored, as the runtime does."""

    source: str = ""
    destination: str = ""
    skip_files: list[str] = field(default_factory=list)
    overwrites: bool = True


def parse_copy_description(body: bytes) -> CopyDescription:
    """Read the body; raises ``E_INVALIDARG`` for what the runtime's reader refuses. ``SkipFiles`` adds up."""
    description = CopyDescription()
    for name, value in members(body):
        match name:
            case "RemoteSource":
                description.source = text(name, value)
            case "RemoteDestination":
                description.destination = text(name, value)
            case "SkipFiles":
                description.skip_files += texts(name, value)
            case "CopyFlag":
                description.overwrites = enumeration(name, value, _FLAGS) == _OVERWRITE
            case "CheckMarkFile":
                boolean(name, value)
            case _:
                pass
    return description
