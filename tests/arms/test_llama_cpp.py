"""llama.cpp in this process answers as an arm, from a file that anyone can make."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys

import pytest

from tests.engines import require, tiny_gguf
from tests.tapes import ADD
from tonearm.arms import ArmOptions, Case, Draft, load
from tonearm.errors import ArmUnavailable, RenderError, UsageError
from tonearm.model import ChatRequest

GREEDY = {"temperature": 0, "num_ctx": 1024, "num_predict": 64}
CALL = "<|tool_call>call:add{a:19,b:37}<tool_call|>"

llama = pytest.mark.llama


@pytest.fixture(scope="module")
def engine():
    if importlib.util.find_spec("xllamacpp") is None:
        require("llama", "the extra `llama` is not installed")


def request(text="Add 19 and 37.", **fields):
    body = {
        "model": "tiny-gemma4:e2b",
        "messages": [{"role": "user", "content": text}],
        "tools": [ADD],
        "options": GREEDY,
        "think": False,
    }
    return ChatRequest(body=body | fields)


def opened(spec, work, **options):
    """Return what a coroutine function makes of an open arm."""

    async def main():
        arm = load(spec, ArmOptions(**options))
        await arm.open(["tiny-gemma4:e2b"])
        try:
            return await work(arm)
        finally:
            await arm.close()

    return asyncio.run(main())


def play(*requests, spec=None, **options):
    async def work(arm):
        return [await arm.play(one) for one in requests]

    return opened(spec or f"llama-cpp={tiny_gguf()}", work, **options)


def judge(spec, *cases):
    return opened(f"{spec},mode=score", lambda arm: arm.judge(cases))


@llama
def test_every_layer_of_the_take_is_filled(engine):
    (take,) = play(request())

    assert take.error is None
    assert take.rendered.prompt.startswith("<bos><|turn>system\n")
    assert take.rendered.prompt.endswith("Add 19 and 37.<turn|>\n<|turn>model\n")
    assert take.decoded.completion == CALL
    assert "".join(token.text for token in take.decoded.tokens) == CALL
    assert take.decoded.eval_count == len(take.decoded.tokens) + 1
    assert all(token.logprob <= 0 and len(token.top) == 5 for token in take.decoded.tokens)
    assert [(c.name, c.arguments) for c in take.answer.tool_calls] == [("add", {"a": 19, "b": 37})]
    assert (take.wire.done, take.wire.done_reason) == (True, "stop")
    assert take.wire.prompt_eval_count == take.rendered.tokens
    assert take.blind == {}


@llama
def test_a_take_is_pinned(engine):
    (take,) = play(request())

    assert take.pin.model == "tiny-gemma4:e2b"
    assert take.pin.runtime.startswith("llama.cpp (xllamacpp 20")
    assert take.pin.family == "gemma4"
    assert take.pin.quantization == "F32"
    assert take.pin.parameter_size == "1.54M"
    assert take.pin.num_ctx == 4096
    assert take.pin.options == GREEDY
    assert len(take.pin.digest) == 64


@llama
def test_markers_survive_a_file_that_types_them_as_control_tokens(engine):
    """Without being asked for by name they are not printed, and the call would be plain text."""
    (take,) = play(request(), spec=f"llama-cpp={tiny_gguf(control=True)}")

    assert take.decoded.completion == CALL
    assert [c.name for c in take.answer.tool_calls] == ["add"]


HASTY = """
import asyncio, sys
from tonearm.arms import ArmOptions, load

async def main():
    for n in range(20):
        arm = load(f"llama-cpp={sys.argv[1]}", ArmOptions())
        opening = asyncio.create_task(arm.open(["m"]))
        if n % 2:
            await asyncio.sleep(0)
            opening.cancel()
        await asyncio.wait([opening])
        assert opening.cancelled() == bool(n % 2)
        await arm.close()

