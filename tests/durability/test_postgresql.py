"""Upload sessions in PostgreSQL: what is different from SQLite, and what happens when it is not there.

The races, kills and upgrades of this folder run on PostgreSQL too, see the fixture `keeping`.
"""

import itertools
import re
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import psycopg
import pytest
from sqlalchemy import text

from emulator.storage.durability import Durability
from emulator.storage.postgresql import PostgresqlDatabase
from tests.durability.servers import (
    DurableServer,
    V,
    content_of,
    require_clean_staging,
    session_files,
    session_tokens,
)
from tests.support import postgresql
from tests.support.databases import alter, environment_of, keep_in_postgresql, rows_of, url_of
from tests.support.emulator import inherited_environment
from tests.support.postgresql import PASSWORD, PostgresServer
from tests.support.waiting import eventually
from tests.support.wire import Reply

pytestmark = pytest.mark.postgresql

IO_ERROR: Final = (500, "FABRIC_E_IMAGESTORE_IOERROR")
SECRETS: Final = (PASSWORD, "eim@1", "eim%401")
"""The password, in whole or in part, as it is and as it is written in a URL."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory whose sessions go to an empty schema."""
    place = tmp_path / "data"
    keep_in_postgresql(place)
    return place


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A PostgreSQL that the test may stop and start."""
    running = PostgresServer()
    try:
        yield running
    finally:
        running.remove()


def new_id() -> str:
    """An unused session id."""
    return str(uuid.uuid4())


def is_io_error(reply: Reply) -> bool:
    """The service's own words for a storage that fails."""
    return reply.headers["content-type"].startswith("application/json") and reply.error[:2] == IO_ERROR


