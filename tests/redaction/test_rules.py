"""The owner of a shelf says what else is a secret, and what is none."""

import time

import pytest

from tonearm.errors import RedactionError
from tonearm.redaction import Redactor
from tonearm.redaction.rules import NAME, load


@pytest.fixture
def shelf(tmp_path):
    def write(text: str):
        (tmp_path / NAME).write_text(text, encoding="utf-8")
        return tmp_path

    return write


def test_an_own_pattern_is_found_with_its_kind(shelf):
    root = shelf("[[pattern]]\nkind = 'badge'\nregex = 'badge (M[üu]-[0-9]{6})'\n")

    text, (finding,) = Redactor.of_shelf(root).text("his badge Mü-123456 is")

    assert (finding.kind, finding.spans) == ("badge", ((10, 19),))
    assert "123456" not in text


def test_kinds_can_be_switched_off_and_texts_allowed(shelf):
    root = shelf("off = ['phone']\nallow = ['.*@corp\\.io']\n")
    redactor = Redactor.of_shelf(root)

    assert redactor.text("Tel: +1 601-228-1930, joe@corp.io")[1] == []
    assert len(redactor.text("joe@other.io")[1]) == 1


def test_a_shelf_without_rules_has_the_built_in_ones(tmp_path):
    assert load(tmp_path / NAME).finders == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "[[pattern]]\nkind = 'x'\nregex = '(a'\n",
            "pattern 1 (x): missing ): (a; the syntax is RE2's",
        ),
        ("[[pattern]]\nkind = 'x'\nregex = '(?<=a)b'\n", "pattern 1 (x): invalid"),
        ("[[pattern]]\nkind = 'x'\nregex = 'a*'\n", "matches the empty text"),
        ("[[pattern]]\nregex = 'a'\n", "pattern 1 has no kind"),
        ("[[pattern]]\nkind = 'x'\nregex = 5\n", "pattern 1 has no regex"),
        ("[[pattern]]\nkind = 'x'\nregex = 'a'\nrank = 1\n", "pattern 1 has 'rank'; known are"),
        ("patterns = []\n", "the file has 'patterns'; known are allow, off, pattern"),
        ("off = 'phone'\n", "off is not a list of texts"),
        ("allow = ['[']\n", "allow, entry 1: missing ]"),
        ("allow = ['x(?:\\pL|\\pN){1,300}']\n", "allow, entry 1: the expression is too large"),
        (f"allow = ['x{'(' * 10}{')' * 10}']\n", "allow, entry 1: more than 9 groups"),
        ("off = [\n", "is not TOML"),
        (f"off = {'9' * 5000}\n", "is not TOML"),
        (f"off = {'[' * 100_000}\n", "is not TOML"),
    ],
)
def test_a_rule_that_makes_no_sense_is_named(shelf, text, problem):
    root = shelf(text)

    with pytest.raises(RedactionError) as caught:
        Redactor.of_shelf(root)

    assert str(caught.value).startswith(f"{root / NAME}: ")
    assert problem in str(caught.value)


def test_a_file_that_is_not_utf_8_is_named(tmp_path):
    (tmp_path / NAME).write_bytes(b"\xff")

    with pytest.raises(RedactionError, match="cannot be read"):
        load(tmp_path / NAME)


def test_an_expression_that_explodes_elsewhere_takes_linear_time(shelf):
    """Backtracking would take longer than the universe has had."""
    root = shelf("[[pattern]]\nkind = 'x'\nregex = '(a+)+$b|(a|aa)+c'\n")
    redactor = Redactor.of_shelf(root)
    start = time.process_time()

    redactor.text("a" * 200_000)

    assert time.process_time() - start < 10
