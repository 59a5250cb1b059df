"""HTTPS and client certificates, as a secured cluster has them."""

import hashlib
import http.client
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from emulator.certificates import Authority, authority_in
from emulator.client import Control, ControlError, UnreachableError
from emulator.settings import Settings, TlsMode
from emulator.testing import EmulatorThread
from emulator.tls import load_tls
from tests.support.emulator import EmulatorProcess
from tests.support.wire import Wire, head, read_reply

V = "api-version=6.0"
TARGET = f"/ImageStore/App/file?{V}"
Start = Callable[..., EmulatorThread]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts emulators that end with the test."""
    running: list[EmulatorThread] = []

    def started(**settings: object) -> EmulatorThread:
        values: dict[str, Any] = {"tls": "auto"} | settings
        server = EmulatorThread(tmp_path / "data", **values)
        running.append(server.start())
        return server

    yield started
    for server in running:
        server.stop()


def ask(
    server: EmulatorThread,
    method: str = "GET",
    target: str = TARGET,
    *,
    client: Path | None = None,
    body: bytes = b"",
    name: str = "localhost",
    headers: dict[str, str] | None = None,
) -> tuple[int, bytes]:
    """Status and body of an answer over TLS that is verified; with a client's certificate, if one is given."""
    assert server.data
    context = ssl.create_default_context(cafile=server.data / "tls/ca.pem")
    if client:
        context.load_cert_chain(client)
    fields = [("Host", f"{name}:{server.port}"), ("Connection", "close"), ("Content-Length", str(len(body)))]
    fields += (headers or {}).items()
    with (
        socket.create_connection(("127.0.0.1", server.port), 30) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        connection.sendall(head(method, target, fields) + body)
        reply = read_reply(connection, method)
    return reply.status, reply.body


def own(server: EmulatorThread, role: str) -> Path:
    """The client certificate that auto made for a role."""
    assert server.data
    return server.data / f"tls/{role}.pem"


def authority_of(directory: Path) -> Authority:
    """One more authority."""
    with authority_in(directory) as made:
        return made


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "host.docker.internal", "extra.example", "store.localhost"])
def test_the_certificate_is_for_every_name_by_which_it_is_reached(start: Start, name: str) -> None:
    server = start(tls_names="extra.example, store.localhost")

    assert ask(server, name=name)[0] == 404


def test_large_bodies_and_sessions_work_over_tls(start: Start) -> None:
    server = start()
    body = bytes(range(256)) * 20_000

    assert ask(server, "PUT", body=body) == (200, b"")

    assert server.data
    assert (server.data / "default/content/App/file").read_bytes() == body


def test_the_authority_can_be_downloaded_and_stays_over_a_restart(start: Start, tmp_path: Path) -> None:
    server = start()
    status, first = ask(server, target="/_emulator/ca.pem")
    assert (status, first) == (200, (tmp_path / "data/tls/ca.pem").read_bytes())
    server.stop()
    server.start()
    assert ask(server, target="/_emulator/ca.pem") == (200, first)


def test_emulators_that_start_at_once_on_one_directory_have_one_authority_and_the_same_clients(tmp_path: Path) -> None:
    together, rounds = 4, 5
    for number in range(rounds):
        settings = Settings(tls=TlsMode.AUTO, client_certificates=True, data=tmp_path / f"{number}")
        all_there = Barrier(together)

        def begin(settings: Settings = settings, all_there: Barrier = all_there) -> tuple[frozenset[str], list[bytes]]:
            all_there.wait()
            tls, access = load_tls(settings)
            assert tls
            return access.admins | access.users, tls.context.get_ca_certs(binary_form=True)

        with ThreadPoolExecutor(together) as pool:
            first, *others = [each.result() for each in [pool.submit(begin) for _ in range(together)]]

        assert all(other == first for other in others)


