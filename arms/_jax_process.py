"""The reference in a process of its own, asked over pipes.

The library brings a gigabyte of modules and talks to the terminal; here it can do neither to the
rest. The process ends when its stdin does, so it never outlives this one.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from tonearm.canonical import JsonObject
from tonearm.errors import ArmError

COMMAND = ("-m", "tonearm.arms._jax_child")
LINE_BYTES = 1 << 30
STOP_S = 10.0
LAST_WORDS = 400
"""Characters of what a dead process wrote last."""


class ReferenceFailed(ArmError):
    """The reference answered with a reason not to; ``kind`` is its name."""

    def __init__(self, arm: str, kind: str, problem: str) -> None:
        super().__init__(arm, f"{kind}: {problem}")
        self.kind = kind


class JaxProcess:
    """The process and the questions to it, one at a time."""

    def __init__(self, arm: str, *, timeout_s: float, command: Sequence[str] = COMMAND) -> None:
        self._arm = arm
        self._timeout_s = timeout_s
        self._command = command
        self._process: asyncio.subprocess.Process | None = None
        self._stderr: BinaryIO | None = None
        self._turn = asyncio.Lock()

    async def start(self, environ: Mapping[str, str]) -> None:
        """Start the process; it has loaded nothing yet.

        Raises:
            ArmError: It cannot be started.
        """
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  # lives as long as the process
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=self._stderr,
                env=dict(environ) | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUTF8": "1"},
                limit=LINE_BYTES,
            )
        except OSError as err:
            raise ArmError(self._arm, f"cannot start {sys.executable}: {err.strerror}") from err

    async def ask(self, question: str, fields: JsonObject) -> JsonObject:
        """Return the answer to one question.

        Raises:
            ReferenceFailed: It refuses or fails, and says why.
            ArmError: It died, or stays silent.
        """
        async with self._turn:
            reply = await self._exchange({"question": question, **fields})
        if "error" in reply:
            raise ReferenceFailed(self._arm, reply["error"]["kind"], reply["error"]["problem"])
        answer: JsonObject = reply["ok"]
        return answer

    async def close(self) -> None:
        """End the process, kindly first."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        if self._stderr is not None:
            self._stderr.close()
            self._stderr = None

    async def _exchange(self, asked: JsonObject) -> JsonObject:
        process = self._process
        if process is None or process.returncode is not None:
            raise ArmError(self._arm, self._death())
        assert process.stdin is not None
        assert process.stdout is not None
        line = b""
        try:
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            await process.stdin.drain()
            line = await asyncio.wait_for(process.stdout.readline(), self._timeout_s)
        except TimeoutError as err:
            process.kill()
            await process.wait()
            words = f"the reference was silent for {self._timeout_s:.0f} s, see --timeout"
            raise ArmError(self._arm, words) from err
        except ConnectionError:
            pass  # it died while it was asked; what follows says so
        if not line:
            await process.wait()
            raise ArmError(self._arm, self._death())
        reply: JsonObject = json.loads(line)
        return reply

    def _death(self) -> str:
        code = self._process.returncode if self._process else None
        words = f"the reference's process ended with code {code}"
        if code == -9:
            words += ", which is what happens when memory runs out"
        if self._stderr is not None and not self._stderr.closed:
            size = self._stderr.seek(0, os.SEEK_END)
            self._stderr.seek(max(0, size - LAST_WORDS))
            last = self._stderr.read().decode("utf-8", errors="replace").split()
            words += f": ... {' '.join(last)}" if last else ""
        return words


def child_environ(environ: Mapping[str, str], tokenizer: Path) -> dict[str, str]:
    """Return the environment of the process.

    The library prefers a file of the same name in its own folder to the one that it is given. A
    folder that cannot be makes it use what it is given.
    """
    return dict(environ) | {"GEMMA_CACHE_DIR": str(tokenizer / "none")}
