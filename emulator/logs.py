"""Log lines: text for people on a terminal, one JSON object a line for machines."""

import json
import logging
import logging.config
import sys
from datetime import UTC, datetime

from emulator.api.gateway import OWN_PREFIX
from emulator.settings import Settings


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's time, level, logger and message, and its traceback if it has one."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up_logging(settings: Settings) -> None:
    """Send every logger of the process to standard error in the wanted form."""
    is_text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s") if is_text else JsonFormatter())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    logging.getLogger("uvicorn.access").addFilter(_is_news)
    # uvicorn's notes on starting and stopping repeat ours
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, logging.getLogger().level))


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a request is worth a line: health checks come every few seconds, and all but the failed ones are not."""
    match record.args:
        case (_, _, str(target), _, 200):
            return not target.startswith(f"{OWN_PREFIX}/health/")
        case _:
            return True
