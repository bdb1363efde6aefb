"""The recorded bake-off, played by engines and judged by the reference, as ``tonearm replay`` does.

The recordings are those of a real Ollama 0.24.0 with the tiny model in f32: 25 conversations of
``tonearm bakeoff --task every``, without thinking and with it.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.reference import Reference
from tonearm.arms import Arm, ArmOptions, load
from tonearm.model import Take, Turn
from tonearm.replay import engine, references, runfile
from tonearm.replay.plan import Plan, load_plan
from tonearm.replay.report import Report, print_text, report
from tonearm.replay.runfile import Run
from tonearm.templates import ChatFormat

TAPES = Path(__file__).parent.parent / "data" / "bakeoff"
PLAIN, THINKING = TAPES / "plain.yaml.zst", TAPES / "thinking.yaml.zst"


def plan_of(tape: Path, every: int = 1) -> Plan:
    """Return the turns of a tape; with ``every=5`` one conversation of each kind of task."""
    plan = load_plan([tape])
    few = tuple(turn for turn in plan.turns if turn.conversation % every == 0)
    return replace(plan, turns=few)


@dataclass(slots=True)
class Stage:
    """Recorded turns, and what was made of them so far."""

    plan: Plan
    takes: dict[tuple[str, str], Take] = field(default_factory=dict)

    def play(self, *arms: Arm) -> None:
        """Ask arms that answer by themselves."""

        async def work() -> None:
            async with engine.opened(arms, self.plan.models):
                await engine.play(self.plan.turns, arms, self._keep)

        asyncio.run(work())

    def llama(self, name: str, gguf: Path, template: ChatFormat | None = None) -> None:
        """Ask llama.cpp, with f32 keys and values."""
        options = ArmOptions(name=name, template=template)
        self.play(load(f"llama-cpp={gguf},kv=f32", options))

    def judge(self, name: str, reference: Reference, folder: Path, **settings: str) -> None:
        """Ask the reference what it thinks of all that was answered."""
        arm = reference.arm(folder, name, **settings)
        others = {key: take for key, take in self.takes.items() if not take.scored}
        reference.run(references.judge(self.plan.turns, [arm], others, self._keep))

    def run(self, *arms: str) -> Run:
        """Return a run in which only these arms took part."""
        return runfile.collect(self.plan, arms, self.takes)

    def report(self, *arms: str) -> Report:
        """Return what is reported of these arms."""
        return report(self.run(*arms))

    def _keep(self, turn: Turn, take: Take) -> None:
        self.takes[turn.key, take.arm] = take


def text_of(summary: Report) -> str:
    """Return a report as people read it."""
    stream = io.StringIO()
    print_text(summary, stream)
    return stream.getvalue()


def errors(takes: Iterable[Take]) -> list[str]:
    """Return why takes have no answer."""
    return [take.error for take in takes if take.error]