@pytest.mark.parametrize("file", ["ca.key", "ca.pem"])
def test_an_authority_whose_key_is_anothers_or_torn_is_made_anew(start: Start, tmp_path: Path, file: str) -> None:
    theirs = authority_of(tmp_path / "theirs").file.with_name(file).read_bytes()
    for content in (theirs, b"", theirs[:50]):
        server = start(client_certificates=True)
        server.stop()
        (tmp_path / "data/tls" / file).write_bytes(content)

        server.start()

        assert ask(server, client=own(server, "admin"))[0] == 404
        server.stop()


def test_keys_are_for_the_owner_only(start: Start, tmp_path: Path) -> None:
    start()
    folder = tmp_path / "data/tls"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_an_untrusting_client_refuses_the_emulator(start: Start) -> None:
    server = start()
    with pytest.raises(ssl.SSLCertVerificationError), socket.create_connection(("127.0.0.1", server.port)) as plain:
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")


def test_http_and_https_run_side_by_side(tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "data", "--tls", "auto", "--https-port", "0") as process:
        line = process.output[-1]
        assert " and https://127.0.0.1:" in line
        port = int(line.split("https://127.0.0.1:")[1].split()[0])
        assert process.put(TARGET, b"over http").status == 200
        context = ssl.create_default_context(cafile=tmp_path / "data/tls/ca.pem")
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
        connection.request("GET", f"/ImageStore/App?{V}")
        assert b"App\\\\file" in connection.getresponse().read()
        connection.close()
        assert process.terminate() == 0


def test_plain_http_on_the_https_port_is_hung_up_on_and_harms_nobody(start: Start) -> None:
    server = start()
    with pytest.raises((OSError, http.client.HTTPException)):
        Wire("127.0.0.1", server.port).get(TARGET)
    assert ask(server)[0] == 404


def test_workers_speak_tls_too(tmp_path: Path) -> None:
    from tests.durability.servers import DurableServer

    options = ("--workers", "2", "--tls", "auto", "--https-port", "0")
    with DurableServer(tmp_path / "data", *options) as server:
        server.started()
        port = int(server.log().split("https://127.0.0.1:")[1].split()[0])
        context = ssl.create_default_context(cafile=tmp_path / "data/tls/ca.pem")
        for _ in range(6):
            connection = http.client.HTTPSConnection("127.0.0.1", port, context=context)
            connection.request("GET", TARGET)
            assert connection.getresponse().status == 404
            connection.close()


def test_admins_may_do_everything_and_users_may_only_read(start: Start) -> None:
    server = start(client_certificates=True)
    admin, user = own(server, "admin"), own(server, "user")

    assert ask(server, "PUT", client=admin, body=b"1") == (200, b"")
    assert ask(server, "GET", client=user)[0] == 200
    for method, target in (("PUT", TARGET), ("DELETE", TARGET), ("POST", f"/ImageStore/$/Copy?{V}")):
        status, body = ask(server, method, target, client=user, body=b"2")
        assert (status, body) == (403, b'{"Error":{"Code":"E_ACCESSDENIED","Message":"Access denied."}}')
    assert ask(server, "GET", client=admin)[1].count(b'"FileSize":"1"') == 1
    assert ask(server, "DELETE", client=admin) == (200, b"")


def test_users_may_ask_for_health_with_a_policy_and_change_nothing_else_by_post(start: Start) -> None:
    server = start(client_certificates=True)
    user = own(server, "user")

    for question in ("/$/GetClusterHealth", "/$/GetClusterHealthChunk", "/Nodes/_Node_0/$/GetHealth"):
        assert ask(server, "POST", f"{question}?{V}", client=user, body=b"{}")[0] == 200
    for change in ("/ImageStore/$/Copy", "/ApplicationTypes/$/Provision", "/Applications/$/Create"):
        assert ask(server, "POST", f"{change}?{V}", client=user, body=b"{}")[0] == 403


