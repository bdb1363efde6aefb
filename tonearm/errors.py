"""Everything tonearm raises on purpose.

TonearmError
├── UsageError               the command line asked for something impossible
├── WireError                bytes are not what Ollama's protocol allows
├── CassetteError            a cassette cannot be read or written
│   └── CassetteVersionError it was written by a newer tonearm
├── RenderError              the chat template rejected a conversation
├── RunFileError             a saved run cannot be read or written
├── RedactionError           a key or a rule of redaction cannot be used
├── CaptureError             the recorder could not start or recorded nothing
├── NothingToTest            there is no turn to replay
├── DemoError                the demo did not find what it had broken
└── ArmError                 an arm could not produce a take
    └── ArmUnavailable       it cannot run here at all (no server, no model, no extra)

A divergence is a result, never an exception, and so is a malformed tool call.
"""

from __future__ import annotations

from pathlib import Path

EXIT_SAME = 0
EXIT_DIVERGED = 1
EXIT_USAGE = 2
EXIT_INCONCLUSIVE = 3
EXIT_COULD_NOT_RUN = 4
EXIT_NOTHING = 5


class TonearmError(Exception):
    """Base of all errors meant for a human; ``str(err)`` is the message shown."""

    exit_code = EXIT_COULD_NOT_RUN


class UsageError(TonearmError):
    """The command line asked for something impossible."""

    exit_code = EXIT_USAGE


class WireError(TonearmError):
    """Bytes are not what Ollama's protocol allows."""


class CassetteError(TonearmError):
    """A cassette file is not usable."""

    def __init__(self, path: Path, problem: str, *, line: int | None = None) -> None:
        where = f"{path}:{line}" if line is not None else f"{path}"
        super().__init__(f"{where}: {problem}")
        self.path = path
        self.problem = problem
        self.line = line


class CassetteVersionError(CassetteError):
    """A cassette was written by a newer tonearm."""


class RenderError(TonearmError):
    """The chat template rejected a conversation."""


class RunFileError(TonearmError):
    """A saved run cannot be read or written."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class RedactionError(TonearmError):
    """The key or the rules of a shelf's redaction cannot be used."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class CaptureError(TonearmError):
    """The recorder could not start."""


class NothingToTest(TonearmError):
    """There is no exchange or turn to work on."""

    exit_code = EXIT_NOTHING


class DemoError(TonearmError):
    """The demo found something else than what it had broken."""

    exit_code = EXIT_DIVERGED


class ArmError(TonearmError):
    """An arm could not produce a take."""

    def __init__(self, arm: str, problem: str) -> None:
        super().__init__(f"arm {arm}: {problem}")
        self.arm = arm
        self.problem = problem


class ArmUnavailable(ArmError):
    """An arm cannot run here at all; ``fix`` says what to do about it."""

    def __init__(self, arm: str, problem: str, *, fix: str) -> None:
        super().__init__(arm, f"{problem}; {fix}")
        self.fix = fix
