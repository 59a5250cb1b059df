"""The operations of the Image Store: from a call to its answer, each as short as the service's own description."""

from typing import Final
from urllib.parse import quote

from starlette.responses import Response

from emulator.api.call import Call
from emulator.api.gateway import unescape
from emulator.api.replies import bare_reply, empty_reply, json_reply
from emulator.api.shapes import (
    FOLDER_SIZE,
    PAGED_CONTENT,
    STORE_INFO,
    UNPAGED_CONTENT,
    UPLOAD_SESSIONS,
    DateFormat,
    content_page,
    iso_date,
    store_info,
    tick_date,
    upload_sessions,
)
from emulator.operations.body import in_thread
from emulator.protocol.copy_description import parse_copy_description
from emulator.protocol.errors import FabricError, invalid_argument
from emulator.protocol.session_id import parse_session_id
from emulator.protocol.upload_session import UploadSession

_ALL_ESCAPED: Final = ""
_NO_SESSION_ID: Final = "session-id is absent, all zero, or not a GUID of 36 characters with hyphens"


async def get_content(call: Call) -> Response:
    """List the root, a folder, or a file."""
    is_paged = not call.api_version.lists_unpaged
    token = call.token if is_paged else ""
    path, _ = call.path, call.timeout
    listing = await in_thread(lambda: call.store.content.list_content(path, token, is_paged=is_paged))
    if (listing is None or listing.is_empty) and not token and await _exists(call):
        # It came, or was being replaced, while it was looked for.
        listing = await in_thread(lambda: call.store.content.list_content(path, token, is_paged=is_paged))
    if listing is None or listing.is_empty:
        return await _empty_listing(call)
    page = content_page(listing, call.store.rules.separator, _date_format(call))
    if not is_paged:
        return json_reply(UNPAGED_CONTENT, page)
    return json_reply(PAGED_CONTENT, {**page, "ContinuationToken": quote(listing.token, safe=_ALL_ESCAPED)})


async def _empty_listing(call: Call) -> Response:
    """Nothing to list: the gateway asks whether the path exists; without a path it has nothing to ask (gateway 7.3)."""
    if call.relative_path is None:
        raise FabricError("FABRIC_E_NAME_DOES_NOT_EXIST", why="the store is empty")
    status = 204 if await _exists(call) else 404
    return empty_reply(status) if call.api_version.empty_listing_has_content_type else bare_reply(status)


async def _exists(call: Call) -> bool:
    probe = call.relative_path
    if probe is None:
        return False
    return await in_thread(call.store.content.exists, call.store.rules.parse(unescape(probe)))


async def upload_file(call: Call) -> Response:
    """Store a whole file."""
    if call.store.profile.has_upload_sessions:
        _ = call.content_range
    await call.store.content.upload_file(call.path, call.body, call.timeout)
    return empty_reply()


async def delete_content(call: Call) -> Response:
    """Delete a file or a folder; a body is read and dropped."""
    await call.body.read_whole()
    await call.store.content.delete(call.path, call.timeout)
    return empty_reply()


async def copy_content(call: Call) -> Response:
    """Copy a file or a folder inside the store."""
    description = parse_copy_description(await call.body.read_whole())
    await call.store.copying.copy(description, call.timeout)
    return empty_reply()


async def upload_file_chunk(call: Call) -> Response:
    """Take in a chunk of an upload session."""
    chunk = call.content_range
    session_id = _session_id_or_refuse(call)
    await call.store.uploads.upload_chunk(call.path_text, session_id, chunk, call.body, call.timeout)
    return empty_reply()


async def get_upload_session_by_id(call: Call) -> Response:
    """Tell what a session still expects."""
    session_id = _session_id_or_refuse(call)
    _ = call.timeout
    session = await in_thread(call.store.uploads.find, session_id)
    return _sessions_reply(call, [session] if session else [])


async def get_upload_session_by_path(call: Call) -> Response:
    """Tell what the sessions on a path still expect; the path is compared as sent."""
    path, _ = call.path_text, call.timeout
    return _sessions_reply(call, await in_thread(call.store.uploads.find_by_path, path))


async def commit_upload_session(call: Call) -> Response:
    """Publish the file of a complete session."""
    await call.body.read_whole()
    session_id = parse_session_id(call.session_id_text)
    if session_id is None:
        raise invalid_argument(_NO_SESSION_ID)
    await call.store.uploads.commit(session_id, call.timeout)
    return empty_reply()


async def delete_upload_session(call: Call) -> Response:
    """Forget a session and its chunks."""
    await call.body.read_whole()
    session_id = parse_session_id(call.session_id_text)
    if session_id is None:
        raise invalid_argument(_NO_SESSION_ID)
    await call.store.uploads.delete(session_id, call.timeout)
    return empty_reply()


async def get_folder_size(call: Call) -> Response:
    """The bytes of all files in a folder."""
    path, _ = call.path, call.timeout
    folder, size = await in_thread(call.store.content.folder_size, path)
    text = call.store.rules.text(folder.parts)
    return json_reply(FOLDER_SIZE, {"StoreRelativePath": text, "FolderSize": str(size)})


async def get_store_info(call: Call) -> Response:
    """The store's disk and what takes how much of it."""
    _ = call.timeout
    staged = await in_thread(call.store.uploads.staged)
    return json_reply(STORE_INFO, store_info(await in_thread(call.store.content.store_info, staged)))


def _session_id_or_refuse(call: Call) -> str:
    session_id = parse_session_id(call.session_id_text)
    if session_id is None:
        raise FabricError("FABRIC_E_INVALID_UPLOAD_SESSION_ID", why=_NO_SESSION_ID)
    return session_id


def _sessions_reply(call: Call, sessions: list[UploadSession]) -> Response:
    if not sessions:
        return empty_reply(204)
    return json_reply(UPLOAD_SESSIONS, upload_sessions(sessions, _date_format(call)))


def _date_format(call: Call) -> DateFormat:
    return iso_date if call.api_version.writes_iso_dates else tick_date
