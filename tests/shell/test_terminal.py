"""Nothing that a model says reaches the terminal as a command."""

import io
import os
import subprocess
import sys
import unicodedata

import pytest

from tonearm.terminal import cell, console, one_line, safe

HOSTILE = [chr(n) for n in range(0x110000) if unicodedata.category(chr(n)) in {"Cc", "Cf", "Cs"}]


def test_no_control_format_or_surrogate_character_survives():
    shown = safe("".join(HOSTILE))

    left = {c for c in shown if unicodedata.category(c) in {"Cc", "Cf", "Cs"}}
    assert left <= {"\n", "\t"}


def test_ordinary_text_stays():
    text = "Zürich, 東京, 🚀, <|tool_call> [bold]x[/bold]\n\tnext"

    assert safe(text) == text


def test_markup_of_the_console_library_is_shown_not_obeyed():
    out = io.StringIO()

    console(out).print(cell("[red]x[/red] \x1b[31m :smile:"))

    assert out.getvalue() == "[red]x[/red] \\u{1b}[31m :smile:\n"


@pytest.mark.parametrize(("text", "shown"), [("a\nb\tc", "a\\nb\\tc"), ("x" * 20, "x" * 9 + "…")])
def test_one_line_is_one_line(text, shown):
    assert one_line(text, 10) == shown


def test_a_reader_who_leaves_early_does_not_change_the_exit_code():
    source, sink = os.pipe()
    os.close(source)
    program = "from tonearm.terminal import console; c = console(); [c.print('x') for _ in '12']"
    try:
        ended = subprocess.run(
            [sys.executable, "-c", program], check=False, stdout=sink, stderr=subprocess.PIPE
        )
    finally:
        os.close(sink)

    assert (ended.returncode, ended.stderr) == (0, b"")
