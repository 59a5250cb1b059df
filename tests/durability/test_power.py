"""``--durability power``: what is flushed to the disk before a request is answered."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.emulator import InProcessEmulator

V = "api-version=6.0"


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The inodes that were flushed, in order."""
    inodes: list[int] = []
    flush = os.fsync

    def recording(descriptor: int) -> None:
        flush(descriptor)
        inodes.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", recording)
    return inodes


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[InProcessEmulator]:
    with InProcessEmulator(tmp_path / "data", durability="power") as running:
        yield running


def test_every_folder_that_is_new_is_flushed_and_those_known_to_be_on_the_disk_are_not_again(
    emulator: InProcessEmulator, flushed: list[int]
) -> None:
    content = emulator.data / "default/content"

    def flushed_by(target: str, body: bytes | None) -> set[str]:
        flushed.clear()
        reply = (
            emulator.put(f"/ImageStore/{target}?{V}", body) if body else emulator.delete(f"/ImageStore/{target}?{V}")
        )
        assert reply.status == 200
        names = {path.stat().st_ino: str(path.relative_to(content)) for path in [content, *content.rglob("*")]}
        return {names[inode] for inode in flushed if inode in names}

    assert flushed_by("App/Code/one", b"1") == {".", "App", "App/Code", "App/Code/one"}
    assert flushed_by("App/Code/two", b"2") == {"App/Code", "App/Code/two"}
    assert flushed_by("App/Data/one", b"3") == {"App", "App/Data", "App/Data/one"}
    assert flushed_by("App", None) == {"."}
    assert flushed_by("App/Code/one", b"4") == {".", "App", "App/Code", "App/Code/one"}


def test_with_another_server_on_the_same_data_every_folder_above_is_flushed_each_time(
    emulator: InProcessEmulator, flushed: list[int]
) -> None:
    content = emulator.data / "default/content"
    assert emulator.put(f"/ImageStore/App/Code/one?{V}", b"1").status == 200
    with InProcessEmulator(emulator.data, durability="power"):
        flushed.clear()
        assert emulator.put(f"/ImageStore/App/Code/two?{V}", b"2").status == 200
        above = {path.stat().st_ino for path in (content, content / "App", content / "App/Code")}
        assert above <= set(flushed)


def test_a_folder_that_cannot_be_flushed_fails_every_upload_into_it(
    emulator: InProcessEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = emulator.data / "default/content/App"
    assert emulator.put(f"/ImageStore/App/first?{V}", b"1").status == 200
    flush = os.fsync

    def failing(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == folder.stat().st_ino:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        flush(descriptor)

    def upload(name: str) -> str:
        reply = emulator.put(f"/ImageStore/App/{name}?{V}", b"x")
        return str(reply.json()["Error"]["Code"]) if reply.status == 500 else f"answered {reply.status}"

    with monkeypatch.context() as broken, ThreadPoolExecutor(8) as clients:
        broken.setattr(os, "fsync", failing)
        assert set(clients.map(upload, map(str, range(40)))) == {"FABRIC_E_IMAGESTORE_IOERROR"}
    assert emulator.put(f"/ImageStore/App/last?{V}", b"x").status == 200
