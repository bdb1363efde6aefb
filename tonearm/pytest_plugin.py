"""Let a test talk to an Ollama that answers from a cassette next to it.

The fixture ``tonearm_server`` starts a server on a free port, points the usual clients at it, and
fails the test when it asks what was not recorded. Nothing heavier than pytest is imported before a
test uses it: the plugin is loaded into every run of every project that has tonearm installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tonearm.replay.server.miss import Miss
    from tonearm.replay.server.recordings import Recordings

_FORBIDDEN = str.maketrans(dict.fromkeys("<>?%*:|\"'/\\", "-"))
"""Characters that not every file system has in names; pytest-recording replaces the same ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TonearmServer:
    """A running server, as a test sees it."""

    url: str
    """Where it listens; the same is in ``OLLAMA_HOST``."""
    source: Recordings
    strict: bool = False

    @property
    def misses(self) -> list[Miss]:
        """Requests that were not recorded; a test that means to make some may clear the list."""
        return self.source.ledger.misses

    @property
    def unasked(self) -> list[str]:
        """Names of the recordings that were not asked for, in the order in which they were made."""
        return [recording.name for recording in self.source.repertoire.unasked()]

    def problems(self) -> str:
        """Return what speaks against the test, empty where nothing does."""
        lines = [line for miss in self.misses for line in miss.lines()]
        if self.strict and self.unasked:
            lines.append(f"never asked for: {', '.join(self.unasked)}")
        return "\n".join(lines)


_SERVER = pytest.StashKey[TonearmServer]()


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers",
        "tonearm(*cassettes, speed='instant', ignore=(), repeat='last', strict=False): "
        "what the fixture tonearm_server serves, and how.",
    )


@pytest.fixture(scope="module")
def tonearm_cassette_dir(request: pytest.FixtureRequest) -> Path:
    """The folder of a module's cassettes; override it to keep them elsewhere."""
    return request.path.parent / "cassettes" / request.path.stem


@pytest.fixture
def tonearm_server(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tonearm_cassette_dir: Path
) -> Iterator[TonearmServer]:
    """A server of the test's cassette; clients made in the test find it by themselves."""
    from tonearm.replay.server.background import Background

    marker = request.node.get_closest_marker("tonearm") or pytest.mark.tonearm().mark
    source = _source(_cassettes(request, marker.args, tonearm_cassette_dir), **marker.kwargs)
    strict = bool(marker.kwargs.get("strict"))
    with Background(source) as running:
        for name, value in running.address.variables.items():
            monkeypatch.setenv(name, value)
        server = TonearmServer(url=running.address.url, source=source, strict=strict)
        request.node.stash[_SERVER] = server
        yield server


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that asked what was not recorded, or say it beside the test's own failure."""
    try:
        result = yield
    except BaseException:
        if text := _problems(item):
            item.add_report_section("call", "tonearm", text)
        raise
    if text := _problems(item):
        pytest.fail(text, pytrace=False)
    return result


def _problems(item: pytest.Item) -> str:
    server = item.stash.get(_SERVER, None)
    return "" if server is None else server.problems()


def _cassettes(
    request: pytest.FixtureRequest, names: Sequence[str | Path], folder: Path
) -> list[Path]:
    """Return the files to serve: those that the marker names, else the one named like the test."""
    from tonearm.cassette import find
    from tonearm.errors import TonearmError

    try:
        return find([folder / name for name in names or [f"{_test_name(request)}.yaml"]])
    except TonearmError as err:
        pytest.fail(
            f"no cassette for this test: {err}; record one with `tonearm record` and put it "
            "there, or name another with @pytest.mark.tonearm(...)",
            pytrace=False,
        )


def _test_name(request: pytest.FixtureRequest) -> str:
    name = request.node.name
    whole = f"{request.cls.__name__}.{name}" if request.cls else name
    return str(whole).translate(_FORBIDDEN)


def _source(
    cassettes: Sequence[Path],
    *,
    speed: str | float = "instant",
    ignore: Sequence[str] = (),
    repeat: str = "last",
    strict: bool = False,
) -> Recordings:
    from tonearm.replay.server.loading import load_stock
    from tonearm.replay.server.playback import Pace, parse_speed
    from tonearm.replay.server.question import parse_pointer
    from tonearm.replay.server.recordings import Recordings
    from tonearm.replay.server.repertoire import Repeat

    free = [parse_pointer(text) for text in ([ignore] if isinstance(ignore, str) else ignore)]
    stock = load_stock(cassettes, free=free, repeat=Repeat(repeat))
    pace = Pace(speed=parse_speed(str(speed)))
    return Recordings(stock, pace=pace)
