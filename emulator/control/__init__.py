"""What only an emulator has: isolated stores, a clock to move, faults, a journal, snapshots, and a lint of clients.

Nothing here speaks HTTP; `emulator.api` offers it below the emulator's own prefix.
"""
