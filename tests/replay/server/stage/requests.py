"""Requests, good and bad, that Ollama and a stage of the same weights are asked alike."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.engines import TINY_MODEL as MODEL
from tests.tapes import ADD

PLAIN = "plain"

ANTHROPIC_ADD = {
    "name": "add",
    "description": "Add numbers",
    "input_schema": ADD["function"]["parameters"],
}
HELLO = [{"role": "user", "content": "Hello!"}]
SUM = [{"role": "user", "content": "Add 19 and 37."}]
OPTIONS = {"temperature": 0, "num_predict": 24, "num_ctx": 2048, "seed": 1}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
CALLED = [
    *SUM,
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"id": "call_1", "function": {"name": "add", "arguments": {"a": 19, "b": 37}}}
        ],
    },
    {"role": "tool", "tool_name": "add", "tool_call_id": "call_1", "content": "56"},
]
LONG = [
    {"role": "system", "content": "Be brief."},
    *({"role": "user", "content": f"Remember {n}."} for n in range(10, 40)),
    *HELLO,
]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request."""

    method: str
    path: str
    body: bytes = b""


def chat(**fields: object) -> Ask:
    """Return a chat request; the usual one says hello and gets its answer whole."""
    usual = {"model": MODEL, "messages": HELLO, "options": OPTIONS, "stream": False, "think": False}
    return Ask("POST", "/api/chat", json.dumps(usual | fields).encode())


def options(**fields: object) -> Ask:
    """Return a chat request with other options."""
    return chat(options=OPTIONS | fields)


def said(message: object) -> Ask:
    """Return a chat request of one message."""
    return chat(messages=[message])


def tool(tool: object) -> Ask:
    """Return a chat request with one tool."""
    return chat(tools=[tool])


def parameters(value: object) -> Ask:
    """Return a chat request with one tool of these parameters."""
    return tool({"type": "function", "function": {"name": "a", "parameters": value}})


def generate(**fields: object) -> Ask:
    """Return a request for a completion; the usual one says hello and gets its answer whole."""
    usual = {"model": MODEL, "prompt": "Hello!", "options": OPTIONS, "stream": False}
    return Ask("POST", "/api/generate", json.dumps(usual | {"think": False} | fields).encode())


def post(path: str, body: str = "") -> Ask:
    """Return a POST request with this very body."""
    return Ask("POST", path, body.encode())


def openai(**fields: object) -> Ask:
    """Return a request of OpenAI's clients."""
    usual = {"model": MODEL, "messages": HELLO, "temperature": 0, "max_tokens": 24, "seed": 1}
    body = {"reasoning_effort": "none"} | usual | fields
    return Ask("POST", "/v1/chat/completions", json.dumps(body).encode())


def text(**fields: object) -> Ask:
    """Return a request for a text of OpenAI's clients."""
    usual = {"model": MODEL, "prompt": "Hello!", "temperature": 0, "max_tokens": 24, "seed": 1}
    return Ask("POST", "/v1/completions", json.dumps(usual | fields).encode())


def anthropic(**fields: object) -> Ask:
    """Return a request of Anthropic's clients."""
    usual = {"model": MODEL, "messages": HELLO, "temperature": 0, "max_tokens": 24}
    thinking = {"thinking": {"type": "disabled"}}
    body = json.dumps(usual | thinking | fields, separators=(",", ":"))
    return Ask("POST", "/v1/messages", body.encode())


