"""Fixtures of all tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from tests.engines import OLLAMA_VERSION, ROOT, Ollama, start_ollama
from tests.reference import Reference, start_reference

# The same examples in every run; HYPOTHESIS_PROFILE=default looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_configure() -> None:
    """Let a run that is terminated, by a time limit say, stop the servers that it started."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def ollama_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Ollama]]:
    """A function that returns the running Ollama of a version, started when first asked for."""
    with ExitStack() as servers:

        @cache
        def start(version: str) -> Ollama:
            home = tmp_path_factory.mktemp(f"ollama-{version}-")
            return servers.enter_context(start_ollama(version=version, home=home))

        yield start


@pytest.fixture(scope="session")
def ollama(ollama_server: Callable[[str], Ollama]) -> Ollama:
    """A running Ollama that knows the tiny model."""
    return ollama_server(OLLAMA_VERSION)


@pytest.fixture(scope="session")
def reference() -> Iterator[Reference]:
    """The JAX reference in a process of its own."""
    with start_reference() as running:
        yield running


@pytest.fixture(scope="session")
def uv() -> str:
    """The program that builds, locks and installs."""
    program = os.environ.get("UV") or shutil.which("uv")
    return program or pytest.skip("no uv here: these checks run under `uv run pytest`")


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory, uv: str) -> Path:
    """The package as it is published, built from the sdist, so that what that lacks is missed."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([uv, "build", "--quiet", "--out-dir", out, ROOT], check=True)
    (path,) = out.glob("*.whl")
    return path
