"""One process with the JAX reference for a whole test run: starting it costs half a minute."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.engines import ROOT, cache_folder, require
from tonearm.arms import ArmOptions, Case
from tonearm.arms._jax_process import JaxProcess
from tonearm.arms.jax_native import JaxNative
from tonearm.canonical import JsonObject
from tonearm.model import ChatRequest, Take

ANSWER_S = 600.0

ENVIRON = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "PYTHONPATH": str(ROOT)}


def _cache() -> dict[str, str]:
    """Keep what JAX compiles for the next run: compiling is most of what these tests cost."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(cache_folder() / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


class SharedProcess(JaxProcess):
    """A process that arms open and close without ending it."""

    def __init__(self) -> None:
        super().__init__("jax-native", timeout_s=ANSWER_S, command=("-m", "tests.jax_child"))
        self._started = False

    async def start(self, environ: Mapping[str, str]) -> None:
        if not self._started:
            await super().start(dict(environ) | ENVIRON | _cache())
            self._started = True

    async def close(self) -> None:
        pass

    async def end(self) -> None:
        await super().close()


class Reference:
    """The reference, opened with whatever a test needs."""

    def __init__(self, runner: asyncio.Runner, process: SharedProcess) -> None:
        self._runner = runner
        self._process = process
        self._open: tuple[object, ...] | None = None
        self._arm: JaxNative | None = None

    def arm(self, folder: Path, name: str | None = None, **settings: str) -> JaxNative:
        """Return the arm with a checkpoint and settings, opened unless it was the last one."""
        wanted = (str(folder), name, tuple(sorted(settings.items())))
        if self._open != wanted or self._arm is None:
            self._open = None
            options = ArmOptions(name=name, target=str(folder), settings=settings)
            self._arm = JaxNative(options, process=lambda: self._process)
            self._runner.run(self._arm.open([]))
            self._open = wanted
        return self._arm

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a coroutine that asks the process comes to."""
        return self._runner.run(work)

    def play(self, folder: Path, *requests: ChatRequest, **settings: str) -> list[Take]:
        """Return the arm's answers."""
        arm = self.arm(folder, **settings)
        return [self._runner.run(arm.play(request)) for request in requests]

    def judge(self, folder: Path, cases: Sequence[Case], **settings: str) -> list[Take]:
        """Return what the arm thinks of answers."""
        return self._runner.run(self.arm(folder, **settings).judge(cases))

    def ask(self, question: str, **fields: object) -> JsonObject:
        """Ask the process itself."""
        self._runner.run(self._process.start(os.environ))
        return self._runner.run(self._process.ask(question, fields))

    def repair_router(self, repaired: bool) -> None:
        """Repair the library's mixture of experts, or give back what was published."""
        self.ask("router", repaired=repaired)
        self._open = None


@contextmanager
def start_reference() -> Iterator[Reference]:
    """Run the process for the length of a ``with`` block."""
    for module in ("jax", "gemma"):
        if importlib.util.find_spec(module) is None:
            require("jax", "the extra `jax` is not installed")
    with asyncio.Runner() as runner:
        process = SharedProcess()
        try:
            yield Reference(runner, process)
        finally:
            runner.run(process.end())
