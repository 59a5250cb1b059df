"""One request of the service from its match to its answer: the call, faults on its way, its entry in the journal."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from emulator.api.body import HttpBody
from emulator.api.call import Call
from emulator.api.gateway import parse_query, unescape
from emulator.api.mishap import BodyCutError, BodyShape, CutReply, break_reply
from emulator.api.replies import bare_reply, empty_reply, error_reply
from emulator.api.request_log import RequestLog, entry_of
from emulator.control.faults import Fault, read_faults
from emulator.control.journal import Entry
from emulator.control.metrics import Metrics
from emulator.control.stores import IsolatedStore
from emulator.direct_body import peer_of
from emulator.operations.body import ClientGoneError, in_thread
from emulator.operations.failures import as_fabric_error
from emulator.protocol.access import Access, Role
from emulator.protocol.api_version import MINIMUM, ApiVersion, parse_api_version
from emulator.protocol.content_range import parse_content_range
from emulator.protocol.errors import FabricError, invalid_argument
from emulator.protocol.session_id import parse_session_id

STORE: Final = "imagestore.store"
"""Key of the `IsolatedStore` in an ASGI scope."""

ENTRY: Final = "imagestore.entry"
"""Key of the journal's entry in an ASGI scope."""

FAULT_HEADER: Final = "x-emulator-fault"
"""A fault for one request, as text: ``cut=after``. What counts requests in it, as ``nth``, has nothing to count.

`NO_FAULT` keeps those that are set from the request, and does not count it: for whoever only looks on.
"""

NO_FAULT: Final = "none"

_REASON: Final = 300
"""Characters of what is wrong with a fault that fit into a header."""

