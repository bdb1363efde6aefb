"""Render an untrusted template: the program that ``tonearm.templates.sandbox`` starts.

It limits itself first and reads the template after that, because compiling folds constants and can
burn as much as rendering. Frames go in as JSON and come out as text: a kind (``R`` ready, ``P``
prompt, ``E`` error), the length in four bytes, the text in UTF-8.
"""

from __future__ import annotations

import json
import struct
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import BinaryIO, NoReturn

from jinja2 import Template, TemplateRuntimeError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from tonearm.canonical import Json, JsonObject

try:
    import resource
except ImportError:  # Windows has no such limits
    HAS_LIMITS = False
else:
    HAS_LIMITS = True


class Generation(Extension):
    """``{% generation %}``, which marks the assistant's tokens for training; here it is nothing."""

    tags = {"generation"}  # noqa: RUF012, the base class has it so

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        """Return what is inside."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def main() -> None:
    """Answer one request after the other until there are no more."""
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    first = _read(requests)
    if first is None:
        return
    missing = _limit_memory(first["memory_bytes"])
    _send(answers, b"R", ",".join(missing))
    template: Template | None = None
    while (request := _read(requests)) is not None:
        _limit_time(request["cpu_s"])
        try:
            if template is None:
                template = _compile(first["source"], first["now"])
            text = _render(template, request["variables"], first["output_bytes"])
        except MemoryError:
            _send(answers, b"E", "it needs more memory than it may have")
        except RecursionError:
            _send(answers, b"E", "it calls itself without end, or values are nested too deeply")
        except Exception as err:  # a template can raise anything, and this is where it ends
            _send(answers, b"E", f"{type(err).__name__}: {err}"[:2000])
        else:
            _send(answers, b"P", text)


def _limit_memory(memory_bytes: int) -> list[str]:
    """Limit this process and return the names of the limits that this system does not have."""
    if not HAS_LIMITS:
        return ["cpu", "memory"]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    try:
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    except (ValueError, OSError):  # macOS
        return ["memory"]
    return []


def _limit_time(cpu_s: int) -> None:
    """Let the kernel end this process when it has used that much more of the processor."""
    if HAS_LIMITS:
        _, hard = resource.getrlimit(resource.RLIMIT_CPU)
        soft = int(time.process_time()) + cpu_s
        limit = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def _compile(source: str, now: str) -> Template:
    """Compile with the settings of transformers' ``apply_chat_template``."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = _clock(datetime.fromisoformat(now))
    return environment.from_string(source)


def _render(template: Template, variables: JsonObject, output_bytes: int) -> str:
    parts, size = [], 0
    for part in template.generate(**variables):
        size += len(part)
        if size > output_bytes:
            raise TemplateRuntimeError(f"it writes more than {output_bytes} bytes")
        parts.append(part)
    return "".join(parts)


def _to_json(value: Json, indent: int | None = None, **options: Json) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, **options)


def _clock(now: datetime) -> Callable[[str], str]:
    return now.strftime


def _refuse(message: str) -> NoReturn:
    raise TemplateRuntimeError(message)


def _read(stream: BinaryIO) -> JsonObject | None:
    head = stream.read(4)
    if len(head) < 4:
        return None
    request: JsonObject = json.loads(stream.read(struct.unpack(">I", head)[0]))
    return request


def _send(stream: BinaryIO, kind: bytes, text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    stream.write(kind + struct.pack(">I", len(raw)) + raw)
    stream.flush()


if __name__ == "__main__":
    main()
