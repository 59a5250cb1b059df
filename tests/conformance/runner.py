"""Plays a case against a running emulator and holds every answer against what is true of all of them."""

from typing import Final

from tests.conformance.case import OK0, Advance, Case, Exchange, Expect, Step
from tests.contract.contract import compact, definition_of, violations
from tests.support.emulator import InProcessEmulator
from tests.support.wire import Reply

JSON: Final = "application/json; charset=utf-8"
SERVER: Final = "Microsoft-HTTPAPI/2.0"


def play(emulator: InProcessEmulator, case: Case) -> None:
    """Bring about what is given, then hold each answer against its expectation and compare them at the end."""
    for step in case.given:
        exchange(emulator, (step, OK0))
    replies = []
    for step_or_pause in case.steps:
        if isinstance(step_or_pause, Advance):
            emulator.clock.advance(step_or_pause.by)
        else:
            replies.append(exchange(emulator, step_or_pause))
    if case.check is not None:
        case.check(replies)


def exchange(emulator: InProcessEmulator, pair: Exchange) -> Reply:
    """Send one request and look at its answer from every side."""
    step, expected = pair
    reply = send(emulator, step)
    try:
        assert reply.status == expected.status
        check_headers(reply, expected)
        if expected.content == "json" and reply.body:
            check_contract(step, reply)
        expected.body.check(reply)
    except AssertionError as failure:
        failure.add_note(f"{step}\n-> {reply.status} {reply.body[:600]!r}\n   {reply.headers}")
        raise
    return reply


def send(emulator: InProcessEmulator, step: Step) -> Reply:
    """Send it as it is written."""
    return emulator.send(
        step.method, step.target, headers=step.headers, body=step.body, content_length=step.content_length
    )


def check_headers(reply: Reply, expected: Expect) -> None:
    """An answer says who it is from and when, what its body is, and nothing to browsers or caches."""
    headers = reply.headers
    assert headers.get("server") == SERVER
    assert headers.get("date", "").endswith(" GMT")
    unwanted = {"allow", "etag", "last-modified", "location", "content-encoding", "cache-control", "vary"}
    assert not [name for name in headers if name in unwanted or name.startswith("access-control-")]
    if expected.content == "json":
        assert headers.get("content-type") == JSON
        assert headers.get("x-content-type-options") == "nosniff"
    elif expected.content == "none":
        assert "content-type" not in headers
        assert "x-content-type-options" not in headers
    else:
        kind = "text/html" if expected.content == "html" else "text/plain"
        assert headers.get("content-type", "").lower().startswith(kind)
    if expected is OK0:
        assert headers.get("content-length") == "0"


def check_contract(step: Step, reply: Reply) -> None:
    """A JSON body is written compactly, escapes the slash and keeps to the published contract."""
    answer = reply.json()
    assert reply.body == compact(answer)
    assert violations(definition_of(step.method, step.target, reply.status), answer) == []
