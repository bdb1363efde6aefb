"""Measure what scoring a conversation costs, against sampling it turn by turn.

Run with ``uv run --extra jax python -m bench.jax_scoring [CHECKPOINT]``; without a checkpoint it
takes the tests' tiny model. A conversation of 20 model turns is scored in one pass, as
``jax-native`` does, and sampled by the library's own sampler from each recorded prefix: with the
library's settings, and with buckets and caches fitted to the conversation, as ``jax-native`` does
it. Everything is warmed up first; the same machine, weights and tokens for all. Times are processor
time, so that a busy machine does not change the ratios much; only ratios mean something elsewhere.
The exit status is 1 when a goal is missed.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemma import gm
from rich.console import Console
from rich.table import Table

from tests.tiny_gemma4.checkpoint import write_checkpoint
from tonearm import templates
from tonearm.arms import _jax_model, _jax_pack, _jax_probe
from tonearm.arms._jax_model import Loaded
from tonearm.arms._jax_score import Compilations, Scorer
from tonearm.bakeoff.tasks import load_tasks
from tonearm.canonical import JsonObject

ROUNDS = 3
TURNS = 20
FASTER = 20.0
"""Goal: how many times faster than the library's sampler as it is."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One model turn: what stands before it, and what was recorded."""

    prompt: str
    """Without ``<bos>``."""
    before: list[int]
    after: list[int]


def conversation(tokenizer: Any, turns: int) -> list[Turn]:
    """Return the turns of an agent that has a dozen tools and adds numbers.

    A call, its result, an answer, and again.
    """
    ours, tools = templates.get("gemma4-small"), declarations()
    messages: list[JsonObject] = []
    found: list[Turn] = []
    for number in range(turns // 2):
        a, b = 11 + 3 * number, 90 - 2 * number
        call = {"id": f"c{number}", "function": {"name": "add", "arguments": {"a": a, "b": b}}}
        messages.append({"role": "user", "content": f"Add {a} and {b}."})
        written = f"<|tool_call>call:add{{a:{a},b:{b}}}<tool_call|><|tool_response>"
        found.append(_turn(tokenizer, ours.render(messages, tools), written))
        messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
        result = {"role": "tool", "tool_call_id": f"c{number}", "content": f'{{"sum":{a + b}}}'}
        messages.append(result)
        found.append(_turn(tokenizer, ours.render(messages, tools), f"It is {a + b}.<turn|>"))
        messages.append({"role": "assistant", "content": f"It is {a + b}."})
    return found


def declarations() -> list[JsonObject]:
    """Return the tools of all tasks of the bake-off, each once."""
    every = (tool for task in load_tasks().tasks for tool in task.tools.declarations)
    return list({tool["function"]["name"]: tool for tool in every}.values())


def _turn(tokenizer: Any, prompt: str, written: str) -> Turn:
    bare = prompt.removeprefix("<bos>")
    return Turn(bare, tokenizer.encode(bare, add_bos=True), tokenizer.encode(written))


def score(scorer: Scorer, turns: Sequence[Turn]) -> None:
    """Score every turn of a conversation, as the arm does."""
    scorer.score([(turn.before, turn.after) for turn in turns], 5)


def as_it_is(loaded: Loaded) -> Any:
    """Return the library's sampler with the library's settings."""
    return gm.text.Gemma4Sampler(
        model=loaded.model, params=loaded.params, tokenizer=loaded.tokenizer
    )


def fitted(loaded: Loaded, turns: Sequence[Turn]) -> Any:
    """Return the library's sampler with no more room than the conversation needs."""
    out = _jax_pack.bucket(max(len(turn.after) for turn in turns))
    cache = _jax_pack.bucket(max(len(turn.before) for turn in turns)) + out
    return gm.text.Gemma4Sampler(
        model=loaded.model,
        params=loaded.params,
        tokenizer=loaded.tokenizer,
        cache_length=cache,
        max_out_length=out,
        pad_length=tuple(n for n in _jax_pack.LENGTHS if n <= cache),
    )


def sample(sampler: Any, turns: Sequence[Turn]) -> None:
    """Sample every turn from its recorded prefix, as many tokens as were recorded at most."""
    for turn in turns:
        sampler.sample(turn.prompt, max_new_tokens=len(turn.after), return_state=True)


def seconds(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """Return the time of the fastest round, after one that compiles."""
    work()
    times = []
    for _ in range(ROUNDS):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def recompiled(loaded: Loaded, counter: Compilations) -> dict[int, list[int]]:
    """Return how many programs conversations of growing length compile, by bucket, in order."""
    scorer = Scorer(loaded)
    found: dict[int, list[int]] = {}
    for turns in range(2, TURNS + 1, 2):
        part = conversation(loaded.tokenizer, turns)
        length = len(part[-1].before) + len(part[-1].after)
        before = counter.count
        score(scorer, part)
        found.setdefault(_jax_pack.bucket(length), []).append(counter.count - before)
    return found


def load(folder: Path, dtype: str) -> Loaded:
    """Load a checkpoint as the arm does."""
    found = _jax_probe.probe(folder, None, double=dtype == "f32", environ={})
    if isinstance(found, _jax_probe.Missing):
        sys.exit(f"{found.problem}; {found.fix}")
    wanted = {
        "checkpoint": str(found.checkpoint),
        "layout": found.layout.value,
        "config": str(found.config) if found.config else None,
        "tokenizer": str(found.tokenizer),
        "dtype": dtype,
        "sharding": "none",
    }
    return _jax_model.load(wanted)


def main(argv: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    counter = Compilations()
    with tempfile.TemporaryDirectory() as home:
        loaded = load(Path(argv[0]) if argv else write_checkpoint(Path(home)), "f32")
    turns = conversation(loaded.tokenizer, TURNS)
    scorer, own, tight = Scorer(loaded), as_it_is(loaded), fitted(loaded, turns)
    ways: dict[str, Callable[[], None]] = {
        "scored in one pass": lambda: score(scorer, turns),
        "sampled, the library's settings": lambda: sample(own, turns),
        "sampled, fitted caches": lambda: sample(tight, turns),
    }
    times = {name: seconds(way, time.process_time) for name, way in ways.items()}
    tokens = sum(len(turn.after) for turn in turns)
    best = times["scored in one pass"]
    table = Table("way", "ms", "tokens/s", "times scoring")
    for name, taken in times.items():
        table.add_row(name, f"{1e3 * taken:.1f}", f"{tokens / taken:.0f}", f"{taken / best:.1f}")
    console = Console(width=100)
    prefix = statistics.mean(len(turn.before) for turn in turns)
    console.print(f"{TURNS} turns, {tokens} tokens of answers, prompts of {prefix:.0f} tokens")
    console.print(table)
    compiled = recompiled(loaded, counter)
    for bucket, (first, *others) in compiled.items():
        console.print(f"bucket {bucket}: {first} programs, then {others} for other lengths")
    again = sum(n for _, *others in compiled.values() for n in others)
    ratio = times["sampled, the library's settings"] / best
    met = ratio >= FASTER and not again
    console.print(
        f"{ratio:.1f} times faster (goal >= {FASTER:g}), {again} programs compiled anew within a "
        f"bucket (goal 0): {'met' if met else 'MISSED'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
