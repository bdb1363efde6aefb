"""The check of a whole take, from the request as it was sent."""

from __future__ import annotations

import pytest

from tests.replay.translator import vectors
from tests.replay.translator.vectors import answer, from_body, take
from tonearm.model import ChatRequest, Decoded, Layer, Pin, Take, Token, WireShape
from tonearm.replay.compare import Kind
from tonearm.replay.translator import Cause, check
from tonearm.replay.translator.dialect import render
from tonearm.templates import get

ALREADY_MAPPED = {
    "response-name-no-ids-parallel": "ids are made up, so results keep their names",
    "response-dict": "the client has made a text of it",
    "response-dict-legacy-vs-json-string": "there is no native form in /api/chat",
    "response-none": "null is sent as an empty text",
    "system-parts": "the client has joined them",
    "user-parts": "the client has joined them",
}
"""Classes that are gone once the conversation has the form of ``/api/chat``, and why."""

REFUSAL = "json: cannot unmarshal bool into Go struct field .tools of type api.ToolProperty"

TOOL = {"type": "function", "function": {"name": "f", "description": "F"}}


def request(*messages, **more):
    listed = list(messages) or [{"role": "user", "content": "x"}]
    return ChatRequest(body={"model": "m:31b", "messages": listed, "think": False} | more)


def from_entry(entry):
    """Return the request that a client of Ollama makes of an entry's conversation."""
    more = {"tools": entry["tools"]} if entry["tools"] else {}
    return request(
        *map(vectors.to_ollama, entry["messages"]), think=bool(entry["enable_thinking"]), **more
    )


def prompt_of(asked):
    return render(from_body(asked.body))[0]


@pytest.mark.parametrize("entry", vectors.divergences(), ids=lambda e: e["id"])
def test_every_divergence_is_classified_and_the_equal_ones_are_clean(entry):
    if entry["ollama"] is None:
        shape = WireShape(status=400, error=entry["ollama_error"])
        seen = take(wire=shape, error=entry["ollama_error"])
    else:
        seen = take(prompt=entry["ollama"])
    clean = entry["equal"] or entry["class"] in ALREADY_MAPPED

    comparison = check(from_entry(entry), seen)

    expected = [] if clean else [vectors.CAUSES[entry["class"]]]
    assert [finding.cause for finding in comparison.findings] == expected
    assert all(f.layer is Layer.RENDER and f.severity > 0 for f in comparison.findings)
    assert comparison.hidden == (Layer.DECODE, Layer.PARSE)


def test_all_classes_of_the_divergence_file_have_a_name():
    classes = {entry["class"] for entry in vectors.divergences() if not entry["equal"]}

    assert classes == set(vectors.CAUSES)
    assert set(vectors.CAUSES.values()) <= {cause.value for cause in Cause}


class Counting:
    """A chat format that counts what it is asked for."""

    def __init__(self, inner):
        self._inner = inner
        self.asked = []

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def render(self, *args, **more):
        self.asked.append("render")
        return self._inner.render(*args, **more)

    def parse(self, *args, **more):
        self.asked.append("parse")
        return self._inner.parse(*args, **more)


def test_a_clean_turn_costs_one_rendering_and_one_parsing(monkeypatch):
    asked, counting = request(tools=[TOOL]), Counting(get("gemma4-large"))
    completion = "<|tool_call>call:f{}<tool_call|>"
    seen = take(prompt=prompt_of(asked), completion=completion, answer=answer("", "", ("f", {})))
    monkeypatch.setattr("tonearm.replay.translator.prompts.render", None)

    comparison = check(asked, seen, counting)

    assert (comparison.findings, comparison.hidden) == ((), ())
    assert (comparison.left, comparison.right) == ("tonearm", "ollama-json")
    assert counting.asked == ["render", "parse"]


def test_the_bytes_around_a_difference_are_shown():
    call = {"id": "i", "function": {"name": "f", "arguments": {"b": 1.0}}}
    asked = request({"role": "assistant", "content": "", "tool_calls": [call]})
    ours = prompt_of(asked)

    (finding,) = check(asked, take(prompt=ours.replace("1.0", "1"))).findings

    assert finding.cause == "float-spelling"
    assert (
        finding.left == "<bos><|turn>model\n<|tool_call>call:f{b:1.0}<tool_call|><|tool_response>"
    )
    assert finding.right == finding.left.replace("1.0", "1")
    assert ours[finding.offset :].startswith(".0}")


def test_causes_stand_in_the_order_of_the_prompt():
    tool = {"type": "function", "function": {"name": "f", "description": None}}
    call = {"function": {"name": "f", "arguments": {"a": 1.0, "B": 2}}}
    asked = request({"role": "assistant", "content": "", "tool_calls": [call]}, tools=[tool])
    ours = prompt_of(asked)
    theirs = ours.replace("None", "").replace("{a:1.0,B:2}", "{B:2,a:1}")

    causes = [finding.cause for finding in check(asked, take(prompt=theirs)).findings]

    assert causes == ["null-as-none", "key-order-bytewise", "float-spelling"]


