"""A report that can be pasted into an issue."""

from tonearm.model import ChatRequest, Layer
from tonearm.replay.compare import Comparison, Finding, Kind
from tonearm.replay.markdown import REQUEST_CHARS, to_markdown
from tonearm.replay.report import Report, Row
from tonearm.replay.verdict import Outcome, Verdict


def row(key, *findings, words="hi"):
    comparison = Comparison(left="tonearm", right="ollama-json", findings=findings)
    body = {"model": "m", "messages": [{"role": "user", "content": words}]}
    verdict = Verdict(
        outcome=Outcome.DIVERGED,
        layer=Layer.RENDER,
        severity=2,
        comparisons=(comparison,),
        decisive=comparison,
    )
    return Row(key=key, request=ChatRequest(body=body), verdict=verdict)


def lost(left="a", right="b", cause="keyword"):
    return Finding(
        layer=Layer.RENDER,
        kind=Kind.PROMPT,
        severity=2,
        summary="prompts part",
        cause=cause,
        left=left,
        right=right,
    )


def text(*rows):
    return to_markdown(Report(sides=("recorded", "ollama-json"), pins=(), rows=rows))


def test_each_cause_has_one_section_with_the_shortest_request():
    shown = text(
        row("a.yaml#0", lost(), words="a long request"),
        row("a.yaml#1", lost(), words="short"),
        row("a.yaml#2", lost(cause="other")),
    )

    assert shown.count("## render: keyword") == 1
    assert shown.count("## render: other") == 1
    assert "2 turns; tonearm against ollama-json" in shown
    assert "Request of a.yaml#1" in shown
    assert "a long request" not in shown


def test_a_prompt_comes_with_the_request_that_shows_it():
    assert '"_debug_render_only": true' in text(row("a.yaml#0", lost()))


def test_a_text_cannot_close_its_code_block():
    shown = text(row("a.yaml#0", lost(left="```\n# forged")))

    assert "````\n```\n# forged\n````" in shown


def test_control_characters_are_spelled_out():
    shown = text(row("a.yaml#0", lost(left="\x1b[2J\u202e")))

    assert "\\u{1b}[2J\\u{202e}" in shown


def test_a_huge_request_is_named_instead_of_printed():
    shown = text(row("a.yaml#0", lost(), words="x" * REQUEST_CHARS))

    assert len(shown) < REQUEST_CHARS
    assert "Request of a.yaml#0 to `/api/chat`: " in shown
    assert "characters, not shown" in shown
