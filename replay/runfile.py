"""The saved outcome of one run: every turn, every take, nothing judged.

Verdicts are computed from the file, so that a better comparison can be applied to an old run. While
a run is under way its takes go to ``NAME.part``, one JSON text a line; a run that was cut off goes
on from there. The file itself is written once, at the end, in one step.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from tonearm import __version__
from tonearm.arms import recorded
from tonearm.canonical import Json, JsonObject, fingerprint
from tonearm.errors import RunFileError
from tonearm.model import (
    Answer,
    ChatRequest,
    Decoded,
    Layer,
    ParseProblem,
    Pin,
    Rendered,
    Scored,
    Take,
    Timing,
    Token,
    ToolCall,
    WireShape,
)
from tonearm.replay.plan import Plan, Skipped

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTurn:
    """One turn of a run."""

    key: str
    request: ChatRequest
    takes: Mapping[str, Take]
    """By the arm's name; the recording first, under ``recorded``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that came of sending turns through arms."""

    arms: tuple[str, ...]
    turns: tuple[RunTurn, ...]
    skipped: tuple[Skipped, ...] = ()
    version: str = __version__
    """The tonearm that made it."""


def collect(plan: Plan, arms: Iterable[str], takes: Mapping[tuple[str, str], Take]) -> Run:
    """Put a finished run together.

    Args:
        plan: What was asked.
        arms: Names, in the order of the command line.
        takes: By turn key and arm name.
    """
    names = tuple(arms)
    turns = []
    for turn in plan.turns:
        mine = {name: takes[turn.key, name] for name in names if (turn.key, name) in takes}
        turns.append(
            RunTurn(
                key=turn.key,
                request=turn.request,
                takes={recorded.NAME: recorded.take(turn.exchange), **mine},
            )
        )
    return Run(arms=names, turns=tuple(turns), skipped=plan.skipped)


class Journal:
    """The takes of a run that is under way."""

    def __init__(self, path: Path, plan: Plan, asked: Iterable[str]) -> None:
        """Name a journal.

        Args:
            path: The run file that is to come of it.
            plan: What is asked.
            asked: Who is asked and how: all that a run which goes on must have in common with it.
        """
        self.path = path.with_name(path.name + ".part")
        self._identity = fingerprint([FORMAT, plan.fingerprint(), *asked])
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def open(self) -> dict[tuple[str, str], Take]:
        """Start the journal, or take up an earlier one and return its takes.

        A take that failed is asked for again.

        Raises:
            RunFileError: The journal belongs to another run, or cannot be written.
        """
        done: dict[tuple[str, str], Take] = {}
        try:
            if self.path.exists():
                done = self._read()
            self._file = self.path.open("a", encoding="utf-8", newline="\n")
            if self._file.tell() == 0:
                self._put({"run": self._identity})
        except OSError as err:
            raise RunFileError(self.path, f"cannot write: {err.strerror}") from err
        return done

    def add(self, key: str, take: Take) -> None:
        """Write one take down, so that it is not asked for again."""
        self._put({"key": key, "take": take_to_json(take)})

    def finish(self) -> None:
        """Remove the journal; the run file holds everything now."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self.path.unlink(missing_ok=True)

    def _put(self, value: JsonObject) -> None:
        assert self._file is not None, "open() comes first"
        self._file.write(json.dumps(value) + "\n")
        self._file.flush()

    def _read(self) -> dict[tuple[str, str], Take]:
        text = self.path.read_text(encoding="utf-8")
        whole, _, torn = text.rpartition("\n")
        if torn:
            self.path.write_text(whole + "\n" if whole else "", encoding="utf-8", newline="\n")
        lines = whole.split("\n") if whole else []
        if lines and json.loads(lines[0]).get("run") != self._identity:
            raise RunFileError(
                self.path,
                "holds takes of other cassettes or arms; remove it or choose another --out",
            )
        done = {}
        for line in lines[1:]:
            entry = json.loads(line)
            take = take_from_json(entry["take"])
            if take.error is None:
                done[entry["key"], take.arm] = take
        return done


def save(run: Run, path: Path) -> None:
    """Write a run file in one step."""
    value = {
        "tonearm_run": FORMAT,
        "tonearm": run.version,
        "arms": list(run.arms),
        "turns": [
            {
                "key": turn.key,
                "request": turn.request.body,
                "takes": [take_to_json(take) for take in turn.takes.values()],
            }
            for turn in run.turns
        ],
        "skipped": [dataclasses.asdict(s) for s in run.skipped],
    }
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8", newline="\n")
        temporary.replace(path)
    except OSError as err:
        raise RunFileError(path, f"cannot write: {err.strerror}") from err


def load(path: Path) -> Run:
    """Read a run file.

    Raises:
        RunFileError: It is missing, or no run file, or one of a newer tonearm.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(value, dict) or "tonearm_run" not in value:
            raise RunFileError(path, "is not a run file; make one with `tonearm replay --out`")
        if value["tonearm_run"] != FORMAT:
            raise RunFileError(
                path, f"has format {value['tonearm_run']}, this tonearm reads {FORMAT}"
            )
        return _run(value)
    except OSError as err:
        raise RunFileError(path, f"cannot read: {err.strerror}") from err
    except (ValueError, RecursionError) as err:
        raise RunFileError(path, f"is not JSON: {err}") from err
    except (KeyError, TypeError, AttributeError) as err:
        raise RunFileError(path, f"is damaged: {type(err).__name__} {err}") from err


