"""How far something is that takes a while."""

from dataclasses import dataclass


@dataclass(slots=True)
class Progress:
    """Steps done, of how many; written by the thread that does them, read by whoever wants to show it."""

    done: int = 0
    total: int = 0

    def step(self) -> None:
        """One more is done."""
        self.done += 1
