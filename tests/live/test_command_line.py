"""The command line as a user meets it: real processes, their two outputs, their exit codes, signals."""

import errno
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import pytest

from emulator import __version__
from emulator.settings import Settings
from emulator.units import parse_duration
from tests.support.wire import Reply, Wire, head, read_reply

PATIENCE: Final = 60.0
"""Seconds after which a process counts as stuck; nothing here waits that long when all is well."""

V: Final = "api-version=6.0"
G: Final = "7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"
STOPPING_SIGNALS: Final = [signal.SIGTERM, signal.SIGINT]
NOTHING: Final[Mapping[str, str]] = {}
MODULE: Final = (sys.executable, "-m", "emulator")


def script() -> str:
    """The installed command, beside this Python or on the path."""
    beside = Path(sys.executable).with_name("imagestore-emulator")
    found = str(beside) if beside.exists() else shutil.which("imagestore-emulator")
    assert found, "imagestore-emulator is not installed"
    return found


def clean_environment(variables: Mapping[str, str] = NOTHING) -> dict[str, str]:
    """This environment without settings of the emulator, and with these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("IMAGESTORE_")}
    return {**kept, **variables}


def run(*arguments: str, variables: Mapping[str, str] = NOTHING) -> subprocess.CompletedProcess[str]:
    """Run a command that is expected to end by itself."""
    return subprocess.run(
        [*MODULE, *arguments],
        env=clean_environment(variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Look again and again until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(0.005)


class Process:
    """A started command: lines of its standard output and standard error as they come, and a client for it."""

    def __init__(
        self,
        *arguments: str,
        command: tuple[str, ...] = MODULE,
        directory: Path | None = None,
        variables: Mapping[str, str] = NOTHING,
    ) -> None:
        self.popen = subprocess.Popen(
            [*command, *arguments],
            env=clean_environment(variables),
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.output: list[str] = []
        self.log: list[str] = []
        self._readers = [self._read(self.popen.stdout, self.output), self._read(self.popen.stderr, self.log)]
        try:
            wait_until(lambda: self.output or self.popen.poll() is not None, "the emulator says where it listens")
            assert self.output, f"the emulator ended with {self.popen.returncode}: {''.join(self.log)}"
            address = re.search(r"listening on http://(\S+):(\d+)", self.output[0])
            assert address, self.output
        except BaseException:
            self.end_now()
            raise
        self.start_line = self.output[0].rstrip("\n")
        self.wire = Wire(address[1].strip("[]"), int(address[2]))

    @staticmethod
    def _read(stream: IO[str] | None, lines: list[str]) -> threading.Thread:
        assert stream is not None

        def read() -> None:
            lines.extend(iter(stream.readline, ""))
            stream.close()

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        return reader

    def serving(self) -> Self:
        """Once it answers its first request, it is certainly past its start."""
        assert self.wire.get("/_emulator/health/live").status == 200
        return self

    def notify(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.popen.send_signal(number)

    def wait(self) -> int:
        """The exit code, once it has ended and all it wrote has been read."""
        code = self.popen.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end and answer with the exit code."""
        self.notify(number)
        return self.wait()

    def end_now(self) -> None:
        """Whatever state it is in."""
        if self.popen.poll() is None:
            self.popen.kill()
        self.wait()

    def is_accepting(self) -> bool:
        """Whether a new connection can be made."""
        try:
            self.wire.connect().close()
        except OSError as error:
            assert error.errno in (errno.ECONNREFUSED, errno.ECONNRESET), error
            return False
        return True

    @property
    def everything(self) -> str:
        """All it wrote, wherever to."""
        return "".join([*self.output, *self.log])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_now()


class HalfSent:
    """A PUT of which half the body has been sent and is certainly being received."""

    def __init__(self, wire: Wire, target: str, size: int = 10) -> None:
        self.body = b"0123456789" * (size // 10)
        self._half = len(self.body) // 2
        self._socket = wire.connect()
        fields = [("Host", "localhost"), ("Content-Length", str(len(self.body))), ("Expect", "100-continue")]
        self._socket.sendall(head("PUT", target, fields))
        received = b""
        while not received.endswith(b"\r\n\r\n"):
            piece = self._socket.recv(1000)
            assert piece, "the server hung up"
            received += piece
        assert received.startswith(b"HTTP/1.1 100 "), received
        self._socket.sendall(self.body[: self._half])

    def finish(self) -> Reply:
        """Send the rest and read the answer."""
        self._socket.sendall(self.body[self._half :])
        return read_reply(self._socket, "PUT")

    def read_to_end(self) -> bytes:
        """Whatever the server still says before it hangs up."""
        received = b""
        with suppress(ConnectionResetError):
            while piece := self._socket.recv(4096):
                received += piece
        return received

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


# --- starting -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spelling",
    [("script",), ("script", "serve"), ("module",), ("module", "serve")],
    ids=["imagestore-emulator", "imagestore-emulator serve", "python -m emulator", "python -m emulator serve"],
)
def test_every_way_to_start_is_the_same(spelling: tuple[str, ...], tmp_path: Path) -> None:
    """The command, its ``serve``, and the module start a server and end with 0 when asked to."""
    command = ((script(),) if spelling[0] == "script" else MODULE) + spelling[1:]
    with Process("--port", "0", "--data", str(tmp_path / "data"), command=command) as process:
        assert process.serving().wire.get(f"/ImageStore?{V}").status == 404
        assert process.stop() == 0


