"""What long-running commands tell: lines for people, or JSON objects for a log collector."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from tonearm.canonical import Json, JsonObject

FORMATS = ("text", "json")

logger = logging.getLogger("tonearm")


class JsonLines(logging.Formatter):
    """Writes each event as one JSON object; ``facts`` given as ``extra`` become members."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        event: JsonObject = {"time": time, "level": record.levelname.lower(), "logger": record.name}
        event["message"] = record.getMessage()
        facts: Json = getattr(record, "facts", None)
        if isinstance(facts, dict):
            event |= facts
        if record.exc_info:
            event["trace"] = self.formatException(record.exc_info)
        return json.dumps(event)


def set_up(form: str) -> None:
    """Send all that is worth telling to stderr, in one of the ``FORMATS``."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("tonearm: %(message)s")
    handler.setFormatter(JsonLines() if form == "json" else text)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logger.setLevel(logging.INFO)


def say(line: str, **facts: Json) -> None:
    """Tell whoever watches."""
    logger.info("%s", line, extra={"facts": facts})
