"""What a fault or a question to the journal is about: requests by operation, path, session, range and client."""

import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from emulator.protocol.content_range import ContentRange

_RANGE: Final = re.compile(r"(?:bytes[ =])?([0-9]{1,19})-([0-9]{1,19})?")


@dataclass(slots=True)
class Facts:
    """What is known of a request when it has come: "" and ``None`` where it has no such thing.

    `operation` is the name in the published contract, "" for a request that matches no route. `path` is the content
    path with forward slashes.
    """

    operation: str = ""
    path: str = ""
    session: str = ""
    range: ContentRange | None = None
    client: str = ""


def _check_range(value: str) -> str:
    if value and not _RANGE.fullmatch(value):
        raise ValueError("a byte range is written 0-1048575, or 1048576- without an end")
    return value


def _check_client(value: str) -> str:
    if value:
        ip_network(value, strict=False)
    return value


class Pattern(BaseModel):
    """Requests that have all that is given here. Names and paths may have ``*`` and ``?``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operation: str = Field(
        "", max_length=100, description="name in the REST contract, as UploadFileChunk; * and ? stand for others"
    )
    path: str = Field("", max_length=4096, description="content path, any case; * stands for any text, ** too")
    session: str = Field("", description="id of an upload session")
    range: Annotated[str, AfterValidator(_check_range)] = Field(
        "", description="bytes of the file that a chunk overlaps, as 0-1048575"
    )
    client: Annotated[str, AfterValidator(_check_client)] = Field("", description="client's address or network")

    def matches(self, facts: Facts) -> bool:
        """Whether a request is one of those meant."""
        return (
            (not self.operation or _fits(self.operation, facts.operation))
            and (not self.path or _fits(self.path.replace("\\", "/").strip("/"), facts.path))
            and (not self.session or self.session.strip("{}").lower() == facts.session)
            and (not self.range or _overlaps(self.range, facts.range))
            and (not self.client or _is_from(self.client, facts.client))
        )


def _fits(pattern: str, text: str) -> bool:
    """Whether a text is what a pattern with ``*`` and ``?`` means, in any case.

    In time proportional to both lengths, whatever the pattern: it may come from anybody.
    """
    pattern, text = pattern.lower(), text.lower()
    at = place = 0
    star = retry = -1
    while place < len(text):
        if at < len(pattern) and pattern[at] == "*":
            star, retry = at, place
            at += 1
        elif at < len(pattern) and pattern[at] in ("?", text[place]):
            at += 1
            place += 1
        elif star >= 0:
            retry += 1
            at, place = star + 1, retry
        else:
            return False
    return not pattern[at:].strip("*")


def _overlaps(wanted: str, found: ContentRange | None) -> bool:
    match = _RANGE.fullmatch(wanted)
    if match is None or found is None:
        return False
    start, end = match.groups()
    return found.end >= int(start) and (end is None or found.start <= int(end))


def _is_from(wanted: str, client: str) -> bool:
    try:
        return ip_address(client) in ip_network(wanted, strict=False)
    except ValueError:
        return False


def parse_fields(text: str) -> dict[str, Any]:
    """``operation=UploadFile path=App/* times=2`` as a dictionary; values may be quoted.

    Raises `ValueError` for a word that is not of that form.
    """
    fields: dict[str, Any] = {}
    for match in re.finditer(r"""\s*([^\s=;,]+)=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s;]*)[;\s]*|\s*(\S+)\s*""", text):
        name, value, wrong = match.groups()
        if wrong:
            raise ValueError(f"{wrong!r} is not of the form name=value")
        fields[name] = value[1:-1] if value[:1] in ("'", '"') else value
    return fields