def _run(value: JsonObject) -> Run:
    turns = []
    for entry in value["turns"]:
        takes = [take_from_json(take) for take in entry["takes"]]
        turns.append(
            RunTurn(
                key=entry["key"],
                request=ChatRequest(body=entry["request"]),
                takes={take.arm: take for take in takes},
            )
        )
    return Run(
        arms=tuple(value["arms"]),
        turns=tuple(turns),
        skipped=tuple(Skipped(**s) for s in value["skipped"]),
        version=value["tonearm"],
    )


def take_to_json(take: Take) -> JsonObject:
    """Return a take as JSON; tokens are ``[text, logprob]``, or that with rank and top."""
    value = dataclasses.asdict(take)
    if take.decoded is not None:
        value["decoded"]["tokens"] = [_token(t) for t in take.decoded.tokens]
    value["scored"] = [
        {"arm": scored.arm, "tokens": [_token(t) for t in scored.tokens], "recut": scored.recut}
        for scored in take.scored
    ]
    return {name: item for name, item in value.items() if item not in (None, {}, [])}


def _token(token: Token) -> list[Json]:
    """Return a token as JSON, short where it has no more than a log-prob."""
    short = [token.text, token.logprob]
    if token.rank is None and not token.top:
        return short
    return [*short, token.rank, [list(pair) for pair in token.top]]


def _tokens(entries: list[list[Json]]) -> tuple[Token, ...]:
    return tuple(
        Token(
            text=text,
            logprob=logprob,
            rank=more[0] if more else None,
            top=tuple((other, p) for other, p in more[1]) if more else (),
        )
        for text, logprob, *more in entries
    )


def take_from_json(value: JsonObject) -> Take:
    """Return the take that ``take_to_json`` wrote."""
    decoded = value.get("decoded")
    answer = value.get("answer")
    return Take(
        arm=value["arm"],
        translated=value.get("translated", False),
        rendered=_maybe(Rendered, value.get("rendered")),
        decoded=None
        if decoded is None
        else Decoded(
            completion=decoded["completion"],
            tokens=_tokens(decoded["tokens"]),
            eval_count=decoded["eval_count"],
        ),
        answer=None
        if answer is None
        else Answer(
            content=answer["content"],
            thinking=answer["thinking"],
            tool_calls=tuple(ToolCall(**call) for call in answer["tool_calls"]),
            problems=tuple(ParseProblem(**problem) for problem in answer["problems"]),
        ),
        scored=tuple(
            Scored(arm=entry["arm"], tokens=_tokens(entry["tokens"]), recut=entry["recut"])
            for entry in value.get("scored") or ()
        ),
        wire=_maybe(WireShape, value.get("wire")),
        blind={Layer(layer): why for layer, why in (value.get("blind") or {}).items()},
        error=value.get("error"),
        pin=_pin(value.get("pin")),
        timing=_maybe(Timing, value.get("timing")),
    )


def _pin(fields: JsonObject | None) -> Pin | None:
    if fields is None:
        return None
    return Pin(**{**fields, "capabilities": tuple(fields["capabilities"])})


def _maybe[T](kind: type[T], fields: Json) -> T | None:
    return None if fields is None else kind(**fields)
