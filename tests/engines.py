"""Start the real engines that tests ask, and stop them again.

Every server has a port, a home and a model folder of its own, so that it neither sees nor changes
what the user of this machine has.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

import httpx
import pytest

OLLAMA_VERSION = "0.33.0"
"""The version that tests run against where they do not ask for another."""

OLLAMA_VERSIONS = ("0.24.0", OLLAMA_VERSION)
"""One of each generation: with the engine inside, and with a llama-server beside it."""

TINY_MODEL = "tiny-gemma4:e2b"
"""Ollama reads the size from the tag and chooses the renderer for small models by it."""

ROOT = Path(__file__).parent.parent
TINY = Path(__file__).parent / "tiny_gemma4"

START_S = 60.0
REQUEST_S = 300.0
STOP_S = 20.0
POLL_S = 0.02


def require(name: str, reason: str) -> NoReturn:
    """Skip a test for want of an engine, or fail it where ``TONEARM_REQUIRE`` lists that engine."""
    if name in os.environ.get("TONEARM_REQUIRE", "").split(","):
        pytest.fail(f"{name} is required: {reason}", pytrace=False)
    pytest.skip(reason)


def package(name: str, *, group: str) -> None:
    """See that a package is here which a dependency group brings; ``require`` the group if not.

    It is not imported: a plugin of pytest would take effect on the tests that run.
    """
    if find_spec(name) is None:
        require(group, f"no package {name} here: uv sync --group {group}")


def cache_folder() -> Path:
    """Return the folder for what is costly to make; ``scripts/get-ollama`` uses the same."""
    if own := os.environ.get("TONEARM_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tonearm"


def tiny_gguf(weights: str = "model", kind: str = "f32", *, control: bool = False) -> Path:
    """Return a GGUF file of the tiny model, made on first use.

    Args:
        weights: ``model`` is sure of what it says, ``unsure`` is not, ``moe`` has experts.
        kind: Type of the matrices: f32, f16, q8_0 or q4_0.
        control: Whether the markers of tools and thoughts are control tokens, which engines hide.
    """
    source = TINY / f"{weights}.safetensors"
    inputs = (source, TINY / "tokenizer.model", *sorted(TINY.glob("*.py")))
    digest = hashlib.sha256(installed_version("gguf").encode())
    for path in inputs:
        digest.update(path.read_bytes())
    label = f"{weights}-{kind}{'-control' if control else ''}"
    target = cache_folder() / "gguf" / f"tiny-gemma4-{label}-{digest.hexdigest()[:16]}.gguf"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(f".{os.getpid()}")
        export = [sys.executable, "-m", "tests.tiny_gemma4.export_gguf"]
        extra = ["--control"] if control else []
        subprocess.run([*export, source, part, "--type", kind, *extra], cwd=ROOT, check=True)
        part.replace(target)
    return target


def ollama_binary(version: str) -> Path:
    """Return the server of one version; ``TONEARM_OLLAMA`` stands in for the usual one."""
    own = os.environ.get("TONEARM_OLLAMA")
    if own and version == OLLAMA_VERSION:
        found = shutil.which(own)
        if found is None:
            pytest.fail(f"TONEARM_OLLAMA={own}: no such program", pytrace=False)
        return Path(found)
    name = "ollama.exe" if os.name == "nt" else "ollama"
    binary = cache_folder() / f"ollama-{version}" / "bin" / name
    if not binary.exists():
        require("ollama", f"no Ollama {version} here: run scripts/get-ollama {version}")
    return binary


@dataclass(frozen=True, slots=True, kw_only=True)
class Ollama:
    """A running server and the model that was made for it."""

    url: str
    model: str
    version: str
    """As the server reports it."""
    log: Path

    def create(self, name: str, gguf: Path) -> None:
        """Make a further model from a GGUF file."""
        data = gguf.read_bytes()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        body = {
            "model": name,
            "files": {gguf.name: digest},
            # More threads wait for each other in a busy loop, and crawl beside another process.
            "parameters": {"num_thread": 1},
            "stream": False,
        }
        with _client(self.url) as client:
            if client.head(f"/api/blobs/{digest}").status_code != 200:
                client.post(f"/api/blobs/{digest}", content=data).raise_for_status()
            client.post("/api/create", json=body).raise_for_status()


@contextmanager
def start_ollama(
    *,
    home: Path,
    version: str = OLLAMA_VERSION,
    gguf: Path | None = None,
    name: str = TINY_MODEL,
) -> Iterator[Ollama]:
    """Run a server with one model for the length of a ``with`` block.

    Args:
        home: A folder of its own, which takes keys, models and the log.
        version: Which server to run.
        gguf: What the model is made of; the tiny model in f32 where absent.
        name: What the model is called.
    """
    binary = ollama_binary(version)
    log = home / "ollama.log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            [binary, "serve"], env=_environment(home), stdout=out, stderr=subprocess.STDOUT
        )
    try:
        url = _wait_for_address(server, log)
        ollama = Ollama(url=url, model=name, version=_wait_for_version(url), log=log)
        ollama.create(name, gguf or tiny_gguf())
        yield ollama
    finally:
        _stop(server)


def _environment(home: Path) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.upper().startswith("OLLAMA_")}
    return inherited | {
        "HOME": str(home),
        "USERPROFILE": str(home),
        "OLLAMA_HOST": "127.0.0.1:0",
        "OLLAMA_MODELS": str(home / "models"),
        "OLLAMA_NUM_PARALLEL": "1",
        "OLLAMA_KEEP_ALIVE": "-1",
        "OLLAMA_NO_CLOUD": "1",
    }


def _wait_for_address(server: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the server has said which free port the system gave it."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        text = log.read_text(encoding="utf-8", errors="replace")
        if found := re.search(r"Listening on (\S+:\d+) ", text):
            return f"http://{found[1]}"
        if server.poll() is not None:
            raise RuntimeError(f"Ollama ended with code {server.returncode}:\n{text[-2000:]}")
        time.sleep(POLL_S)
    raise TimeoutError(f"Ollama did not listen within {START_S:.0f} s, see {log}")


def _wait_for_version(url: str) -> str:
    deadline = time.monotonic() + START_S
    with _client(url) as client:
        while time.monotonic() < deadline:
            try:
                answer = client.get("/api/version")
            except httpx.TransportError:
                time.sleep(POLL_S)
                continue
            return str(answer.raise_for_status().json()["version"])
    raise TimeoutError(f"Ollama at {url} did not answer within {START_S:.0f} s")


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=REQUEST_S, trust_env=False)
