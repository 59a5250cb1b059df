"""The command line: what it understands, what it asks of a running emulator, and the health check of containers."""
