"""Run a command whose clients are to talk to the recorder instead of Ollama."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence

from tonearm.errors import UsageError
from tonearm.proxy.address import Address
from tonearm.proxy.interrupts import Interrupts


def environment(
    base: Mapping[str, str], recorder: Address, *, upstream: Address, mode: str
) -> dict[str, str]:
    """Return an environment in which the usual clients find their way through the recorder.

    Args:
        base: The environment to start from.
        recorder: Where the recorder listens.
        upstream: Where Ollama is.
        mode: How traffic gets to the recorder; from ``local`` on clients need not be told.
    """
    if mode == "reverse":
        return {**base, **recorder.variables}
    env = {**base, **upstream.variables}
    if mode != "regular":
        return env
    for name in ("no_proxy", "NO_PROXY"):
        env.pop(name, None)
    return env | {"http_proxy": recorder.url, "HTTP_PROXY": recorder.url}


async def run(command: Sequence[str], env: Mapping[str, str], interrupts: Interrupts) -> int:
    """Run a command to its end, signals passed on, and return its exit code as a shell would.

    Raises:
        UsageError: There is no such command.
    """
    try:
        process = await asyncio.create_subprocess_exec(*command, env=env)
    except (OSError, ValueError) as err:
        raise UsageError(f"cannot run {command[0]}: {err}") from err

    def forward(number: signal.Signals) -> None:
        # A terminal has sent Ctrl-C to the command already.
        if number != signal.SIGINT or not sys.stdin.isatty():
            process.send_signal(number)

    interrupts.hand_to(forward)
    code = await process.wait()
    return 128 - code if code < 0 else code
