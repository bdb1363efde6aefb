"""Three arms and what they say together, turn by turn and in total."""

from __future__ import annotations

import dataclasses

import pytest

from tonearm.model import (
    Answer,
    ChatRequest,
    Decoded,
    Pin,
    Rendered,
    Scored,
    Take,
    Token,
    ToolCall,
    WireShape,
)
from tonearm.replay.attribution import Conclusion, attribute, cast, conclude
from tonearm.replay.excess import Relation
from tonearm.replay.runfile import Run, RunTurn
from tonearm.replay.triangle import Numerics, numerics, triangle
from tonearm.replay.triangle_report import describe, to_json

SAME, DIFFERENT, UNDECIDED = Relation
GREEDY = {"temperature": 0}
STOP = WireShape(status=200, done=True, done_reason="stop")
A, B, C = "ollama-json", "ollama-native", "jax-native"


def tokens(text, logprob=-0.1, rank=None):
    return tuple(Token(text=piece, logprob=logprob, rank=rank) for piece in text.split(" "))


def take(arm, text="x", *, content=None, prompt="p", **fields):
    """Return a take that says a text; the reference has judged it."""
    runtime = "gemma 4.0.1, jax 0.6" if arm.startswith("jax") else None
    own = tokens(text)
    return dataclasses.replace(
        Take(
            arm=arm,
            translated=arm == A,
            rendered=Rendered(prompt=prompt, tokens=3),
            decoded=Decoded(completion=text.replace(" ", ""), tokens=own),
            answer=Answer(content=text if content is None else content),
            wire=STOP,
            pin=Pin(model="m", runtime=runtime, quantization="F32"),
        ),
        **fields,
    )


def turn(*takes, key="t.yaml#0", options=GREEDY):
    body = {"model": "m", "messages": [], "options": options}
    recorded = Take(arm="recorded", answer=Answer(content="x"))
    named = {one.arm: one for one in (recorded, *takes)}
    return RunTurn(key=key, request=ChatRequest(body=body), takes=named)


def run(*turns):
    arms = tuple(name for name in turns[0].takes if name != "recorded")
    return Run(arms=arms, turns=tuple(turns))


def shown(*takes, **fields):
    one = turn(*takes, **fields)
    return attribute(one, cast(run(one)))


def quantized(one, kind="Q4_0"):
    return dataclasses.replace(one, pin=dataclasses.replace(one.pin, quantization=kind))


@pytest.mark.parametrize(
    ("ab", "bc", "facts", "expected"),
    [
        (SAME, SAME, {}, Conclusion.FAITHFUL),
        (SAME, SAME, {"other_prompt": True}, Conclusion.RENDERER),
        (DIFFERENT, SAME, {"other_prompt": True}, Conclusion.RENDERER),
        (DIFFERENT, SAME, {"same_completion": True}, Conclusion.PARSER),
        (DIFFERENT, SAME, {}, Conclusion.SAMPLER),
        (SAME, DIFFERENT, {"quantized": True}, Conclusion.ENGINE),
        (SAME, DIFFERENT, {}, Conclusion.RUNTIME),
        (DIFFERENT, DIFFERENT, {}, Conclusion.BOTH),
        (DIFFERENT, DIFFERENT, {"other_prompt": True}, Conclusion.BOTH),
        (UNDECIDED, SAME, {}, Conclusion.UNDECIDED),
        (SAME, UNDECIDED, {}, Conclusion.UNDECIDED),
        (UNDECIDED, DIFFERENT, {}, Conclusion.UNDECIDED),
        (None, SAME, {}, Conclusion.FAITHFUL),
        (None, DIFFERENT, {}, Conclusion.RUNTIME),
        (None, None, {}, Conclusion.UNDECIDED),
        (SAME, DIFFERENT, {"defect": True}, Conclusion.REFERENCE),
        (SAME, SAME, {"defect": True}, Conclusion.REFERENCE),
        (DIFFERENT, DIFFERENT, {"same_completion": True, "defect": True}, Conclusion.PARSER),
        (SAME, DIFFERENT, {"other_prompt": True, "defect": True}, Conclusion.RENDERER),
    ],
)
def test_the_table(ab, bc, facts, expected):
    facts = {"other_prompt": False, "same_completion": False, "quantized": False} | facts

    assert conclude(ab, bc, **facts) is expected


