"""What the fixture ``image_store`` hands to a test."""

from typing import Any

from emulator.client import Control


class ImageStore(Control):
    """One store of the emulator, with nothing in it but what the test puts there.

    `endpoint` is the address to give to the client under test. Everything `emulator.client.Control` does is here too:
    ``advance``, ``add_fault``, ``journal``, ``verify``, ``snapshot``, ...
    """

    def report(self) -> dict[str, str]:
        """Journal and sessions as text, for the report of a test that failed."""
        return {
            "journal": _lines(map(_entry, self.journal())),
            "upload sessions": _lines(map(_session, self.sessions())),
        }


def _entry(entry: dict[str, Any]) -> str:
    answer = "no answer" if entry["status"] == 0 else f"{entry['status']} {entry['code']}".strip()
    fault = f"  [{entry['fault']}]" if entry["fault"] else ""
    part = f" {entry['range']}" if entry["range"] else ""
    why = f"\n      {entry['why']}" if entry["why"] else ""
    return f"{entry['number']:4} {entry['verb']:6} {entry['target']}{part} -> {answer}{fault}{why}"


def _session(session: dict[str, Any]) -> str:
    expected = ", ".join(f"{each['start']}-{each['end']}" for each in session["expected"]) or "nothing"
    return f"{session['session']} {session['path']} of {session['size']} bytes expects {expected}"


def _lines(lines: Any) -> str:
    return "\n".join(lines) or "none"
