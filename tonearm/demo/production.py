"""The server that the agents ask: a model behind Ollama's protocol, where an Ollama would be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tonearm.arms import ArmOptions, load
from tonearm.demo.model import NAME
from tonearm.proxy.address import parse_listen
from tonearm.replay.server.front import Front
from tonearm.replay.server.stage.source import Stage

ANY_PORT = "127.0.0.1:0"


@asynccontextmanager
async def production(model: Path) -> AsyncIterator[str]:
    """Serve a model for the length of a block, as ``tonearm serve --arm`` does; return the URL.

    Raises:
        ArmUnavailable: llama.cpp is missing, or cannot read the file.
    """
    arm = load(f"llama-cpp={model}", ArmOptions(layers=False))
    async with Stage(arm, NAME) as stage:
        front = Front(stage)
        address = await front.start(parse_listen(ANY_PORT))
        try:
            yield address.url
        finally:
            await front.stop(0)
