"""Measure what a prompt costs: our template against one that looks back and forth.

Run with ``uv run bench/render.py``, or ``uv run --with transformers bench/render.py`` to let
transformers itself render both (it needs no torch for that). A template that keeps no state finds
the neighbours of an assistant message by walking over the others, each time; the ``stateless`` one
here does that with our macros and writes the same prompts, so the two differ in nothing else. The
published template is of this shape and no cheaper: it was measured at 12 ms plain and 98 ms
sandboxed for 201 messages. All figures are processor time of one run on one machine, best of
several rounds; only the ratios mean something elsewhere. The exit status is 1 when a ratio misses
its goal.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from jinja2 import Environment, Template, TemplateError
from jinja2.ext import loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from rich.console import Console
from rich.table import Table

from tonearm.canonical import JsonObject
from tonearm.templates import get
from tonearm.templates.gemma4.format import source

try:
    from transformers.utils.chat_template_utils import render_jinja_template
except ImportError:
    render_jinja_template = None

ROUNDS = 5
SIZES = (50, 100, 200, 400, 800)
TOOLS = 10
FASTER_AT_200 = 5.0
"""Goal: how many times faster than the stateless template, rendered as transformers does."""
STRAIGHT = 1.5
"""Goal: how much more than 16 times the cost of 50 messages 800 may have."""

STATELESS = """<bos>
{%- set first = messages[0] if messages and messages[0]['role'] in ('system', 'developer') -%}
{%- if first or tools or enable_thinking -%}
    <|turn>system{{- '\\n' -}}
    {{- '<|think|>\\n' if enable_thinking -}}
    {{- body(first['content'], 'instructions') if first -}}
    {%- for tool in tools or () %}{{ declaration(tool['function']) }}{% endfor -%}
    <turn|>{{- '\\n' -}}
{%- endif -%}
{%- set rest = messages[1:] if first else messages -%}
{%- set end = namespace(answered=false) -%}
{%- for message in rest -%}
{%- if message['role'] != 'tool' -%}
    {%- set calls = message['tool_calls'] or () -%}
    {%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
    {%- set near = namespace(before='', after='', results=0) -%}
    {%- set here = loop.index -%}
    {%- if role == 'model' -%}
        {%- for other in rest[:here - 1] if other['role'] != 'tool' -%}
            {%- set near.before = other['role'] -%}
        {%- endfor -%}
        {%- for other in rest[here:] if not near.after -%}
            {%- if other['role'] == 'tool' -%}
                {%- set near.results = near.results + 1 -%}
            {%- else -%}
                {%- set near.after = other['role'] -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if near.before != 'assistant' -%}
        <|turn>{{- role }}{{ '\\n' -}}
    {%- endif -%}
    {%- for tool_call in calls %}{{ call(tool_call['function']) }}{% endfor -%}
    {%- for other in rest[here:here + near.results] if calls -%}
        {%- for tool_call in calls if tool_call['id'] == other['tool_call_id'] -%}
            {{- result(tool_call['function']['name'], other['content']) -}}
        {%- endfor -%}
    {%- endfor -%}
    {%- set text = body(message['content'], role) -%}
    {{- text -}}
    {%- set end.answered = calls and near.results > 0 -%}
    {%- if near.after != 'assistant' and not (end.answered and not text and not near.after) -%}
        <turn|>{{- '\\n' -}}
    {%- endif -%}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt and not end.answered -%}
    <|turn>model{{- '\\n' -}}
    {{- '<|channel>thought\\n<channel|>' if not enable_thinking -}}
{%- endif -%}
"""

type Way = Callable[[list[JsonObject]], str]


def conversation(size: int) -> list[JsonObject]:
    """Return an agent's loop: a question, then calls and results, a new question now and then."""
    return list(_messages(size))


def _messages(size: int) -> Iterator[JsonObject]:
    yield {"role": "system", "content": "You are a careful agent. " * 10}
    for number in range(1, size):
        match number % 8:
            case 1:
                yield {"role": "user", "content": f"Now look into file {number}."}
            case 0:
                yield {"role": "assistant", "content": "That is all there is."}
            case odd if odd % 2:
                yield {"role": "tool", "tool_call_id": f"c{number - 1}", "content": "line\n" * 20}
            case _:
                yield {"role": "assistant", "content": "", "tool_calls": [_call(number)]}


