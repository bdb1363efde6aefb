"""Write tools and turns as Ollama's renderer did in its first releases, before v0.20.6.

It followed the template of 2026-04-02, in which the message of a tool is a turn like any other, and
spelled declarations in a way of its own that no template has.
"""

from __future__ import annotations

from tonearm.canonical import Json, JsonObject
from tonearm.replay.translator.quirks import Quirks
from tonearm.replay.translator.spelling import go_text, literal, string, strings


def declaration(function: JsonObject, quirks: Quirks) -> str:
    """Return the declaration of one tool."""
    return (
        f"<|tool>declaration:{function.get('name') or ''}"
        f"{{description:{string(function.get('description') or '')}"
        f"{_parameters(function.get('parameters') or {}, quirks)}}}<tool|>"
    )


def _parameters(parameters: JsonObject, quirks: Quirks) -> str:
    properties, kind = parameters.get("properties"), parameters.get("type")
    if properties is None and not kind:
        return ""
    parts = []
    if properties:
        parts.append(f"properties:{{{_properties(properties, quirks)}}}")
    if parameters.get("required"):
        parts.append(f"required:{strings(parameters['required'])}")
    if kind:
        parts.append(f"type:{string(kind.upper())}")
    return f",parameters:{{{','.join(parts)}}}"


def _properties(schemas: JsonObject, quirks: Quirks) -> str:
    return ",".join(
        f"{name}:{{{_property(schemas[name] or {}, quirks)}}}" for name in sorted(schemas)
    )


def _property(schema: JsonObject, quirks: Quirks) -> str:
    """Return what stands between a property's braces.

    The comma before nested properties and items is there even if nothing precedes it, and the one
    before the type only if a description or an enum does.
    """
    head = f"description:{string(schema['description'])}" if schema.get("description") else ""
    given = schema.get("type", [])
    names = given if isinstance(given, list) else [given or ""]
    if not names:
        return head
    kind, nested = names[0].upper(), ""
    if kind == "STRING" and schema.get("enum"):
        head += "," * bool(head) + f"enum:{strings(map(go_text, schema['enum']))}"
    elif kind == "OBJECT":
        nested = f",properties:{{{_properties(schema.get('properties') or {}, quirks)}}}"
        if schema.get("required"):
            nested += f",required:{strings(schema['required'])}"
    elif kind == "ARRAY" and isinstance(schema.get("items"), dict) and schema["items"]:
        nested = f",items:{{{_items(schema['items'], quirks)}}}"
    return f"{head}{nested}{',' * bool(head)}type:{string(kind)}"


def _items(schema: JsonObject, quirks: Quirks) -> str:
    return ",".join(
        _item(keyword, schema[keyword], quirks)
        for keyword in sorted(schema)
        if schema[keyword] is not None
    )


def _item(keyword: str, value: Json, quirks: Quirks) -> str:
    if keyword != "type":
        return f"{keyword}:{literal(value, quirks)}"
    return f"type:{string(value.upper())}" if isinstance(value, str) else ""


def turn(role: str, text: str, calls: str) -> str:
    """Return one message; thoughts of earlier turns are never repeated."""
    return f"<|turn>{role}\n{calls}{text}<turn|>\n"
