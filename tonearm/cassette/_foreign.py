"""Turn a foreign cassette on standard input into plain JSON on standard output.

Runs as a child process, because the YAML it gets may be hostile: see ``tonearm.cassette.foreign``.
The nesting is measured before anything is built, so that the parser's recursion cannot run away,
and nothing that can multiply a small file into a large value is let through.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import Any

import yaml

from tonearm.canonical import Json, JsonObject
from tonearm.cassette.shape import shown

try:
    from yaml import CSafeLoader as _SafeLoader
except ImportError:  # PyYAML was built without libyaml
    from yaml import SafeLoader as _SafeLoader  # type: ignore[assignment]

CPU_LIMIT_S = 10
MEMORY_LIMIT_BYTES = 1 << 30
MAX_DEPTH = 64

_CORE = "tag:yaml.org,2002:"
_KINDS = ("binary", "bool", "float", "int", "map", "null", "seq", "str")
_TAGS = {None, *(_CORE + kind for kind in _KINDS)}


class Refused(Exception):
    """The file is not a cassette that may be read."""

    def __init__(self, problem: str, line: int | None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.line = line


class _Loader(_SafeLoader):
    """A safe loader for which a date is text and ``<<`` is a key like any other."""


_Loader.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] in _TAGS]
    for first, pairs in _SafeLoader.yaml_implicit_resolvers.items()
}


def main() -> None:
    """Read, convert, write; a refusal is a result, not a failure."""
    unlimited = _limit()
    try:
        result = {"unlimited": unlimited, **convert(sys.stdin.buffer.read())}
        text = json.dumps(result, default=_binary)
    except Refused as err:
        text = json.dumps({"problem": err.problem, "line": err.line})
    except (TypeError, ValueError):
        problem = "has a key of bytes, or a number of too many digits, which a cassette may not"
        text = json.dumps({"problem": problem, "line": None})
    except MemoryError:
        text = json.dumps({"problem": "needs too much memory to be read", "line": None})
    sys.stdout.write(text)


def _limit() -> list[str]:
    """Limit this process; return what could not be limited."""
    try:
        import resource
    except ImportError:  # not on Windows
        return ["processor time", "memory"]
    unlimited = []
    for name, kind, limit in (
        ("core dumps", resource.RLIMIT_CORE, 0),
        ("processor time", resource.RLIMIT_CPU, CPU_LIMIT_S),
        ("memory", resource.RLIMIT_AS, MEMORY_LIMIT_BYTES),
    ):
        try:
            resource.setrlimit(kind, (limit, limit))
        except (OSError, ValueError):  # macOS refuses to limit address space
            unlimited.append(name)
    return unlimited


def _binary(value: object) -> Json:
    if isinstance(value, bytes):
        return {"!!binary": base64.b64encode(value).decode()}
    raise TypeError(f"YAML brought a {type(value).__name__}")


def convert(data: bytes) -> JsonObject:
    """Return the interactions of a cassette and the line in which each begins.

    Raises:
        Refused: The YAML is broken, has something in it that no cassette needs, or is no cassette.
    """
    try:
        _inspect(data)
        return _construct(data)
    except yaml.MarkedYAMLError as err:
        mark = err.problem_mark or err.context_mark
        line = None if mark is None else mark.line + 1
        raise Refused(f"is not valid YAML: {err.problem or err.context}", line) from err
    except yaml.YAMLError as err:
        raise Refused(f"is not valid YAML: {' '.join(str(err).split())}", None) from err
    except (ValueError, LookupError) as err:
        raise Refused("has a value that is not of the type it claims", None) from err


def _inspect(data: bytes) -> None:
    depth = 0
    for event in yaml.parse(data, Loader=_Loader):
        line = _line(event)
        if getattr(event, "anchor", None) is not None:
            raise Refused("has an anchor or an alias, which a cassette may not", line)
        tag = getattr(event, "tag", None)
        if tag not in _TAGS:
            raise Refused(f"has a value of type {shown(tag)}, which a cassette may not", line)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise Refused(f"is nested more than {MAX_DEPTH} levels deep", line)


def _line(at: yaml.Event | yaml.Node) -> int | None:
    return None if at.start_mark is None else at.start_mark.line + 1


def _construct(data: bytes) -> JsonObject:
    loader = _Loader(data)
    try:
        root: Any = loader.get_single_node()
        whole = None if root is None else loader.construct_document(root)
    finally:
        loader.dispose()
    if isinstance(whole, list):
        raise Refused("is a cassette of vcrpy before 1.0; convert it with vcrpy's migration", 1)
    if not isinstance(whole, dict) or not isinstance(whole.get("interactions"), list):
        raise Refused("has no list of interactions: not a vcrpy cassette", 1)
    if "version" not in whole:
        raise Refused("has no version, which vcrpy writes last: the file may be cut off", None)
    if whole["version"] != 1 or isinstance(whole["version"], bool):
        raise Refused(f"is of version {shown(whole['version'])}, not 1", None)
    return {"lines": _lines(root), "interactions": whole["interactions"]}


def _lines(root: yaml.MappingNode) -> list[int | None]:
    lists = [value for key, value in root.value if key.value == "interactions"]
    if len(lists) != 1:
        raise Refused("has more than one list of interactions", _line(lists[1]))
    return [_line(item) for item in lists[0].value]


if __name__ == "__main__":
    main()
