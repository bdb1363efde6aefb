"""Each shelf has one key, which only its owner can read."""

import os
import stat
import subprocess
import sys

import pytest

from tonearm.errors import RedactionError
from tonearm.redaction import keyfile


def test_a_shelf_keeps_its_key(tmp_path):
    key = keyfile.of_shelf(tmp_path)

    assert len(key) == 32
    assert keyfile.of_shelf(tmp_path) == key


def test_two_shelves_have_two_keys(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    assert keyfile.of_shelf(tmp_path / "a") != keyfile.of_shelf(tmp_path / "b")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_only_the_owner_reads_the_key(tmp_path):
    keyfile.of_shelf(tmp_path)
    folder = tmp_path / keyfile.FOLDER

    assert stat.S_IMODE((folder / keyfile.NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_git_does_not_see_the_key(tmp_path):
    keyfile.of_shelf(tmp_path)

    assert (tmp_path / keyfile.FOLDER / ".gitignore").read_text("ascii") == "*\n"


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "\x80"])
def test_what_is_no_key_is_not_used_as_one(tmp_path, text):
    keyfile.of_shelf(tmp_path)
    path = tmp_path / keyfile.FOLDER / keyfile.NAME
    path.write_text(text, "latin-1")

    with pytest.raises(RedactionError, match=r"redaction\.key: "):
        keyfile.of_shelf(tmp_path)


def test_a_shelf_that_is_not_there_has_no_key(tmp_path):
    with pytest.raises(RedactionError, match="cannot be read or made"):
        keyfile.of_shelf(tmp_path / "nowhere")


def test_recorders_that_start_together_agree(tmp_path):
    code = (
        "import sys; from pathlib import Path; from tonearm.redaction import keyfile; "
        "print(keyfile.of_shelf(Path(sys.argv[1])).hex())"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]

    keys = {process.communicate(timeout=60)[0] for process in started}

    assert len(keys) == 1
    assert all(process.returncode == 0 for process in started)
