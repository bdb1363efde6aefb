"""The demo fails when it finds something else than it has broken."""

import pytest

from tonearm.demo import verdicts
from tonearm.demo.provocations import PROVOCATIONS
from tonearm.errors import DemoError
from tonearm.model import Answer, ChatRequest, Decoded, Layer, Rendered, Take, WireShape
from tonearm.replay.report import report
from tonearm.replay.runfile import Run, RunTurn

REQUEST = ChatRequest(body={"model": "m", "options": {"temperature": 0}})
DECODE = next(p for p in PROVOCATIONS if p.layer is Layer.DECODE)
PARSE = next(p for p in PROVOCATIONS if p.layer is Layer.PARSE)


def take(arm, *, prompt="p", completion="c", content="c", reason="stop", error=None):
    return Take(
        arm=arm,
        rendered=Rendered(prompt=prompt),
        decoded=Decoded(completion=completion),
        answer=None if error else Answer(content=content),
        wire=WireShape(status=200, done=True, done_reason=reason),
        error=error,
    )


def found(**changes):
    """Return the report of a turn in which the second arm differs."""
    sides = ("recorded", verdicts.SERVER, verdicts.ENGINE)
    takes = [take(name, **(changes if name == verdicts.ENGINE else {})) for name in sides]
    turn = RunTurn(key="a.yaml#0", request=REQUEST, takes={t.arm: t for t in takes})
    return report(Run(arms=sides[1:], turns=(turn,)))


def test_there_is_one_provocation_for_each_layer():
    assert [p.layer for p in PROVOCATIONS] == list(Layer)


def test_what_was_broken_and_found_there_is_confirmed():
    verdicts.confirm(DECODE, found(completion="d", content="d"))


@pytest.mark.parametrize(
    "changes",
    [{}, {"prompt": "q", "completion": "d"}, {"content": "d"}, {"reason": "x"}, {"error": "e"}],
    ids=["nothing", "an earlier layer", "a later layer", "the last layer", "no answer"],
)
def test_anything_else_is_a_failure(changes):
    with pytest.raises(DemoError, match="decode was broken, but something else was found"):
        verdicts.confirm(DECODE, found(**changes))


def test_the_right_layer_with_another_cause_is_a_failure():
    with pytest.raises(DemoError, match="parse was broken as dropped-call, but the report does"):
        verdicts.confirm(PARSE, found(content="d"))


def test_any_difference_is_a_failure_while_nothing_is_broken():
    verdicts.confirm_sound(found())
    with pytest.raises(DemoError, match="nothing was broken, but something was found"):
        verdicts.confirm_sound(found(completion="d", content="d"))