def test_port_0_picks_a_free_port_and_prints_it(tmp_path: Path) -> None:
    """Two emulators with ``--port 0`` run side by side, each where its start line says."""
    with (
        Process("--port", "0", "--data", str(tmp_path / "a")) as first,
        Process("--port", "0", "--data", str(tmp_path / "b")) as second,
    ):
        assert first.wire.port != second.wire.port
        assert first.serving().wire.put(f"/ImageStore/only-in-a?{V}", b"x").status == 200
        assert second.serving().wire.get(f"/ImageStore?{V}").status == 404


def test_the_start_line_names_version_address_runtime_and_data(tmp_path: Path) -> None:
    """One line on standard output; the data directory is named from the root, however it was given."""
    with Process("--port", "0", "--data", "here", directory=tmp_path) as process:
        process.serving()
        assert process.start_line == (
            f"Image Store emulator {__version__} listening on http://127.0.0.1:{process.wire.port} "
            f"(Service Fabric 11.8, windows), data in {tmp_path / 'here'}"
        )
        assert process.stop() == 0
        assert len(process.output) == 1


def test_an_ipv6_address_is_shown_in_brackets(tmp_path: Path) -> None:
    """``--host ::1`` gives a URL that can be copied."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with Process("--host", "::1", "--port", "0", "--data", str(tmp_path / "data")) as process:
        assert f"http://[::1]:{process.wire.port} " in process.serving().start_line


def test_every_interface_of_both_kinds_at_once(tmp_path: Path) -> None:
    """``--host ::`` serves IPv4 as well, and its health check finds it."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    options = ("--host", "::", "--port", "0", "--data", str(tmp_path / "data"), "--log-format", "json")
    with Process(*options) as process:
        port = process.wire.port
        for host in ("::1", "127.0.0.1"):
            assert Wire(host, port).put(f"/ImageStore/file?{V}", host.encode()).status == 200
        wait_until(lambda: len(process.log) == 2, "both are logged")
        assert [json.loads(line)["client"] for line in process.log] == ["::1", "127.0.0.1"]
        checked = run("healthcheck", variables={"IMAGESTORE_HOST": "::", "IMAGESTORE_PORT": str(port)})
        assert checked.returncode == 0, checked.stderr


def test_a_connection_that_stays_idle_is_closed_after_the_keep_alive(tmp_path: Path) -> None:
    """Not before an answer, and not by another limit."""
    options = ("--port", "0", "--data", str(tmp_path / "data"), "--keep-alive", "100ms")
    with Process(*options) as process, process.wire.connect() as connection:
        connection.sendall(head("GET", "/_emulator/health/live", [("Host", "localhost")]))
        assert read_reply(connection).status == 200
        assert connection.recv(1) == b""


def test_help_lists_every_option_with_its_default() -> None:
    """Each setting is an option, with what it is when it isn't given."""
    text = " ".join(run("serve", "--help").stdout.split())
    for name, field in Settings.model_fields.items():
        option = "--" + name.replace("_", "-")
        found = re.search(rf" {option}(?: [A-Z_]+|, --no-\S+) (?P<text>.*?\(default: (?P<default>.*?)\))", text)
        assert found, option
        assert str(field.description) in found["text"]
        match field.default:
            case bool():
                assert found["default"] == ("on" if field.default else "off")
            case timedelta():
                assert parse_duration(found["default"]) == field.default
            case str() | int() | Path() if field.default != "":
                assert found["default"] == str(field.default)
            case _:
                pass


def test_help_names_the_variables_and_the_command() -> None:
    """The first help page leads to ``serve``, and that of ``serve`` to the environment variables."""
    first, second = run("--help"), run("serve", "--help")
    assert (first.returncode, second.returncode) == (0, 0)
    assert "serve" in first.stdout
    assert "IMAGESTORE_LOG_LEVEL" in second.stdout


def test_version_is_printed_alone() -> None:
    """``--version`` is for scripts: one line on standard output."""
    ended = run("--version")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, f"imagestore-emulator {__version__}\n", "")


# --- settings: option, variable, and which wins -----------------------------------------------------------------------

