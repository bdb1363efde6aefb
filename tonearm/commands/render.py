"""``tonearm render``: write the prompts of conversations, one JSON object a line, in and out."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from tonearm import templates
from tonearm.canonical import JsonObject
from tonearm.commands._filter import field, objects, run_filter
from tonearm.errors import RenderError, UsageError
from tonearm.model import Pin
from tonearm.templates import ChatFormat
from tonearm.wire import chat_request

_FORM = """\
Input, one JSON object a line:
  id                     anything, comes back as it is (optional)
  messages               in the form of Hugging Face's apply_chat_template
  tools                  the declarations, as in /api/chat (optional)
  variant                small or large, or a model's size: e2b, e4b, 12b, 26b, 31b
  enable_thinking        true or false; off where it is absent (optional)
  preserve_thinking      likewise (optional)
  add_generation_prompt  likewise; on where it is absent (optional)
With --from ollama each line is the body of a request to /api/chat instead. Its model names the
variant, and thinking is on unless "think" is false.

Output, for each line: {"id", "rendered"}, or {"id", "rendered": null, "error"} where the template
rejects the conversation, or {"id", "line", "error"} for a bad line.

Exit status: 0; 2 for a bad template; 4 where there are lines and all of them are bad.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "render",
        help="write the prompts of conversations, a filter over JSON lines",
        description="Read conversations from stdin and write the prompt of each.",
        epilog=_FORM,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("--from", choices=("hf", "ollama"), default="hf", dest="form", help="input form")
    which = p.add_mutually_exclusive_group()
    which.add_argument("--variant", help="for lines that do not say: small, large or a size")
    which.add_argument(
        "--template",
        type=Path,
        metavar="PATH",
        help="render with this template: a file, a model folder or a GGUF file",
    )
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Render each line of stdin on stdout."""
    if args.variant is not None:
        variant(args.variant)
    if args.template is None:
        return run_filter(partial(answer, form=args.form, default=args.variant))
    template = templates.load(args.template)
    try:
        return run_filter(partial(answer, form=args.form, template=template))
    finally:
        template.close()


def answer(
    request: JsonObject,
    *,
    form: str = "hf",
    default: str | None = None,
    template: ChatFormat | None = None,
) -> JsonObject:
    """Return the prompt of one line.

    Raises:
        TonearmError: The line is not of the form.
    """
    read = _from_ollama if form == "ollama" else _from_hugging_face
    try:
        return {"rendered": read(request, template, default)}
    except RenderError as err:
        return {"rendered": None, "error": str(err)}


def _from_hugging_face(
    request: JsonObject, template: ChatFormat | None, default: str | None
) -> str:
    named = field(request, "variant", str) or default
    messages = objects(request, "messages")
    if messages is None:
        raise UsageError("there are no messages")
    generation = field(request, "add_generation_prompt", bool)
    return (template or variant(named)).render(
        messages,
        objects(request, "tools"),
        enable_thinking=field(request, "enable_thinking", bool),
        preserve_thinking=field(request, "preserve_thinking", bool),
        add_generation_prompt=generation is not False,
    )


def _from_ollama(request: JsonObject, template: ChatFormat | None, default: str | None) -> str:
    chat = chat_request(request)
    chosen = template or (
        variant(default) if default else templates.for_model(Pin(model=chat.model))
    )
    return chosen.render(
        chosen.from_ollama(chat.messages), chat.tools, enable_thinking=chat.thinks(capable=True)
    )


def variant(name: str | None) -> ChatFormat:
    """Return the grammar that a line or the command line names.

    Raises:
        UsageError: It names none.
    """
    if name is None:
        raise UsageError("there is no variant; say it in the line or with --variant")
    sizes = {"e2b": "small", "e4b": "small", "12b": "large", "26b": "large", "31b": "large"}
    known = {f"gemma4-{word}" for word in ("small", "large")}
    full = f"gemma4-{sizes.get(name.lower(), name.lower())}"
    if full not in known:
        raise UsageError(f"variant {name!r} is none of small, large, {', '.join(sizes)}")
    return templates.get(full)
