"""What the control API answers, as a line for people: for the command line, and for reports of tests."""

from typing import Any


def printable(text: str) -> str:
    """Text that somebody's client sent, without power over a terminal."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def show_answer(entry: dict[str, Any]) -> str:
    """What a request of the journal was answered."""
    match entry["status"]:
        case None:
            return "not answered yet"
        case 0:
            return "no answer"
        case status:
            return f"{status} {entry['code']}".strip()


def show_range(entry: dict[str, Any]) -> str:
    """The bytes that a request of the journal brought, with a space before them; "" where it names none."""
    return f" {entry['range']}" if entry["range"] else ""


def show_session(session: dict[str, Any]) -> str:
    """An upload session, and what it lacks."""
    expected = ", ".join(f"{each['start']}-{each['end']}" for each in session["expected"]) or "nothing"
    return f"{session['session']} {session['path']} of {session['size']} bytes expects {expected}"