CHOSEN: Final = {
    "host": "127.0.0.2",
    "port": "0",
    "base_path": "/behind/a-proxy",
    "workers": "1",
    "database_url": "",
    "durability": "power",
    "session_timeout": "1ms",
    "sweep_interval": "20ms",
    "upload_limit": "10k",
    "store_limit": "1m",
    "session_limit": "3",
    "runtime_version": "6.5",
    "platform": "windows",
    "cluster_id": "mine",
    "cluster_name": "Chosen",
    "node_count": "3",
    "node_prefix": "vm-",
    "page_size": "200",
    "log_level": "info",
    "log_format": "text",
    "access_log": "true",
    "echo_request_id": "true",
    "in_memory": "false",
    "expiry": "exact",
    "journal": "2",
    "journal_hash_limit": "1k",
    "hints": "false",
    "control_token": "open sesame",
    "allowed_origins": "http://page.example",
    "in_memory_unless_mounted": "false",
    "tls": "off",
    "https_port": "0",
    "tls_names": "name.example",
    "client_certificates": "false",
    "admin_clients": "cn=somebody",
    "user_clients": "ca",
    "user_access": "nothing",
    "keep_alive": "80s",
    "shutdown_timeout": "1s",
}
"""What the emulator of the tests below runs with, but for files and directories."""

OTHERS: Final = {
    "host": "127.0.0.3",
    "port": "70000",
    "base_path": "/another",
    "workers": "2",
    "data": "/dev/null/nowhere",
    "database_url": "postgresql://127.0.0.1:1/nowhere",
    "durability": "process",
    "session_timeout": "1h",
    "sweep_interval": "1h",
    "upload_limit": "1",
    "store_limit": "1",
    "session_limit": "many",
    "runtime_version": "6.0",
    "platform": "linux",
    "cluster_id": "another",
    "cluster_name": "Another",
    "node_count": "1",
    "node_prefix": "other-",
    "page_size": "1000000",
    "log_level": "error",
    "log_format": "json",
    "access_log": "false",
    "echo_request_id": "false",
    "in_memory": "true",
    "expiry": "swept",
    "journal": "0",
    "journal_hash_limit": "0",
    "hints": "true",
    "control_token": "another",
    "allowed_origins": "http://another.example",
    "faults": "/dev/null/nowhere",
    "seed": "/dev/null/nowhere",
    "in_memory_unless_mounted": "true",
    "tls": "files",
    "https_port": "70000",
    "tls_names": "another.example",
    "tls_certificate": "/dev/null/nowhere",
    "tls_key": "/dev/null/nowhere",
    "client_ca": "/dev/null/nowhere",
    "client_certificates": "true",
    "admin_clients": "nobody",
    "user_clients": "nobody",
    "user_access": "read",
    "keep_alive": "1ms",
    "shutdown_timeout": "1h",
}
"""Variables that would show if an option did not win over them."""


def as_options(values: dict[str, str]) -> list[str]:
    """The settings as a command line."""
    options = []
    for name, value in values.items():
        option = name.replace("_", "-")
        match value:
            case "true":
                options.append(f"--{option}")
            case "false":
                options.append(f"--no-{option}")
            case _:
                options += [f"--{option}", value]
    return options


def as_variables(values: dict[str, str]) -> dict[str, str]:
    """The settings as environment variables."""
    return {f"IMAGESTORE_{name.upper()}": value for name, value in values.items()}


@pytest.fixture(scope="module", params=["options", "variables", "options over variables"])
def configured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """An emulator with every setting chosen: on the command line, in the environment, and in both."""
    directory = tmp_path_factory.mktemp("configured")
    (directory / "faults.json").write_text('["path=faulty error=FABRIC_E_SERVICE_TOO_BUSY"]')
    (directory / "Seeded/Code").mkdir(parents=True)
    (directory / "Seeded/Code/file").write_text("seed")
    places = {"data": "chosen", "faults": "faults.json", "seed": "Seeded"}
    places |= dict.fromkeys(("tls_certificate", "tls_key", "client_ca"), "faults.json")  # of no use without TLS
    values = CHOSEN | {name: str(directory / place) for name, place in places.items()}
    match request.param:
        case "options":
            process = Process(*as_options(values))
        case "variables":
            process = Process(variables=as_variables(values))
        case _:
            process = Process(*as_options(values), variables=as_variables(OTHERS))
    with process:
        yield process.serving()


def test_every_setting_is_chosen_in_these_tests() -> None:
    """A new setting is to be tried in all three ways, too."""
    assert (
        CHOSEN.keys() | {"data", "faults", "seed", "tls_certificate", "tls_key", "client_ca"}
        == OTHERS.keys()
        == Settings.model_fields.keys()
    )


def test_host_runtime_platform_and_data_are_as_chosen(configured: Process) -> None:
    """The start line shows them."""
    assert configured.wire.host == "127.0.0.2"
    assert "(Service Fabric 6.5, windows), data in /" in configured.start_line
    assert configured.start_line.endswith("/chosen")


