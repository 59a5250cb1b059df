"""What is measured: each work takes the lab and adds its measures and bars to the results."""

from collections.abc import Callable
from typing import Final

from tests.benchmarks.lab import Lab
from tests.benchmarks.results import Results
from tests.benchmarks.works import (
    chunk_cost,
    chunks,
    commits,
    copying,
    latency,
    listings,
    memory,
    small_files,
    stalled,
    startup,
    totals,
    uploads,
)

WORKS: Final[dict[str, Callable[[Lab, Results], None]]] = {
    "upload-64": uploads.upload_file,
    "upload-1024": uploads.upload_large_file,
    "chunks-4": chunks.small_chunks,
    "chunks-25": chunks.large_chunks,
    "small-files": small_files.small_files,
    "commit": commits.commit,
    "chunk-cost": chunk_cost.chunk_cost,
    "open-sessions": chunk_cost.open_sessions,
    "listing": listings.listing,
    "totals": totals.totals,
    "copy": copying.copy,
    "memory": memory.memory,
    "stalled": stalled.stalled,
    "latency": latency.latency,
    "startup": startup.startup,
}
