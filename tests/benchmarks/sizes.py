"""How much each work moves: in a real run, and in a quick one that only shows that everything runs."""

from dataclasses import dataclass
from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB
GIB: Final = 1024 * MIB


@dataclass(frozen=True)
class Sizes:
    """All amounts of a run."""

    rounds: int = 5
    file: int = 64 * MIB
    files_in_a_row: int = 8
    large_file: int = GIB
    chunked_file: int = 512 * MIB
    in_flight: int = 10
    small_file: int = 4 * KIB
    small_files: int = 4000
    small_connections: int = 8
    committed_file: int = 10 * GIB
    commits: int = 5
    chunks_in_session: int = 10_000
    open_sessions: int = 10_000
    chunks_beside_sessions: int = 200
    listed_files: int = 100_000
    page_entries: int = 1000
    pages_a_round: int = 20
    copied_files: int = 1000
    copied_file: int = MIB
    streams: int = 4
    stream: int = 512 * MIB
    stalled: int = 32
    listings: int = 500


QUICK: Final = Sizes(
    rounds=2,
    file=8 * MIB,
    files_in_a_row=2,
    large_file=64 * MIB,
    chunked_file=50 * MIB,
    small_files=300,
    commits=2,
    chunks_in_session=300,
    open_sessions=300,
    chunks_beside_sessions=50,
    listed_files=5000,
    page_entries=100,
    pages_a_round=5,
    copied_files=100,
    copied_file=256 * KIB,
    stream=32 * MIB,
    listings=100,
)


def shown(size: int) -> str:
    """``64 MiB``."""
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"
