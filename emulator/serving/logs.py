"""Log lines: text for people on a terminal, one JSON object a line for machines."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Final

from emulator.settings import Settings

# made once: that takes as long as a line does
_to_json: Final = json.JSONEncoder(ensure_ascii=False).encode
_to_ascii_json: Final = json.JSONEncoder().encode
_BARE: Final = re.compile("[!#-~]+")


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's time, level, logger, message and facts, and its traceback if it has one."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "request", {}),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        text = _to_json(line)
        # Some characters are the end of a line to readers, or a command to terminals.
        return text if text.isprintable() else _to_ascii_json(line)


class TextFormatter(logging.Formatter):
    """A record as a line for people: what it says, and its facts as ``name=value``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """The line. Targets are ASCII, or the parser refuses them; whatever else a client sent can be anything."""
        facts: dict[str, object] = getattr(record, "facts", {})
        shown = [f"{name}={_quoted(str(value))}" for name, value in facts.items()]
        return " ".join([*super().formatMessage(record).splitlines(), *shown])


def _quoted(text: str) -> str:
    return text if _BARE.fullmatch(text) else json.dumps(text, ensure_ascii=not text.isprintable())


def set_up_logging(settings: Settings) -> None:
    """Send every logger of the process to standard error in the wanted form."""
    is_text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if is_text else JsonFormatter())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    # uvicorn's notes on starting and stopping repeat ours
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, logging.getLogger().level))
