"""Turns in OpenAI's and Anthropic's protocols, read as those of ``/api/chat``."""

import json
from pathlib import Path

import httpx
import pytest

from tests.tapes import exchange, user, write
from tonearm import dialect, wire
from tonearm.errors import NothingToTest, WireError
from tonearm.model import Exchange, HttpRequest, HttpResponse, Link
from tonearm.replay.plan import load_plan
from tonearm.stitch import turns

OPENAI, ANTHROPIC = wire.OPENAI_CHAT, wire.ANTHROPIC_CHAT

TOOL = {
    "type": "function",
    "function": {
        "name": "find",
        "description": "Find a film.",
        "parameters": {
            "type": "object",
            "properties": {"title": {"type": "string"}},
            "required": ["title"],
        },
    },
}


def asked(path, body):
    return HttpRequest(
        method="POST", uri=f"http://127.0.0.1:11434{path}", body=json.dumps(body).encode()
    )


def read(path, **body):
    return dialect.read_chat(asked(path, {"model": "m"} | body))


def answered(path, body, text, status=200):
    response = HttpResponse(status=status, body=text)
    return dialect.read_reply(Exchange(request=asked(path, body), response=response))


def events(*objects, end=b""):
    return b"".join(b"data: " + json.dumps(o).encode() + b"\n\n" for o in objects) + end


def delta(index=0, reason=None, **fields):
    return {"model": "m", "choices": [{"index": index, "delta": fields, "finish_reason": reason}]}


def test_an_openai_request_is_turned_as_ollama_turns_it():
    chat = read(
        OPENAI,
        messages=[
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "look"}, image("iVBO")]},
            {"role": "assistant", "content": None, "tool_calls": [call("c1", '{"title":"Up"}')]},
            {"role": "tool", "tool_call_id": "c1", "content": "2009"},
        ],
        tools=[TOOL],
        max_tokens=7,
        stop="END",
        seed=3,
        reasoning_effort="none",
        response_format={"type": "json_object"},
        stream_options={"include_usage": True},
        tool_choice="auto",
    )

    assert chat.lost == ()
    assert chat.request.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "look"},
            {"role": "user", "content": "", "images": ["iVBO"]},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [
                    {"id": "c1", "function": {"name": "find", "arguments": {"title": "Up"}}}
                ],
            },
            {"role": "tool", "content": "2009", "tool_name": "find", "tool_call_id": "c1"},
        ],
        "tools": [TOOL],
        "stream": False,
        "options": {
            "stop": ["END"],
            "num_predict": 7,
            "seed": 3,
            "temperature": 1.0,
            "top_p": 1.0,
        },
        "format": "json",
        "think": False,
    }


def image(data, url="data:image/png;base64,"):
    return {"type": "image_url", "image_url": {"url": url + data}}


def call(key, arguments):
    return {"id": key, "type": "function", "function": {"name": "find", "arguments": arguments}}


def test_an_anthropic_request_is_turned_as_ollama_turns_it():
    chat = read(
        ANTHROPIC,
        max_tokens=9,
        system=[{"type": "text", "text": "be "}, {"type": "text", "text": "brief"}],
        messages=[
            {"role": "user", "content": "when was Up?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "s"},
                    {"type": "text", "text": "wait"},
                    {"type": "tool_use", "id": "t1", "name": "find", "input": {"title": "Up"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "and?"},
                    {
                        "type": "tool_result",
                        "tool_use_id": "t1",
                        "content": [{"type": "text", "text": "2009"}],
                    },
                ],
            },
        ],
        tools=[{"name": "find", "input_schema": {"type": "object"}}],
        thinking={"type": "enabled", "budget_tokens": 1024},
        top_k=5,
        stream=True,
    )

    assert chat.lost == ()
    function = {"name": "find", "description": "", "parameters": {"type": "object"}}
    called = {"id": "t1", "function": {"name": "find", "arguments": {"title": "Up"}}}
    assert chat.request.body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "when was Up?"},
            {"role": "assistant", "content": "wait", "thinking": "hm", "tool_calls": [called]},
            {"role": "tool", "content": "2009", "tool_call_id": "t1"},
            {"role": "user", "content": "and?"},
        ],
        "tools": [{"type": "function", "function": function}],
        "stream": True,
        "options": {"num_predict": 9, "top_k": 5},
        "think": True,
    }


