"""Names of cassettes are safe, and a shelf is read in their order."""

import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.cassette import samples
from tonearm.cassette import CassetteWriter, Shelf, find
from tonearm.cassette.shelf import slug
from tonearm.errors import CassetteError, NothingToTest

TIME = "2026-11-20T09:30:00.000123+00:00"


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "shelf")


def put(shelf, *names):
    for name in names:
        with CassetteWriter(shelf.root / name) as writer:
            writer.append(samples.whole())


def test_a_new_name_tells_when_and_which_model(shelf):
    path = shelf.new_path("tiny-gemma4:e2b", TIME, "1f3a")

    assert path == shelf.root / "2026-11-20t09-30-00_tiny-gemma4-e2b_1f3a.yaml"


any_text = st.text(st.characters(exclude_categories=()))


@given(any_text, any_text, any_text)
@example("../../../etc/passwd", "/", "..")
@example("C:\\x\0y", "con", "nul")
@example("-rf ~", "\x1b[31m", "\ud800")
@example("m" * 5000, "", "t" * 5000)
def test_a_hostile_name_stays_on_the_shelf(tmp_path_factory, model, started_at, token):
    shelf = Shelf(tmp_path_factory.getbasetemp())

    path = shelf.new_path(model, started_at, token)

    assert path.parent == shelf.root
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,180}\.yaml", path.name)
    assert not path.exists()


@given(any_text, any_text)
@example("a/b", "a-b")
@example("x" * 41, "x" * 42)
def test_two_tokens_never_share_a_name(one, other):
    shelf = Shelf(Path())

    names = {shelf.new_path("m", TIME, token) for token in (one, other)}

    assert len(names) == len({one, other})


@pytest.mark.parametrize("name", ["con", "NUL", "com1.txt", "lpt9", "aux"])
def test_a_name_that_windows_keeps_for_itself_is_changed(name):
    assert slug(name, 80).partition(".")[0] not in {"con", "nul", "com1", "lpt9", "aux"}


def test_a_shelf_is_read_in_the_order_of_names(shelf):
    put(shelf, "b.yaml", "a.yaml")
    (shelf.root / "notes.txt").touch()
    (shelf.root / "a.yaml.torn").touch()

    assert [path.name for path in shelf.paths()] == ["a.yaml", "b.yaml"]
    assert [len(cassette.exchanges) for cassette in shelf.load_all()] == [1, 1]


def test_a_missing_shelf_is_an_error(shelf):
    with pytest.raises(CassetteError, match="no such folder; record something into it first"):
        shelf.paths()


def test_an_empty_shelf_has_no_paths_and_nothing_to_load(shelf):
    shelf.root.mkdir()

    assert shelf.paths() == []
    with pytest.raises(NothingToTest, match="no cassette"):
        shelf.load_all()


def test_a_broken_cassette_is_not_passed_over(shelf):
    put(shelf, "a.yaml")
    (shelf.root / "b.yaml").write_bytes(b"version: 1\ninteractions:\n- {}\n")

    with pytest.raises(CassetteError, match=r"b\.yaml:3"):
        shelf.load_all()


def test_a_link_that_leads_out_is_refused(shelf, tmp_path):
    put(shelf, "a.yaml")
    (tmp_path / "secret.yaml").touch()
    try:
        (shelf.root / "b.yaml").symlink_to(tmp_path / "secret.yaml")
    except OSError:
        pytest.skip("the system does not let this user make links")

    with pytest.raises(CassetteError, match="leads out of the shelf"):
        shelf.paths()


def test_files_and_folders_are_found_once_each(shelf):
    put(shelf, "b.yaml", "a.yaml", "odd.name")
    a, b, odd = (shelf.root / name for name in ("a.yaml", "b.yaml", "odd.name"))

    assert find([b, shelf.root, odd]) == [b, a, odd]


def test_what_cannot_be_found_is_named(shelf, tmp_path):
    with pytest.raises(CassetteError, match=r"gone\.yaml: no such file or folder"):
        find([tmp_path / "gone.yaml"])
    with pytest.raises(NothingToTest, match="no cassette was given"):
        find([])
    shelf.root.mkdir()
    with pytest.raises(NothingToTest, match=r"shelf: no cassette"):
        find([shelf.root])
