"""Answers of a real Ollama in one form, served in another to the clients of OpenAI and Anthropic.

They get the objects that Ollama gave them in that form.
"""

from contextlib import contextmanager

import anthropic
import openai
import pytest
from openai.lib.streaming.chat import ChatCompletionStreamState

from tests.engines import OLLAMA_VERSIONS
from tests.replay.server.harness import answered, write
from tonearm.replay.server.background import Background
from tonearm.replay.server.loading import load_stock
from tonearm.replay.server.question import Form
from tonearm.replay.server.recordings import Recordings

pytestmark = pytest.mark.ollama

LIMIT_S = 300.0
VARYING = {"id", "created", "tool_call_id"}
ASKED = "What is the weather in Paris?"
QUESTION = [{"role": "user", "content": ASKED}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION = {"name": "get_weather", "description": "Weather of a place."}
SAMPLING = {"temperature": 0, "seed": 1, "max_tokens": 48}
MESSAGE = {"messages": QUESTION, "max_tokens": 48}
COUNTS = {"stream_options": {"include_usage": True}}

FRAME = {"message_start", "content_block_start", "content_block_stop", "message_delta"}

CHATS = {
    "text": {},
    "call": {"tools": [{"type": "function", "function": FUNCTION | {"parameters": CITY}}]},
    "thought": {"reasoning_effort": "high"},
    "cut": {"max_tokens": 3},
    "log-probs": {"logprobs": True, "top_logprobs": 2},
}
MESSAGES = {
    "text": {},
    "call": {"tools": [FUNCTION | {"input_schema": CITY}], "system": "Be brief."},
    "thought": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    "cut": {"max_tokens": 3},
}


def stripped(value):
    """Return what pydantic or JSON holds, without what differs from answer to answer."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    if isinstance(value, dict):
        return {name: stripped(item) for name, item in value.items() if name not in VARYING}
    return [stripped(item) for item in value] if isinstance(value, list) else value


def openai_client(url, http):
    return openai.OpenAI(base_url=f"{url}/v1", api_key="ollama", max_retries=0, http_client=http)


def chat(url, http, form, request):
    completions = openai_client(url, http).chat.completions
    if form is Form.WHOLE:
        return completions.create(**request)
    counts = COUNTS if form is Form.COUNTED else {}
    state = ChatCompletionStreamState()
    for n, chunk in enumerate(completions.create(**request, stream=True, **counts)):
        for choice in chunk.choices if n else ():
            choice.delta.role = None  # 0.24.0 tells it each time, and the client joins it
        state.handle_chunk(chunk)
    return state.current_completion_snapshot


def complete(url, http, form, request):
    completions = openai_client(url, http).completions
    if form is Form.WHOLE:
        return completions.create(**request)
    counts = COUNTS if form is Form.COUNTED else {}
    chunks = list(completions.create(**request, stream=True, **counts))
    choices = [choice for chunk in chunks for choice in chunk.choices]
    text = "".join(choice.text for choice in choices)
    return [text, [c.finish_reason for c in choices[-1:]], stripped(chunks[-1].usage)]


def message(url, http, form, request):
    client = anthropic.Anthropic(base_url=url, api_key="o", max_retries=0, http_client=http)
    if form is Form.WHOLE:
        return client.messages.create(**request)
    with client.messages.stream(**request) as stream:
        events = list(stream)
        frame = [event.type for event in events if event.type in FRAME]
        return [frame, stripped(events[0]), stripped(stream.get_final_message())]


CASES = [
    *(
        pytest.param(chat, SAMPLING | {"messages": QUESTION} | more, id=f"chat, {what}")
        for what, more in CHATS.items()
    ),
    pytest.param(complete, SAMPLING | {"prompt": ASKED}, id="completion"),
    *(
        pytest.param(
            message, {"messages": QUESTION, "max_tokens": 48} | more, id=f"message, {what}"
        )
        for what, more in MESSAGES.items()
    ),
]


@contextmanager
def overheard(kind, kept):
    """Yield an HTTP client of a kind; what it asks and is answered is kept."""

    def keep(response):
        response.read()
        request = response.request
        path, fields = request.url.path, tuple(response.headers.multi_items())
        kept.append(
            answered(request.read(), response.status_code, fields, response.content, path=path)
        )

    with kind(trust_env=False, timeout=LIMIT_S, event_hooks={"response": [keep]}) as client:
        yield client


@pytest.mark.parametrize("version", OLLAMA_VERSIONS)
@pytest.mark.parametrize(("ask", "body"), CASES)
def test_a_form_that_was_not_recorded_is_what_ollama_says_in_it(
    ollama_server, tmp_path, version, ask, body
):
    ollama = ollama_server(version)
    asked = {"model": ollama.model} | body
    kind = (anthropic if ask is message else openai).DefaultHttpxClient
    forms = [Form.WHOLE, Form.STREAM] if ask is message else list(Form)
    real, exchanges = {}, {}
    for form in forms:
        with overheard(kind, kept := []) as http:
            real[form] = stripped(ask(ollama.url, http, form, asked))
        (exchanges[form],) = kept

    for recorded in forms:
        stock = load_stock([write(tmp_path / recorded.name / "a.yaml", [exchanges[recorded]])])
        with Background(Recordings(stock)) as running, overheard(kind, []) as http:
            for form in forms:
                found = stripped(ask(running.address.url, http, form, asked))
                wanted = real[form]
                if recorded is Form.STREAM and ask is not message:  # it has none to tell
                    wanted = without_usage(wanted)
                assert found == wanted, f"{form} from {recorded}"


def without_usage(value):
    """Return what ``chat`` or ``complete`` return where counts are not known."""
    if isinstance(value, list):
        return [*value[:-1], None]
    return {**value, "usage": None}
