"""Say what a tool declares about its arguments, and where a call breaks it.

Schemas come from cassettes and are hostile input: nothing in one is fetched, ``pattern`` is never
run (a stranger's can take for ever), and a schema that cannot be used promises nothing and is named
instead of being half applied.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from jsonschema import Draft7Validator, Draft201909Validator, Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.protocols import Validator
from referencing import Registry

from tonearm.canonical import Json, JsonObject

MAX_DEPTH = 64
"""Containers within containers that are looked into; tools use a handful."""

_TYPES = {"null", "boolean", "integer", "number", "string", "array", "object"}
_DIALECTS = {v.META_SCHEMA["$schema"]: v for v in (Draft7Validator, Draft201909Validator)}

_INDEX = re.compile("0|[1-9][0-9]{0,8}")

_ONE = {"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"}
_LISTED = {"allOf", "anyOf", "items", "oneOf", "prefixItems"}
_NAMED = {"$defs", "definitions", "dependentSchemas", "properties"}
_DROPPED = {"$anchor", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveRef", "$schema"} | {
    "nullable",
    "pattern",
    "patternProperties",
    "type",
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Fault:
    """A place where arguments break the declaration of their tool."""

    path: str
    """JSON pointer into the arguments."""
    kind: str
    """The broken keyword of JSON Schema, or a word of our own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSchema:
    """What a tool declares about its arguments; an empty one allows everything."""

    root: JsonObject = field(default_factory=dict)
    validator: Validator | None = None
    problem: str | None = None
    """Why the declaration is not used, where it is not."""

    def inside(self, schema: JsonObject, *, refs: bool = True) -> JsonObject:
        """Return the schema that describes the inside of a value.

        That is the schema itself, what its ``$ref`` names, or the one branch of a choice that is
        not null, which is how generated schemas spell an optional object.
        """
        for _ in range(MAX_DEPTH):
            branches = [b for b in schema.get("anyOf", ()) if b != {"type": ["null"]}]
            if "$ref" in schema:
                schema = as_object(_target(self.root, schema["$ref"])) if refs else {}
            elif len(branches) == 1:
                schema = as_object(branches[0])
            else:
                return schema
        return {}

    def accepts_null(self, schema: JsonObject) -> bool:
        """Whether a part of this declaration allows null."""
        try:
            return self.validator is not None and self.validator.evolve(schema=schema).is_valid(
                None
            )
        except RecursionError:
            return False

    def faults(self, arguments: JsonObject) -> list[Fault]:
        """Return where arguments break the declaration, each place and kind once.

        References that run in a circle constrain nothing.
        """
        if self.validator is None:
            return []
        try:
            errors = list(self.validator.iter_errors(arguments))
        except RecursionError:
            return []
        return sorted(
            {Fault(path=pointer(e.absolute_path), kind=_kind(e.validator)) for e in errors}
        )


def _kind(keyword: Json) -> str:
    return "additional" if keyword == "additionalProperties" else str(keyword)


def declarations(tools: Iterable[Json]) -> dict[str, Json]:
    """Return the ``parameters`` of the tools that a request offers, by name."""
    functions = [as_object(as_object(tool).get("function")) for tool in tools]
    return {f["name"]: f.get("parameters") for f in functions if isinstance(f.get("name"), str)}


def tool_schema(parameters: Json) -> ToolSchema:
    """Return what a tool's ``parameters`` declare; nothing where they cannot be used."""
    if parameters is None:
        return ToolSchema()
    if not isinstance(parameters, dict):
        return ToolSchema(problem="the parameters are not an object")
    if too_deep(parameters):
        return ToolSchema(problem=f"the parameters are nested more than {MAX_DEPTH} deep")
    root = normalised(parameters)
    dialect = _DIALECTS.get(str(parameters.get("$schema")), Draft202012Validator)
    try:
        dialect.check_schema(root)
    except SchemaError as err:
        return ToolSchema(problem=f"{pointer(err.absolute_path) or 'parameters'}: {err.message}")
    for reference in _references(root):
        if _target(root, reference) is None:
            return ToolSchema(problem=f"$ref {reference!r} leads out of the schema or nowhere")
    return ToolSchema(root=root, validator=dialect(root, registry=Registry()))


def normalised(schema: Json) -> Json:
    """Return a schema with types as JSON Schema spells them, and without what is not applied.

    ``STRING`` and ``nullable`` are how other vendors spell it. A type that JSON does not have
    constrains nothing. ``additionalProperties`` goes with ``patternProperties``, its complement.
    """
    if not isinstance(schema, dict):
        return schema
    dropped = _DROPPED | ({"additionalProperties"} if "patternProperties" in schema else set())
    result = {key: _part(key, value) for key, value in schema.items() if key not in dropped}
    types = _types(schema)
    return result | {"type": types} if types else result


def _part(key: str, value: Json) -> Json:
    if key in _NAMED and isinstance(value, dict):
        return {name: normalised(part) for name, part in value.items()}
    if key in _LISTED and isinstance(value, list):
        return [normalised(part) for part in value]
    return normalised(value) if key in _ONE else value


def _types(schema: JsonObject) -> list[str]:
    declared = schema.get("type")
    names = declared if isinstance(declared, list) else [declared]
    known = [name.lower() for name in names if isinstance(name, str) and name.lower() in _TYPES]
    if known and schema.get("nullable") is True:
        known.append("null")
    return list(dict.fromkeys(known))


def _references(value: Json) -> Iterator[str]:
    for item in as_object(value).values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            yield from _references(item)
    if isinstance(value, dict) and isinstance(value.get("$ref"), str):
        yield value["$ref"]


def _target(root: Json, reference: str) -> Json:
    head, *steps = unquote(reference).split("/")
    found = root if head == "#" else None
    for step in steps:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list):
            found = dict(enumerate(found)).get(int(name)) if _INDEX.fullmatch(name) else None
        else:
            found = as_object(found).get(name)
    return found


def as_object(value: Json) -> JsonObject:
    """Return a value that is a JSON object, an empty object for any other."""
    return value if isinstance(value, dict) else {}


def pointer(steps: Iterable[str | int]) -> str:
    """Return the JSON pointer (RFC 6901) of a path."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def too_deep(value: Json) -> bool:
    """Whether a value has more than ``MAX_DEPTH`` containers within one another."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for holder in level
            if isinstance(holder, dict | list)
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
    return any(isinstance(item, dict | list) for item in level)
