"""Render an untrusted template in a process of its own, which can fail alone.

jinja2's sandbox keeps a template away from the interpreter, not from the processor and the memory:
a nested ``range`` burns time in every sandbox. So the template runs in a child with limits, and
whatever happens there is an error here.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
import warnings
import weakref
from dataclasses import dataclass

from tonearm.canonical import JsonObject
from tonearm.errors import RenderError

_START_S = 60.0
_KINDS = {b"R": "ready", b"P": "prompt", b"E": "error"}
_ENVIRONMENT = ("PATH", "PYTHONPATH", "SYSTEMROOT", "LD_LIBRARY_PATH")
"""All that the child inherits: it may be hostile, and other variables hold secrets."""


class LimitsWarning(UserWarning):
    """This system cannot limit everything that a template may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one rendering may use."""

    cpu_s: int = 5
    wall_s: float = 6.0
    """Seconds until the child is ended, whatever it does."""
    memory_bytes: int = 1 << 30
    output_bytes: int = 16 << 20


class Sandbox:
    """A template in its child process; one child renders a whole conversation, turn by turn."""

    def __init__(self, source: str, *, now: str, limits: Limits) -> None:
        """Remember the template; the child starts with the first rendering.

        Args:
            source: The template.
            now: ISO time that ``strftime_now`` formats.
            limits: Of each rendering.
        """
        self._setup = {
            "source": source,
            "now": now,
            "memory_bytes": limits.memory_bytes,
            "output_bytes": limits.output_bytes,
        }
        self._limits = limits
        self._child: _Child | None = None
        self._one_at_a_time = threading.Lock()

    def render(self, variables: JsonObject) -> str:
        """Render once; after a failure that ended the child the next one starts another.

        Raises:
            RenderError: The template failed, or used more than it may.
        """
        request = {"cpu_s": self._limits.cpu_s, "variables": variables}
        try:
            with self._one_at_a_time:
                kind, text = self._ask(request)
        except RecursionError as err:
            raise RenderError("values are nested too deeply") from err
        if kind != "prompt":
            raise RenderError(text)
        return text

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.stop()
            self._child = None

    def _ask(self, request: JsonObject) -> tuple[str, str]:
        try:
            child = self._running()
            return child.ask(request, self._limits.wall_s, self._limits.output_bytes)
        except _ChildFailed as err:
            self.close()
            raise RenderError(str(err)) from err

    def _running(self) -> _Child:
        if self._child is None:
            self._child = _Child()
            _, missing = self._child.ask(self._setup, _START_S, self._limits.output_bytes)
            if missing:
                warnings.warn(
                    f"this system has no limit on a template's {missing.replace(',', ' and ')}",
                    LimitsWarning,
                    stacklevel=5,
                )
        return self._child


class _ChildFailed(Exception):
    """The child did not answer; it is of no use any more."""


class _Child:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "tonearm.templates.sandbox_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )
        self.stop = weakref.finalize(self, _stop, self._process)
        self._answer: tuple[str, str] | None = None

    def ask(self, request: JsonObject, wall_s: float, output_bytes: int) -> tuple[str, str]:
        """Send a request and return the kind of the answer and its text."""
        self._answer = None
        raw = json.dumps(request).encode()
        # Both writing and reading can block, and pipes have no time limit on every system.
        thread = threading.Thread(target=self._exchange, args=(raw, output_bytes), daemon=True)
        thread.start()
        thread.join(wall_s)
        if thread.is_alive():
            self._process.kill()
            thread.join()
            raise _ChildFailed(f"it takes longer than {wall_s:g} s")
        if self._answer is None:
            raise _ChildFailed(self._death())
        return self._answer

    def _exchange(self, raw: bytes, output_bytes: int) -> None:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write(struct.pack(">I", len(raw)) + raw)
            stdin.flush()
            head = stdout.read(5)
            size = struct.unpack(">I", head[1:])[0]
            if head[:1] in _KINDS and size <= 4 * output_bytes:
                text = stdout.read(size).decode("utf-8", "surrogatepass")
                self._answer = (_KINDS[head[:1]], text)
        except (OSError, ValueError, struct.error):
            self._answer = None

    def _death(self) -> str:
        self._process.kill()
        code = self._process.wait()
        if hasattr(signal, "SIGXCPU") and code == -signal.SIGXCPU:
            return "it uses more of the processor than it may"
        return f"its process ended without an answer (exit status {code})"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                continue  # what was not written is of no use any more
