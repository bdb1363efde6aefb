"""Where the demo puts its files, and how it calls itself."""

import sys
from pathlib import Path

import pytest

from tonearm.commands.demo import make_folder, own_name
from tonearm.errors import UsageError


def test_every_demo_gets_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert [make_folder(None) for _ in range(3)] == [
        Path("tonearm-demo"),
        Path("tonearm-demo-2"),
        Path("tonearm-demo-3"),
    ]


def test_a_folder_that_was_asked_for_must_be_new(tmp_path):
    wanted = tmp_path / "a" / "b"

    assert make_folder(wanted).is_dir()
    with pytest.raises(UsageError, match="b exists; name a new folder with --out"):
        make_folder(wanted)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match=r"cannot make the folder .*x: .*--out"):
        make_folder(tmp_path / "file" / "x")


@pytest.mark.parametrize(
    ("env", "on_path", "name"),
    [
        ({"UV_RUN_RECURSION_DEPTH": "1"}, True, "uv run tonearm"),
        ({}, True, "tonearm"),
        ({}, False, "{program}"),
    ],
)
def test_the_commands_to_try_next_can_be_pasted(env, on_path, name, tmp_path, monkeypatch):
    program = tmp_path / "tonearm"
    program.touch(mode=0o755)
    monkeypatch.delenv("UV_RUN_RECURSION_DEPTH", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path) if on_path else "")
    monkeypatch.setattr(sys, "argv", [str(program), "demo"])
    for key, value in env.items():
        monkeypatch.setenv(key, value)

    assert own_name() == name.format(program=program)


def test_as_a_module_it_is_called_as_one(tmp_path, monkeypatch):
    monkeypatch.delenv("UV_RUN_RECURSION_DEPTH", raising=False)
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "__main__.py"), "demo"])

    assert own_name().endswith(" -m tonearm")