def test_three_equal_answers_are_a_faithful_path():
    found = shown(take(A), take(B), take(C))

    assert (found.ab, found.bc, found.conclusion) == (SAME, SAME, Conclusion.FAITHFUL)
    assert found.why == ""


def test_one_completion_read_in_two_ways_is_the_parser():
    found = shown(take(A, "x", content=""), take(B), take(C))

    assert found.conclusion is Conclusion.PARSER


def test_another_completion_of_the_same_engine_is_not_the_parser():
    assert shown(take(A, "y"), take(B), take(C)).conclusion is Conclusion.SAMPLER


def test_another_prompt_is_the_renderer_even_if_the_answers_agree():
    assert shown(take(A, prompt="q"), take(B), take(C)).conclusion is Conclusion.RENDERER


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("Q4_0", "runtime_or_quantization"), ("BF16", "runtime"), (None, "runtime_or_quantization")],
)
def test_a_reference_that_differs_is_the_engine_or_its_weights(kind, expected):
    """Where the server does not name the type of its weights, they may be quantised."""
    found = shown(quantized(take(A), kind), quantized(take(B), kind), take(C, "y"))

    assert found.conclusion == expected


def test_a_call_that_vanished_is_seen():
    call = Answer(tool_calls=(ToolCall(name="f", arguments={}),))

    found = shown(take(A, answer=Answer()), take(B, answer=call), take(C, answer=call))

    assert found.conclusion is Conclusion.PARSER


def test_a_sampled_difference_proves_nothing_and_says_so():
    found = shown(take(A, "y"), take(B), take(C), options={"temperature": 1})

    assert (found.ab, found.bc) == (UNDECIDED, SAME)
    assert found.conclusion is Conclusion.UNDECIDED
    assert "one sampled answer" in found.why


def test_two_readings_of_one_sampled_completion_do():
    found = shown(take(A, content=""), take(B), take(C), options={"temperature": 1})

    assert found.conclusion is Conclusion.PARSER


@pytest.mark.parametrize(
    "other",
    [
        Rendered(prompt="p", tokens=4),
        Rendered(prompt="p", tokens=3, ids_sha256="b"),
    ],
)
def test_prompts_that_were_cut_into_other_tokens_are_not_compared(other):
    ours = Rendered(prompt="p", tokens=3, ids_sha256="a")

    found = shown(take(B, rendered=ours), take(C, "y", rendered=other))

    assert found.bc is UNDECIDED
    assert found.why.startswith("prompt_mismatch: the same prompt is 3 tokens for ollama-native, ")


def test_a_count_is_enough_where_one_side_knows_no_ids():
    ours = Rendered(prompt="p", tokens=3, ids_sha256="a")

    assert shown(take(B, rendered=ours), take(C)).bc is SAME


def test_the_reference_is_only_held_against_an_arm_with_its_prompt():
    found = shown(take(B, prompt="q"), take(C))

    assert found.bc is UNDECIDED
    assert found.why == "ollama-native and jax-native were given different prompts"


def test_a_refusal_is_no_agreement():
    refused = take(C, answer=None, decoded=None, error="cache_too_short: 9 tokens")

    found = shown(take(A), take(B), refused)

    assert (found.bc, found.conclusion) == (UNDECIDED, Conclusion.UNDECIDED)
    assert found.why == "jax-native: cache_too_short: 9 tokens"


def declared(schema, kind):
    quoted = f'<|"|>{kind}<|"|>'
    return f'<|tool>declaration:add{{description:<|"|>Add<|"|>,{schema}:{{type:{quoted}}}}}<tool|>'


MCP_1, MCP_2 = declared("parameters", "OBJECT"), declared("input_schema", "object")


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        (MCP_2, True),
        (f"{MCP_1}{MCP_2}", True),
        (MCP_1, False),
        (f"{MCP_1}<|turn>user\ninput_schema: what is that?", False),
    ],
)
def test_declarations_in_the_way_of_mcp_2_are_named(prompt, named):
    found = shown(take(A, prompt=prompt), take(B, prompt=MCP_1), take(C, prompt=MCP_1))

    assert (found.conclusion is Conclusion.RENDERER) is (prompt != MCP_1)
    assert ("in the way of mcp 2" in found.why) is named


