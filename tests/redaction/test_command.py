"""``tonearm redact``, the filter over JSON lines."""

import argparse
import io
import json
import sys

import pytest

from tonearm.commands import redact
from tonearm.errors import EXIT_COULD_NOT_RUN, EXIT_NOTHING, EXIT_SAME, UsageError

SECRET = "password: Harbor!x81kQ2"


@pytest.fixture
def filtered(monkeypatch, capsys):
    """A function that feeds lines to the command and returns its exit code and its objects."""

    def run(*lines, argv=()):
        texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n".join(texts))))
        parser = argparse.ArgumentParser()
        redact.add_parser(parser.add_subparsers())
        args = parser.parse_args(["redact", *argv])
        code = args.run(args)
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def test_a_line_comes_back_without_its_secret(filtered):
    code, (line,) = filtered({"id": 7, "text": SECRET})

    assert code == EXIT_SAME
    assert (line["id"], line["findings"]) == (7, [{"kind": "password", "spans": [[10, 23]]}])
    assert line["text"].startswith("password: ")
    assert "Harbor" not in json.dumps(line)


def test_a_harmless_line_comes_back_as_it_was(filtered):
    text = 'é "quoted" \ud800 \n'

    assert filtered({"id": None, "text": text})[1] == [{"id": None, "text": text, "findings": []}]


def test_a_bad_line_is_reported_with_its_number_and_the_rest_goes_on(filtered):
    code, found = filtered(
        {"id": 1, "text": SECRET},
        b"{nonsense",
        b"",
        b"\xff",
        {"id": 3},
        {"id": 4, "text": 5},
        {"text": "x"},
    )

    assert code == EXIT_COULD_NOT_RUN
    assert [(one.get("line"), one["id"], "text" in one) for one in found] == [
        (None, 1, True),
        (2, None, False),
        (4, None, False),
        (5, 3, False),
        (6, 4, False),
        (None, None, True),
    ]
    assert found[3]["error"] == "the line has no text"
    assert found[1]["error"].startswith("the line is not JSON: ")


def test_no_lines_are_nothing(filtered):
    assert filtered() == (EXIT_NOTHING, [])


def test_a_shelf_gives_the_same_stand_ins_in_every_run(filtered, tmp_path):
    line = {"text": SECRET}
    argv = ("--shelf", str(tmp_path))

    assert filtered(line, argv=argv) == filtered(line, argv=argv)
    assert filtered(line) != filtered(line)


def test_a_shelf_that_is_no_folder_is_a_usage_error(filtered, tmp_path):
    with pytest.raises(UsageError, match="--shelf"):
        filtered(argv=("--shelf", str(tmp_path / "nowhere")))