def test_data_lies_in_the_chosen_directory(configured: Process) -> None:
    """Content is a plain file below the directory that the start line names."""
    assert configured.wire.put(f"/ImageStore/kept/file?{V}", b"bytes").status == 200
    data = Path(configured.start_line.partition("data in ")[2])
    assert (data / "default/content/kept/file").read_bytes() == b"bytes"


def test_runtime_version_caps_the_api_version(configured: Process) -> None:
    """Runtime 6.5 knows 6.5 and nothing newer."""
    assert configured.wire.get("/ImageStore/$/Info?api-version=6.5").status == 200
    assert configured.wire.get("/ImageStore/$/Info?api-version=7.0").status == 400


def test_cluster_id_is_compared(configured: Process) -> None:
    """Only the chosen id is let in."""
    answers = [configured.wire.get(f"/ImageStore/none?{V}", headers={"ClusterId": id_}) for id_ in ("mine", "another")]
    assert [answer.status for answer in answers] == [404, 403]


def test_the_fake_cluster_is_called_and_made_as_chosen(configured: Process) -> None:
    """Its manifest and its nodes show it."""
    assert 'Name="Chosen"' in configured.wire.get(f"/$/GetClusterManifest?{V}").json()["Manifest"]
    nodes = configured.wire.get(f"/Nodes?{V}").json()["Items"]
    assert sorted(node["Name"] for node in nodes) == ["vm-0", "vm-1", "vm-2"]


def test_page_size_cuts_listings(configured: Process) -> None:
    """Three files of about 80 estimated bytes each do not fit in 200."""
    for name in "abc":
        assert configured.wire.put(f"/ImageStore/paged/{name}?{V}").status == 200
    page = configured.wire.get(f"/ImageStore/paged?{V}").json()
    assert page["ContinuationToken"]
    assert 0 < len(page["StoreFiles"]) < 3


def test_session_timeout_and_sweep_interval_are_as_chosen(configured: Process) -> None:
    """A session of one millisecond is gone at once, and its bytes soon after."""
    chunk = {"Content-Range": "bytes 0-4/10"}
    target = f"/ImageStore/short/$/UploadChunk?{V}&session-id={G}"
    assert configured.wire.put(target, b"12345", headers=chunk).status == 200
    find = f"/ImageStore/$/GetUploadSession?{V}&session-id={G}"
    wait_until(lambda: configured.wire.get(find).status == 204, "the session expires")
    wait_until(lambda: any(G in line and "expired" in line for line in configured.log), "the sweep is logged")
    data = Path(configured.start_line.partition("data in ")[2])
    wait_until(lambda: not list((data / "default/staging/sessions").iterdir()), "its bytes are swept")


def test_limits_are_as_chosen(configured: Process) -> None:
    """Of an upload and of the whole store; that of sessions is held where sessions live longer than here."""
    large = [
        configured.wire.put(f"/ImageStore/limited/file?{V}", b"x" * size).status for size in (10 * 1024, 10 * 1024 + 1)
    ]
    assert large == [200, 413]
    uploads = [configured.wire.put(f"/ImageStore/limited/{n}?{V}", b"x" * 10 * 1024).status for n in range(110)]
    assert uploads.index(500) >= 95
    assert configured.wire.delete(f"/ImageStore/limited?{V}").status == 200


def test_base_path_is_as_chosen(configured: Process) -> None:
    """It is taken off, and told."""
    assert configured.wire.get("/behind/a-proxy/_emulator/health/live").status == 200
    assert b'"/behind/a-proxy/_emulator/docs"' in configured.wire.get("/").body


def test_keep_alive_is_as_chosen(configured: Process) -> None:
    """A connection serves a second request later than a millisecond after the first."""
    with configured.wire.connect() as connection:
        for _ in range(2):
            connection.sendall(head("GET", "/_emulator/health/live", [("Host", "localhost")]))
            assert read_reply(connection).status == 200
            time.sleep(0.1)


def test_faults_and_seed_are_there_from_the_start(configured: Process) -> None:
    """What the two settings name was set and put in before the first request."""
    assert configured.wire.put(f"/ImageStore/faulty?{V}", b"").status == 503
    page = configured.wire.get(f"/ImageStore/Seeded/Code?{V}").json()
    assert [file["StoreRelativePath"] for file in page["StoreFiles"]] == [r"Seeded\Code\_.dir", r"Seeded\Code\file"]


