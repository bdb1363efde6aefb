"""The demo from its first line to its last."""

from __future__ import annotations

from pathlib import Path

from tonearm.bakeoff import trace
from tonearm.demo import traffic, verdicts
from tonearm.demo.model import KINDS, NAME, WHOLE, unpack
from tonearm.demo.production import ANY_PORT, production
from tonearm.demo.provocations import PROVOCATIONS, Provocation
from tonearm.demo.screen import Screen
from tonearm.demo.verdicts import ENGINE, SERVER, Setup, Takes
from tonearm.proxy.address import parse_listen, parse_upstream
from tonearm.proxy.session import Settings, recording
from tonearm.replay.plan import Plan, load_plan
from tonearm.replay.server.stage.besides import VERSION

CASSETTES, TRACES, SOUND = "cassettes", "traces.json", "sound.run.json"

BY_HAND = "http://127.0.0.1:11435"
"""Where ``tonearm serve`` listens when it is not told; the demo itself takes any free port."""


async def perform(folder: Path, screen: Screen) -> None:
    """Serve, record, replay, then break one layer after the other.

    Args:
        folder: An empty one, for everything that is made.
        screen: Where it is shown.

    Raises:
        ArmUnavailable: llama.cpp is missing or cannot run here.
        DemoError: What was found is not what was broken.
    """
    models = {kind: unpack(kind, folder) for kind in KINDS}
    screen.title(f"serve: {NAME}, 1.5 million parameters, where an Ollama {VERSION} would be")
    screen.command(f"serve --arm {ENGINE}={models[WHOLE]} --model {NAME}")
    async with production(models[WHOLE]) as url:
        demo = _Demo(Setup(url=url, models=models), folder, screen)
        await demo.record()
        await demo.replay()
        for provocation in PROVOCATIONS:
            await demo.provoke(provocation)


class _Demo:
    """The steps, and what they hand on."""

    def __init__(self, setup: Setup, folder: Path, screen: Screen) -> None:
        self._setup = setup
        self._folder = folder
        self._screen = screen
        self._tasks = traffic.agents()
        self._plan = Plan(turns=())
        self._takes: Takes = {}

    async def record(self) -> None:
        """Let agents work through the recorder."""
        setup, screen = self._setup, self._screen
        shelf, traces = self._folder / CASSETTES, self._folder / TRACES
        total = traffic.turns(self._tasks)
        screen.title("record: the bake-off's four tasks, and one with an unlucky tool")
        screen.command(
            f"record --upstream {BY_HAND} --listen {ANY_PORT} -- {screen.program} bakeoff "
            f"--arm {SERVER} --model {NAME} --task all --no-think --out {TRACES}"
        )
        settings = Settings(
            upstream=parse_upstream(setup.url), listen=parse_listen(ANY_PORT), shelf=shelf
        )
        async with recording(settings) as recorder:
            with screen.progress("record", total) as on_turn:
                done = await traffic.converse(self._tasks, recorder.address.url, on_turn)
        trace.save(done, traces)
        calls = sum(t.final.tool_calls_total for t in done)
        tally = recorder.tally
        screen.line(f"{tally.recorded} exchanges with {calls} tool calls, {tally.files} cassettes")
        self._plan = load_plan([shelf])

    async def replay(self) -> None:
        """Ask again while nothing is broken, so that nothing may differ."""
        setup, screen = self._setup, self._screen
        run = self._folder / SOUND
        specs = [f"{SERVER}={setup.url}", f"{ENGINE}={setup.models[WHOLE]}"]
        screen.title("replay: every turn again, of the server and of the model without a server")
        arms = f"--arm {SERVER}={BY_HAND} --arm {specs[1]}"
        screen.command(f"replay {CASSETTES} {arms} --out {SOUND}")
        with screen.progress("replay", len(self._plan.turns) * len(specs)) as on_take:
            self._takes = await verdicts.ask(self._plan.turns, specs, on_take)
        found = verdicts.save(self._plan, self._takes, run)
        screen.report(found)
        verdicts.confirm_sound(found)

    async def provoke(self, provocation: Provocation) -> None:
        """Break one thing, ask one conversation again, and see that it is found."""
        screen, layer = self._screen, provocation.layer
        (task,) = [task for task in self._tasks if task.id == provocation.task_id]
        plan = verdicts.of_task(self._plan, task)
        screen.title(f"{layer}, broken on purpose: {provocation.what}")
        screen.line(f"  how: {provocation.how}", "dim")
        async with verdicts.broken(provocation, self._setup) as spec:
            with screen.progress(layer, len(plan.turns)) as on_take:
                takes = await verdicts.ask(plan.turns, [spec], on_take)
        found = verdicts.save(plan, {**self._takes, **takes}, self._folder / f"{layer}.run.json")
        screen.divergence(found, provocation.cause)
        verdicts.confirm(provocation, found)