Work = Callable[[], Awaitable[Response]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the published contract: its name there, verb, path, handler, and first api-version."""

    name: str
    verb: str
    path: str
    handle: Callable[[Call], Awaitable[Response]]
    since: Decimal = MINIMUM
    parameters: tuple[str, ...] = ()
    needs_upload_sessions: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """How requests of one emulator are answered."""

    cluster_id: str
    hints: bool
    access: Access
    log: RequestLog
    metrics: Metrics

    def begin(self, scope: Scope) -> None:
        """A request has come to a store: note it in the journal."""
        store: IsolatedStore = scope[STORE]
        entry = entry_of(scope, store.clock.now_ns())
        if store.journal.is_on:
            store.journal.begin(entry)
        scope[ENTRY] = entry

    def end(self, scope: Scope) -> None:
        """It has been answered, or nobody is there to hear the answer."""
        store: IsolatedStore = scope[STORE]
        entry: Entry = scope[ENTRY]
        entry.duration_ns += time.perf_counter_ns()
        if entry.status is None:
            entry.status = 0
        if store.journal.is_on:
            store.journal.end(entry)
        self.metrics.answered(entry)
        self.log.write(scope, entry, store.name)

    def note(self, scope: Scope, response: Response) -> Response:
        """The same answer, to a request that needs no operation."""
        return self._note(scope[ENTRY], response)

    def refuse(self, scope: Scope, error: FabricError) -> Response:
        """The answer to a request that reaches no operation."""
        entry: Entry = scope[ENTRY]
        return self._note(entry, self._error(entry, error))

    def failure(self, error: Exception) -> Response:
        """The answer to a request whose store cannot be opened."""
        return error_reply(_fabric_error(error), hints=self.hints)

    async def answer(self, request: Request, operation: Operation) -> Response:
        """Do what a matched request asks for."""
        store: IsolatedStore = request.scope[STORE]
        entry: Entry = request.scope[ENTRY]
        query = parse_query(request.scope["gateway_query"])
        allowance = store.opened.allowance() if operation.verb == "PUT" else None
        body = HttpBody(request, store.journal.hash_limit, allowance)

        async def work() -> Response:
            version = _api_version(query.get("api-version"), operation, store)
            self._check_cluster(request)
            return await operation.handle(Call(request, store, query, version, body))

        try:
            self._describe(entry, operation, request, query)
            if self.access.is_required:
                _api_version(query.get("api-version"), operation, store)  # a bad URL is one for strangers, too
                self._check_cluster(request)
                if not self._admit(request, operation):
                    return self._note(entry, bare_reply(403))
            fault = self._fault(request, store, entry)
            return self._note(entry, await (self._with_fault(fault, request, body, work) if fault else work()))
        except BodyCutError as cut:
            body.received = cut.received
            return self._note(entry, CutReply())
        except ClientGoneError:
            entry.status, entry.why = 0, "the client went away before its request was complete"
            return Response(status_code=400)
        except asyncio.CancelledError:
            _log.warning("%s %s: cut short, the emulator is stopping", request.method, request.url.path)
            error = FabricError("E_ABORT", why="the emulator was stopping, or the store was replaced")
            return self._note(entry, self._error(entry, error))
        except Exception as failure:  # noqa: BLE001  # the one place where any failure becomes an answer
            return self._note(entry, self._error(entry, _fabric_error(failure)))
        finally:
            entry.received, entry.digest = body.received, body.digest
            if allowance:
                allowance.end()

    def _admit(self, request: Request, operation: Operation) -> bool:
        """Whether this is a client with a role; raises ``E_ACCESSDENIED`` for what that role may not do."""
        role = self.access.role_of(peer_of(request.scope))
        if role is not Role.USER:
            return role is not None
        if not self.access.lets_user(request.method, operation.name, request.url.path):
            raise FabricError("E_ACCESSDENIED", why="the client's certificate has the role of a user, not of an admin")
        if request.headers.get(FAULT_HEADER, NO_FAULT) != NO_FAULT:  # one of them forgets sessions
            raise FabricError("E_ACCESSDENIED", why=f"{FAULT_HEADER} is for admins, as all of the test kit")
        return True

    def _check_cluster(self, request: Request) -> None:
        named = request.headers.get("clusterid") if self.cluster_id else None
        if named is not None and named.lower() != self.cluster_id.lower():
            raise FabricError("E_ACCESSDENIED", why=f"ClusterId names another cluster than {self.cluster_id}")

    def _describe(self, entry: Entry, operation: Operation, request: Request, query: dict[str, str]) -> None:
        """What faults and questions to the journal go by."""
        store: IsolatedStore = request.scope[STORE]
        entry.operation = operation.name
        entry.api_version = query.get("api-version", "")
        path = request.path_params.get("content_path")
        if path:
            try:
                entry.path = unescape(path).replace("\\", "/").strip("/ ")
            except FabricError:
                entry.path = path
        if "session" in operation.parameters:
            entry.session = parse_session_id(query.get("session-id")) or ""
            if operation.name != "UploadFileChunk":
                entry.path = entry.path or store.path_of_session(entry.session)
                return
            store.note_session(entry.session, entry.path)
            with contextlib.suppress(FabricError):
                entry.range = parse_content_range(request.headers.get("content-range", ""))

    def _fault(self, request: Request, store: IsolatedStore, entry: Entry) -> Fault | None:
        """What is to go wrong: of the header's faults the first that is about this request, else one that is set."""
        text = request.headers.get(FAULT_HEADER)
        if text is None:
            fault = store.faults.hit(entry)
        elif text == NO_FAULT:
            fault = None
        else:
            try:
                fault = next((each for each in read_faults(text) if each.matches(entry)), None)
            except ValueError as error:
                reason = " ".join(str(error).split())[:_REASON]
                raise invalid_argument(f"{FAULT_HEADER}: {reason}") from None
        if fault:
            entry.fault = fault.describe()
        return fault

    async def _with_fault(self, fault: Fault, request: Request, body: HttpBody, work: Work) -> Response:
        store: IsolatedStore = request.scope[STORE]
        if fault.delay and fault.when == "before":
            await store.clock.sleep(fault.delay)
        if fault.forget == "sessions":
            await in_thread(store.uploads.forget_all)
        if fault.cut == "before":
            return CutReply()
        if fault.touches_body:
            body.shape(BodyShape(fault, store.clock, request.receive).receive)
        response = await self._outcome(fault, request.scope[ENTRY], body, work)
        if fault.delay and fault.when == "after":
            await store.clock.sleep(fault.delay)
        if fault.cut == "after":
            return CutReply()
        return break_reply(response, fault.reply) if fault.reply else response

    async def _outcome(self, fault: Fault, entry: Entry, body: HttpBody, work: Work) -> Response:
        """What is answered if the answer arrives."""
        if fault.keeps_from_work:
            await body.drop()
            response = empty_reply()
        else:
            try:
                response = await work()
            except ClientGoneError:
                raise
            except Exception as failure:  # noqa: BLE001  # the fault is about the answer, whichever it is
                response = self._error(entry, _fabric_error(failure))
        if not fault.error:
            return response
        return self._error(entry, FabricError(fault.error, why=f"a fault that was set: {fault.describe()}"))

    def _error(self, entry: Entry, error: FabricError) -> Response:
        entry.code, entry.why = error.code, error.why
        return error_reply(error, hints=self.hints)

    def _note(self, entry: Entry, response: Response) -> Response:
        if isinstance(response, CutReply):
            entry.status, entry.code, entry.why = 0, "", ""
        else:
            entry.status = response.status_code
            entry.sent = len(response.body)
        return response


def _api_version(given: str | None, operation: Operation, store: IsolatedStore) -> ApiVersion:
    newest = store.profile.newest_api_version
    version = parse_api_version(given, newest, operation.since)
    if version is None:
        shown = "is missing" if given is None else repr(given)
        raise invalid_argument(f"api-version {shown}: {operation.name} exists from {operation.since} to {newest} here")
    return version


def _fabric_error(error: Exception) -> FabricError:
    known = as_fabric_error(error)
    if known is None:
        _log.error("unexpected error", exc_info=error)
        return FabricError("E_FAIL", why="a mistake in the emulator: see its log")
    if known.status >= 500 and known is not error:
        _log.warning("%s: %s", known.code, error)
    return known
