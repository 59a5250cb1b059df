"""``python -m emulator``: the same as the ``imagestore-emulator`` command."""

from emulator.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
