"""``imagestore-emulator`` and ``python -m emulator``: the command line, and a short way to the health check."""

import os
import signal
import sys
from types import FrameType


def main() -> int:
    """Run the command line and answer with the exit code."""
    if sys.argv[1:] == ["healthcheck"]:
        from emulator.command.healthcheck import check_health  # and none of what the command line loads

        return check_health()
    if os.getpid() == 1:
        # The first process of a container does not die of a signal; it has to listen while it is still loading.
        signal.signal(signal.SIGTERM, _stop)
    from emulator.command.cli import main as run_command_line

    return run_command_line()


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    raise SystemExit(main())
