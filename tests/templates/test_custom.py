"""A user's template: found, named, rendered as transformers would, and never trusted."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import gguf
import pytest

from tonearm.errors import RenderError, UsageError
from tonearm.templates import get, load, sandbox, sandbox_child
from tonearm.templates.custom import CustomTemplate
from tonearm.templates.gemma4.format import source
from tonearm.templates.sandbox import Limits, LimitsWarning
from tonearm.templates.source import REVISIONS, Source

VECTORS = Path(__file__).parents[1] / "data" / "conformance" / "gemma4-render.jsonl"
HELLO = [{"role": "user", "content": "Hello"}]
IMPATIENT = Limits(cpu_s=1, wall_s=60.0)

pytestmark = pytest.mark.filterwarnings("ignore::tonearm.templates.sandbox.LimitsWarning")


@pytest.fixture
def template():
    """Return a function that makes a template of a text; its process ends with the test."""
    made = []

    def make(text, **options):
        made.append(CustomTemplate(Source(text=text), **options))
        return made[-1]

    yield make
    for custom in made:
        custom.close()


def test_our_own_template_renders_the_vectors_in_the_sandbox(template):
    """It needs nothing that transformers' environment does not have."""
    formats = {"31b": template(source("large")), "e2b": template(source("small"))}
    for line in VECTORS.read_text(encoding="utf-8").splitlines():
        vector = json.loads(line)
        switches = ("enable_thinking", "preserve_thinking", "add_generation_prompt")
        options = {name: vector[name] for name in switches if name in vector}
        try:
            prompt = formats[vector["variant"]].render(
                vector["messages"], vector["tools"], **options
            )
        except RenderError:
            prompt = None
        assert prompt == vector["rendered"], vector["id"]


def test_a_conversation_is_rendered_by_one_process(template):
    custom = template("{{ messages | length }}")

    prompts = [custom.render(HELLO * n) for n in (1, 2, 3)]

    assert prompts == ["1", "2", "3"]
    child = custom._sandbox._child._process.pid
    custom.render(HELLO)
    assert custom._sandbox._child._process.pid == child


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("{{ bos_token }}{{ eos_token }}", "<bos><eos>"),
        ("{{ messages[0] | tojson }}", '{"role": "user", "content": "Hello"}'),
        ("{{ {'a': 'é'} | tojson(indent=1) }}", '{\n "a": "é"\n}'),
        ("{{ strftime_now('%Y-%m') }}", "2026-07"),
        ("{% generation %}x{% endgeneration %}", "x"),
        ("{% for m in range(9) %}{% if m == 2 %}{% break %}{% endif %}{{ m }}{% endfor %}", "01"),
        ("  {% if true %}\nx\n  {% endif %}\n", "x\n"),
        (
            "{{ enable_thinking is defined }} {{ tools is none }} {{ documents is none }}",
            "False True True",
        ),
        ("{{ add_generation_prompt }}", "True"),
    ],
)
def test_the_environment_is_that_of_transformers(template, text, prompt):
    custom = template(text, now=datetime(2026, 7, 9, tzinfo=UTC))

    assert custom.render(HELLO) == prompt


def test_switches_reach_the_template_only_when_they_are_set(template):
    custom = template("{{ enable_thinking }}|{{ preserve_thinking is defined }}")

    assert custom.render(HELLO, enable_thinking=False) == "False|False"


def test_text_of_any_kind_comes_through_whole(template):
    text = "\x00\ud800é🚀\r\n" * 1000

    assert template("{{ messages[0].content }}").render([{"content": text}]) == text


