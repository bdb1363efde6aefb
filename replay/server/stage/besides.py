"""What clients ask besides answers: version, models, and what one model on a stage cannot do."""

from __future__ import annotations

from tonearm.canonical import JsonObject
from tonearm.replay.server.lineup import full_name
from tonearm.replay.server.problem import no_model_text
from tonearm.replay.server.reply import UNCODED, Asked, Reply, text_reply
from tonearm.replay.server.stage import forms
from tonearm.replay.server.stage.refusal import Refusal
from tonearm.replay.server.stage.resident import Resident
from tonearm.replay.server.stage.writing import whole

VERSION = "0.33.0"
"""The Ollama that the stage is asked like."""

NO_EMBEDDINGS = "This server does not support embeddings. Start it with `--embeddings`"
NOT_HERE = "tonearm: serve --arm has one model and does not do {method} {path}"

_EMBEDS = {"/api/embed": 501, "/api/embeddings": 500, "/v1/embeddings": 501}


def answer(asked: Asked, resident: Resident, now_ns: int) -> Reply:
    """Return the answer.

    Args:
        asked: The request.
        resident: The model that is there.
        now_ns: Nanoseconds since 1970.

    Raises:
        Refusal: There is none.
    """
    match asked.path:
        case "/":
            return text_reply("Ollama is running", kind="text/plain; charset=utf-8")
        case "/api/version":
            return whole({"version": VERSION}, asked)
        case "/api/status":
            return whole({"cloud": {"disabled": True, "source": "env"}}, asked)
        case "/api/tags":
            return whole({"models": [resident.tag()]}, asked)
        case "/api/ps":
            return whole({"models": resident.ps(now_ns)}, asked)
        case "/api/show":
            return whole(_shown(asked, resident), asked)
        case "/v1/models":
            listed: JsonObject = {"object": "list", "data": [resident.openai()]}
            return whole(listed, asked, kind=UNCODED)
        case "/api/me":
            raise Refusal(503, "account unavailable")
        case path if path in _EMBEDS:
            _check_named(asked, resident, 'model "{}" not found, try pulling it first')
            raise Refusal(_EMBEDS[path], NO_EMBEDDINGS)
        case "/api/delete":
            _check_named(asked, resident, no_model_text("{}"))
    if asked.path.startswith("/v1/models/"):
        model = asked.path.removeprefix("/v1/models/")
        if not resident.is_called(model):
            raise Refusal(404, no_model_text(full_name(model)), kind=UNCODED)
        return whole(resident.openai() | {"id": model}, asked, kind=UNCODED)
    raise Refusal(501, NOT_HERE.format(method=asked.method, path=asked.path))


def _check_named(asked: Asked, resident: Resident, words: str) -> None:
    """Refuse a request that names another model."""
    model = forms.read(asked.body, forms.NAMED).get("model") or ""
    if not model or not resident.is_called(model):
        raise Refusal(404, words.format(model))


def _shown(asked: Asked, resident: Resident) -> JsonObject:
    body = forms.read(asked.body, forms.SHOW)
    model = body.get("model") or body.get("name")
    if not model:
        raise Refusal(400, "model is required")
    if not resident.is_called(model):
        raise Refusal(404, no_model_text(full_name(model)))
    return resident.show()
