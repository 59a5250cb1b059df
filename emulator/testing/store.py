"""What the fixture ``image_store`` hands to a test."""

from collections.abc import Iterable
from typing import Any, Final

from emulator.client import Control
from emulator.display import show_answer, show_range, show_session

_LINES: Final = 100
"""Requests in a report; those before them are counted."""


class ImageStore(Control):
    """One store of the emulator, with nothing in it but what the test puts there.

    `endpoint` is the address to give to the client under test. Everything `emulator.client.Control` does is here too:
    ``advance``, ``add_fault``, ``journal``, ``verify``, ``snapshot``, ...
    """

    def report(self) -> dict[str, str]:
        """Journal, sessions and faults as text, for the report of a test that failed."""
        requests = [*map(_entry, self.journal()), *map(_entry, self.running())]
        left_out = len(requests) - _LINES
        earlier = [f"{left_out} earlier requests"] if left_out > 0 else []
        faults = self.faults()
        return {
            "journal": _lines([*earlier, *requests[-_LINES:]]),
            "upload sessions": _lines(map(show_session, self.sessions())),
        } | ({"faults": _lines(map(_fault, faults))} if faults else {})


def _entry(entry: dict[str, Any]) -> str:
    fault = f"  [{entry['fault']}]" if entry["fault"] else ""
    why = f"\n      {entry['why']}" if entry["why"] and not fault else ""
    request = f"{entry['moment'][11:19]} {entry['verb']:6} {entry['target']}{show_range(entry)}"
    return f"{entry['number']:4} {request} -> {show_answer(entry)}{fault}{why}"


def _fault(fault: dict[str, Any]) -> str:
    return f"{fault['name']}: hit {fault['hits']} of {fault['matched']} requests{', over' if fault['is_over'] else ''}"


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines) or "none"