def run(*options: str, program: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the emulator until it ends, which is to be at once; the password is in nothing it says."""
    program = program or "import sys; from emulator.command.cli import main; sys.exit(main())"
    ended = subprocess.run(
        [sys.executable, "-c", program, "--port", "0", *options],
        env=inherited_environment() | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not ended.stdout
    assert ended.stderr.startswith("imagestore-emulator: "), ended.stderr
    assert "Traceback" not in ended.stderr
    assert not any(secret in ended.stderr for secret in SECRETS), ended.stderr
    return ended


# --- a life -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sessions_survive_a_restart_and_nothing_of_them_is_in_the_data_directory(workers: str, data: Path) -> None:
    """The start line names the database; there is no file of SQLite's; the session goes on to its exact bytes."""
    session_id = new_id()
    with DurableServer(data, "--workers", workers).started() as server:
        assert (
            server.log().splitlines()[-1].endswith(f", upload sessions in postgresql://127.0.0.1:{port(data)}/postgres")
        )
        assert server.chunk("file", session_id, 0, b"a" * 10, 20).status == 200
        assert server.expected_ranges(session_id) == [(10, 19)]
        assert server.terminate() == 0
    assert not list(data.glob("emulator.db*"))
    assert [token for (token,) in rows_of(data, "SELECT staging FROM upload_session")] == list(session_files(data))
    with DurableServer(data, "--workers", workers).started() as server:
        assert server.expected_ranges(session_id) == [(10, 19)]
        assert server.chunk("file", session_id, 10, b"b" * 10, 20).status == 200
        assert server.commit(session_id).status == 200
        assert content_of(data) == {"file": b"a" * 10 + b"b" * 10}
        require_clean_staging(data, int(workers))


def port(data: Path) -> str:
    """The port of the database that has a data directory's sessions."""
    return url_of(data).rpartition(":")[2].partition("/")[0]


def test_no_process_shows_the_password_but_where_the_user_put_it(data: Path) -> None:
    """Given in a file, it is on no command line, in no environment and in no line of the log, down to the finest."""
    secret = data.parent / "secret"
    secret.write_text(f"{url_of(data)}\n")
    environment = {"IMAGESTORE_DATABASE_URL": "", "IMAGESTORE_DATABASE_URL_FILE": str(secret)}
    options = ("--workers", "2", "--log-level", "debug")
    with DurableServer(data, *options, environment=environment).started() as server:
        session_id = new_id()
        assert server.chunk("file", session_id, 0, b"a", 2).status == 200
        assert session_tokens(data)
        for pid, kind in itertools.product({server.pid, *server.workers()}, ("environ", "cmdline")):
            shown = Path(f"/proc/{pid}/{kind}").read_text(errors="replace")
            assert not any(secret in shown for secret in SECRETS), shown
        assert server.terminate() == 0
        assert not any(secret in server.log() for secret in SECRETS)


def test_a_variable_with_the_password_is_not_handed_to_workers(data: Path) -> None:
    """Who can look at a worker sees less than who can look at what started it."""
    with DurableServer(data, "--workers", "2").started() as server:
        for pid in server.workers():
            assert "DATABASE_URL=" not in Path(f"/proc/{pid}/environ").read_text(errors="replace")


def test_data_directories_that_share_a_database_do_not_meet(tmp_path: Path) -> None:
    """The same session id is another session in each, and one directory's sweep leaves the other's rows alone."""
    url = postgresql.server().new_schema()
    here, there = tmp_path / "here", tmp_path / "there"
    session_id = new_id()
    for data in (here, there):
        keep_in_postgresql(data, url)
    with DurableServer(here).started() as first, DurableServer(there).started() as second:
        assert first.chunk("one", session_id, 0, b"1" * 10, 20).status == 200
        assert second.expected_ranges(session_id) is None
        assert second.chunk("two", session_id, 5, b"2" * 5, 10).status == 200
        assert first.expected_ranges(session_id) == [(10, 19)]
        assert second.expected_ranges(session_id) == [(0, 4)]
    assert len(session_files(here)) == len(session_files(there)) == 1
    assert len(session_tokens(here)) == 2
    with DurableServer(here).started() as first:
        assert first.chunk("one", session_id, 10, b"1" * 10, 20).status == 200
        assert first.commit(session_id).status == 200
    assert content_of(here) == {"one": b"1" * 20}


def test_power_asks_the_server_to_sync_even_if_it_would_not(own_server: PostgresServer) -> None:
    """``--durability process`` leaves that to the server; what a URL says beats both."""
    with psycopg.connect(own_server.url()) as connection:
        connection.execute("ALTER DATABASE postgres SET synchronous_commit = off")
    local = own_server.url(options="-c synchronous_commit=local")
    cases = [(own_server.url(), Durability.PROCESS, "off"), (own_server.url(), Durability.POWER, "on")]
    for url, durability, expected in [*cases, (local, Durability.POWER, "local")]:
        database = PostgresqlDatabase(url, "", durability)
        with database.read() as connected:
            assert connected.scalar(text("SHOW synchronous_commit")) == expected
        database.close()


# --- reasons not to start ---------------------------------------------------------------------------------------------


def refusals() -> dict[str, tuple[dict[str, str], str]]:
    """What is wrong about a URL, and what the sentence says of it."""
    return {
        "password": ({"password": "wrong" + PASSWORD}, "password authentication failed"),
        "user": ({"user": "stranger"}, "password authentication failed"),
        "database": ({"name": "nowhere"}, 'database "nowhere" does not exist'),
    }


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("what", refusals())
def test_a_database_that_refuses_ends_with_code_6_and_its_own_words(what: str, workers: str, tmp_path: Path) -> None:
    """The sentence names the database and says why."""
    wrong, reason = refusals()[what]
    url = postgresql.server().url(**wrong)
    ended = run("--workers", workers, "--data", str(tmp_path / "data"), IMAGESTORE_DATABASE_URL=url)
    assert ended.returncode == 6, ended
    assert re.search(r"cannot use the database postgresql://127\.0\.0\.1:\d+/\w+: .*" + reason, ended.stderr)
    assert len(ended.stderr.splitlines()) == 1


def test_a_database_that_cannot_be_reached_ends_with_code_6(own_server: PostgresServer, tmp_path: Path) -> None:
    """Nobody listens there."""
    own_server.stop()
    ended = run("--data", str(tmp_path / "data"), "--database-url", own_server.url())
    assert ended.returncode == 6, ended
    assert f"postgresql://127.0.0.1:{own_server.port}/postgres: " in ended.stderr
    assert "Connection refused" in ended.stderr
    own_server.start()


def test_tables_that_no_emulator_made_are_refused_and_left_alone(data: Path) -> None:
    """A database of somebody else's, with a table of the same name."""
    alter(data, "CREATE TABLE upload_session (id INTEGER)", "INSERT INTO upload_session VALUES (1)")
    ended = run("--data", str(data), **environment_of(data))
    assert ended.returncode == 6, ended
    assert "table upload_session" in ended.stderr
    assert rows_of(data, "SELECT * FROM upload_session") == [(1,)]


def test_without_its_driver_the_sentence_says_how_to_install_it(data: Path) -> None:
    """psycopg is an extra."""
    program = "import sys; sys.modules['psycopg'] = None; from emulator.command.cli import main; sys.exit(main())"
    ended = run("--data", str(data), program=program, **environment_of(data))
    assert ended.returncode == 6, ended
    assert "pip install 'imagestore-emulator[postgresql]'" in ended.stderr


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:///somewhere",
        "mysql://user:geh@host/name",
        "postgresql:/host/name",
        "user:geh@host",
        "postgresql://user:geh/eim@1@host/name",
        "postgresql://user:geh/eim@host/name",
        "postgresql://user:1/eim@host/name",
        "postgresql://user:1?eim@1@host/name",
        "postgresql://user:1#eim@1@host/name",
        "postgresql://user:ge eim@1@host/name",
        "postgresql://user@host:port/name",
    ],
)
def test_a_url_that_can_be_misread_is_refused_without_showing_it(url: str, tmp_path: Path) -> None:
    """Exit code 2 and how to write it. A password with unescaped characters would be shown as a host's name."""
    ended = run("--data", str(tmp_path), "--database-url", url)
    assert ended.returncode == 2, ended
    assert "--database-url: the value is not allowed" in ended.stderr
    assert "postgresql://user:password@host:port/name" in ended.stderr
    assert not any(part in ended.stderr for part in ("geh", "eim", "mysql", "sqlite"))


