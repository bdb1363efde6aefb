"""Declare a tool as the template does, with the habits of Ollama's renderer built in as switches.

Ollama reads a declaration into types of its own, which keep few keywords; only what stands under
``items`` stays as it was sent. The two kinds of schema are told apart by ``raw``.
"""

from __future__ import annotations

from tonearm.canonical import Json, JsonObject
from tonearm.replay.translator.causes import Cause
from tonearm.replay.translator.quirks import Quirks
from tonearm.replay.translator.spelling import go_text, literal, order, string, strings

STANDARD = frozenset({"description", "type", "properties", "required", "nullable"})
"""Keywords that are never taken for the name of a property of an object without properties."""

type _Type = tuple[str, str | None]
"""The type that decides which keywords are written, and what is written for it, if anything."""


def declaration(function: JsonObject, quirks: Quirks) -> str:
    """Return the declaration of one tool."""
    return (
        f"<|tool>declaration:{_words(function, 'name', quirks)}"
        f"{{description:{string(_words(function, 'description', quirks))}"
        f"{_parameters(function.get('parameters'), quirks)}"
        f"{_response(function.get('response'), quirks)}}}<tool|>"
    )


def _words(function: JsonObject, key: str, quirks: Quirks) -> object:
    value = function.get(key, "")
    return quirks.pick(Cause.NULL_AS_NONE, "None", "") if value is None else value


def _parameters(parameters: Json, quirks: Quirks) -> str:
    if not parameters:
        return ""
    parts = []
    if parameters.get("properties"):
        parts.append(f"properties:{{{_properties(parameters['properties'], quirks)}}}")
    if parameters.get("required"):
        parts.append(f"required:{strings(parameters['required'])}")
    if kind := parameters.get("type"):
        parts.append(f"type:{string(str(kind).upper())}")
        return f",parameters:{{{','.join(parts)}}}"
    there = parameters.get("properties") is not None
    return quirks.pick(
        Cause.PARAMETERS_WITHOUT_TYPE,
        "".join([",parameters:{", *(f"{part}," for part in parts)]),
        f",parameters:{{{','.join(parts)}}}" if there else "",
    )


def _response(response: Json, quirks: Quirks) -> str:
    if not response or quirks.applies(Cause.RESPONSE_SCHEMA):
        return ""
    parts = [",response:{"]
    if response.get("description"):
        parts.append(f"description:{string(response['description'])},")
    if response.get("type"):
        parts.append(f"type:{string(str(response['type']).upper())}}}")
    return "".join(parts)


def _properties(schemas: JsonObject, quirks: Quirks, *, raw: bool = False) -> str:
    members = []
    for name in order(schemas, quirks):
        schema = schemas[name]
        left_out = (name in STANDARD and quirks.applies(Cause.KEYWORD_NAME)) or (
            raw and not isinstance(schema, dict) and quirks.applies(Cause.BOOLEAN_SCHEMA)
        )
        if not left_out:
            members.append(f"{name}:{{{_property(schema, quirks, raw)}}}")
    return ",".join(members)


def _property(schema: Json, quirks: Quirks, raw: bool) -> str:
    keywords = schema if isinstance(schema, dict) else {}
    kind, written = _type(keywords, quirks, raw)
    items, parts = keywords.get("items"), []
    if keywords.get("description"):
        parts.append(f"description:{string(keywords['description'])}")
    if kind == "STRING" and keywords.get("enum"):
        parts.append(f"enum:{_enum(keywords['enum'], quirks)}")
    elif kind == "ARRAY" and isinstance(items, dict) and items:
        parts.append(f"items:{{{_items(items, quirks)}}}")
    if keywords.get("nullable") and (raw or not quirks.applies(Cause.NULLABLE)):
        parts.append("nullable:true")
    if kind == "OBJECT":
        parts.append(f"properties:{{{_members(keywords, quirks, raw)}}}")
        if keywords.get("required"):
            parts.append(f"required:{strings(keywords['required'])}")
    if written is not None:
        parts.append(f"type:{written}")
    return ",".join(parts)