def test_users_may_not_have_faults_done_which_could_lose_sessions(start: Start) -> None:
    server = start(client_certificates=True)
    admin, user = own(server, "admin"), own(server, "user")
    session = f"{V}&session-id=7a9a2f1e-0e1b-4e0b-9d6b-3f5c1f3f2a11"
    chunk = {"Content-Range": "bytes 0-0/2"}
    assert (
        ask(server, "PUT", f"/ImageStore/f/$/UploadChunk?{session}", client=admin, body=b"1", headers=chunk)[0] == 200
    )

    refused = ask(server, target=f"/Nodes?{V}", client=user, headers={"X-Emulator-Fault": "forget=sessions"})

    assert refused == (403, b'{"Error":{"Code":"E_ACCESSDENIED","Message":"Access denied."}}')
    assert ask(server, target=f"/ImageStore/$/GetUploadSession?{session}", client=user)[0] == 200
    assert ask(server, target=f"/Nodes?{V}", client=user, headers={"X-Emulator-Fault": "none"})[0] == 200


def test_users_may_not_even_read_where_they_are_as_restricted_as_on_a_cluster(start: Start) -> None:
    server = start(client_certificates=True, user_access="nothing")

    assert ask(server, client=own(server, "user"))[0] == 403
    assert ask(server, target="/$/GetClusterVersion?api-version=6.4", client=own(server, "user"))[0] == 200


def test_a_stranger_gets_nothing_not_even_a_listing(start: Start) -> None:
    server = start(client_certificates=True)

    assert ask(server) == (403, b"")
    assert ask(server, "PUT", body=b"1") == (403, b"")
    assert ask(server, "PUT", f"/ImageStore/$/UploadChunk?{V}")[0] == 400, "a bad URL is one for strangers too"
    assert ask(server, target="/_emulator/journal")[0] == 403
    assert ask(server, target="/_emulator/health/ready")[0] == 200
    assert ask(server, target="/_emulator/ca.pem")[0] == 200
    assert ask(server, client=own(server, "admin"))[0] == 404, "nothing of it was stored"


def test_a_stranger_makes_no_store(start: Start) -> None:
    server = start(client_certificates=True)
    assert server.data

    assert ask(server, target=f"/_emulator/on/theirs{TARGET}") == (403, b"")
    assert ask(server, target="/_emulator/on/theirs/_emulator/health/ready")[0] == 200
    assert not (server.data / "theirs").exists()

    assert ask(server, "PUT", f"/_emulator/on/ours{TARGET}", client=own(server, "admin"), body=b"1")[0] == 200
    assert ask(server, target=f"/_emulator/on/ours{TARGET}", client=own(server, "user"))[0] == 200
    assert ask(server, target=f"/_emulator/on/ours{TARGET}") == (403, b"")


def test_a_certificate_of_another_authority_is_refused(start: Start, tmp_path: Path) -> None:
    server = start(client_certificates=True)
    other = authority_of(tmp_path / "other").client("admin")

    with pytest.raises(OSError):  # the handshake fails, or what comes after it
        ask(server, client=other)


def test_the_control_api_is_for_admins_only(start: Start) -> None:
    server = start(client_certificates=True)

    assert ask(server, target="/_emulator/clock", client=own(server, "user"))[0] == 403
    assert ask(server, target="/_emulator/clock", client=own(server, "admin"))[0] == 200


def test_over_plain_http_nobody_has_a_certificate(tmp_path: Path) -> None:
    options = ("--tls", "auto", "--https-port", "0", "--client-certificates")
    with EmulatorProcess(tmp_path / "data", *options) as process:
        assert process.get(TARGET).status == 403
        assert process.get("/_emulator/clock").status == 403


def thumbprint(pem: Path) -> str:
    text = pem.read_text()
    return hashlib.sha1(ssl.PEM_cert_to_DER_cert(text[: text.index("-----BEGIN PRIVATE")])).hexdigest().upper()


@pytest.mark.parametrize("way", ["thumbprint", "cn=user", "CN=User", "ca"])
def test_roles_go_by_thumbprint_by_common_name_or_by_authority(start: Start, tmp_path: Path, way: str) -> None:
    authority = authority_of(tmp_path / "theirs")
    client = authority.client("user")
    who = thumbprint(client) if way == "thumbprint" else way

    server = start(client_certificates=True, client_ca=authority.file, admin_clients=who)

    assert ask(server, "PUT", client=client, body=b"1")[0] == 200


