"""How fast the emulator is, beside the peers people know: ``python -m tests.benchmarks``.

::

    python -m tests.benchmarks install      fetch the peers (apt-get, npm, pip) into .benchmark-peers/
    python -m tests.benchmarks              every work, a table on the terminal, JSON and SVG in --output
    python -m tests.benchmarks --quick      the same with small sizes, to see that it runs; its figures mean nothing
    python -m tests.benchmarks --only upload-64 chunks-4 --rounds 7

Everything runs on 127.0.0.1 with all data in one temporary directory on one disk. Works measure their contenders in
interleaved rounds (A B C, B C A, ...). A bar compares within each round; the table shows the median and the spread of
those ratios. The emulator takes part twice in the works that compare throughput: what the two differ in is noise, and
a bar missed or met by less than that is a tie. Client and servers share the machine's cores.

Nothing here is a test: pytest collects none of it and no figure is asserted.
"""
