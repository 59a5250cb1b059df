"""From settings to a running server: where it listens, where its data lies, one process or several, and its log."""