HI = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("path", "body", "lost"),
    [
        (OPENAI, {"n": 2}, "n"),
        (OPENAI, {"tool_choice": "required"}, "tool_choice"),
        (OPENAI, {"max_completion_tokens": 5}, "max_completion_tokens"),
        (OPENAI, {"response_format": {"type": "grammar"}}, "response_format"),
        (OPENAI, {"reasoning_effort": "minimal"}, "reasoning effort 'minimal', which versions"),
        (
            OPENAI,
            {"messages": [{"role": "user", "content": [image("x", "http://")]}]},
            "messages[0].content refers to an image that is not in the request",
        ),
        (
            OPENAI,
            {"messages": [{"role": "assistant", "tool_calls": [call("c", "{cut")]}]},
            "messages[0] holds a tool call whose arguments are not a JSON object",
        ),
        (ANTHROPIC, {"tool_choice": {"type": "any"}}, "tool_choice"),
        (ANTHROPIC, {"thinking": {"type": "adaptive"}}, "thinking of type adaptive"),
        (ANTHROPIC, {"tools": [{"type": "web_search_20250305", "name": "w"}]}, "tools[0] is a"),
        (
            ANTHROPIC,
            {"messages": [{"role": "user", "content": [{"type": "document"}]}]},
            "messages[0].content holds a part of type document",
        ),
    ],
)
def test_what_api_chat_cannot_say_is_named(path, body, lost):
    (named,) = read(path, **({"messages": HI} | body)).lost

    assert named.startswith(lost)


@pytest.mark.parametrize("path", [OPENAI, ANTHROPIC])
@pytest.mark.parametrize("messages", [None, "hi", [7], [{"role": "user", "content": [3]}]])
def test_a_request_that_no_server_would_take_is_an_error(path, messages):
    with pytest.raises(WireError):
        read(path, messages=messages)


@pytest.mark.parametrize("path", ["/api/generate", "/v1/responses", "/v1/completions"])
def test_requests_without_messages_are_no_turns(path):
    assert read(path, prompt="hi") is None


def test_an_openai_answer_is_the_same_whole_and_streamed():
    counts = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
    message = {"role": "assistant", "content": "ok then", "reasoning": "hm"}
    message["tool_calls"] = [call("c1", '{"title":"Up"}') | {"index": 0}]
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    whole = json.dumps({"model": "m", "choices": [choice], "usage": counts}).encode()
    streamed = events(
        delta(role="assistant", content="", reasoning="hm"),
        delta(content="ok "),
        delta(content="then"),
        delta(1, content="a second choice"),
        delta(tool_calls=[{"index": 0, **call("c1", "")}]),
        delta(tool_calls=[{"index": 0, "function": {"arguments": '{"title":"Up"}'}}]),
        delta(reason="tool_calls"),
        {"model": "m", "choices": [], "usage": counts},
        end=b"data: [DONE]\n\n",
    )

    one, other = (answered(OPENAI, {}, text) for text in (whole, streamed))
    assert one.body == other.body
    assert one.body == {
        "model": "m",
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 4,
        "eval_count": 2,
        "message": {
            "role": "assistant",
            "content": "ok then",
            "thinking": "hm",
            "tool_calls": [
                {"id": "c1", "function": {"index": 0, "name": "find", "arguments": {"title": "Up"}}}
            ],
        },
    }


def test_an_anthropic_answer_is_the_same_whole_and_streamed():
    usage = {"input_tokens": 4, "output_tokens": 2}
    blocks = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "ok then"},
        {"type": "tool_use", "id": "t1", "name": "find", "input": {"title": "Up"}},
    ]
    message = {"type": "message", "model": "m", "content": blocks, "stop_reason": "tool_use"}
    whole = json.dumps(message | {"usage": usage}).encode()

    def block(index, start, *deltas):
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for part in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": part}
        yield {"type": "content_block_stop", "index": index}

    streamed = events(
        {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 1}}},
        {"type": "ping"},
        *block(0, {"type": "thinking", "thinking": ""}, {"thinking": "hm"}),
        *block(1, {"type": "text", "text": ""}, {"text": "ok "}, {"text": "then"}),
        *block(
            2, blocks[2] | {"input": {}}, {"partial_json": '{"title":'}, {"partial_json": '"Up"}'}
        ),
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": usage},
        {"type": "message_stop"},
    )

    one, other = (answered(ANTHROPIC, {}, text) for text in (whole, streamed))
    assert one.body == other.body
    assert wire.answer(one).tool_calls[0].arguments == {"title": "Up"}
    assert (one.message["content"], one.message["thinking"]) == ("ok then", "hm")
    assert (one.done, one.body["done_reason"], one.body["eval_count"]) == (True, "stop", 2)