def test_token_origins_journal_and_hints_are_as_chosen(configured: Process) -> None:
    """The control API wants the token and lets in one origin; the journal has two entries; errors have no hint."""
    assert configured.wire.get("/_emulator/journal").status == 401
    token = {"Authorization": "Bearer open sesame"}
    assert configured.wire.get("/_emulator/journal", headers=token | {"Origin": "http://another.example"}).status == 403
    for _ in range(3):
        assert "x-emulator-why" not in configured.wire.put(f"/ImageStore/large?{V}&timeout=0", b"x" * 1025).headers
    entries = configured.wire.get("/_emulator/journal", headers=token | {"Origin": "http://page.example"}).json()
    assert [(entry["status"], entry["sha256"]) for entry in entries] == [(504, "")] * 2


def test_log_level_format_and_access_log_are_as_chosen(configured: Process) -> None:
    """A request leaves a line for people, and its answer tells the id that is in the line."""
    echoed = configured.wire.get(f"/ImageStore/asked-for?{V}").headers["x-servicefabricrequestid"]
    wait_until(lambda: any("/ImageStore/asked-for" in line for line in configured.log), "the request is logged")
    line = next(line for line in configured.log if "/ImageStore/asked-for" in line)
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO ", line), line
    assert line.endswith(f" request_id={echoed}\n")


@pytest.mark.parametrize("way", ["variables", "options over variables"])
def test_shutdown_timeout_is_as_chosen(way: str, tmp_path: Path) -> None:
    """A request that stalls is given up after a second, where an hour would have left the process hanging."""
    chosen = {"port": "0", "data": str(tmp_path / "data"), "shutdown_timeout": "1s"}
    options = as_options(chosen) if way != "variables" else []
    variables = {"variables": chosen, "options over variables": {"shutdown_timeout": "1h"}}.get(way, {})
    with (
        Process(*options, variables=as_variables(variables)) as process,
        HalfSent(process.wire, f"/ImageStore/half?{V}"),
    ):
        assert process.stop() == 0


def test_linux_is_a_platform(tmp_path: Path) -> None:
    """The Linux build has no upload sessions."""
    with Process("--platform", "linux", "--port", "0", "--data", str(tmp_path / "data")) as process:
        assert "(Service Fabric 11.8, linux)" in process.start_line
        assert process.wire.get(f"/ImageStore/$/GetUploadSession?{V}&session-id={G}").status == 400


WRONG: Final = [
    ("seed", "/dev/null/nowhere", "that is there"),
    ("faults", "/dev/null/nowhere", "that is there"),
    ("journal_hash_limit", "large", "1MiB"),
    ("expiry", "sometimes", "swept"),
    ("port", "abc", "valid integer"),
    ("port", "65536", "65535"),
    ("port", "-1", "0"),
    ("session_timeout", "soon", "30m"),
    ("session_timeout", "0", "greater than"),
    ("session_timeout", "-5m", "30m"),
    ("session_timeout", "inf", "30m"),
    ("session_timeout", "nan", "30m"),
    ("session_timeout", "1e30d", "30m"),
    ("sweep_interval", "0s", "greater than"),
    ("sweep_interval", "10 parsecs", "30m"),
    ("shutdown_timeout", "never", "30m"),
    ("runtime_version", "12.9", "6.0, 6.1"),
    ("platform", "mac", "'windows' or 'linux'"),
    ("cluster_name", "<fake>", "pattern"),
    ("node_count", "0", "1"),
    ("node_prefix", "a/b", "pattern"),
    ("page_size", "0", "64"),
    ("page_size", "many", "valid integer"),
    ("log_level", "loud", "'debug', 'info', 'warning' or 'error'"),
    ("log_format", "xml", "'auto', 'text' or 'json'"),
    ("base_path", "some/prefix", "/some/prefix"),
    ("base_path", "/a/../b", "/some/prefix"),
    ("upload_limit", "large", "1MiB"),
    ("store_limit", "-1", "1MiB"),
    ("session_limit", "-1", "0"),
    ("keep_alive", "0", "greater than"),
]
"""A setting, a value it must not have, and a part of the sentence that says what it may have."""