@pytest.mark.parametrize("wrong", [A, B, C])
def test_such_declarations_are_named_in_whosever_prompt_they_are(wrong):
    found = shown(*(take(arm, prompt=MCP_2 if arm == wrong else MCP_1) for arm in (A, B, C)))

    assert f"{wrong} declares tools in the way of mcp 2" in found.why
    assert found.conclusion is not Conclusion.FAITHFUL


def of(one, **pin):
    return dataclasses.replace(one, pin=dataclasses.replace(one.pin, **pin))


@pytest.mark.parametrize("facts", [{"digest": "d2"}, {"server_version": "0.33.0"}])
def test_what_two_engines_wrote_says_nothing_of_the_translator(facts):
    """A recording of one server beside another one, or beside other weights of the model."""
    first = {"digest": "d1", "server_version": "0.24.0"}

    found = shown(of(take(A, "y"), **first), of(take(B), **first | facts), take(C))

    assert (found.ab, found.bc, found.conclusion) == (None, SAME, Conclusion.FAITHFUL)
    assert found.why == f"{A} and {B} are different engines and wrote other texts"


def test_what_they_make_of_one_text_does():
    found = shown(of(take(A, content=""), digest="d1"), of(take(B), digest="d2"), take(C))

    assert found.conclusion is Conclusion.PARSER


def judged(arm, text="a b", logprob=-0.1, rank=0, kind="F32"):
    end = Token(text="<turn|>", logprob=-0.01, rank=0)
    scored = Scored(arm=B, tokens=(*tokens(text, logprob, rank), end))
    return quantized(take(arm, text, scored=(scored,)), kind)


def test_log_probs_are_compared_where_the_reference_judged_the_engines_tokens():
    found = shown(take(A, "a b"), take(B, "a b"), judged(C, logprob=-0.3))

    assert found.distance.tokens == 2
    assert found.distance.mean_delta == pytest.approx(0.2)
    assert found.distance.same_top_p == 100
    assert found.departs is None


def test_the_first_departure_is_located():
    assert shown(take(B, "a b"), judged(C, rank=1)).departs == 0


def test_log_probs_behind_different_prompts_are_not_compared():
    found = shown(take(B, "a b", prompt="q"), judged(C))

    assert found.distance is None
    assert found.departs is None


def test_a_recording_without_tokens_is_judged_too():
    """Nothing else is in the run: its text was cut anew."""
    recording = take("recorded", "a b", translated=True, decoded=None)
    scored = Scored(arm="recorded", tokens=tokens("a b", -0.5, 0)[:1] + tokens("b", -1.5, 2))

    found = shown(recording, take(C, "a b", scored=(scored,)))

    assert found.distance is None
    assert (found.departs, found.mean_logprob) == (1, -1.0)


def total(engine, *references):
    turns = [turn(take(A, "a b"), engine, *references, key=f"t.yaml.{n}#0") for n in range(100)]
    return triangle(run(*turns))


@pytest.mark.parametrize(
    ("reference", "band", "expected"),
    [
        (-0.1002, None, Numerics.EQUAL),
        (-0.105, None, Numerics.UNKNOWN),
        (-0.12, None, Numerics.DIFFERENT),
        (-0.12, -0.19, Numerics.WITHIN_NOISE),
        (-0.12, -0.13, Numerics.DIFFERENT),
        (-0.16, -0.17, Numerics.DIFFERENT),
    ],
)
def test_log_probs_are_judged_by_the_references_own_noise(reference, band, expected):
    """The band is how far the reference is from itself in another precision."""
    others = [] if band is None else [judged("jax-native-2", logprob=band, kind="BF16")]

    found = total(take(B, "a b"), judged(C, logprob=reference), *others)

    assert found.numerics is expected
    assert (found.parts.other_c is None) is (band is None)


def test_the_more_precise_reference_is_the_base():
    found = total(take(B, "a b"), judged(C, kind="BF16"), judged("jax-native-2", kind="F32"))

    assert (found.parts.c, found.parts.other_c) == ("jax-native-2", "jax-native")


def test_another_likeliest_token_is_never_equal():
    apart = dataclasses.replace(total(take(B, "a b"), judged(C)).distance, same_top_p=99.9)

    assert numerics(apart, None, None) is Numerics.UNKNOWN


