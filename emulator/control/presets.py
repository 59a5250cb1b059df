"""Faults named after the real file store's own test hooks.

The runtime has a switch, ``EnableChaosDuringFileUpload``, that its users cannot reach. Sources are files of
``src/prod/src/Management/FileStoreService`` in microsoft/service-fabric. The hooks count over the life of a process and
in pieces of 3 MiB; so that a test need not send dozens of chunks, presets strike early and once, and `chaos` has the
published figures, each counted over all requests of its kind.

A message or reply that the runtime drops is one its gateway waits for until the request's time is up. Here a dropped
message is answered ``FABRIC_E_TIMEOUT`` at once (``delay=`` makes it come late), and a lost reply is a connection that
ends, which is what a client sees that waits no longer. Hooks that answer ``NotFound`` "to simulate failover" leave the
sessions alone; the presets lose them, as a failover does: sessions live in the primary's memory.
"""

from dataclasses import dataclass
from typing import Any, Final

_CHUNK: Final = "UploadFileChunk"
_PIECE: Final = 3_145_728


@dataclass(frozen=True, slots=True)
class Preset:
    """Named faults: what they do, where the real service does so, and the fields of each fault."""

    does: str
    source: str
    faults: tuple[dict[str, Any], ...]


def _commit(**fields: Any) -> dict[str, Any]:
    return {"operation": "CommitImageStoreUploadSession", **fields}


def _file(**fields: Any) -> dict[str, Any]:
    return {"operation": "UploadFile", **fields}


def _chunk(**fields: Any) -> dict[str, Any]:
    return {"operation": _CHUNK, **fields}


_CHUNKS: Final = "processuploadchunkrequestasyncoperation.cpp, UploadChunkAsyncOperation::OnStart"
_COMMITS: Final = "processcommituploadsessionrequestasyncoperation.cpp, CommitUploadSessionAsyncOperation::OnStart"
_REQUESTS: Final = "RequestManager.cpp, OnProcessRequest"
_REPLIES: Final = "RequestManager.cpp, OnProcessChunkRequestComplete"
_FILES: Final = "FileUploadAsyncOperation.cpp, OnBeginFileOperation"
_SLOW_XML: Final = f"{_FILES}: sleeps 35 s on every 11th file, uploaded or committed, if xml is in its path"

PRESETS: Final = {
    "lost-chunk": Preset(
        "the second chunk of a session is acknowledged and lost, once",
        f"{_CHUNKS}: 'Sending success without updating metadata', the chunk at 30 MiB, once",
        (_chunk(chunk=2, times=1, forget="chunk"),),
    ),
    "slow-chunk": Preset(
        "the second chunk of each session takes 15 seconds",
        f"{_CHUNKS}: sleeps 15 s on the chunk at 9 MiB",
        (_chunk(chunk=2, delay="15s"),),
    ),
    "failover": Preset(
        "at the third chunk all sessions are forgotten, and it is answered NotFound",
        f"{_CHUNKS}: 'NotFound to simulate failover', the 20th chunk",
        (_chunk(nth=3, forget="sessions", error="NotFound"),),
    ),
    "failover-at-commit": Preset(
        "at a commit all sessions are forgotten, and it is answered NotFound, once",
        f"{_COMMITS}: 'NotFound to simulate failover', the 19th commit",
        (_commit(times=1, forget="sessions", error="NotFound"),),
    ),
    "dropped-create": Preset(
        "the request that would begin a session comes to nothing, once",
        f"{_REQUESTS}: every 7th create is dropped",
        (_chunk(chunk=1, times=1, error="FABRIC_E_TIMEOUT"),),
    ),
    "dropped-creates": Preset(
        "every 7th request that would begin a session comes to nothing",
        f"{_REQUESTS}: every 7th create is dropped",
        (_chunk(chunk=1, every=7, error="FABRIC_E_TIMEOUT"),),
    ),
    "dropped-chunk": Preset(
        "the second chunk of a session comes to nothing, once",
        f"{_REQUESTS}: every 11th chunk is dropped",
        (_chunk(chunk=2, times=1, error="FABRIC_E_TIMEOUT"),),
    ),
    "dropped-commit": Preset(
        "a commit comes to nothing, once",
        f"{_REQUESTS}: every 9th commit is dropped",
        (_commit(times=1, error="FABRIC_E_TIMEOUT"),),
    ),
    "slow-commit": Preset(
        "a commit takes 35 seconds, once",
        _SLOW_XML,
        (_commit(times=1, delay="35s"),),
    ),
    "slow-file": Preset(
        "the upload of a whole file with xml in its path takes 35 seconds, once",
        _SLOW_XML,
        (_file(path="*xml*", times=1, delay="35s"),),
    ),
    "lost-create-reply": Preset(
        "the first chunk of a session counts, and its answer is lost, once",
        f"{_REPLIES}: the reply of every 13th create is dropped",
        (_chunk(chunk=1, times=1, cut="after"),),
    ),
    "lost-chunk-reply": Preset(
        "the second chunk of a session counts, and its answer is lost, once",
        f"{_REPLIES}: the reply of every 23rd chunk is dropped",
        (_chunk(chunk=2, times=1, cut="after"),),
    ),
    "lost-commit-reply": Preset(
        "a commit is done, and its answer is lost, once",
        f"{_REPLIES}: the reply of every 11th commit is dropped",
        (_commit(times=1, cut="after"),),
    ),
    "cut-chunk": Preset(
        "the connection is cut after the first 64 KiB of the second chunk, once",
        "no hook: what networks do",
        (_chunk(chunk=2, times=1, cut=65_536),),
    ),
    "lost-file-reply": Preset(
        "a whole file is stored, and the answer is lost, once",
        "no hook: what networks do",
        (_file(times=1, cut="after"),),
    ),
    "dropped-file": Preset(
        "the upload of a whole file comes to nothing, once",
        "no hook: what busy clusters do",
        (_file(times=1, error="FABRIC_E_TIMEOUT"),),
    ),
    "gateway-timeout": Preset(
        "any one request is answered FABRIC_E_TIMEOUT, once",
        "no hook: what busy clusters do",
        ({"times": 1, "error": "FABRIC_E_TIMEOUT"},),
    ),
    "chaos": Preset(
        "the runtime's whole mix, with its own figures",
        f"{_CHUNKS}; {_COMMITS}; {_REQUESTS}; {_REPLIES}; {_FILES}",
        (
            _chunk(range=f"{10 * _PIECE}-{10 * _PIECE}", times=1, forget="chunk", name="chaos: lost chunk"),
            _chunk(nth=20, error="NotFound", name="chaos: failover at a chunk"),
            _chunk(range=f"{3 * _PIECE}-{3 * _PIECE}", delay="15s", name="chaos: slow chunk"),
            _commit(nth=19, error="NotFound", name="chaos: failover at a commit"),
            _chunk(chunk=1, every=7, error="FABRIC_E_TIMEOUT", name="chaos: dropped create"),
            _chunk(every=11, error="FABRIC_E_TIMEOUT", name="chaos: dropped chunk"),
            _commit(every=9, error="FABRIC_E_TIMEOUT", name="chaos: dropped commit"),
            _chunk(chunk=1, every=13, cut="after", name="chaos: lost reply to a create"),
            _chunk(every=23, cut="after", name="chaos: lost reply to a chunk"),
            _commit(every=11, cut="after", name="chaos: lost reply to a commit"),
            _file(path="*xml*", every=11, delay="35s", name="chaos: slow file"),
            _commit(path="*xml*", every=11, delay="35s", name="chaos: slow commit"),
        ),
    ),
}
"""All presets by name."""
