"""The fixture as the tests of another project use it."""

import json
import subprocess
import sys

import pytest

from tests.engines import package
from tests.replay.server.harness import asks, last, line, streamed, write
from tonearm.cassette import seal

pytest_plugins = ["pytester"]

ASK = """
import json, os, urllib.request, urllib.error

def ask(text, **more):
    body = {"model": "gemma4:e2b", "messages": [{"role": "user", "content": text}], **more}
    url = os.environ["OLLAMA_HOST"] + "/api/chat"
    try:
        with urllib.request.urlopen(url, json.dumps(body).encode()) as response:
            return response.read().decode()
    except urllib.error.HTTPError as err:
        with err:
            return err.read().decode()
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """A function that runs a test module with cassettes next to it, as another project would."""
    # The plugin is named below, whether or not this project's own run has loaded it.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(tests, *args, **cassettes):
        for name, exchanges in cassettes.items():
            write(pytester.path / "cassettes" / "test_it" / f"{name}.yaml", exchanges)
        pytester.makepyfile(test_it=ASK + tests)
        options = ("-p", "tonearm.pytest_plugin", "-W", "error", "--strict-markers")
        return pytester.runpytest_subprocess(*options, *args)

    return run


HELLO = [streamed(asks("hi"))]


def test_a_test_talks_to_the_cassette_of_its_name(project):
    result = project(
        """
def test_hello(tonearm_server):
    assert '"content":"hel"' in ask("hi")
    assert tonearm_server.url == os.environ["OLLAMA_HOST"]
""",
        test_hello=HELLO,
    )

    result.assert_outcomes(passed=1)


def test_a_test_that_asks_something_else_fails_and_says_why(project):
    """Even where the program under test has swallowed the error."""
    result = project(
        """
def test_hello(tonearm_server):
    ask("ho")
""",
        test_hello=HELLO,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "no recording for POST /api/chat: it is nearest to test_hello.yaml#0, from which *",
            '  messages[[]0[]].content: recorded "hi", asked "ho"',
        ]
    )


def test_a_test_that_fails_by_itself_keeps_its_failure_and_gets_the_explanation(project):
    result = project(
        """
def test_hello(tonearm_server):
    assert "error" not in ask("ho")
""",
        test_hello=HELLO,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*AssertionError*", "*tonearm*", "no recording for POST *"])


def test_misses_that_are_meant_can_be_cleared(project):
    result = project(
        """
def test_hello(tonearm_server):
    assert "no recording" in ask("ho")
    assert len(tonearm_server.misses) == 1
    tonearm_server.misses.clear()
""",
        test_hello=HELLO,
    )

    result.assert_outcomes(passed=1)


def test_the_marker_names_cassettes_and_how_they_are_served(project):
    result = project(
        """
import pytest

@pytest.mark.tonearm("one.yaml", "two.yaml", ignore=["options.seed"], repeat="once")
def test_hello(tonearm_server):
    assert '"content":"hel"' in ask("hi", options={"seed": 2})
    assert '"content":"two"' in ask("ho")
    assert tonearm_server.unasked == []
    assert "was served before" in ask("hi", options={"seed": 3})
    tonearm_server.misses.clear()
""",
        one=[streamed(asks("hi", options={"seed": 1}))],
        two=[streamed(asks("ho"), line("two"), last())],
    )

    result.assert_outcomes(passed=1)


def test_a_strict_test_has_to_ask_for_everything(project):
    result = project(
        """
import pytest

@pytest.mark.tonearm(strict=True)
def test_hello(tonearm_server):
    ask("hi")
""",
        test_hello=[*HELLO, streamed(asks("never"))],
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["never asked for: test_hello.yaml#1"])


def test_names_are_those_of_pytest_recording(project):
    """Class and parameters are part of them, and what no file name may have is a hyphen."""
    result = project(
        """
import pytest

class TestTalk:
    @pytest.mark.parametrize("word", ["a/b"])
    def test_hello(self, tonearm_server, word):
        assert '"content":"hel"' in ask("hi")