def test_enough_equal_turns_are_a_faithful_path():
    found = total(take(B, "a b"), judged(C))

    assert found.conclusion is Conclusion.FAITHFUL
    assert found.ab.turns == found.bc.turns == 100
    assert found.hazard == 0


def test_equal_answers_do_not_hide_other_numbers_of_precise_weights():
    band = judged("jax-native-2", logprob=-0.201, kind="BF16")

    precise = total(take(B, "a b"), judged(C, logprob=-0.2), band)
    four_bit = total(quantized(take(B, "a b")), judged(C, logprob=-0.2), band)

    assert precise.conclusions == four_bit.conclusions == {Conclusion.FAITHFUL: 100}
    assert precise.numerics is four_bit.numerics is Numerics.DIFFERENT
    assert precise.conclusion is Conclusion.RUNTIME
    assert four_bit.conclusion is Conclusion.FAITHFUL


def test_a_reference_with_a_defect_proves_nothing_and_is_named():
    broken = of(
        judged(C, logprob=-0.2), runtime="gemma 4.0.1, jax 0.6 with reference_defect: router"
    )

    found = total(take(B, "a b"), broken)

    assert found.conclusion is Conclusion.REFERENCE
    assert "  reference_defect of C: router" in describe(found)
    assert to_json(found)["reference_defect"] == "router"


def test_turns_in_which_the_reference_departs_are_shown():
    found = total(take(B, "a b"), judged(C, rank=1))

    text = describe(found)
    assert "  C departs in 100 turns, 1 times a token" in text
    (first, *_) = [line for line in text if "at token" in line]
    assert first == (
        "    t.yaml.0#0 faithful, at token 0 C has another token for 'a', mean log-prob -0.07"
    )
    assert "    90 more: --format json has them all" in text
    assert to_json(found)["turns"][0]["mean_logprob"] == pytest.approx(-0.07)


def test_few_equal_turns_are_not_enough_and_the_number_is_told():
    one = turn(take(A, "a b"), take(B, "a b"), judged(C))

    found = triangle(run(one))

    assert found.turns[0].conclusion is Conclusion.FAITHFUL
    assert found.conclusion is Conclusion.UNDECIDED
    assert found.ab.turns_needed == 98


@pytest.mark.parametrize("size", [1, 100])
def test_one_certain_difference_is_a_conclusion(size):
    """However few turns there are to call A and B the same."""
    turns = [
        turn(take(A, "a b"), quantized(take(B, "a b")), take(C, "y"), key=f"t.yaml.{n}#0")
        for n in range(size)
    ]

    found = triangle(run(*turns))

    assert found.conclusion is Conclusion.ENGINE
    assert found.conclusions == {Conclusion.ENGINE: size}


def test_a_run_without_a_reference_has_no_triangle():
    assert triangle(run(turn(take(A), take(B)))) is None
    assert triangle(run(turn(take(C)))) is None


def test_the_engine_may_be_seen_through_the_translator_alone():
    found = triangle(run(turn(take(A, "a b"), judged(C))))

    assert (found.parts.a, found.parts.b) == (A, None)
    assert found.turns[0].conclusion is Conclusion.FAITHFUL


def test_people_are_told_arms_relations_and_numbers():
    band = judged("jax-native-2", logprob=-0.19, kind="BF16")

    text = "\n".join(describe(total(take(B, "a b"), judged(C, logprob=-0.12), band)))

    assert "A ollama-json, B ollama-native, C jax-native" in text
    assert "A against B: same, 0 of 100 turns differ, more than 3.0 % would have shown" in text
    assert "conclusion: the path is faithful" in text
    assert "log-probs against C: within the reference's own noise; 200 tokens, mean 0.02" in text
    assert "noise of C (jax-native-2): 300 tokens" in text
    assert "turn by turn: faithful 100" in text


def test_what_stood_in_the_way_is_told_once():
    refused = take(C, answer=None, decoded=None, error="no")

    text = "\n".join(describe(total(take(B), refused)))

    assert text.count("100 turns: jax-native: no") == 1


def test_programs_are_given_the_same():
    found = total(take(B, "a b"), judged(C))

    value = to_json(found)

    assert value["arms"] == {"a": A, "b": B, "c": C, "other_c": None}
    assert value["conclusion"] == "faithful"
    assert value["distance"]["tokens"] == 200
    assert value["turns"][0]["a_against_b"] == "same"
    assert value["b_against_c"]["differing"] == 0
