"""The manual names every difference that the tests list."""

from __future__ import annotations

from tests.engines import ROOT
from tests.replay.server.stage.differences import NEW
from tests.replay.server.stage.requests import REQUESTS


def test_the_manual_counts_the_requests_and_has_a_line_for_every_reason():
    text = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
    section = text.partition("### Differences")[2].partition("\n## ")[0]

    assert f"the same {len(REQUESTS)} requests" in section
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(lines) == len(set(NEW.values()))