def test_a_trusted_certificate_without_a_role_is_a_strangers(start: Start, tmp_path: Path) -> None:
    authority = authority_of(tmp_path / "theirs")
    server = start(client_certificates=True, client_ca=authority.file, admin_clients="cn=somebody")

    assert ask(server, client=authority.client("user")) == (403, b"")


def test_certificates_can_be_files(start: Start, tmp_path: Path) -> None:
    authority = authority_of(tmp_path / "theirs")
    server = start(
        tls="files",
        tls_certificate=authority.server([]),
        client_certificates=True,
        client_ca=authority.client("admin"),
        admin_clients=thumbprint(authority.client("admin")),
    )
    assert server.data
    (server.data / "tls").mkdir()
    (server.data / "tls/ca.pem").write_bytes(authority.file.read_bytes())

    assert ask(server, client=authority.client("admin"))[0] == 404
    assert ask(server)[0] == 403


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--tls", "files"], "--tls-certificate"),
        (["--tls", "files", "--tls-certificate", "README.md"], "--tls-certificate: README.md"),
        (["--client-certificates"], "--client-certificates"),
        (["--tls", "auto", "--client-certificates", "--client-ca", "README.md"], "--client-ca: README.md"),
        (["--tls", "auto", "--admin-clients", "me"], "'me' is no client"),
    ],
)
def test_what_cannot_be_used_is_named_at_the_start(tmp_path: Path, options: list[str], told: str) -> None:
    command = [sys.executable, "-m", "emulator", "--port", "0", "--data", str(tmp_path / "data"), *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--admin-clients", "ca", "--https-port", "0"], ["--admin-clients", "--https-port"]),
        (["--tls", "auto", "--user-clients", "ca"], ["--user-clients has no effect without --client-certificates"]),
        (["--tls", "auto", "--tls-key", "README.md"], ["--tls-key has no effect without --tls files"]),
        (["--tls", "auto", "--client-certificates", "--user-clients", "ca", "--tls-names", "a.example"], []),
        ([], []),
    ],
)
def test_a_setting_that_protects_nothing_as_things_stand_is_named(
    tmp_path: Path, options: list[str], told: list[str]
) -> None:
    ended = start_and_stop(tmp_path, *options)

    warnings = [line for line in ended.stderr.splitlines() if "has no effect" in line]
    assert len(warnings) == len(told)
    assert all(any(each in line for line in warnings) for each in told)


def test_a_key_with_a_passphrase_is_refused_and_asks_nobody(tmp_path: Path) -> None:
    file = tmp_path / "server.pem"
    pem = authority_of(tmp_path / "theirs").server([]).read_bytes()
    locked = load_pem_private_key(pem, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    file.write_bytes(pem[: pem.index(b"-----BEGIN PRIVATE")] + locked)

    ended = start_and_stop(tmp_path, "--tls", "files", "--tls-certificate", str(file))

    assert ended.returncode == 2
    assert f"--tls-certificate: {file}: the key has a passphrase" in ended.stderr
    assert "pass phrase:" not in ended.stderr + ended.stdout


def start_and_stop(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Start an emulator as a person does, and end it once it serves or says why not."""
    command = [sys.executable, "-m", "emulator", "--port", "0", "--data", str(tmp_path / "data"), *options]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout
    first = running.stdout.readline()
    running.terminate()
    rest, log = running.communicate(timeout=60)
    return subprocess.CompletedProcess(command, running.returncode, first + rest, log)


def test_the_control_client_speaks_https_as_somebody(start: Start) -> None:
    server = start(client_certificates=True)
    assert server.data
    ca = server.data / "tls/ca.pem"

    assert Control(server.endpoint, ca=ca, certificate=own(server, "admin")).on("other").clock()["mode"] == "real"
    with pytest.raises(ControlError) as refusal:
        Control(server.endpoint, ca=ca, certificate=own(server, "user")).clock()
    assert refusal.value.status == 403
    with pytest.raises(UnreachableError, match="certificate verify failed"):
        Control(server.endpoint).clock()