""",
        **{"TestTalk.test_hello[a-b]": HELLO},
    )

    result.assert_outcomes(passed=1)


def test_cassettes_can_be_kept_elsewhere(project, pytester):
    write(pytester.path / "shelf" / "test_hello.yaml", HELLO)

    result = project(
        """
import pathlib, pytest

@pytest.fixture
def tonearm_cassette_dir():
    return pathlib.Path("shelf")

def test_hello(tonearm_server):
    assert '"content":"hel"' in ask("hi")
"""
    )

    result.assert_outcomes(passed=1)


def test_a_missing_cassette_is_named_with_what_to_do(project):
    result = project("def test_hello(tonearm_server): pass")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["no cassette for this test: *test_hello.yaml: no such file or folder; record one *"]
    )


def test_a_sealed_cassette_is_served_under_the_same_name(project, pytester):
    folder = pytester.path / "cassettes" / "test_it"
    seal(write(folder / "test_hello.yaml", HELLO))

    project(
        """
def test_hello(tonearm_server):
    assert '"content":"hel"' in ask("hi")
"""
    ).assert_outcomes(passed=1)


def test_the_usual_variables_point_at_the_server_for_the_test_alone(project, monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", "http://elsewhere:1")

    result = project(
        """
def test_hello(tonearm_server):
    url = tonearm_server.url
    assert os.environ["OLLAMA_BASE_URL"] == os.environ["ANTHROPIC_BASE_URL"] == url
    assert os.environ["OPENAI_BASE_URL"] == url + "/v1"

def test_another():
    assert os.environ["OLLAMA_HOST"] == "http://elsewhere:1"
    assert "OPENAI_BASE_URL" not in os.environ
""",
        test_hello=HELLO,
    )

    result.assert_outcomes(passed=2)


def test_tests_without_the_fixture_are_left_alone(project):
    result = project("def test_plain(): assert 1\ndef test_fails(): assert 0\n")

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*tonearm*")


def test_loading_the_plugin_loads_little():
    """It is loaded into every run of every project that has tonearm installed."""
    code = "import sys, tonearm.pytest_plugin, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)

    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"aiohttp", "deepdiff", "mitmproxy", "orjson", "rich", "vcr", "yaml"}


SEVERAL = """
import pytest

@pytest.mark.parametrize("n", range(6))
@pytest.mark.tonearm("hello.yaml")
def test_hello(tonearm_server, n):
    assert '"content":"hel"' in ask("hi")
"""


def test_beside_xdist(project):
    package("xdist", group="plugins")

    project(SEVERAL, "-p", "xdist", "-n", "2", hello=HELLO).assert_outcomes(passed=6)


def test_beside_pytest_asyncio(project):
    package("pytest_asyncio", group="plugins")

    result = project(
        """
import asyncio, pytest

@pytest.mark.asyncio
@pytest.mark.tonearm("hello.yaml")
async def test_hello(tonearm_server):
    assert '"content":"hel"' in await asyncio.to_thread(ask, "hi")
    await asyncio.to_thread(ask, "ho")
""",
        "-p",
        "pytest_asyncio.plugin",
        "-o",
        "asyncio_default_fixture_loop_scope=function",  # without it some versions warn
        hello=HELLO,
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['*recorded "hi", asked "ho"'])


def test_beside_pytest_recording(project):
    """Its tests and ours share a folder of cassettes, and a run."""
    package("pytest_recording", group="plugins")

    result = project(
        SEVERAL
        + """
@pytest.mark.vcr
def test_vcr():
    assert ask_at("http://127.0.0.1:11434")

def ask_at(url):
    os.environ["OLLAMA_HOST"] = url
    return '"content":"hel"' in ask("hi")
""",
        "-p",
        "pytest_recording.plugin",
        hello=HELLO,
        test_vcr=HELLO,
    )

    result.assert_outcomes(passed=7)