asyncio.run(main())
"""


@llama
def test_an_engine_that_is_closed_or_cancelled_at_once_ends(engine):
    """In a process of its own: what the library does not end, nobody can."""
    command = [sys.executable, "-X", "dev", "-c", HASTY, str(tiny_gguf())]

    done = subprocess.run(command, timeout=120, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "Unclosed" not in done.stderr


@llama
def test_thinking_is_asked_for_as_the_request_says(engine):
    off, on = play(request(), request(think=True))

    assert off.answer.thinking == ""
    assert on.answer.thinking
    assert off.answer.tool_calls == on.answer.tool_calls


@llama
def test_a_limit_ends_an_answer_and_is_named(engine):
    (take,) = play(request(options=GREEDY | {"num_predict": 3}))

    assert take.wire.done_reason == "length"
    assert take.decoded.eval_count == len(take.decoded.tokens) == 3


@llama
def test_a_request_with_a_longer_context_reloads_the_model(engine):
    spec = f"llama-cpp={tiny_gguf()},num_ctx=256"
    long = "Add 19 and 37. " * 40

    failed, fits = play(
        request(long, options={"temperature": 0, "num_predict": 9}), request(long), spec=spec
    )

    assert "exceeds the available context size (256 tokens)" in failed.error
    assert failed.answer is None
    assert failed.pin.num_ctx == 256
    assert fits.error is None
    assert fits.pin.num_ctx == 1024


@llama
def test_seeded_sampling_can_be_repeated(engine):
    hot = request("Hello!", tools=[], options={"temperature": 5, "top_k": 0, "top_p": 1, "seed": 7})
    hot.body["options"]["num_predict"] = 40

    first, second = (play(hot)[0] for _ in range(2))

    assert first.decoded.completion == second.decoded.completion


@llama
def test_a_schema_binds_the_answer(engine):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}

    (take,) = play(request(tools=[], format=schema))

    assert take.answer.content.startswith("{")


@llama
def test_images_are_refused_by_name(engine):
    image = {"role": "user", "content": "What is this?", "images": ["aGk="]}

    (take,) = play(request(messages=[image]))

    assert take.error.startswith("cannot render: images_unsupported: messages[0]")


@llama
def test_a_greedy_draft_that_it_would_have_written_is_not_written_again(engine):
    written, judged = _written_and_judged(request())

    assert judged.decoded.completion == written.decoded.completion
    assert judged.answer == written.answer
    assert judged.wire == written.wire
    (scored,) = judged.scored
    assert scored.departs is None
    assert not scored.recut
    assert [t.text for t in scored.tokens][-1] == "<|tool_response>"
    for ours, theirs in zip(scored.tokens, written.decoded.tokens, strict=False):
        assert (ours.text, ours.rank) == (theirs.text, 0)
        assert ours.logprob == pytest.approx(theirs.logprob, abs=2e-2)


def _written_and_judged(asked):
    spec = f"llama-cpp={tiny_gguf()}"
    (written,) = play(asked, spec=spec)
    tokens = tuple(token.text for token in written.decoded.tokens)
    draft = Draft(arm="b", completion=written.decoded.completion, tokens=tokens)
    return written, judge(spec, Case(request=asked, drafts=(draft,)))[0]


@llama
def test_a_draft_that_departs_is_located_and_answered_by_its_own(engine):
    draft = Draft(arm="b", completion="<|tool_call>call:add{a:19,b:38}<tool_call|>")

    (take,) = judge(f"llama-cpp={tiny_gguf()}", Case(request=request(), drafts=(draft,)))

    (scored,) = take.scored
    assert scored.tokens[scored.departs].text == "38"
    assert scored.tokens[scored.departs].top[0][0] == "37"
    assert scored.recut
    assert take.decoded.completion == CALL


@llama
def test_parts_of_characters_are_scored_although_the_engine_hides_them(engine):
    draft = Draft(arm="b", completion="é")

    (take,) = judge(f"llama-cpp={tiny_gguf()}", Case(request=request(), drafts=(draft,)))

    assert [t.text for t in take.scored[0].tokens] == ["<0xC3>", "<0xA9>", "<turn|>"]
    assert all(token.logprob < -1 and token.rank > 0 for token in take.scored[0].tokens[:2])


@llama
@pytest.mark.parametrize(
    ("options", "repeats"),
    [({}, True), ({"temperature": 0.5, "seed": 1}, False), ({"repeat_penalty": 1.3}, False)],
)
def test_only_plain_greedy_answers_are_known_from_a_score(engine, options, repeats):
    asked = request(options=GREEDY | options)
    draft = Draft(arm="b", completion=CALL)

    (take,) = judge(f"llama-cpp={tiny_gguf()}", Case(request=asked, drafts=(draft,)))

    assert take.scored[0].departs is None
    assert (take.timing.decode_s is None) is repeats


def test_a_missing_extra_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "xllamacpp", None)

    with pytest.raises(ArmUnavailable, match=r'xllamacpp.*pip install "tonearm\[llama\]"'):
        play(spec=f"llama-cpp={tiny_gguf(kind='q4_0')}")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ArmUnavailable, match=r"gone.gguf: No such file.*llama-cpp=FILE.gguf"):
        play(spec=f"llama-cpp={tmp_path / 'gone.gguf'}")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"PK\3\4", "not a GGUF file"),
        (b"GGUF\3\0\0\0", "ends within its header"),
        (b"GGUF" + bytes(4) + b"\1" * 24, "holds a text of"),
    ],
)
def test_a_file_that_is_no_model_is_refused_before_the_engine_sees_it(tmp_path, content, problem):
    path = tmp_path / "model.gguf"
    path.write_bytes(content)

    with pytest.raises(ArmUnavailable, match=problem):
        play(spec=f"llama-cpp={path}")


def test_a_model_without_a_grammar_is_refused(tmp_path):
    entry = b"\x14" + bytes(7) + b"general.architecture" + b"\x08" + bytes(3)
    path = tmp_path / "llama.gguf"
    path.write_bytes(
        b"GGUF\3\0\0\0" + bytes(8) + b"\1" + bytes(7) + entry + b"\5" + bytes(7) + b"llama"
    )

    with pytest.raises(RenderError, match="no chat grammar for 'llama'"):
        play(spec=f"llama-cpp={path}")


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("llama-cpp", "needs a model"),
        ("llama-cpp=x.gguf,kv=f64", "kv=f64 is not one of f16, f32"),
        ("llama-cpp=x.gguf,colour=red", "no setting 'colour'; it has kv, mode, num_ctx"),
    ],
)
def test_a_wrong_command_line_is_told_what_would_be_right(spec, words):
    with pytest.raises(UsageError, match=words):
        play(spec=spec)


def test_a_path_may_hold_a_comma_before_the_settings():
    with pytest.raises(ArmUnavailable, match=r"a,b\.gguf: No such file"):
        play(spec="llama-cpp=a,b.gguf,kv=f32")