def test_what_the_server_cannot_read_and_the_template_can_is_a_finding():
    shape = WireShape(status=400, error="json: cannot unmarshal array into Go ... of type string")

    (finding,) = check(request(), take(wire=shape, error=shape.error)).findings

    assert (finding.cause, finding.kind, finding.severity) == ("request-refused", Kind.STATUS, 4)
    assert "cannot unmarshal array" in finding.summary


def test_what_both_refuse_is_no_difference():
    call = {"function": {"name": "f", "arguments": "text"}}
    shape = WireShape(status=400, error="json: cannot unmarshal string into Go ...")
    asked = request({"role": "assistant", "content": "", "tool_calls": [call]})

    comparison = check(asked, take(wire=shape, error=shape.error))

    assert comparison.findings == ()
    assert comparison.hidden == (Layer.RENDER, Layer.DECODE, Layer.PARSE)


def test_an_error_of_another_kind_says_nothing_of_the_translator():
    shape = WireShape(status=500, error="model runner has unexpectedly stopped")

    comparison = check(request(), take(wire=shape, error=shape.error))

    assert comparison.findings == ()
    assert comparison.hidden == (Layer.RENDER, Layer.DECODE, Layer.PARSE)


def test_what_only_the_template_rejects_is_a_finding():
    call = {"function": {"name": "f", "arguments": "text"}}
    asked = request({"role": "assistant", "content": "", "tool_calls": [call]})

    (finding,) = check(asked, take(prompt="<bos><|turn>model\n")).findings

    assert finding.cause == "template-refuses"
    assert "arguments of f are not an object" in finding.left


def test_messages_that_are_none_are_a_finding():
    seen = take(prompt="<bos>", completion="Hi", answer=answer("Hi"))

    (finding,) = check(request("text"), seen).findings

    assert finding.cause == "template-refuses"
    assert "messages[0] is not an object" in finding.left


@pytest.mark.parametrize(("count", "complete"), [(3, True), (4, True), (5, False), (None, True)])
def test_tokens_that_do_not_cover_the_completion_hide_the_parse_layer(count, complete):
    """The token that ends an answer is counted but not shown."""
    tokens = tuple(Token(text=text, logprob=0.0) for text in ("a", "b", "c"))
    decoded = Decoded(completion="abc", tokens=tokens, eval_count=count)
    seen = Take(arm="a", translated=True, decoded=decoded, answer=answer("something else"))

    comparison = check(request(), seen)

    if complete:
        assert Layer.PARSE not in comparison.hidden
        assert [f.cause for f in comparison.findings] == ["unexplained"]
    else:
        assert Layer.PARSE in comparison.hidden
        (note,) = comparison.findings
        assert (note.layer, note.severity) == (Layer.DECODE, 0)
        assert note.cause == "tokens-incomplete"
        assert "3 of 5 tokens" in note.summary


def test_a_model_of_another_family_is_not_checked():
    pin = Pin(model="qwen3:8b", family="qwen3")
    seen = Take(arm="a", translated=True, pin=pin)

    comparison = check(request(), seen)

    assert [(f.cause, f.severity) for f in comparison.findings] == [("no-grammar", 0)]
    assert comparison.hidden == (Layer.RENDER, Layer.DECODE, Layer.PARSE)


def test_a_take_without_a_pin_is_checked_by_the_name_in_the_request():
    asked = request()
    seen = Take(arm="a", translated=True, rendered=take(prompt=prompt_of(asked)).rendered)

    assert check(asked, seen).findings == ()


class Rewritten:
    """A template of a user's own."""

    name = "mine"

    def __init__(self, change):
        self._change = change

    def from_ollama(self, messages):
        return get("gemma4-small").from_ollama(messages)

    def render(self, *args, **more):
        return self._change(get("gemma4-small").render(*args, **more))


def test_a_template_that_writes_the_same_has_the_same_causes():
    asked = request(think=True)
    ours = get("gemma4-small").render(asked.messages, enable_thinking=True)
    theirs = ours.replace("<|think|>\n", "<|think|>")

    (finding,) = check(asked, take(prompt=theirs), Rewritten(str)).findings

    assert finding.cause == "revision-think-line"


def test_a_template_that_writes_something_else_is_compared_without_causes():
    asked = request()
    ours = get("gemma4-small").render(asked.messages, enable_thinking=False)

    (finding,) = check(asked, take(prompt=ours), Rewritten(lambda text: text + "\n")).findings

    assert finding.cause == "unexplained"
    assert finding.offset == len(ours)


def test_a_server_that_does_not_say_what_its_model_can_is_taken_to_let_it_think():
    asked = ChatRequest(body={"model": "m:31b", "messages": [{"role": "user", "content": "x"}]})
    thinking = get("gemma4-large").render(asked.messages, enable_thinking=True)
    silent = get("gemma4-large").render(asked.messages, enable_thinking=False)
    incapable = Take(
        arm="a",
        translated=True,
        rendered=take(prompt=silent).rendered,
        pin=Pin(model="m:31b", capabilities=("completion", "tools")),
    )

    assert check(asked, take(prompt=thinking)).findings == ()
    assert [f.cause for f in check(asked, take(prompt=silent)).findings] == ["think-default"]
    assert check(asked, incapable).findings == ()
