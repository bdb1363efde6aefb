"""What clients ask besides inference: is there a server, which version, which models.

Client programs ask some of it before they ask anything else. Every source answers it the same way,
from the models it knows; what Ollama answers without any model, such as 404 and 405, comes from
here as well. Shapes: measured on Ollama 0.24.0.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from tonearm import wire
from tonearm.canonical import Json, JsonObject
from tonearm.errors import WireError
from tonearm.replay.server.lineup import Lineup, show
from tonearm.replay.server.problem import no_model, problem
from tonearm.replay.server.reply import UNCODED, Asked, Plain, json_reply, text_reply
from tonearm.replay.server.routes import turned_away

NOT_RECORDED = "Tonearm-Not-Recorded"
"""Header field that names what a real answer has and this one cannot have."""


def utc_now() -> datetime:
    """Return the time of day."""
    return datetime.now(UTC)


class Standing:
    """Answers from a line-up."""

    def __init__(self, lineup: Lineup, *, now: Callable[[], datetime] = utc_now) -> None:
        self._lineup = lineup
        self._now = now

    def answer(self, asked: Asked) -> Plain | None:
        """Return the answer, ``None`` where the source has to have one."""
        refused = turned_away(asked.method, asked.path)
        if refused is not None:
            return refused
        match asked.path:
            case "/":
                return text_reply("Ollama is running", kind="text/plain; charset=utf-8")
            case "/api/version":
                return self._version(asked.path)
            case "/api/tags":
                return _models(self._lineup.tags(), missing="modified_at, size")
            case "/api/ps":
                return _models(self._lineup.ps(), missing="expires_at, size, size_vram")
            case "/api/show":
                return self._show(asked)
            case "/v1/models":
                data = [_openai(name) for name in self._lineup.names]
                return _openai_reply({"object": "list", "data": data})
            case wire.CHAT | wire.GENERATE:
                return self._load(asked)
        if asked.path.startswith("/v1/models/"):
            return self._openai_model(asked.path)
        return None

    def _version(self, path: str) -> Plain:
        version = self._lineup.version
        if version is None:
            return problem(path, 404, "tonearm: no recording says which version of Ollama answered")
        return json_reply({"version": version})

    def _show(self, asked: Asked) -> Plain:
        if not asked.body:
            return problem(asked.path, 400, "missing request body")
        try:
            body = wire.parse_object(asked.body, "request body")
        except WireError as err:
            return problem(asked.path, 400, str(err))
        model = body.get("model") or body.get("name")
        if not model:
            return problem(asked.path, 400, "model is required")
        pin = self._lineup.find(str(model))
        if pin is None:
            return no_model(asked.path, self._lineup.absent(str(model)))
        missing = "license, model_info, modified_at, template"
        return json_reply(show(pin), fields=((NOT_RECORDED, missing),))

    def _load(self, asked: Asked) -> Plain | None:
        """Answer a request that has nothing to say to the model, but loads or unloads it."""
        try:
            body = wire.parse_object(asked.body, "request body")
        except WireError:
            return None
        model = body.get("model")
        if not isinstance(model, str) or not model or _says_something(asked.path, body):
            return None
        if self._lineup.find(model) is None:
            return no_model(asked.path, model)
        said: JsonObject = {"response": ""}
        if asked.path == wire.CHAT:
            said = {"message": {"role": "assistant", "content": ""}}
        done = {"done": True, "done_reason": "unload" if _is_zero(body) else "load"}
        created = self._now().isoformat(timespec="microseconds").replace("+00:00", "Z")
        return json_reply({"model": model, "created_at": created, **said, **done})

    def _openai_model(self, path: str) -> Plain:
        name = path.removeprefix("/v1/models/")
        if self._lineup.find(name) is None:
            return no_model(path, self._lineup.absent(name))
        return _openai_reply(_openai(name))


def _models(entries: list[JsonObject], *, missing: str) -> Plain:
    return json_reply({"models": entries}, fields=((NOT_RECORDED, missing),))


def _openai(name: str) -> JsonObject:
    owner = name.rpartition("/")[0] or "library"
    return {"id": name, "object": "model", "owned_by": owner}


def _openai_reply(value: Json) -> Plain:
    return json_reply(value, fields=((NOT_RECORDED, "created"),), kind=UNCODED, end=b"\n")


def _says_something(path: str, body: JsonObject) -> bool:
    if path == wire.CHAT:
        return bool(body.get("messages"))
    return bool(body.get("prompt"))


def _is_zero(body: JsonObject) -> bool:
    """Return whether the model is not to stay loaded; durations are those of Go, or seconds."""
    value = body.get("keep_alive")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0 <= value < 1
    return isinstance(value, str) and value.rstrip("nuµmsh") == "0"