def refused_in_a_sentence(ended: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Nothing on standard output, no traceback, and a line that begins with the program's name."""
    assert not ended.stdout
    assert "Traceback" not in ended.stderr, ended.stderr
    assert ended.stderr.startswith("imagestore-emulator: "), ended.stderr
    for part in parts:
        assert part in ended.stderr


@pytest.mark.parametrize(("name", "value", "allowed"), WRONG, ids=[f"{name}={value}" for name, value, _ in WRONG])
def test_a_wrong_option_is_refused_with_its_name_its_value_and_what_is_allowed(
    name: str, value: str, allowed: str
) -> None:
    """Exit code 2."""
    option = f"--{name.replace('_', '-')}"
    ended = run(f"{option}={value}")
    refused_in_a_sentence(ended, f"{option}: ", repr(value), allowed)
    assert ended.returncode == 2


def test_wrong_variables_are_all_refused_in_one_go() -> None:
    """Exit code 2, and each is named as the variable it was, so that nobody has to mend one after the other."""
    wrong = {name: (value, allowed) for name, value, allowed in WRONG}
    wrong |= {"in_memory": ("perhaps", "boolean"), "access_log": ("maybe", "boolean")}
    ended = run(variables=as_variables({name: value for name, (value, _) in wrong.items()}))
    parts = [
        part
        for name, (value, allowed) in wrong.items()
        for part in (f"IMAGESTORE_{name.upper()}: ", repr(value), allowed)
    ]
    refused_in_a_sentence(ended, *parts)
    assert ended.returncode == 2


@pytest.mark.parametrize("way", ["option", "variable"])
def test_a_host_that_is_not_here_is_refused_by_name(way: str, tmp_path: Path) -> None:
    """An address of another machine cannot be listened on; the message names where it was set."""
    elsewhere = "203.0.113.1"  # reserved for documentation
    rest = ["--port", "0", "--data", str(tmp_path / "data")]
    if way == "option":
        ended, name = run("--host", elsewhere, *rest), "--host"
    else:
        ended, name = run(*rest, variables={"IMAGESTORE_HOST": elsewhere}), "IMAGESTORE_HOST"
    refused_in_a_sentence(ended, name, elsewhere)
    assert ended.returncode == 2
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("arguments", [["--bogus"], ["bogus"], ["serve", "extra"], ["--port"]])
def test_an_unknown_option_or_command_is_refused(arguments: list[str]) -> None:
    """Exit code 2, with the usage."""
    ended = run(*arguments)
    assert ended.returncode == 2
    assert "usage: imagestore-emulator" in ended.stderr


# --- reasons not to start ---------------------------------------------------------------------------------------------


def test_a_port_in_use_ends_with_code_3_and_what_to_do(tmp_path: Path) -> None:
    """The sentence names the port and a way out, and nothing was created."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        ended = run("--port", str(port), "--data", str(tmp_path / "data"))
    refused_in_a_sentence(ended, f"port {port}", "in use", "--port")
    assert ended.returncode == 3
    assert not (tmp_path / "data").exists()


def unusable(tmp_path: Path, what: str) -> Path:
    """A data directory that cannot be used, not even by root."""
    place = tmp_path / "data"
    match what:
        case "below a file":
            place.write_text("a file")
            return place / "below"
        case "a file":
            place.write_text("a file")
        case "a read-only file system":
            return Path("/sys/kernel/imagestore-data")
        case "its format is no number":
            place.mkdir()
            (place / "format").write_text("one")
        case "its format is a folder":
            (place / "format").mkdir(parents=True)
        case "its content is a file":
            (place / "default").mkdir(parents=True)
            (place / "default/content").write_text("a file")
        case "its database is a folder":
            (place / "emulator.db").mkdir(parents=True)
        case "its database is no database":
            place.mkdir()
            (place / "emulator.db").write_bytes(b"certainly not SQLite, but long enough to be looked at " * 40)
        case _:
            assert what == "its lock file is a folder"
            (place / "default/staging/locks").mkdir(parents=True)
    return place


@pytest.mark.parametrize(
    "what",
    [
        "below a file",
        "a file",
        pytest.param(
            "a read-only file system", marks=pytest.mark.skipif(not Path("/sys/kernel").is_dir(), reason="Linux only")
        ),
        "its format is no number",
        "its format is a folder",
        "its content is a file",
        "its database is a folder",
        "its database is no database",
        "its lock file is a folder",
    ],
)
def test_an_unusable_data_directory_ends_with_code_4_and_what_to_do(what: str, tmp_path: Path) -> None:
    """The sentence names the directory and the option that chooses another."""
    place = unusable(tmp_path, what)
    ended = run("--port", "0", "--data", str(place))
    refused_in_a_sentence(ended, str(place), "--data")
    assert ended.returncode == 4


def test_a_newer_data_format_ends_with_code_5_and_is_left_alone(tmp_path: Path) -> None:
    """Data that a newer program wrote isn't touched; the sentence says which format it is and what to do."""
    (tmp_path / "format").write_text("999\n")
    ended = run("--port", "0", "--data", str(tmp_path))
    refused_in_a_sentence(ended, str(tmp_path), "999", "newer")
    assert ended.returncode == 5
    assert [file.name for file in tmp_path.iterdir()] == ["format"]


def test_a_newer_database_ends_with_code_5_and_is_left_alone(tmp_path: Path) -> None:
    """Tables that a newer program made aren't touched either."""
    with closing(sqlite3.connect(tmp_path / "emulator.db")) as database, database:
        database.execute("CREATE TABLE schema_stamp (version INTEGER PRIMARY KEY)")
        database.execute("INSERT INTO schema_stamp VALUES (999)")
    ended = run("--port", "0", "--data", str(tmp_path))
    refused_in_a_sentence(ended, "999", "newer")
    assert ended.returncode == 5
    with closing(sqlite3.connect(tmp_path / "emulator.db")) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("schema_stamp",)]


