"""What a client did that works here and hurts on a cluster, read off the journal."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from emulator.control.journal import Entry
from emulator.control.stores import IsolatedStore
from emulator.protocol.api_version import parse_version_number
from emulator.protocol.content_path import MARK_FILE
from emulator.protocol.received_ranges import ReceivedRanges

_UPLOADS: Final = frozenset({"UploadFile", "UploadFileChunk"})
_COMMIT: Final = "CommitImageStoreUploadSession"
_DELETE: Final = "DeleteImageStoreUploadSession"
_NOT_EMULATED: Final = "E_NOTIMPL"
_CONTRACT_VERSIONS: Final = {
    "GetImageStoreFolderSize": Decimal("6.5"),
    "GetImageStoreRootFolderSize": Decimal("6.5"),
    "GetImageStoreInfo": Decimal("6.5"),
    "GetImageStoreContent": Decimal("6.2"),
    "GetApplicationInfoList": Decimal("6.1"),
    "GetDeployedApplicationInfoList": Decimal("6.1"),
    "ProvisionApplicationType": Decimal("6.2"),
    "GetNodeInfoList": Decimal("6.3"),
    "GetClusterVersion": Decimal("6.4"),
}
"""The api-version in the published contract of an operation, 6.0 for all others."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake: which rule, what about, why it hurts, and the journal's numbers of what shows it."""

    rule: str
    message: str
    entries: tuple[int, ...] = ()


def lint(store: IsolatedStore) -> list[Finding]:
    """All findings about what the journal of a store remembers."""
    entries = sorted(store.journal.entries(), key=lambda entry: entry.number)
    return [
        *_folders_without_mark(entries, store),
        *_refused_commits(entries),
        *_cut_and_not_repeated(entries),
        *_sessions_left_open(entries),
        *_newer_versions_than_needed(entries),
    ]


def _folders_without_mark(entries: list[Entry], store: IsolatedStore) -> Iterator[Finding]:
    folders: defaultdict[str, list[int]] = defaultdict(list)
    for entry in entries:
        if entry.operation in _UPLOADS and entry.status == 200:
            parts = entry.path.split("/")
            for depth in range(1, len(parts)):
                folders["/".join(parts[:depth])].append(entry.number)
    for folder, numbers in sorted(folders.items()):
        if store.opened.store.content.find(store.rules.parse(folder)) and not store.opened.store.content.find(
            store.rules.parse(f"{folder}/{MARK_FILE}")
        ):
            yield Finding(
                "folder-without-mark",
                f"files were uploaded to {folder}, which has no {MARK_FILE}: without it the cluster takes the "
                "folder for half uploaded, does not list it as existing, and refuses to copy or to register it",
                tuple(numbers[:10]),
            )


def _refused_commits(entries: list[Entry]) -> Iterator[Finding]:
    """For bytes that were never sent, or for a session that was gone although all were."""
    for index, entry in enumerate(entries):
        if entry.operation != _COMMIT or entry.code != "E_INVALIDARG" or entry.fault:
            continue
        if _has_sent_all(entries[:index], entry.session):
            yield Finding(
                "commit-too-late",
                f"session {entry.session} had expired, or was deleted, when it was committed: begin a new one and send "
                "all bytes again",
                (entry.number,),
            )
        else:
            yield Finding(
                "commit-with-gap",
                f"session {entry.session} was committed while bytes were missing: ask GetUploadSession for the "
                "ExpectedRanges and send them first",
                (entry.number,),
            )


def _has_sent_all(entries: list[Entry], session: str) -> bool:
    received = ReceivedRanges()
    size = 0
    for entry in entries:
        is_taken = entry.operation == "UploadFileChunk" and entry.status == 200 and not entry.fault
        if is_taken and entry.session == session and entry.range:
            size = entry.range.total
            received.add(entry.range.start, entry.range.end)
    return received.covers_exactly(size)


def _cut_and_not_repeated(entries: list[Entry]) -> Iterator[Finding]:
    for index, entry in enumerate(entries):
        if not entry.was_cut:
            continue
        if not any(_is_repeat(entry, later) for later in entries[index + 1 :]):
            yield Finding(
                "no-retry-after-cut",
                f"{entry.verb} {entry.target} got no answer and was never sent again: whether it was done is unknown "
                "to the client",
                (entry.number,),
            )


def _is_repeat(entry: Entry, later: Entry) -> bool:
    same = (entry.operation, entry.path, entry.session) == (later.operation, later.path, later.session)
    if entry.operation != "UploadFileChunk" or entry.range is None:
        return same
    if later.operation.startswith("GetImageStoreUploadSession"):
        return entry.session == later.session or entry.path == later.path
    if later.operation != entry.operation or later.path != entry.path or later.range is None:
        return False
    return later.range.start <= entry.range.start and entry.range.end <= later.range.end


def _sessions_left_open(entries: list[Entry]) -> Iterator[Finding]:
    chunks: defaultdict[str, list[int]] = defaultdict(list)
    for entry in entries:
        if entry.operation == "UploadFileChunk" and entry.status == 200:
            chunks[entry.session].append(entry.number)
        elif entry.code == "NotFound" or (entry.operation in (_COMMIT, _DELETE) and entry.status in (200, 0)):
            chunks.pop(entry.session, None)  # done, perhaps without an answer, or gone
    for session, numbers in chunks.items():
        yield Finding(
            "session-left-open",
            f"session {session} was neither committed nor deleted: its bytes take the primary's disk for half an hour",
            tuple(numbers[:10]),
        )


def _newer_versions_than_needed(entries: list[Entry]) -> Iterator[Finding]:
    seen: dict[tuple[str, str], list[int]] = {}
    for entry in entries:
        number = parse_version_number(entry.api_version) if entry.api_version else None
        if not entry.operation or number is None or entry.code == _NOT_EMULATED:
            continue
        needed = _CONTRACT_VERSIONS.get(entry.operation, Decimal("6.0"))
        if number > needed:
            seen.setdefault((entry.operation, entry.api_version), []).append(entry.number)
    for (operation, version), numbers in seen.items():
        needed = _CONTRACT_VERSIONS.get(operation, Decimal("6.0"))
        yield Finding(
            "newer-api-version",
            f"{operation} was called with api-version {version}, its contract is {needed}: every runtime older than "
            f"{version} answers it with 400",
            tuple(numbers[:10]),
        )