def test_a_file_for_the_url_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Exit code 2 with the variable and the file."""
    missing = tmp_path / "missing"
    ended = run("--data", str(tmp_path), IMAGESTORE_DATABASE_URL_FILE=str(missing))
    assert ended.returncode == 2, ended
    assert f"IMAGESTORE_DATABASE_URL_FILE: {missing} cannot be read: No such file" in ended.stderr


def test_an_option_beats_the_variable_which_beats_the_file(tmp_path: Path) -> None:
    """Nobody listens at any of them, and the sentence names the one that was tried."""
    file = tmp_path / "url"
    file.write_text("postgresql://127.0.0.1:1/in-file\n")
    variables = {"IMAGESTORE_DATABASE_URL_FILE": str(file)}
    assert "/in-file: " in run("--data", str(tmp_path / "data"), **variables).stderr
    variables["IMAGESTORE_DATABASE_URL"] = "postgresql://127.0.0.1:1/in-variable"
    assert "/in-variable: " in run("--data", str(tmp_path / "data"), **variables).stderr
    option = ("--database-url", "postgres://127.0.0.1:1/in-option")
    assert "/in-option: " in run("--data", str(tmp_path / "data"), *option, **variables).stderr


def test_in_memory_excludes_a_database_that_would_remain(data: Path) -> None:
    """Exit code 2."""
    ended = run("--in-memory", **environment_of(data))
    assert ended.returncode == 2, ended
    assert "--in-memory" in ended.stderr
    assert "--database-url" in ended.stderr


# --- several processes ------------------------------------------------------------------------------------------------


def test_processes_that_start_at_once_on_an_empty_database_all_serve(tmp_path: Path) -> None:
    """One makes the tables, the others find them; and all have the same sessions, so the directory has one identity."""
    for number in range(2):
        data = tmp_path / str(number)
        keep_in_postgresql(data)
        with ThreadPoolExecutor(4) as pool:
            servers = list(pool.map(lambda _: DurableServer(data), range(4)))  # noqa: B023
        try:
            session_id = new_id()
            assert servers[0].chunk("file", session_id, 0, b"a", 2).status == 200
            assert [server.expected_ranges(session_id) for server in servers] == [[(1, 1)]] * 4
            assert rows_of(data, "SELECT count(*) FROM schema_stamp") == [(1,)]
        finally:
            for server in servers:
                server.__exit__(None, None, None)


def test_two_processes_that_sweep_at_once_free_every_expired_session_once(data: Path) -> None:
    """Both sweep all the time. Each session is told as expired by one of them, and nothing of any is left."""
    options = ("--sweep-interval", "1ms")
    ids = {new_id() for _ in range(60)}
    with DurableServer(data, *options).started() as first, DurableServer(data, *options).started() as second:
        with ThreadPoolExecutor(8) as pool:
            sent = pool.map(
                lambda pair: pair[1].chunk("f", pair[0], 0, b"a", 2), zip(ids, itertools.cycle((first, second)))
            )
            assert {reply.status for reply in sent} == {200}
        assert len(session_tokens(data)) == 60
        alter(data, "UPDATE upload_session SET modified_ns = 1")
        eventually(lambda: not session_tokens(data), "all are swept")
        require_clean_staging(data, 2)
        assert (first.terminate(), second.terminate()) == (0, 0)
        log = first.log() + second.log()
        assert "Traceback" not in log
        assert "could not sweep" not in log
        assert sorted(re.findall(r"upload session (\S+) for f expired", log)) == sorted(ids)


# --- gone and back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_database_that_goes_away_refuses_sessions_and_recovers(
    workers: str, own_server: PostgresServer, tmp_path: Path
) -> None:
    """The service's error for all that needs sessions, 503 with the reason at ready; content is served all the time.

    When the database is back, so is everything, without a restart, at the first request.
    """
    data = tmp_path / "data"
    keep_in_postgresql(data, own_server.url())
    session_id = new_id()
    options = ("--workers", workers, "--sweep-interval", "50ms")
    with DurableServer(data, *options).started() as server, ThreadPoolExecutor(8) as pool:
        assert server.chunk("session", session_id, 0, b"a" * 1000, 2000).status == 200
        assert server.upload("file", b"content").status == 200
        # so that every process has connections open that will break
        assert all(pool.map(lambda _: server.expected_ranges(session_id), range(64)))
        for stop in (signal.SIGINT, signal.SIGQUIT):
            own_server.stop(stop)
            replies = list(pool.map(lambda _: server.chunk("other", new_id(), 0, b"n", 2), range(32)))
            replies += list(pool.map(lambda _: server.get(sessions_of("other")), range(32)))
            replies += [server.commit(session_id), server.chunk("session", session_id, 1000, b"b" * 1000, 2000)]
            assert all(map(is_io_error, replies)), replies
            health = server.get("/_emulator/health/ready")
            assert health.status == 503
            assert "Connection refused" in health.json()["reason"]
            assert not any(secret in health.json()["reason"] for secret in SECRETS)
            assert server.get("/_emulator/health/live").status == 200
            metrics = server.get("/_emulator/metrics")
            assert metrics.status == 200
            assert b"imagestore_requests_total" in metrics.body
            assert b"imagestore_upload_sessions" not in metrics.body, "which nobody knows"
            assert server.upload("file", b"content").status == 200
            assert server.get(f"/ImageStore?{V}").status == 200
            eventually(lambda: "could not sweep" in server.log(), "a sweep has failed")
            own_server.start()
            replies = list(pool.map(lambda _: server.get(sessions_of("session")), range(32)))
            assert {reply.status for reply in replies} == {200}
            assert server.is_ready()
        assert server.expected_ranges(session_id) == [(1000, 1999)]
        assert server.chunk("session", session_id, 1000, b"b" * 1000, 2000).status == 200
        assert server.commit(session_id).status == 200
        assert content_of(data) == {"file": b"content", "session": b"a" * 1000 + b"b" * 1000}
        require_clean_staging(data, int(workers))
        assert server.terminate() == 0
        assert "Traceback" not in server.log()
        assert not any(secret in server.log() for secret in SECRETS)


def test_a_database_restarted_between_requests_costs_no_error(own_server: PostgresServer, tmp_path: Path) -> None:
    """The connections it has closed are not used again, to read or to change, however many there were."""
    data = tmp_path / "data"
    keep_in_postgresql(data, own_server.url())
    with DurableServer(data).started() as server, ThreadPoolExecutor(8) as pool:
        for stop in (signal.SIGINT, signal.SIGQUIT):
            replies = list(pool.map(lambda _: server.chunk("f", new_id(), 0, b"a", 2), range(32)))
            own_server.stop(stop)
            own_server.start()
            replies += pool.map(lambda _: server.chunk("f", new_id(), 0, b"a", 2), range(32))
            replies += pool.map(lambda _: server.get(sessions_of("f")), range(32))
            assert {reply.status for reply in replies} == {200}


def control(server: DurableServer, method: str, target: str) -> tuple[int, object]:
    """What the emulator's own API answers: a status, and the text of its error if that is what it is."""
    reply = server.send(method, f"/_emulator{target}")
    return reply.status, reply.json()["error"] if reply.status >= 400 else None


