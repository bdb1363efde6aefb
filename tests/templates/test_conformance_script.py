"""The one command that prints the numbers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "conformance"


def conformance(*argv):
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "conformance", *argv],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_all_vectors_are_met():
    done = conformance()

    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[-3:] for line in done.stdout.splitlines()] == [
        ["170", "/", "170"],
        ["125", "/", "125"],
        ["125", "/", "125"],
        ["125", "/", "125"],
    ]


def test_a_vector_that_is_not_met_fails_the_command(tmp_path):
    for name in ("gemma4-render.jsonl", "gemma4-parse.jsonl"):
        shutil.copy(DATA / name, tmp_path)
    lines = (DATA / "gemma4-render.jsonl").read_text(encoding="utf-8").splitlines()
    wrong = json.dumps(json.loads(lines[0]) | {"rendered": "another prompt"})
    (tmp_path / "gemma4-render.jsonl").write_text("\n".join([wrong, *lines[1:]]), encoding="utf-8")

    done = conformance(tmp_path)

    assert done.returncode == 1
    assert "169 / 170" in done.stdout
    assert "missed: render: prompts equal: r000-plain-e2b" in done.stderr
