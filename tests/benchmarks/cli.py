"""The command line."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

from tests.benchmarks import plot, report
from tests.benchmarks.install import install, versions
from tests.benchmarks.lab import NAMES, Lab
from tests.benchmarks.payload import Payload
from tests.benchmarks.results import Results
from tests.benchmarks.sizes import QUICK, Sizes
from tests.benchmarks.works import WORKS

_HERE: Final = Path(__file__).parent
_PEERS: Final = _HERE.parent.parent / ".benchmark-peers"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; 1 when a work or a contender failed."""
    options = _parser().parse_args(arguments)
    if options.command == "install":
        return install(options.peers_dir.absolute())
    signal.signal(signal.SIGTERM, _stop)
    output: Path = (options.output or _HERE / "results").absolute()
    output.mkdir(parents=True, exist_ok=True)
    sizes = QUICK if options.quick else Sizes()
    chosen = options.only or list(WORKS)
    results = Results()
    with tempfile.TemporaryDirectory(
        prefix="benchmark-", dir=output.parent if options.output else None, ignore_cleanup_errors=True
    ) as place:
        directory = Path(place)
        with Payload(directory / "payload", max(sizes.large_file, sizes.chunked_file, sizes.file)) as payload:
            if not options.quick:
                payload.touch_memory()
            rounds = options.rounds or sizes.rounds
            lab = Lab(directory, options.peers_dir.absolute(), payload, sizes, rounds)
            about = report.About(options.quick, rounds, report.file_system_of(directory), _peers(lab))
            print(report.about_text(about), flush=True)
            for name in chosen:
                _run(name, lab, results)
                _write(output, about, results)
    print(f"\n{report.bar_table(results)}")
    return 1 if results.failures or any(measure.failed for measure in results.measures) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description="Measure the emulator beside its peers.",
        epilog="Works: " + ", ".join(WORKS),
    )
    parser.add_argument("command", nargs="?", choices=("run", "install"), default="run", help="run, or fetch the peers")
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that it runs, says nothing else")
    parser.add_argument("--only", nargs="+", choices=tuple(WORKS), metavar="NAME", help="these works only")
    parser.add_argument("--rounds", type=int, help=f"rounds of each work (default: {Sizes().rounds})")
    parser.add_argument("--output", type=Path, help="directory for the results; data lie beside it while it runs")
    parser.add_argument("--peers-dir", type=Path, default=_PEERS, help="where the peers are installed")
    return parser


def _run(name: str, lab: Lab, results: Results) -> None:
    before = len(results.measures)
    print(f"\n... {name}", flush=True)
    try:
        WORKS[name](lab, results)
    except Exception as error:  # the works that follow can still run
        results.failures[name] = f"{type(error).__name__}: {error}"
        print(f"\n{name}: failed: {results.failures[name]}", file=sys.stderr, flush=True)
    for measure in results.measures[before:]:
        print(f"\n{report.measure_table(measure)}", flush=True)


def _write(output: Path, about: report.About, results: Results) -> None:
    """After each work, so that an interrupted run is not lost."""
    heading = f"Image Store emulator, median of {about.rounds} rounds" + (", QUICK RUN" if about.is_quick else "")
    (output / "benchmarks.json").write_text(report.as_json(about, results))
    (output / "benchmarks.svg").write_text(plot.svg(results.measures, heading))
    tables = [report.about_text(about), *map(report.measure_table, results.measures), report.bar_table(results)]
    (output / "benchmarks.txt").write_text("\n\n".join(tables) + "\n")


def _peers(lab: Lab) -> dict[str, str]:
    """Versions of the peers that are there, and why the others are not."""
    return {
        **{name: f"skipped, {fault}" for name in NAMES if (fault := lab.fault(name))},
        **versions(lab.peers),
    }


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(143)  # unwinds the stack, which ends the servers and deletes the data