@pytest.mark.parametrize("target", ["POST /reset", "DELETE /stores/default", "POST /snapshots/before/restore"])
def test_no_store_is_replaced_while_the_database_is_away(
    target: str, own_server: PostgresServer, tmp_path: Path
) -> None:
    """It is refused with a reason, nothing has changed, and when the database is back everything goes on."""
    data = tmp_path / "data"
    keep_in_postgresql(data, own_server.url())
    session_id = new_id()
    method, target = target.split()
    with DurableServer(data).started() as server:
        assert control(server, "PUT", "/snapshots/before") == (200, None)
        assert server.upload("file", b"content").status == 200
        assert server.chunk("session", session_id, 0, b"a", 2).status == 200
        own_server.stop()
        assert control(server, method, target) == (503, "the emulator's database failed: see its log")
        assert control(server, "GET", "/sessions") == (503, "the emulator's database failed: see its log")
        own_server.start()
        assert content_of(data) == {"file": b"content"}
        assert server.chunk("session", session_id, 1, b"b", 2).status == 200
        assert server.commit(session_id).status == 200
        assert control(server, method, target)[0] in {200, 204}
        assert content_of(data) == {}
        assert server.terminate() == 0
        assert "Traceback" not in server.log()


@pytest.mark.parametrize("target", ["POST /on/mine/_emulator/reset", "DELETE /stores/mine"])
def test_a_store_whose_database_fails_while_it_is_replaced_comes_back_without_a_restart(
    target: str, data: Path
) -> None:
    """Empty, its sessions gone, and as good as new: it can be filled and reset again."""
    session_id = new_id()
    method, target = target.split()
    chunk = f"/_emulator/on/mine/ImageStore/f/$/UploadChunk?{V}&session-id={session_id}"
    with DurableServer(data).started() as server:
        assert server.put(chunk, b"a", headers={"Content-Range": "bytes 0-0/2"}).status == 200
        alter(
            data,
            "CREATE FUNCTION refuse() RETURNS trigger AS $$BEGIN RAISE 'not now'; END$$ LANGUAGE plpgsql",
            "CREATE TRIGGER refuse BEFORE DELETE ON upload_session EXECUTE FUNCTION refuse()",
        )
        assert control(server, method, target) == (503, "the emulator's database failed: see its log")
        assert is_io_error(server.put(f"/_emulator/on/mine/ImageStore/f?{V}", b"x"))
        alter(data, "DROP TRIGGER refuse ON upload_session")
        assert server.get(f"/_emulator/on/mine{sessions_of('f')}").status == 204
        assert server.put(chunk, b"a", headers={"Content-Range": "bytes 0-0/2"}).status == 200
        assert control(server, method, target) == (204, None)
        assert server.terminate() == 0
        assert "Traceback" not in server.log()


