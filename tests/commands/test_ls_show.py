"""What the shelf shows."""

import json

import pytest

from tests.tapes import calls, exchange, loop, result, says, user, write
from tonearm.commands import main
from tonearm.model import Outcome

TASK = loop("find it", [(calls("search", q="x"), result("[1]"))], says("It is 1."))


@pytest.fixture
def shelf(tmp_path):
    write(tmp_path / "task.yaml", TASK)
    cut = exchange([user("hi")], None, outcome=Outcome.CLIENT_ABORTED, model="n")
    write(tmp_path / "cut.yaml", [cut, exchange([user("hi")], says("hello"), model="n")])
    return tmp_path


def rows(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_ls_counts_turns_and_says_what_broke_off(shelf, capsys):
    assert main(["ls", str(shelf), "--json"]) == 0

    cut, task = rows(capsys)
    assert (task["turns"], task["exchanges"], task["models"]) == (2, 2, ["m"])
    assert cut["outcomes"] == {"client_aborted": 1, "complete": 1}
    assert (cut["conversations"], cut["problem"]) == (1, None)


def test_ls_prints_a_line_for_each_cassette(shelf, capsys):
    main(["ls", str(shelf)])

    out = capsys.readouterr().out
    assert "task.yaml" in out
    assert "1 client_aborted" in out


def test_ls_lists_what_it_cannot_read(shelf, capsys):
    (shelf / "bad.yaml").write_text("version: 1\ninteractions:\n- {nonsense\n- {}\n")

    assert main(["ls", str(shelf), "--json"]) == 4

    bad = next(row for row in rows(capsys) if row["cassette"].endswith("bad.yaml"))
    assert "bad.yaml:4: is not valid YAML" in bad["problem"]


def test_an_empty_shelf_is_one_line_on_stderr(tmp_path, capsys):
    assert main(["ls", str(tmp_path)]) == 5

    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert str(tmp_path) in err


def test_a_missing_shelf_is_one_line_on_stderr(tmp_path, capsys):
    assert main(["ls", str(tmp_path / "gone")]) == 4

    assert capsys.readouterr().err.count("\n") == 1


def test_show_prints_the_tool_loop_once(shelf, capsys):
    """Every message appears once, although each request repeats the history."""
    assert main(["show", str(shelf / "task.yaml")]) == 0

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if not line.startswith(("task.yaml#", "complete"))] == [
        "user: find it",
        '=> assistant calls search({"q": "x"})',
        "tool t: [1]",
        "=> assistant: It is 1.",
    ]
    assert "complete, done: stop, 9 + 3 tokens, 0.50 s" in lines


def test_show_names_retries(shelf, capsys):
    main(["show", str(shelf / "cut.yaml")])

    out = capsys.readouterr().out
    assert "client_aborted" in out
    assert "cut.yaml#1  n  retry of #0" in out


def test_show_one_turn_is_whole(shelf, capsys):
    main(["show", str(shelf / "task.yaml"), "--turn", "1"])

    out = capsys.readouterr().out
    assert "user: find it" in out
    assert "task.yaml#0" not in out


def test_show_json_has_request_and_reply(shelf, capsys):
    main(["show", str(shelf / "task.yaml"), "--json"])

    first, second = rows(capsys)
    assert first["request"]["messages"] == [user("find it")]
    assert second["reply"]["message"]["content"] == "It is 1."
    assert (second["link"], second["parent"]) == ("next", 0)


def test_a_turn_that_is_not_there_is_refused(shelf, capsys):
    assert main(["show", str(shelf / "task.yaml"), "--turn", "7"]) == 2

    assert "has turns 0 to 1, no turn 7" in capsys.readouterr().err
