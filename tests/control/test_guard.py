"""Who may use the control API, and that faults never touch it."""

import pytest

from emulator.client import Control, ControlError
from emulator.testing import EmulatorThread
from tests.control.service import Service
from tests.support.wire import Wire

CLOCK = "/_emulator/clock"


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1.evil.example", ""])
def test_pages_of_other_sites_are_refused_and_change_nothing(store: Control, service: Service, origin: str) -> None:
    reply = service.send("PUT", CLOCK, b'{"freeze":true}', Origin=origin, Content_Type="application/json")

    assert reply.status == 403
    assert "access-control-allow-origin" not in reply.headers
    assert store.clock()["mode"] == "real"


def test_a_name_that_only_resolves_to_this_machine_is_no_reason_to_let_its_page_in(server: EmulatorThread) -> None:
    rebound = {"Origin": f"http://evil.example:{server.port}", "Host": f"evil.example:{server.port}"}

    assert Wire("127.0.0.1", server.port).send("GET", CLOCK, headers=rebound).status == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "store.localhost", "emulator"])
def test_the_emulators_own_pages_are_let_in(server: EmulatorThread, host: str) -> None:
    own = {"Origin": f"http://{host}:{server.port}", "Host": f"{host}:{server.port}"}

    assert Wire("127.0.0.1", server.port).send("GET", CLOCK, headers=own).status == 200


def test_an_origin_on_the_list_is_let_in() -> None:
    with EmulatorThread(allowed_origins="http://one.example, http://two.example/") as server:
        wire = Wire("127.0.0.1", server.port)
        answers = [wire.get(CLOCK, headers={"Origin": f"http://{each}.example"}) for each in ("one", "two", "three")]
        assert [each.status for each in answers] == [200, 200, 403]


def test_a_page_of_an_origin_on_the_list_may_ask_first_and_read_the_answer() -> None:
    with EmulatorThread(allowed_origins="http://one.example", control_token="open sesame") as server:  # the test's own
        wire = Wire("127.0.0.1", server.port)
        origin = {"Origin": "http://one.example"}
        asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"}
        preflight = wire.send("OPTIONS", CLOCK, headers=origin | asked)
        assert preflight.status == 204
        assert preflight.headers["access-control-allow-headers"] == "authorization"
        answer = wire.get(CLOCK, headers=origin | {"Authorization": "Bearer open sesame"})
        assert answer.headers["access-control-allow-origin"] == "http://one.example"
        assert wire.send("OPTIONS", CLOCK, headers={"Origin": "http://two.example"} | asked).status == 403


@pytest.mark.parametrize("browser", [{"Sec-Fetch-Site": "same-origin"}, {"User-Agent": "Mozilla/5.0 (X11; Linux)"}])
def test_a_page_whose_own_name_leads_here_cannot_read_either(server: EmulatorThread, browser: dict[str, str]) -> None:
    rebound = {"Host": f"evil.example:{server.port}", **browser}

    assert Wire("127.0.0.1", server.port).send("GET", CLOCK, headers=rebound).status == 403


def test_what_is_refused_makes_no_store_and_runs_nothing_in_one(server: EmulatorThread, store: Control) -> None:
    wire = Wire("127.0.0.1", server.port)
    evil = {"Origin": "http://evil.example"}
    assert wire.get("/_emulator/on/sneaked/_emulator/clock", headers=evil).status == 403
    assert wire.put("/_emulator/on/sneaked/ImageStore/a?api-version=6.0", headers=evil).status == 403
    assert "sneaked" not in {each["name"] for each in store.stores()}


def test_an_origin_that_is_none_is_refused(service: Service) -> None:
    assert service.send("GET", CLOCK, Origin="http://[").status == 403


def test_with_a_token_only_health_is_for_everybody() -> None:
    with EmulatorThread(control_token="open sesame") as server:  # the test's own
        with pytest.raises(ControlError) as refusal:
            Control(server.endpoint).clock()
        assert refusal.value.status == 401
        with pytest.raises(ControlError):
            Control(server.endpoint, "open").clock()
        assert Control(server.endpoint, "open sesame").clock()["mode"] == "real"
        wire = Wire("127.0.0.1", server.port)
        assert wire.get("/_emulator/health/ready").status == 200
        assert wire.get("/_emulator/openapi.json").status == 401
        assert wire.get("/_emulator/openapi.json", headers={"Authorization": "Basic open sesame"}).status == 401
        assert wire.get("/_emulator/openapi.json", headers={"Authorization": "bearer open sesame"}).status == 200
        assert wire.put("/_emulator/on/other/ImageStore/file?api-version=6.0").status == 200, "the service needs none"


def test_faults_never_touch_the_control_api(store: Control, service: Service) -> None:
    store.add_fault("cut=before")
    store.add_fault("error=E_FAIL")

    assert store.clock()["mode"] == "real"
    assert service.send("GET", CLOCK, X_Emulator_Fault="cut=before").status == 200
    store.clear_faults()


def test_the_api_describes_itself(server: EmulatorThread) -> None:
    wire = Wire("127.0.0.1", server.port)
    paths = wire.get("/_emulator/openapi.json").json()["paths"]
    assert {"/_emulator/clock/advance", "/_emulator/faults", "/_emulator/journal/verify"} <= set(paths)
    assert "/_emulator/snapshots/{name}/restore" in wire.get("/_emulator/docs").body.decode()
    assert wire.get("/docs").status == 400
    assert wire.get("/openapi.json").status == 400


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("POST", "/faults", b"not json"),
        ("POST", "/faults", b"5"),
        ("POST", "/faults", b'"operation"'),
        ("POST", "/faults", b"{}"),
        ("POST", "/faults", b'{"error":"E_FAIL","colour":"red"}'),
        ("POST", "/faults", b'"preset=none"'),
        ("POST", "/faults", b'"cut=sideways"'),
        ("POST", "/faults", b'["error=E_FAIL", "error=NOPE"]'),
        ("POST", "/clock/advance", b"{}"),
        ("POST", "/journal/verify", b'{"expect":[{"status":"fine"}]}'),
        ("POST", "/journal/verify", b'{"expext":[]}'),
        ("POST", "/journal/verify", b"{}"),
        ("POST", "/faults", b"[" * 900 + b"]" * 900),
        ("POST", "/faults", b'{"cut":true}'),
        ("DELETE", "/faults/one", b""),
        ("PUT", "/stores/A%20B", b""),
    ],
)
def test_bad_input_is_answered_with_one_telling_sentence(
    store: Control, service: Service, method: str, target: str, body: bytes
) -> None:
    reply = service.send(method, f"/_emulator{target}", body, Content_Type="application/json")

    assert reply.status == 400
    assert isinstance(reply.json()["error"], str)
    assert store.faults() == []
