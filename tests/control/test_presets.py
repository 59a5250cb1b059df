"""Which clients survive which preset: the table of the README, each cell driven for real.

A client uploads some files to a store in which the preset is set. It recovers if it says that it succeeded and every
byte is there; it fails if it says so; it is fooled if it says that it succeeded and not every byte is there.
"""

import http.client
import json
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from itertools import product
from pathlib import Path
from typing import Final

import pytest

from emulator.client import Control
from emulator.control.presets import PRESETS
from emulator.testing import EmulatorThread
from tests.clients.environments import environment
from tests.clients.sfctl import Sfctl
from tests.control.service import Service, new_session
from tests.examples import naive
from tests.examples.resumable import Upload, UploadError

README: Final = Path(__file__).parents[2] / "README.md"
COLUMNS: Final = ("resumable", "naive", "SDK, chunks", "SDK, files", "sfctl")
CHUNK_SIZE: Final = 4096
FASTER: Final = 1000
"""How many seconds pass in a store in one of the machine's: nobody waits for the slow ones."""

RECOVERS, FAILS, FOOLED, NOT_HIT = "recovers", "fails", "**is fooled**", ""


@cache
def recorded() -> dict[str, dict[str, str]]:
    """The README's table: by preset and client."""
    section = README.read_text().partition("## Which clients survive what\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    titles = [title.strip("` ") for title in rows[0][1:]]
    return {row[0].strip("`"): dict(zip(titles, row[1:], strict=True)) for row in rows[2:]}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    """Sessions last longer here, since time runs faster."""
    with EmulatorThread(tmp_path_factory.mktemp("presets") / "data", session_timeout=timedelta(days=300)) as running:
        yield running


def package(root: Path, preset: str) -> Path:
    """A folder of small files of three chunks: two, or as many as it takes for a preset to strike that counts."""
    count = 12 if preset in ("dropped-creates", "chaos") else 2
    folder = root / f"App{count}"
    if not folder.exists():
        folder.mkdir()
        for number in range(count):
            (folder / f"settings-{number:02}.xml").write_bytes(bytes([number]) * (2 * CHUNK_SIZE + 100 + number))
    return folder


def prepare(control: Control, preset: str) -> None:
    """Set the preset in a store whose time runs faster."""
    control.set_clock(rate=FASTER)
    control.add_fault(preset=preset)


def outcome(control: Control, folder: Path, *, succeeded: bool) -> str:
    """What became of the upload of a folder."""
    files = control.files()
    paths = {file: f"{folder.name}/{file.name}" for file in folder.iterdir()}
    is_whole = all(path in files and control.read(path) == file.read_bytes() for file, path in paths.items())
    if not any(fault["hits"] for fault in control.faults()):
        assert succeeded
        assert is_whole
        return NOT_HIT
    return (RECOVERS if is_whole else FOOLED) if succeeded else FAILS


def test_the_readme_has_a_row_for_every_preset_and_a_column_for_every_client() -> None:
    assert list(recorded()) == list(PRESETS)
    assert {tuple(row) for row in recorded().values()} == {COLUMNS}


def by_resumable(endpoint: str, folder: Path) -> bool:
    try:
        for file in sorted(folder.iterdir()):
            Upload(endpoint, file, f"{folder.name}/{file.name}", chunk_size=CHUNK_SIZE, pause=0.01).run()
    except UploadError:
        return False
    return True


def by_naive(endpoint: str, folder: Path) -> bool:
    try:
        for file in sorted(folder.iterdir()):
            naive.upload(endpoint, file, f"{folder.name}/{file.name}", CHUNK_SIZE)
    except (OSError, http.client.HTTPException):
        return False
    return True


@pytest.mark.parametrize("client", ["resumable", "naive"])
@pytest.mark.parametrize("preset", PRESETS)
def test_the_clients_of_the_examples_survive_what_the_readme_says(
    store: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preset: str, client: str
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    prepare(store, preset)
    folder = package(tmp_path, preset)

    succeeded = {"resumable": by_resumable, "naive": by_naive}[client](store.endpoint, folder)

    assert outcome(store, folder, succeeded=succeeded) == recorded()[preset][client]


def test_a_client_that_looks_at_no_answer_is_fooled(store: Control, service: Service, tmp_path: Path) -> None:
    prepare(store, "lost-chunk")
    folder = package(tmp_path, "lost-chunk")
    for file in folder.iterdir():
        content, session = file.read_bytes(), new_session()
        for start in range(0, len(content), CHUNK_SIZE):
            part = content[start : start + CHUNK_SIZE]
            service.chunk(f"{folder.name}/{file.name}", session, start, part, len(content))
        service.commit(session)

    assert outcome(store, folder, succeeded=True) == FOOLED


@pytest.mark.clients
def test_the_sdk_survives_what_the_readme_says(server: EmulatorThread, tmp_path: Path) -> None:
    """By chunks and file by file, every preset in a store of its own, one process for each size of package."""
    clients = ("SDK, chunks", "SDK, files")
    stores: dict[Path, list[tuple[str, str, Control]]] = {}
    for preset, client in product(PRESETS, clients):
        control = Control(server.endpoint).make_store(f"sdk-{preset}-{client[5:]}")
        prepare(control, preset)
        stores.setdefault(package(tmp_path, preset), []).append((preset, client, control))

    found: dict[str, dict[str, str]] = {preset: {} for preset in PRESETS}
    for folder, uploads in stores.items():
        addresses = [{"endpoint": control.endpoint, "chunks": "chunks" in client} for _, client, control in uploads]
        for (preset, client, control), succeeded in zip(uploads, by_sdk(folder, addresses), strict=True):
            found[preset][client] = outcome(control, folder, succeeded=succeeded)

    assert found == {preset: {client: row[client] for client in clients} for preset, row in recorded().items()}


def by_sdk(folder: Path, uploads: list[dict[str, object]]) -> list[bool]:
    """Let the SDK upload the folder to each of these stores."""
    done = subprocess.run(
        [environment("sdk-newest") / "python", "-I", Path(__file__).with_name("sdk_uploads.py")],
        input=json.dumps({"folder": str(folder), "chunk_size": CHUNK_SIZE, "uploads": uploads}),
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={"HOME": str(folder.parent), "NO_PROXY": "*"},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return [raised is None for raised in json.loads(done.stdout)]


@pytest.mark.clients
def test_sfctl_survives_what_the_readme_says(server: EmulatorThread, tmp_path: Path) -> None:
    """It knows the default store only. One upload serves for all presets that are to leave it alone."""
    column = {preset: row["sfctl"] for preset, row in recorded().items()}
    sfctl = Sfctl(environment("sfctl"), tmp_path)
    assert sfctl("cluster", "select", "--endpoint", server.endpoint).code == 0
    control = Control(server.endpoint)

    def upload(*presets: str) -> str:
        control.reset()
        for preset in presets:
            prepare(control, preset)
        folder = package(tmp_path, presets[-1])
        return outcome(control, folder, succeeded=sfctl("application", "upload", "--path", folder).code == 0)

    found = {preset: upload(preset) for preset, cell in column.items() if cell != NOT_HIT}

    assert found == {preset: cell for preset, cell in column.items() if cell != NOT_HIT}
    assert upload(*(preset for preset, cell in column.items() if cell == NOT_HIT)) == NOT_HIT


# The presets themselves


def test_chaos_strikes_by_the_figures_of_the_runtime(store: Control, service: Service) -> None:
    """23 sessions of one chunk each, and their commits; what strikes first is what is named first."""
    prepare(store, "chaos")
    for _ in range(23):
        session = new_session()
        service.chunk("App/a.bin", session, 0, b"x", 1)
        service.commit(session)

    struck = {"UploadFileChunk": list[str](), "CommitImageStoreUploadSession": list[str]()}
    for entry in store.journal():
        struck[entry["operation"]].append(entry["fault"].removeprefix("chaos: "))
    chunks, commits = ({n: name for n, name in enumerate(names, 1) if name} for names in struck.values())

    assert chunks == {
        7: "dropped create",
        11: "dropped chunk",
        13: "lost reply to a create",
        14: "dropped create",
        20: "failover at a chunk",
        21: "dropped create",
        22: "dropped chunk",
        23: "lost reply to a chunk",
    }
    assert commits == {
        9: "dropped commit",
        11: "lost reply to a commit",
        18: "dropped commit",
        19: "failover at a commit",
        22: "lost reply to a commit",
    }


def test_chaos_loses_the_chunk_at_30_mib_once_and_is_slow_with_the_one_at_9_mib(
    store: Control, service: Service
) -> None:
    prepare(store, "chaos")
    session, size = new_session(), 40 * 1024 * 1024
    for start in (3, 10, 10):
        assert service.chunk("App/a.bin", session, start * 3_145_728, b"x", size) == 200

    assert [entry["fault"] for entry in store.journal()] == ["chaos: slow chunk", "chaos: lost chunk", ""]
    (found,) = store.sessions()
    assert [each["start"] for each in found["received"]] == [3 * 3_145_728, 10 * 3_145_728]
