"""Read YAML that tonearm did not lay out, without trusting it.

Deeply nested YAML crashes the interpreter that parses it, so a child process does the parsing,
under limits, and hands back plain JSON. The child is ``tonearm.cassette._foreign``.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import warnings
from pathlib import Path

from tonearm.canonical import Json, JsonObject
from tonearm.errors import CassetteError

WALL_LIMIT_S = 60.0


class ForeignLimitsWarning(UserWarning):
    """This system cannot limit what reading a foreign cassette may cost."""


def read_foreign(path: Path, data: bytes) -> list[tuple[int | None, Json]]:
    """Return the interactions in a YAML file, each with the line it begins in.

    Bytes come as an object whose single key is YAML's tag for them.

    Raises:
        CassetteError: It is not YAML, not vcrpy's shape, or more than the limits allow.
    """
    command = [sys.executable, "-P", "-m", "tonearm.cassette._foreign"]
    try:
        child = subprocess.run(
            command, input=data, capture_output=True, timeout=WALL_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as err:
        raise CassetteError(path, f"cannot be read as YAML within {WALL_LIMIT_S:.0f} s") from err
    if child.returncode != 0:
        raise CassetteError(
            path,
            f"the process that reads foreign YAML {_end(child.returncode)}; "
            "the file is nested too deeply, too large or damaged",
        )
    result: JsonObject = json.loads(child.stdout)
    if "problem" in result:
        raise CassetteError(path, result["problem"], line=result["line"])
    if result["unlimited"]:
        warnings.warn(
            f"{path}: read without a limit on {' and '.join(result['unlimited'])}, "
            "which this system does not offer",
            ForeignLimitsWarning,
            stacklevel=2,
        )
    return list(zip(result["lines"], result["interactions"], strict=True))


def _end(returncode: int) -> str:
    if returncode > 0:
        return f"failed with status {returncode}"
    try:
        return f"was ended by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was ended by signal {-returncode}"