BURN = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
HOSTILE = {
    "nested ranges": BURN,
    "a huge power, folded at compile time": "{{ 10 ** (10 ** 9) }}",
    "a huge power": "{% set x = messages | length * 10 %}{{ x ** (x ** 9) }}",
    "a huge range": "{% for a in range(10 ** 9) %}{% endfor %}",
    "a gigabyte in many pieces": "{% for a in range(99999) %}{{ 'x' * 10 ** 4 }}{% endfor %}",
    "classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals of a helper": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "globals of a function": "{{ lipsum.__globals__['os'].system('id') }}",
    "globals of ours": "{{ raise_exception.__globals__.sys.exit() }}",
    "the attr filter": "{{ ('' | attr('__class__')).mro() }}",
    "the map filter": "{{ (messages | map(attribute='__class__') | first).mro() }}",
    "format strings": "{{ '{0.__class__.__mro__}'.format(messages) }}",
    "the template itself": "{{ self._TemplateReference__context.eval_ctx.environment.overlay() }}",
    "changing a list": "{{ messages.append(1) }}",
    "changing a mapping": "{{ messages[0].update({'role': 'x'}) }}",
    "a macro that calls itself": "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}{{ os.system('id') }}",
    "extends": "{% extends '/etc/passwd' %}",
    "deep source": "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}",
    "deep blocks": "{% if 1 %}" * 5_000,
    "bad syntax": "{% for %}",
    "an unknown tag": "{% system 'id' %}",
}  # fmt: skip


GREEDY = {
    "a gigabyte in one piece": "{{ 'x' * 10 ** 9 }}",
    "doubling": "{% set n = namespace(x='x') %}{% for a in range(60) %}{% set n.x = n.x ~ n.x %}"
                "{% endfor %}{{ n.x }}",
    "a wide format": "{{ '%1000000000d' | format(1) }}",
    "centring": "{{ 'x' | center(2 * 10 ** 9) }}",
    "a huge list": "{{ (range(99999) | list) * 99999 }}",
}  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's memory")
@pytest.mark.parametrize("text", GREEDY.values(), ids=GREEDY)
def test_a_greedy_template_costs_an_error(template, text):
    custom = template(text, limits=Limits(cpu_s=30, wall_s=60.0, memory_bytes=1 << 29))

    with pytest.raises(RenderError, match="more memory than it may have"):
        custom.render(HELLO)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_template_costs_an_error(template, text):
    """It never costs the parent, and the next conversation is rendered."""
    custom = template(text, limits=IMPATIENT)

    with pytest.raises(RenderError, match=custom.name):
        custom.render(HELLO)

    assert template("{{ messages[0].content }}").render(HELLO) == "Hello"


def test_a_failure_does_not_outlive_its_rendering(template):
    """After a limit ended the process, the same template renders the next conversation."""
    text = BURN.replace("99999", "messages | length * 99999", 1) + "ok"
    custom = template(text, limits=IMPATIENT)

    assert custom.render([]) == "ok"
    with pytest.raises(RenderError, match="processor"):
        custom.render(HELLO)
    assert custom.render([]) == "ok"


def test_time_is_limited_where_the_system_cannot(template):
    """A child that only waits, or a system without limits, is ended from outside."""
    custom = template(BURN, limits=Limits(cpu_s=60, wall_s=0.2))

    with pytest.raises(RenderError, match=r"longer than 0\.2 s"):
        custom.render(HELLO)


def test_output_is_limited_exactly(template):
    limits = Limits(output_bytes=1000)

    assert len(template("{{ 'x' * 1000 }}", limits=limits).render(HELLO)) == 1000
    with pytest.raises(RenderError, match="more than 1000"):
        template("{{ 'x' * 1001 }}", limits=limits).render(HELLO)


def test_the_child_does_not_inherit_secrets(template, monkeypatch):
    """If a template should ever get out of the sandbox, there is nothing to find."""
    monkeypatch.setenv("SOME_API_KEY", "secret")
    custom = template("x")
    custom.render(HELLO)

    environment = Path(f"/proc/{custom._sandbox._child._process.pid}/environ")
    if not environment.exists():
        pytest.skip("this system does not show a process's environment in /proc")
    assert b"SOME_API_KEY" not in environment.read_bytes()