REQUESTS: dict[str, Ask] = {
    # answers
    "chat": chat(),
    "chat, streamed": chat(stream=True),
    "chat, thinking": chat(think=True),
    "chat, thinking, streamed": chat(think=True, stream=True),
    "chat, think left out": Ask(
        "POST",
        "/api/chat",
        json.dumps({"model": MODEL, "messages": HELLO, "stream": False}).encode(),
    ),
    "chat, think high": chat(think="high"),
    "chat, a call": chat(messages=SUM, tools=[ADD]),
    "chat, a call, streamed": chat(messages=SUM, tools=[ADD], stream=True),
    "chat, a call, thinking, streamed": chat(
        messages=SUM, tools=[ADD], stream=True, think=True, options=OPTIONS | {"num_predict": 99}
    ),
    "chat, a result": chat(messages=CALLED, tools=[ADD]),
    "chat, a result, thinking": chat(messages=CALLED, tools=[ADD], think=True),
    "chat, a call cut by a limit": chat(
        messages=SUM, tools=[ADD], options=OPTIONS | {"num_predict": 5}, stream=True
    ),
    "chat, no tools declared": chat(messages=SUM),
    "chat, log-probs": chat(logprobs=True),
    "chat, log-probs, streamed": chat(logprobs=True, stream=True),
    "chat, two likeliest": chat(logprobs=True, top_logprobs=2),
    "chat, log-probs of a call, streamed": chat(
        messages=SUM, tools=[ADD], logprobs=True, stream=True
    ),
    "chat, prompt shown": chat(_debug_render_only=True, tools=[ADD]),
    "chat, prompt shown, streamed": chat(_debug_render_only=True, stream=True),
    "chat, JSON": chat(format="json"),
    "chat, schema": chat(format=SCHEMA),
    "chat, JSON, thinking": chat(format="json", think=True, options=OPTIONS | {"num_predict": 60}),
    "chat, schema, thinking, streamed": chat(format=SCHEMA, think=True, stream=True),
    "chat, format null": chat(format=None),
    "chat, format empty": chat(format=""),
    "chat, stop": options(stop=["how"]),
    "chat, stop, streamed": chat(options=OPTIONS | {"stop": ["can I"]}, stream=True),
    "chat, num_predict 3": options(num_predict=3),
    "chat, num_predict 4, streamed": chat(options=OPTIONS | {"num_predict": 4}, stream=True),
    "chat, num_predict 0": options(num_predict=0),
    "chat, unknown option": options(nope=1),
    "chat, seed with a fraction": options(seed=1.5),
    "chat, unknown field": chat(unknown={"a": 1}),
    "chat, fields in capitals": chat(MODEL="nope"),
    "chat, role in capitals": said({"role": "USER", "content": "Hello!"}),
    "chat, unknown role": said({"role": "wizard", "content": "Hello!"}),
    "chat, no role": said({"content": "Hello!"}),
    "chat, empty message": said({}),
    "chat, messages too many": chat(messages=LONG, options=OPTIONS | {"num_ctx": 128}),
    "chat, messages too many, prompt shown": chat(
        messages=LONG, options=OPTIONS | {"num_ctx": 128}, _debug_render_only=True
    ),
    "chat, a message too long": chat(
        messages=[{"role": "user", "content": "Hello! " * 200}], options=OPTIONS | {"num_ctx": 256}
    ),
    "chat, too long, no shift": chat(
        messages=[{"role": "user", "content": "Hello! " * 200}],
        options=OPTIONS | {"num_ctx": 256},
        shift=False,
    ),
    "chat, num_ctx 1": options(num_ctx=1),
    "chat, num_ctx 100000": options(num_ctx=100_000),
    "ps, the longest context": Ask("GET", "/api/ps"),
    "chat, name with library": chat(model=f"library/{MODEL}"),
    "chat, name in capitals": chat(model=MODEL.upper()),
    "chat, text behind the body": post("/api/chat", f'{{"model":"{MODEL}"}} and more'),
    "generate": generate(),
    "generate, streamed": generate(stream=True),
    "generate, thinking": generate(think=True),
    "generate, thinking, streamed": generate(think=True, stream=True),
    "generate, think left out": Ask(
        "POST",
        "/api/generate",
        json.dumps({"model": MODEL, "prompt": "Hello!", "options": OPTIONS}).encode(),
    ),
    "generate, raw": generate(raw=True, prompt="<|turn>user\nHello!<turn|>\n<|turn>model\n"),
    "generate, raw, streamed": generate(raw=True, stream=True, prompt="<bos><|turn>user\nHello!"),
    "generate, system": generate(system="Be brief."),
    "generate, context": generate(context=[2, 105, 1108, 107]),
    "generate, log-probs": generate(logprobs=True),
    "generate, JSON": generate(format="json"),
    "generate, prompt shown": generate(_debug_render_only=True),
    "generate, raw prompt shown": generate(_debug_render_only=True, raw=True),
    "generate, template": generate(template="{{ .Prompt }}!"),
    # load and unload
    "chat, no messages": chat(messages=[]),
    "chat, messages null": chat(messages=None, stream=True),
    "chat, unload": chat(messages=[], keep_alive=0),
    "chat, unload in words": chat(messages=[], keep_alive="0s"),
    "generate, no prompt": generate(prompt=""),
    "generate, unload": generate(prompt="", keep_alive=0),
    # bodies that are no requests
    "chat, no body": post("/api/chat"),
    "chat, an open brace": post("/api/chat", "{"),
    "chat, no JSON": post("/api/chat", "nope"),
    "chat, a list": post("/api/chat", "[]"),
    "chat, a text": post("/api/chat", '"x"'),
    "chat, null": post("/api/chat", "null"),
    "chat, a comma too many": post("/api/chat", '{"model":"x",}'),
    "chat, an open text": post("/api/chat", '{"model":"x'),
    "chat, a word cut": post("/api/chat", '{"a":tru}'),
    "chat, a key without quotes": post("/api/chat", "{a:1}"),
    "chat, a leading zero": post("/api/chat", '{"a":01}'),
    "chat, a byte that is no text": Ask("POST", "/api/chat", b"\xff"),
    "generate, no body": post("/api/generate"),
    "generate, nothing in it": post("/api/generate", "{}"),
    # models
    "chat, no model": post("/api/chat", "{}"),
    "chat, unknown model": chat(model="nope"),
    "chat, unknown model, streamed": chat(model="nope", stream=True),
    "chat, empty model": chat(model=""),
    "chat, impossible model": chat(model="a b"),
    "chat, impossible tag": chat(model="nope:x/y"),
    "chat, model is a number": chat(model=5),
    "generate, unknown model": generate(model="nope"),
    "generate, empty model": generate(model=""),
    "generate, impossible model": generate(model="a b"),
    "generate, model is a list": generate(model=[]),
    # wrong types
    "messages: a text": chat(messages="x"),
    "messages: an object": chat(messages={}),
    "messages: numbers": chat(messages=[1]),
    "role: a number": said({"role": 1}),
    "content: a list": said({"role": "user", "content": []}),
    "content: a number": said({"role": "user", "content": 5}),
    "tool_calls: a number": said({"role": "user", "content": "x", "tool_calls": 1}),
    "arguments: a text": said(
        {"role": "assistant", "tool_calls": [{"function": {"name": "a", "arguments": "{}"}}]}
    ),
    "function name: a number": said(
        {"role": "assistant", "tool_calls": [{"function": {"name": 1}}]}
    ),
    "stream: a text": chat(stream="yes"),
    "stream: null": chat(stream=None),
    "tools: a text": chat(tools="x"),
    "tools: numbers": chat(tools=[1]),
    "tool type: a number": tool({"type": 1}),
    "tool function: a number": tool({"type": "function", "function": 1}),
    "tool name: a number": tool({"type": "function", "function": {"name": 1}}),
    "tool parameters: a number": parameters(1),
    "tool properties: a number": parameters({"type": "object", "properties": 1}),
    "tool property: a number": parameters({"type": "object", "properties": {"x": 1}}),
    "tool property type: a number": parameters(
        {"type": "object", "properties": {"x": {"type": 1}}}
    ),
    "tool required: a text": parameters({"type": "object", "required": "x"}),
    "think: a word": chat(think="much"),
    "think: a number": chat(think=1),
    "keep_alive: a word": chat(keep_alive="x"),
    "keep_alive: no unit": chat(keep_alive="5"),
    "keep_alive: a truth value": chat(keep_alive=True),
    "keep_alive: an object": chat(keep_alive={}),
    "options: a text": chat(options="x"),
    "options, temperature: a word": options(temperature="warm"),
    "options, num_ctx: a word": options(num_ctx="x"),
    "options, stop: a text": options(stop="x"),
    "options, stop: numbers": options(stop=[1]),
    "options, use_mmap: a number": options(use_mmap=1),
    "options, top_k: a truth value": options(top_k=True),
    "format: a word": chat(format="yaml"),
    "format: a number": chat(format=5),
    "format: a list, streamed": chat(format=[], stream=True),
    "format: no schema": chat(format={"type": "nope"}),
    "logprobs: a text": chat(logprobs="x"),
    "top_logprobs: 21": chat(top_logprobs=21),
    "top_logprobs: a fraction": chat(top_logprobs=1.5),
    "_debug_render_only: a number": chat(_debug_render_only=1),
    "prompt: a number": generate(prompt=5),
    "context: a text": generate(context="x"),
    "context: fractions": generate(context=[1.5]),
    "raw: a text": generate(raw="x"),
    # what a model or an endpoint cannot do
    "images: a text": said({"role": "user", "content": "x", "images": "x"}),
    "images: no base64": said({"role": "user", "content": "x", "images": ["%%%"]}),
    "images: no image": said({"role": "user", "content": "x", "images": ["aGk="]}),
    "images: no image, streamed": chat(
        messages=[{"role": "user", "content": "x", "images": ["aGk="]}], stream=True
    ),
    "generate, images: no image": generate(images=["aGk="]),
    "generate, suffix": generate(suffix="x"),
    "generate, raw and system": generate(raw=True, system="x"),
    "generate, raw and context": generate(raw=True, context=[1]),
    "generate, template broken": generate(template="{{ .Nope"),
    # besides
    "root": Ask("GET", "/"),
    "root, HEAD": Ask("HEAD", "/"),
    "version, HEAD": Ask("HEAD", "/api/version"),
    "version": Ask("GET", "/api/version"),
    "tags": Ask("GET", "/api/tags"),
    "tags, HEAD": Ask("HEAD", "/api/tags"),
    "ps": Ask("GET", "/api/ps"),
    "show": post("/api/show", f'{{"model":"{MODEL}"}}'),
    "show by name": post("/api/show", f'{{"name":"{MODEL}"}}'),
    "show, no body": post("/api/show"),
    "show, no JSON": post("/api/show", "x"),
    "show, no model": post("/api/show", "{}"),
    "show, unknown model": post("/api/show", '{"model":"nope"}'),
    "show, impossible model": post("/api/show", '{"model":"a b"}'),
    "show, model is a number": post("/api/show", '{"model":5}'),
    "status": Ask("GET", "/api/status"),
    "unknown path": Ask("GET", "/nope"),
    "unknown path, POST": post("/api/nope", "{}"),
    "chat, GET": Ask("GET", "/api/chat"),
    "chat, HEAD": Ask("HEAD", "/api/chat"),
    "chat, PUT": Ask("PUT", "/api/chat"),
    "chat, a slash too many": post("/api/chat/", "{}"),
    "tags, a slash too many": Ask("GET", "/api/tags/"),
    "models": Ask("GET", "/v1/models"),
    "model": Ask("GET", f"/v1/models/{MODEL}"),
    "model, unknown": Ask("GET", "/v1/models/nope"),
    "embed": post("/api/embed", f'{{"model":"{MODEL}","input":"x"}}'),
    "embed, unknown model": post("/api/embed", '{"model":"nope","input":"x"}'),
    "embeddings": post("/api/embeddings", f'{{"model":"{MODEL}","prompt":"x"}}'),
    # in the manner of others
    "OpenAI": openai(),
    "OpenAI, thinking": openai(reasoning_effort="high"),
    "OpenAI, streamed": openai(stream=True),
    "OpenAI, streamed, thinking, usage": openai(
        stream=True, reasoning_effort="high", stream_options={"include_usage": True}
    ),
    "OpenAI, a call": openai(messages=SUM, tools=[ADD]),
    "OpenAI, a call, streamed": openai(messages=SUM, tools=[ADD], stream=True),
    "OpenAI, log-probs": openai(logprobs=True, top_logprobs=1),
    "OpenAI, JSON": openai(response_format={"type": "json_object"}),
    "OpenAI, max_tokens 3": openai(max_tokens=3),
    "OpenAI, no body": post("/v1/chat/completions"),
    "OpenAI, an open brace": post("/v1/chat/completions", "{"),
    "OpenAI, no messages": openai(messages=[]),
    "OpenAI, messages: a text": openai(messages="x"),
    "OpenAI, unknown model": openai(model="nope"),
    "OpenAI, unknown model, streamed": openai(model="nope", stream=True),
    "OpenAI, temperature: a word": openai(temperature="warm"),
    "OpenAI, GET": Ask("GET", "/v1/chat/completions"),
    "OpenAI text": text(),
    "OpenAI text, streamed": text(stream=True),
    "OpenAI text, streamed, usage": text(stream=True, stream_options={"include_usage": True}),
    "OpenAI text, unknown model": text(model="nope"),
    "OpenAI text, prompt: a number": text(prompt=5),
    "Anthropic": anthropic(),
    "Anthropic, streamed": anthropic(stream=True),
    "Anthropic, thinking": anthropic(thinking={"type": "enabled", "budget_tokens": 99}),
    "Anthropic, thinking, streamed": anthropic(
        thinking={"type": "enabled", "budget_tokens": 99}, stream=True
    ),
    "Anthropic, a call": anthropic(messages=SUM, tools=[ANTHROPIC_ADD]),
    "Anthropic, a call, streamed": anthropic(messages=SUM, tools=[ANTHROPIC_ADD], stream=True),
    "Anthropic, a limit": anthropic(max_tokens=3),
    "Anthropic, no body": post("/v1/messages"),
    "Anthropic, no max_tokens": anthropic(max_tokens=0),
    "Anthropic, no messages": anthropic(messages=[]),
    "Anthropic, no model": anthropic(model=""),
    "Anthropic, unknown model": anthropic(model="nope"),
    "me": post("/api/me"),
    "delete, unknown model": Ask("DELETE", "/api/delete", b'{"model":"nope"}'),
}


def plain(path: str = "/api/chat", **fields: object) -> Ask:
    """Return a request to the model that has neither tools nor thoughts."""
    usual = {"model": PLAIN, "messages": HELLO, "stream": False}
    return Ask("POST", path, json.dumps(usual | fields).encode())


PLAIN_REQUESTS: dict[str, Ask] = {
    "tools": plain(tools=[ADD]),
    "tools, streamed": plain(tools=[ADD], stream=True),
    "thinking": plain(think=True),
    "thinking in words": plain(think="high"),
    "thinking and tools": plain(think=True, tools=[ADD]),
    "load with thinking": plain(think=True, messages=[]),
    "generate, thinking": plain("/api/generate", prompt="Hello!", think=True),
    "OpenAI, tools": plain("/v1/chat/completions", tools=[ADD]),
    "Anthropic, tools": plain("/v1/messages", tools=[ANTHROPIC_ADD], max_tokens=9),
}
"""What a model without tools and thoughts is asked in vain."""
