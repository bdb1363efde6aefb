"""The forty texts that the redaction has to get right."""

import json
from pathlib import Path

import pytest

from tonearm.redaction import Redactor

DATA = Path(__file__).parent.parent / "data/conformance/redaction.jsonl"
RUN = 6
"""So many characters of a secret in a row must not stay."""


def items():
    for line in DATA.read_text(encoding="utf-8").splitlines():
        item = json.loads(line)
        yield pytest.param(
            item["text"].replace(item["sep"], ""),
            [
                "".join(item["text"].replace(item["sep"], "")[a:b] for a, b in s)
                for s in item["secrets"]
            ],
            id=f"{item['id']} {item['kind']} {item['form']}",
        )


@pytest.mark.parametrize(("text", "secrets"), list(items()))
def test_no_run_of_a_secret_stays_and_nothing_else_changes(text, secrets):
    redacted, findings = Redactor(bytes(32)).text(text)

    left = [s[n : n + RUN] for s in secrets for n in range(len(s) - RUN + 1)]
    assert [run for run in left if run in redacted] == []
    assert bool(findings) == (redacted != text) == bool(secrets)


def test_there_are_forty():
    assert len(list(items())) == 40