def test_a_store_first_asked_for_while_the_database_is_away_is_there_afterwards(
    own_server: PostgresServer, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    keep_in_postgresql(data, own_server.url())
    listing = f"/_emulator/on/new/ImageStore/f?{V}"
    with DurableServer(data).started() as server:
        own_server.stop()
        assert is_io_error(server.put(listing, b"x"))
        assert control(server, "PUT", "/stores/other") == (503, "the emulator's database failed: see its log")
        own_server.start()
        assert server.put(listing, b"x").status == 200
        assert control(server, "POST", "/on/new/_emulator/reset") == (204, None)
        assert "Traceback" not in server.log()


def sessions_of(path: str) -> str:
    """The target that asks for the sessions on a path."""
    return f"/ImageStore/{path}/$/GetUploadSession?{V}"


def test_chunks_on_their_way_when_the_database_goes_count_or_fail_and_can_be_sent_again(
    own_server: PostgresServer, tmp_path: Path
) -> None:
    """What was acknowledged is there; what was not is sent until it is; the file is exact and nothing is left over."""
    data = tmp_path / "data"
    keep_in_postgresql(data, own_server.url())
    pieces = 400
    content = b"".join(b"%09d\n" % number for number in range(pieces))
    session_id = new_id()
    attempts = 0
    guard = threading.Lock()
    with DurableServer(data).started() as first, DurableServer(data).started() as second:

        def send(number: int) -> None:
            nonlocal attempts
            server = (first, second)[number % 2]
            while True:
                reply = server.chunk("file", session_id, 10 * number, content[10 * number :][:10], len(content))
                with guard:
                    attempts += 1
                if reply.status == 200 or b"RANGE_NOT_SATISFIABLE" in reply.body:  # it counted, the answer got lost
                    return
                assert is_io_error(reply) or reply.status == 404, reply

        with ThreadPoolExecutor(8) as pool:
            sending = pool.map(send, range(pieces))
            for _ in range(3):
                before = attempts
                eventually(lambda: attempts > before + 50, "chunks are being sent")  # noqa: B023
                own_server.stop(signal.SIGQUIT)
                own_server.start()
            list(sending)
        assert attempts > pieces
        assert first.expected_ranges(session_id) == []
        assert second.commit(session_id).status == 200
        assert content_of(data) == {"file": content}
        for server in (first, second):
            assert server.terminate() == 0
            assert "Traceback" not in server.log()
    with DurableServer(data).started():
        require_clean_staging(data, 1)


def test_a_worker_that_starts_while_the_database_is_away_is_started_again_until_it_is_back(
    own_server: PostgresServer, tmp_path: Path
) -> None:
    """The parent goes on; the log says why in a line, not in a traceback."""
    data = tmp_path / "data"
    keep_in_postgresql(data, own_server.url())
    with DurableServer(data, "--workers", "2").started() as server:
        own_server.stop()
        victim = min(server.workers())
        subprocess.run(["kill", "-9", str(victim)], check=True)
        eventually(lambda: "cannot use the database" in server.log(), "its successor says why it ends")
        own_server.start()
        eventually(lambda: len(server.workers()) == 2, "two workers run")
        server.started()
        assert server.chunk("file", new_id(), 0, b"a", 2).status == 200
        assert server.terminate() == 0
        assert "Traceback" not in server.log()
