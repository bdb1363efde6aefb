"""``tonearm show``: the turns of a cassette, as an agent's tool loop."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from tonearm import cassette, dialect, stitch
from tonearm.canonical import JsonObject
from tonearm.errors import EXIT_SAME, NothingToTest, UsageError, WireError
from tonearm.model import Link, Turn
from tonearm.terminal import cell, console, one_line


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "show",
        help="print the turns of a cassette",
        description="Print what was said in a cassette, turn by turn: new messages, the answer.",
    )
    p.add_argument("cassette", type=Path)
    p.add_argument("--turn", type=int, metavar="N", help="this turn alone, whole, from 0")
    p.add_argument("--json", action="store_true", help="one JSON object for each turn")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the turns, by conversation."""
    (path,) = cassette.find([args.cassette])
    tape = cassette.load(path)
    if tape.torn:
        print(f"tonearm: {path}: {tape.torn}", file=sys.stderr)
    turns = stitch.turns(path.name, tape.exchanges)
    if not turns:
        raise NothingToTest(f"{path}: {len(tape.exchanges)} exchanges, none is an /api/chat turn")
    chosen = turns if args.turn is None else [_pick(turns, args.turn, path)]
    if args.json:
        for turn in chosen:
            sys.stdout.write(json.dumps(_to_json(turn)) + "\n")
        return EXIT_SAME
    out = console()
    for turn in chosen:
        _print(turn, turns, out, whole=args.turn is not None)
    return EXIT_SAME


def _pick(turns: list[Turn], number: int, path: Path) -> Turn:
    if not 0 <= number < len(turns):
        raise UsageError(f"{path} has turns 0 to {len(turns) - 1}, no turn {number}")
    return turns[number]


def _to_json(turn: Turn) -> JsonObject:
    return {
        "key": turn.key,
        "link": turn.link,
        "parent": turn.parent,
        "outcome": turn.exchange.outcome,
        "request": turn.request.body,
        "reply": _reply(turn),
    }


def _reply(turn: Turn) -> JsonObject:
    try:
        reply = dialect.read_reply(turn.exchange)
    except WireError as err:
        return {"error": str(err)}
    return reply.body if reply.error is None else {**reply.body, "error": reply.error}


def _print(turn: Turn, turns: list[Turn], out: Console, *, whole: bool) -> None:
    limit = 100_000 if whole else 160
    link = "" if turn.link in (Link.START, Link.NEXT) else f"  {turn.link} of #{turn.parent}"
    out.print(cell(f"{turn.key}  {turn.request.model}{link}", "bold"))
    for message in turn.request.messages[0 if whole else _known(turn, turns) :]:
        _message(message, out, limit)
    reply = _reply(turn)
    answer = reply.get("message") or {}
    _message({"role": "assistant", **answer}, out, limit, mark="=>")
    out.print(cell(f"   {_end(turn, reply)}", "dim"))


def _known(turn: Turn, turns: list[Turn]) -> int:
    """Return how many messages were shown with the turn before, its answer included."""
    if turn.parent is None:
        return 0
    mates = [other for other in turns if other.conversation == turn.conversation]
    before = len(mates[turn.parent].request.messages)
    return before if turn.link is Link.RETRY else before + 1


def _message(message: JsonObject, out: Console, limit: int, mark: str = "  ") -> None:
    role = str(message.get("role", "?"))
    name = f" {message['tool_name']}" if message.get("tool_name") else ""
    if message.get("thinking"):
        out.print(cell(f"{mark} {role} thinks: {one_line(str(message['thinking']), limit)}", "dim"))
    for call in message.get("tool_calls") or []:
        function = call.get("function") or {}
        arguments = json.dumps(function.get("arguments"), ensure_ascii=False)
        said = one_line(f"{function.get('name')}({arguments})", limit)
        out.print(cell(f"{mark} {role} calls {said}", "cyan"))
    content = message.get("content")
    if content or not (message.get("thinking") or message.get("tool_calls")):
        text = content if isinstance(content, str) else json.dumps(content)
        out.print(cell(f"{mark} {role}{name}: {one_line(text or '(nothing)', limit)}"))


def _end(turn: Turn, reply: JsonObject) -> str:
    parts = [str(turn.exchange.outcome)]
    if reply.get("error"):
        parts.append(f"error: {one_line(str(reply['error']))}")
    if reply.get("done_reason"):
        parts.append(f"done: {reply['done_reason']}")
    if "prompt_eval_count" in reply or "eval_count" in reply:
        parts.append(
            f"{reply.get('prompt_eval_count', '?')} + {reply.get('eval_count', '?')} tokens"
        )
    if turn.exchange.duration_s is not None:
        parts.append(f"{turn.exchange.duration_s:.2f} s")
    return ", ".join(parts)