def test_a_system_without_limits_is_named(template, monkeypatch):
    """As on Windows; the limit by the clock holds there as well."""
    monkeypatch.setattr(sandbox_child, "HAS_LIMITS", False)
    missing = ",".join(sandbox_child._limit_memory(1))

    class Child:
        def ask(self, request, wall_s, output_bytes):
            return ("ready", missing) if "source" in request else ("prompt", "x")

    monkeypatch.setattr(sandbox, "_Child", Child)
    unlimited = sandbox.Sandbox("x", now="2026-07-09T00:00:00+00:00", limits=Limits())

    with pytest.warns(LimitsWarning, match="a template's cpu and memory"):
        assert unlimited.render({}) == "x"


def test_a_template_is_known_by_its_hash(template):
    custom = template("x")

    assert custom.sha256 == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    assert custom.name == "template 2d711642b726"
    assert len(REVISIONS) == len(set(REVISIONS.values()))


def test_a_known_revision_has_a_name(template, monkeypatch):
    monkeypatch.setitem(REVISIONS, "2d711642b726", "gemma4-large 2031-01-01")

    assert template("x").name == "gemma4-large 2031-01-01"


def test_completions_are_read_by_our_grammar(template):
    custom = template("<|channel>thought{{ '\n' }}")
    calls = [{"function": {"name": "f"}}]

    assert custom.starts_in_thinking(custom.render(HELLO))
    assert custom.parse("a<channel|>b", starts_in_thinking=True) == get("gemma4-large").parse(
        "a<channel|>b", starts_in_thinking=True
    )
    assert custom.from_ollama([{"role": "assistant", "tool_calls": calls}])[0]["tool_calls"]


def test_a_file_holds_the_template(tmp_path):
    path = tmp_path / "mine.jinja"
    path.write_bytes(b"{{ bos_token }}\r\nx")
    custom = load(path)

    assert custom.render(HELLO) == "<bos>\nx"
    custom.close()


def test_a_model_folder_holds_the_template_and_the_tokens(tmp_path):
    (tmp_path / "chat_template.jinja").write_text("{{ bos_token }}{{ eos_token }}")
    config = {"bos_token": {"content": "<s>"}, "eos_token": "</s>", "chat_template": "no"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    custom = load(tmp_path)

    assert custom.render(HELLO) == "<s></s>"
    custom.close()


@pytest.mark.parametrize(
    "value", ["yes", [{"name": "rag", "template": "no"}, {"name": "default", "template": "yes"}]]
)
def test_an_older_model_folder_holds_the_template_in_its_config(tmp_path, value):
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": value}))
    custom = load(tmp_path)

    assert custom.render(HELLO) == "yes"
    custom.close()


def test_a_gguf_file_holds_the_template(tmp_path):
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "gemma4")
    writer.add_token_list(["a", "b", "é"] * 1000)
    writer.add_token_scores([0.5] * 3000)
    writer.add_bool("general.flag", True)
    writer.add_array("general.nested", ["x", "y"])
    writer.add_chat_template("{{ messages[0].content }} é")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    custom = load(path)

    assert custom.render(HELLO) == "Hello é"
    custom.close()


def broken(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "tokenizer_config.json").write_text("{")
    (tmp_path / "long.jinja").write_text("x" * ((1 << 20) + 1))
    (tmp_path / "latin.jinja").write_bytes(b"caf\xe9")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("gone.jinja", "give a chat template"),
        ("empty", "neither chat_template.jinja"),
        ("bad", "not JSON"),
        ("long.jinja", "longer than"),
        ("latin.jinja", "not UTF-8 at byte 3"),
    ],
)
def test_what_is_no_template_is_named(tmp_path, name, problem):
    broken(tmp_path)

    with pytest.raises(UsageError, match=problem) as caught:
        load(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_no_process_is_left_behind(template):
    custom = template("x")
    custom.render(HELLO)
    process = custom._sandbox._child._process

    custom.close()

    assert process.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)