def _call(number: int) -> JsonObject:
    arguments = {"path": f"/src/{number}.py", "limit": 20, "Filter": {"tags": ["a", 1, None]}}
    function = {"name": f"tool_{number % TOOLS}", "arguments": arguments}
    return {"id": f"c{number}", "type": "function", "function": function}


def tools() -> list[JsonObject]:
    """Return the declarations of some ten tools of ordinary size."""
    properties = {
        "path": {"type": "string", "description": "Where to look."},
        "mode": {"type": "string", "enum": ["read", "write"]},
        "limit": {"type": "integer", "description": "How many lines at most."},
        "tags": {"type": "array", "items": {"type": "string"}},
    }
    parameters = {"type": "object", "properties": properties, "required": ["path"]}
    return [
        {
            "type": "function",
            "function": {"name": f"tool_{n}", "description": "Do it.", "parameters": parameters},
        }
        for n in range(TOOLS)
    ]


def ways() -> dict[str, Way]:
    """Return the ways to render, by their heading in the table; the first is ours."""
    ours, stateless = source("large"), source("large").partition("<bos>\n")[0] + STATELESS
    declared = tools()
    ours_format = get("gemma4-large")
    found: dict[str, Way] = {
        "ours": lambda messages: ours_format.render(messages, declared),
        "ours, sandboxed": _jinja(_sandbox(), ours, declared),
        "stateless": _jinja(Environment(), stateless, declared),
        "stateless, sandboxed": _jinja(_sandbox(), stateless, declared),
    }
    if render_jinja_template is not None:
        found["ours, transformers"] = _transformers(ours, declared)
        found["stateless, transformers"] = _transformers(stateless, declared)
    return found


def _sandbox() -> Environment:
    return ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols]
    )


def _jinja(environment: Environment, text: str, declared: list[JsonObject]) -> Way:
    environment.globals["raise_exception"] = _refuse
    template: Template = environment.from_string(text)
    return lambda messages: template.render(
        messages=messages, tools=declared, add_generation_prompt=True
    )


def _transformers(text: str, declared: list[JsonObject]) -> Way:
    def render(messages: list[JsonObject]) -> str:
        prompts, _ = render_jinja_template(
            [messages], tools=declared, chat_template=text, add_generation_prompt=True
        )
        return str(prompts[0])

    return render


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def best_ms(way: Way, messages: list[JsonObject]) -> float:
    """Return the processor time of the fastest round, milliseconds."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        way(messages)
        times.append(time.process_time() - start)
    return min(times) * 1e3


def measure(found: dict[str, Way]) -> dict[str, list[float]]:
    """Time every way at every size, after checking that all of them write the same prompt."""
    conversations = [conversation(size) for size in SIZES]
    for messages in conversations:
        prompts = {way(messages) for way in found.values()}
        if len(prompts) != 1:
            sys.exit(f"the prompts of {len(messages)} messages are not all the same")
    return {name: [best_ms(way, m) for m in conversations] for name, way in found.items()}


def show(times: dict[str, list[float]]) -> bool:
    """Print the table and the goals; return whether all are met."""
    table = Table("messages", *times, "times faster", title="milliseconds")
    slow = next(n for n in reversed(times) if n.startswith("stateless,"))
    for row, size in enumerate(SIZES):
        figures = [f"{column[row]:.2f}" for column in times.values()]
        table.add_row(str(size), *figures, f"{times[slow][row] / times['ours'][row]:.1f}")
    console = Console(width=100)
    console.print(table)
    at_200 = SIZES.index(200)
    goals = [
        (f"200 messages, times faster than {slow}", times[slow][at_200] / times["ours"][at_200],
         FASTER_AT_200, True),
        ("800 messages, cost over 16 times that of 50", times["ours"][-1] / times["ours"][0] / 16,
         STRAIGHT, False),
    ]  # fmt: skip
    return all(_judge(console, *goal) for goal in goals)


def _judge(console: Console, what: str, value: float, goal: float, at_least: bool) -> bool:
    met = value >= goal if at_least else value <= goal
    sign = ">=" if at_least else "<="
    console.print(f"{what}: {value:.2f} (goal {sign} {goal:g}) {'met' if met else 'MISSED'}")
    return met


def main(argv: Sequence[str]) -> int:
    """Measure, print, and return the exit status."""
    if argv:
        sys.exit(__doc__)
    return 0 if show(measure(ways())) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