@pytest.mark.parametrize("path", [OPENAI, ANTHROPIC])
def test_a_stream_that_was_cut_off_keeps_what_came(path):
    """The event that was not finished is left out, and nothing claims to be done."""
    pieces = {
        OPENAI: [delta(content="par"), delta(content="tial")],
        ANTHROPIC: [
            {"type": "message_start", "message": {"model": "m"}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
            {"type": "content_block_delta", "index": 0, "delta": {"text": "par"}},
            {"type": "content_block_delta", "index": 0, "delta": {"text": "tial"}},
        ],
    }
    reply = answered(path, {}, events(*pieces[path])[:-9])

    assert reply.message["content"] == "par"
    assert not reply.done


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (OPENAI, {"error": {"message": "no such model", "type": "api_error"}}),
        (ANTHROPIC, {"type": "error", "error": {"type": "not_found", "message": "no such model"}}),
    ],
)
def test_errors_are_told_in_the_servers_words(path, body):
    assert answered(path, {}, json.dumps(body).encode(), 404).error == "no such model"
    assert answered(path, {}, events(body)).error == "no such model"


def test_turns_of_other_protocols_form_conversations_and_are_planned(tmp_path: Path):
    """One that ``/api/chat`` cannot ask is still part of its conversation, and skipped by name."""

    def tape(messages, text, **more):
        body = {"model": "m", "messages": messages} | more
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        answer = json.dumps({"model": "m", "choices": [choice]}).encode()
        response = HttpResponse(status=200, body=answer)
        return Exchange(request=asked(OPENAI, body), response=response)

    history = [*HI, {"role": "assistant", "content": "hello"}, user("more")]
    tapes = [tape(HI, "hello"), tape(history, "no", n=2), exchange([user("else")], user("x"))]

    found = turns("a", tapes)
    assert [(t.conversation, t.index, t.link, t.lost) for t in found] == [
        (0, 0, Link.START, ()),
        (0, 1, Link.NEXT, ("n",)),
        (1, 0, Link.START, ()),
    ]
    plan = load_plan([write(tmp_path / "a.yaml", tapes)])
    assert [turn.key for turn in plan.turns] == ["a.yaml#0", "a.yaml.1#0"]
    assert [s.reason for s in plan.skipped] == ["/api/chat cannot ask the same: n"]
    with pytest.raises(NothingToTest):
        load_plan([write(tmp_path / "b.yaml", tapes[1:2])])


@pytest.mark.ollama
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", [OPENAI, ANTHROPIC])
def test_ollama_answers_the_turned_request_as_it_answers_the_original(ollama, path, stream):
    """Same message, same counts, asked in either protocol."""
    body = {
        "model": ollama.model,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Which films do I own?"}]}
        ],
        "temperature": 0,
        "max_tokens": 40,
        "stream": stream,
    }
    if path == OPENAI:
        body |= {"tools": [TOOL], "seed": 1, "stream_options": {"include_usage": True}}
    else:
        function = TOOL["function"]
        tool = {"name": function["name"], "description": function["description"]}
        body |= {"tools": [tool | {"input_schema": function["parameters"]}]}
    with httpx.Client(base_url=ollama.url, timeout=120, trust_env=False) as client:
        original = client.post(path, json=body)
        turned = client.post("/api/chat", json=read(path, **body).request.body)

    theirs = answered(path, body, original.content)
    ours = wire.read_reply(turned.status_code, turned.content)
    assert original.status_code == turned.status_code == 200
    assert theirs.message["content"] or theirs.message.get("tool_calls")
    assert spoken(theirs) == spoken(ours)
    assert wire.shape(200, theirs) == wire.shape(200, ours)


def spoken(reply):
    """Return an answer without the ids of its calls, which are random."""
    answer = wire.answer(reply)
    calls = [(call.name, call.arguments) for call in answer.tool_calls]
    return answer.content, answer.thinking, calls


@pytest.mark.ollama
def test_ollama_renders_the_turned_request_as_it_renders_the_original(ollama):
    """The prompt is the same to the character, tool results, thoughts and all."""
    body = {
        "model": ollama.model,
        "messages": [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "when was Up?"},
            {
                "role": "assistant",
                "content": "",
                "reasoning": "hm",
                "tool_calls": [call("c1", '{"title":"Up"}')],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "2009"},
        ],
        "tools": [TOOL],
        "reasoning_effort": "low",
        "_debug_render_only": True,
    }
    with httpx.Client(base_url=ollama.url, timeout=120, trust_env=False) as client:
        original = client.post(OPENAI, json=body).json()
        turned = client.post("/api/chat", json=read(OPENAI, **body).request.body).json()

    prompt = original["_debug_info"]["rendered_template"]
    assert "2009" in prompt
    assert prompt == turned["_debug_info"]["rendered_template"]