# --- in memory --------------------------------------------------------------------------------------------------------


def open_database_of(process: Process) -> Path:
    """The database file the process has open, wherever its temporary directory is."""
    descriptors = Path(f"/proc/{process.popen.pid}/fd")
    targets = []
    for descriptor in descriptors.iterdir():
        with suppress(OSError):
            targets.append(Path(os.readlink(descriptor)))
    return next(target for target in targets if target.name == "emulator.db")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="looks up open files in /proc")
@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT], [signal.SIGTERM, signal.SIGTERM]])
def test_in_memory_leaves_nothing_behind(signals: list[signal.Signals], tmp_path: Path) -> None:
    """However it is asked to stop, the temporary directory is gone, and no data directory was made."""
    temporary, working = tmp_path / "tmp", tmp_path / "work"
    temporary.mkdir()
    working.mkdir()
    with Process("--in-memory", "--port", "0", directory=working, variables={"TMPDIR": str(temporary)}) as process:
        assert process.start_line.endswith(", data in memory")
        assert process.wire.put(f"/ImageStore/file?{V}", b"bytes").status == 200
        place = open_database_of(process).parent
        assert (place / "default/content/file").read_bytes() == b"bytes"
        with HalfSent(process.wire, f"/ImageStore/half?{V}") as half:
            for number in signals:
                process.notify(number)
                wait_until(lambda: not process.is_accepting(), "it stops to accept")
            if len(signals) == 1:
                assert half.finish().status == 200
            assert process.wait() == 0
    assert not place.exists()
    assert not list(temporary.iterdir())
    assert not list(working.iterdir())


def test_in_memory_unless_mounted_says_where_nothing_is_mounted_and_makes_nothing_there() -> None:
    """What the container image does without a volume."""
    nowhere = Path("/imagestore-nothing-mounted")
    with Process("--in-memory-unless-mounted", "--port", "0", "--data", str(nowhere)) as process:
        assert process.start_line.endswith(f", data in memory: nothing is mounted at {nowhere}")
        assert process.serving().wire.put(f"/ImageStore/file?{V}", b"bytes").status == 200
        assert process.stop() == 0
    assert not nowhere.exists()


@pytest.mark.skipif(not Path("/dev/shm").is_mount(), reason="needs a mounted file system to write to")
def test_in_memory_unless_mounted_keeps_data_on_a_mounted_volume() -> None:
    """And below its top folder as well."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        place = Path(directory, "data")
        with Process("--in-memory-unless-mounted", "--port", "0", "--data", str(place)) as process:
            assert process.start_line.endswith(f", data in {place}")
            assert process.serving().wire.put(f"/ImageStore/file?{V}", b"bytes").status == 200
            assert process.stop() == 0
        assert (place / "default/content/file").read_bytes() == b"bytes"


# --- signals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", STOPPING_SIGNALS)
def test_an_idle_emulator_ends_with_0(number: signal.Signals, tmp_path: Path) -> None:
    """Connections that are merely kept alive don't hold it, whatever the time allowed."""
    options = ["--port", "0", "--data", str(tmp_path / "data"), "--shutdown-timeout", "1h"]
    with Process(*options) as process, process.wire.connect() as idle, process.wire.connect() as silent:
        idle.sendall(head("GET", "/_emulator/health/live", [("Host", "localhost")]))
        assert read_reply(idle).status == 200
        assert silent.fileno() >= 0
        assert process.stop(number) == 0
        assert idle.recv(1) == b""
        assert "Traceback" not in process.everything


@pytest.mark.parametrize("number", STOPPING_SIGNALS)
def test_a_signal_right_after_the_start_line_ends_with_0(number: signal.Signals, tmp_path: Path) -> None:
    """Whoever has read the start line may stop the emulator: signals are handled from then on."""
    with Process("--port", "0", "--data", str(tmp_path / "data")) as process:
        assert process.stop(number) == 0
        assert "Traceback" not in process.everything


SIZES: Final = [10, 8_000_000]
"""A body in one piece, and one in many."""


@pytest.mark.parametrize(("number", "size"), list(zip(STOPPING_SIGNALS, SIZES, strict=True)))
def test_a_running_request_is_finished_first(number: signal.Signals, size: int, tmp_path: Path) -> None:
    """Half a body, the signal, the rest: the answer is 200, the file is there, and then the emulator ends with 0."""
    data = tmp_path / "data"
    options = ["--port", "0", "--data", str(data), "--shutdown-timeout", "1h"]
    with Process(*options) as process, HalfSent(process.wire, f"/ImageStore/whole?{V}", size) as half:
        process.notify(number)
        wait_until(lambda: not process.is_accepting(), "it stops to accept")
        assert process.popen.poll() is None
        assert half.finish().status == 200
        assert process.wait() == 0
        assert (data / "default/content/whole").read_bytes() == half.body


