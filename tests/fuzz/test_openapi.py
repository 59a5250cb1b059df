"""The routes, fuzzed from the OpenAPI document that the emulator itself publishes, over a real socket."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

from emulator.api.routes import OPERATIONS
from tests.contract.contract import violations
from tests.fuzz.watched import Watched, watched

EXAMPLES: Final = 20
OWN: Final = ("/_emulator/health/live", "/_emulator/health/ready")
FUZZING: Final = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # a failure shows its request; shrinking it would cost more than a look
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def under_fire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One emulator for all operations, so that one finds what another left."""
    with watched(tmp_path_factory.mktemp("fuzz")) as running:
        yield running


@pytest.fixture(scope="module")
def operations(under_fire: Watched) -> dict[str, APIOperation[Any, Any, Any, Any]]:
    """The operations of the published document, by id, or by path for the emulator's own."""
    emulator = under_fire.emulator
    schema = schemathesis.openapi.from_url(f"http://{emulator.host}:{emulator.port}/_emulator/openapi.json")
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    return {
        operation.path if operation.path in OWN else operation.definition.raw["operationId"]: operation
        for operation in found
    }


RUNS: Final = [(operation.name, mode) for operation in OPERATIONS for mode in GenerationMode] + [
    (path, GenerationMode.POSITIVE)
    for path in OWN  # they take nothing that could be wrong
]


@pytest.mark.parametrize(("name", "mode"), RUNS, ids=[f"{name}, {mode.value} input" for name, mode in RUNS])
def test_no_generated_request_makes_the_service_fail(
    name: str,
    mode: GenerationMode,
    operations: dict[str, APIOperation[Any, Any, Any, Any]],
    under_fire: Watched,
) -> None:
    """Valid or not: no 5xx but the timeout that was asked for, every error in the service's shape, no traceback."""
    operation = operations[name]
    with requests.Session() as session:

        @FUZZING
        @given(case=operation.as_strategy(generation_mode=mode))
        def fuzz(case: Case[Any]) -> None:
            reply = case.call(session=session, timeout=30)
            if reply.status_code >= 500:
                query = dict(parse_qsl(urlsplit(str(reply.request.url)).query))
                assert reply.status_code == 504, f"{case.as_curl_command()}\n{reply.status_code} {reply.content!r}"
                assert query.get("timeout", "").strip().lstrip("+").strip("0") == ""
            if reply.status_code >= 400 and reply.content and name not in OWN:
                assert violations("FabricError", reply.json()) == [], case.as_curl_command()

        fuzz()
    under_fire.check_unharmed()