def _type(keywords: JsonObject, quirks: Quirks, raw: bool) -> _Type:
    given = keywords.get("type", "")
    ours = str(given).upper()
    names = _names(keywords, raw)
    if isinstance(keywords.get("type"), str):
        return ours, string(ours)
    if not names and not raw and (union := _union(keywords)) and quirks.applies(Cause.ANY_OF):
        name = union[0] if len(union) == 1 else str(union)
        return name, string(name)
    if not names:
        omitted = quirks.applies(Cause.TYPE_OMITTED)
        return ("", None) if omitted else (ours, string(ours))
    if given is None:
        name = quirks.pick(Cause.NULL_AS_NONE, ours, names[0])
        return name, string(name)
    if len(names) == 1:
        name = quirks.pick(Cause.SINGLE_TYPE, ours, names[0])
        return name, string(name)
    if raw and quirks.applies(Cause.UNION_LIST):
        return names[0], strings(names)
    return ours, string(ours)


def _names(keywords: JsonObject, raw: bool) -> list[str]:
    """Return the type's names as Ollama reads them; a null is read as an empty name."""
    match keywords.get("type", []):
        case None:
            return [] if raw else [""]
        case str(name):
            return [name.upper()]
        case list(names):
            return [str(name).upper() for name in names]
    return []


def _union(keywords: JsonObject) -> list[str]:
    """Return the types of an ``anyOf`` whose branches say nothing but their type."""
    names: dict[str, None] = {}
    for branch in keywords.get("anyOf") or ():
        said = _names(branch, raw=False) if isinstance(branch, dict) else []
        more = ("anyOf", "description", "enum", "required")
        if (
            not said
            or any(branch.get(key) for key in more)
            or any(branch.get(key) is not None for key in ("items", "properties"))
        ):
            return []
        names |= dict.fromkeys(said)
    return list(names)


def _enum(values: Json, quirks: Quirks) -> str:
    plain = not isinstance(values, list) or all(isinstance(value, str) for value in values)
    if plain or not quirks.applies(Cause.ENUM_AS_TEXT):
        return literal(values, quirks)
    return strings(map(go_text, values))


def _members(keywords: JsonObject, quirks: Quirks, raw: bool) -> str:
    """Return the properties of an object; where it has none, other keywords stand for them."""
    properties = keywords.get("properties")
    if isinstance(properties, dict):
        return _properties(properties, quirks, raw=raw)
    others = {name: schema for name, schema in keywords.items() if name not in STANDARD}
    kept = {
        name: schema
        for name, schema in others.items()
        if isinstance(schema, dict) and (raw or name == "items")
    }
    return _properties(quirks.pick(Cause.OBJECT_WITHOUT_PROPERTIES, others, kept), quirks, raw=True)


def _items(schema: JsonObject, quirks: Quirks) -> str:
    parts = []
    for keyword in order(schema, quirks):
        value = schema[keyword]
        if value is None and quirks.applies(Cause.NULL_KEYWORD):
            continue
        if keyword == "properties":
            members = _properties(value, quirks, raw=True) if isinstance(value, dict) else ""
            parts.append(f"properties:{{{members}}}")
        elif keyword == "required":
            parts.append(f"required:{strings(value)}")
        elif keyword == "type":
            parts.append(f"type:{_item_type(value, quirks)}")
        else:
            parts.append(f"{keyword}:{literal(value, quirks, quote_keys=True)}")
    return ",".join(parts)


def _item_type(value: Json, quirks: Quirks) -> str:
    if isinstance(value, str):
        return string(value.upper())
    names = [str(name).upper() for name in value]
    single = string(names[0]) if len(names) == 1 else strings(names)
    return quirks.pick(Cause.SINGLE_TYPE, strings(names), single)