@pytest.mark.parametrize(("number", "size"), list(zip(STOPPING_SIGNALS, SIZES, strict=True)))
def test_a_stalled_request_is_given_up_after_the_shutdown_timeout(
    number: signal.Signals, size: int, tmp_path: Path
) -> None:
    """The rest of its body never comes: the emulator ends with 0 all the same, nothing of it is kept or left behind.

    Its client is hung up on; no answer claims that the service failed, and the log has no traceback.
    """
    data = tmp_path / "data"
    options = ["--port", "0", "--data", str(data), "--shutdown-timeout", "1s"]
    with Process(*options) as process, HalfSent(process.wire, f"/ImageStore/half?{V}", size) as half:
        assert process.stop(number) == 0
        assert b" 500 " not in half.read_to_end().partition(b"\r\n")[0]
        assert "Traceback" not in process.everything
    assert not list((data / "default/content").iterdir())
    assert not list((data / "default/staging/workers").iterdir())


@pytest.mark.parametrize(
    ("first", "second"),
    [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)],
)
def test_a_second_signal_stops_at_once(first: signal.Signals, second: signal.Signals, tmp_path: Path) -> None:
    """Whatever is still running, and however long it would have been allowed to."""
    options = ["--port", "0", "--data", str(tmp_path / "data"), "--shutdown-timeout", "1h"]
    with Process(*options) as process, HalfSent(process.wire, f"/ImageStore/half?{V}"):
        process.notify(first)
        wait_until(lambda: not process.is_accepting(), "it stops to accept")
        assert process.popen.poll() is None
        process.notify(second)
        process.wait()
        assert "Traceback" not in process.everything


# --- logs -------------------------------------------------------------------------------------------------------------


def log_of(tmp_path: Path, *options: str) -> list[str]:
    """What an emulator wrote to standard error, of good, bad and broken requests."""
    with Process("--port", "0", "--data", str(tmp_path / "data"), *options) as process:
        wire = process.serving().wire
        assert wire.put(f"/ImageStore/fine?{V}", b"x").status == 200
        assert wire.get("/ImageStore/%22%0A%C3%A9%F0%9F%93%A6%FF").status == 400
        with wire.connect() as connection:
            connection.sendall(b"rubbish\r\n\r\n")
            with suppress(ConnectionResetError, http.client.HTTPException):
                assert read_reply(connection).status == 400
        assert process.stop() == 0
        assert len(process.output) == 1, "logs belong on standard error"
        return process.log


def test_json_logs_are_one_object_a_line(tmp_path: Path) -> None:
    """Every line that is logged parses, and says when, how bad, from where and what."""
    lines = [json.loads(line) for line in log_of(tmp_path, "--log-format", "json")]
    assert any("/ImageStore/fine" in line["message"] for line in lines)
    for line in lines:
        assert {"time", "level", "logger", "message"} <= line.keys()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
        assert line["level"] in ("debug", "info", "warning", "error")


def test_text_logs_are_for_people(tmp_path: Path) -> None:
    """A line each, beginning with the time and the level."""
    lines = log_of(tmp_path, "--log-format", "text")
    assert any("/ImageStore/fine" in line for line in lines)
    for line in lines:
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR) +\S", line), line


def test_logs_are_json_where_nobody_watches(tmp_path: Path) -> None:
    """Without a choice of format and without a terminal, lines are for machines."""
    for line in log_of(tmp_path):
        json.loads(line)


def test_logs_are_text_on_a_terminal(tmp_path: Path) -> None:
    """Without a choice of format, a terminal gets lines for people."""
    terminal, end = os.openpty()
    command = [*MODULE, "--port", "0", "--data", str(tmp_path / "data")]
    popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=end, text=True, env=clean_environment())
    os.close(end)
    try:
        assert popen.stdout is not None
        port = re.search(r"http://127\.0\.0\.1:(\d+)", popen.stdout.readline())
        assert port
        assert Wire("127.0.0.1", int(port[1])).get(f"/ImageStore/fine?{V}").status == 404
        popen.terminate()
        popen.wait(PATIENCE)
        shown = b""
        with suppress(OSError):  # a terminal whose other end is closed ends with an error
            while piece := os.read(terminal, 4096):
                shown += piece
    finally:
        popen.kill()
        popen.communicate()
        os.close(terminal)
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO +.*/ImageStore/fine", shown.decode())


def test_without_an_access_log_good_requests_leave_no_line(tmp_path: Path) -> None:
    """``--no-access-log``."""
    assert not [line for line in log_of(tmp_path, "--no-access-log") if "/ImageStore/fine" in line]


def test_at_level_error_requests_leave_no_line(tmp_path: Path) -> None:
    """Neither a request nor rubbish is an error of the emulator."""
    assert log_of(tmp_path, "--log-level", "error") == []
