"""A saved run holds all it is judged by, and a run that was cut off goes on."""

import json

import pytest

from tonearm.errors import RunFileError
from tonearm.model import (
    Answer,
    ChatRequest,
    Decoded,
    Exchange,
    HttpRequest,
    HttpResponse,
    Layer,
    ParseProblem,
    Pin,
    Rendered,
    Scored,
    Take,
    Timing,
    Token,
    ToolCall,
    Turn,
    WireShape,
)
from tonearm.replay import runfile
from tonearm.replay.plan import Plan, Skipped

FULL = Take(
    arm="a",
    rendered=Rendered(prompt="<bos>é", tokens=3),
    decoded=Decoded(completion="c", tokens=(Token(text="c", logprob=-0.5),), eval_count=2),
    answer=Answer(
        content="x",
        thinking="t",
        tool_calls=(ToolCall(name="f", arguments={"big": 2**70, "one": 1.0}, id="i"),),
        problems=(ParseProblem(kind="k", offset=3, repaired=True, detail="d"),),
    ),
    scored=(
        Scored(
            arm="b",
            tokens=(
                Token(text="x", logprob=-0.5, rank=2, top=(("y", -0.1), ("é", -0.3))),
                Token(text="z", logprob=-0.25),
            ),
            recut=True,
        ),
    ),
    wire=WireShape(status=200, done=True, done_reason="stop"),
    blind={Layer.DECODE: "why"},
    pin=Pin(model="m", server_version="0.24.0", options={"seed": 1}),
    timing=Timing(wall_s=1.5, load_s=0.5),
)


def plan(*words):
    reply = json.dumps({"message": {"role": "assistant", "content": "x"}, "done": True})
    turns = [
        Turn(
            cassette="t.yaml",
            conversation=0,
            index=n,
            request=ChatRequest(body={"messages": [{"role": "user", "content": word}]}),
            exchange=Exchange(
                request=HttpRequest(method="POST", uri="http://h/api/chat"),
                response=HttpResponse(status=200, body=reply.encode()),
            ),
        )
        for n, word in enumerate(words)
    ]
    skipped = (Skipped(cassette="t.yaml", sequence=9, reason="r"),)
    return Plan(turns=tuple(turns), skipped=skipped)


@pytest.mark.parametrize("take", [FULL, Take(arm="a"), Take(arm="a", error="e")])
def test_a_take_survives_json(take):
    text = json.dumps(runfile.take_to_json(take))

    assert runfile.take_from_json(json.loads(text)) == take


def test_a_run_survives_the_file(tmp_path):
    run = runfile.collect(plan("one", "two"), ["a"], {("t.yaml#0", "a"): FULL})
    path = tmp_path / "r.run.json"

    runfile.save(run, path)

    assert runfile.load(path) == run
    assert list(tmp_path.iterdir()) == [path]


def test_the_recording_is_the_first_take(tmp_path):
    run = runfile.collect(plan("one"), ["a"], {("t.yaml#0", "a"): FULL})

    assert list(run.turns[0].takes) == ["recorded", "a"]


def test_a_run_that_was_cut_off_goes_on(tmp_path):
    out = tmp_path / "r.run.json"
    with runfile.Journal(out, plan("one", "two"), ["a"]) as journal:
        assert journal.open() == {}
        journal.add("t.yaml#0", FULL)

    with runfile.Journal(out, plan("one", "two"), ["a"]) as journal:
        assert journal.open() == {("t.yaml#0", "a"): FULL}
        journal.add("t.yaml#1", FULL)

    with runfile.Journal(out, plan("one", "two"), ["a"]) as journal:
        assert len(journal.open()) == 2
        journal.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_torn_line_of_the_journal_is_asked_for_again(tmp_path):
    out = tmp_path / "r.run.json"
    with runfile.Journal(out, plan("one", "two"), ["a"]) as journal:
        journal.open()
        journal.add("t.yaml#0", FULL)
        journal.add("t.yaml#1", FULL)
    part = tmp_path / "r.run.json.part"
    whole = part.read_bytes()
    first = len(whole.splitlines(keepends=True)[0])
    for cut in range(first, len(whole)):
        part.write_bytes(whole[:cut])

        with runfile.Journal(out, plan("one", "two"), ["a"]) as journal:
            done = journal.open()
            journal.add("t.yaml#1", FULL)

        assert len(done) == whole[first:cut].count(b"\n")
        assert all(json.loads(line) for line in part.read_bytes().splitlines())


def test_a_take_that_failed_is_asked_for_again(tmp_path):
    out = tmp_path / "r.run.json"
    with runfile.Journal(out, plan("one"), ["a"]) as journal:
        journal.open()
        journal.add("t.yaml#0", Take(arm="a", error="connection refused"))

    with runfile.Journal(out, plan("one"), ["a"]) as journal:
        assert journal.open() == {}


@pytest.mark.parametrize(("words", "arms"), [(["one", "other"], ["a"]), (["one"], ["b"])])
def test_the_journal_of_another_run_is_left_alone(tmp_path, words, arms):
    out = tmp_path / "r.run.json"
    with runfile.Journal(out, plan("one"), ["a"]) as journal:
        journal.open()
        journal.add("t.yaml#0", FULL)
    before = (tmp_path / "r.run.json.part").read_bytes()

    with (
        runfile.Journal(out, plan(*words), arms) as journal,
        pytest.raises(RunFileError, match="other cassettes or arms"),
    ):
        journal.open()
    assert (tmp_path / "r.run.json.part").read_bytes() == before


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not JSON"),
        ("[1]", "is not a run file"),
        ('{"tonearm_run": 99}', "has format 99"),
        ('{"tonearm_run": 1}', "is damaged"),
        ('{"tonearm_run": 1, "turns": [{}]}', "is damaged: KeyError"),
    ],
)
def test_what_is_no_run_file_is_refused_in_one_line(tmp_path, text, problem):
    path = tmp_path / "x.run.json"
    path.write_text(text)

    with pytest.raises(RunFileError, match=problem):
        runfile.load(path)


def test_a_missing_run_file_is_named(tmp_path):
    with pytest.raises(RunFileError, match=r"gone\.run\.json: cannot read"):
        runfile.load(tmp_path / "gone.run.json")
