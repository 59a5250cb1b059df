"""``python -m tests.benchmarks``."""

import sys

from tests.benchmarks.cli import main

sys.exit(main())
