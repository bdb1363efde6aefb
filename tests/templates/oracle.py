"""The prompt of Gemma 4 a second time, as plain string building.

It exists to disagree: the template that ships is tested against it on conversations that nobody
wrote by hand. It is therefore made from the grammar alone and in another way. The template reads
each message once and lets its text wait; this renderer first folds the messages into turns, with
as much looking back and forth as it likes, and then writes the turns. It has no speed and no
limits, and it is not for use.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class Refused(Exception):
    """The conversation has no prompt."""


PLACEHOLDERS = {
    "image": "<|image|>",
    "image_url": "<|image|>",
    "audio": "<|audio|>",
    "input_audio": "<|audio|>",
    "video": "<|video|>",
}
KEPT = {"description", "type", "properties", "required", "nullable"}


def quoted(text):
    return f'<|"|>{text}<|"|>'


def ordered(mapping):
    return sorted(mapping.items(), key=lambda pair: pair[0].lower())


def literal(value, key=str):
    if isinstance(value, str):
        return quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict):
        return "{" + pairs(value, key) + "}"
    if isinstance(value, list):
        return "[" + ",".join(literal(item, key) for item in value) + "]"
    return repr(value)


def pairs(mapping, key=str):
    return ",".join(f"{key(name)}:{literal(value, key)}" for name, value in ordered(mapping))


def upper(kind):
    return "" if kind is None else str(kind).upper()


def names(values):
    return "[" + ",".join(map(quoted, values)) + "]"


def properties(schemas, leave_out=frozenset()):
    kept = [(name, schema) for name, schema in ordered(schemas) if name not in leave_out]
    return ",".join(f"{name}:{{{property_of(schema)}}}" for name, schema in kept)


def property_of(schema):
    schema, is_mapping = (schema, True) if isinstance(schema, dict) else ({}, False)
    kind = upper(schema.get("type"))
    fields = []
    if schema.get("description"):
        fields.append("description:" + quoted(schema["description"]))
    if kind == "STRING" and schema.get("enum"):
        fields.append("enum:" + literal(schema["enum"]))
    if kind == "ARRAY" and isinstance(schema.get("items"), dict) and schema["items"]:
        fields.append("items:{" + items(schema["items"]) + "}")
    if schema.get("nullable"):
        fields.append("nullable:true")
    if kind == "OBJECT" and is_mapping:
        inner = schema.get("properties")
        text = properties(inner) if isinstance(inner, dict) else properties(schema, KEPT)
        fields.append("properties:{" + text + "}")
        if schema.get("required"):
            fields.append("required:" + names(schema["required"]))
    return ",".join([*fields, "type:" + quoted(kind)])


def items(schema):
    return ",".join(f"{name}:{item_keyword(name, value)}" for name, value in ordered(schema))


def item_keyword(name, value):
    if name == "properties":
        return "{" + properties(value) + "}"
    if name == "required":
        return names(value)
    if name == "type":
        return quoted(value.upper()) if isinstance(value, str) else names(map(str.upper, value))
    return literal(value, quoted)


def declaration(function):
    text = f"<|tool>declaration:{function['name']}{{"
    text += "description:" + quoted(function.get("description", ""))
    if parameters := function.get("parameters"):
        text += ",parameters:{"
        if parameters.get("properties"):
            text += "properties:{" + properties(parameters["properties"]) + "},"
        if parameters.get("required"):
            text += "required:" + names(parameters["required"]) + ","
        if parameters.get("type"):
            text += "type:" + quoted(parameters["type"].upper()) + "}"
    if response := function.get("response"):
        text += ",response:{"
        if response.get("description"):
            text += "description:" + quoted(response["description"]) + ","
        if response.get("type"):
            text += "type:" + quoted(response["type"].upper()) + "}"
    return text + "}<tool|>"


def call(function):
    arguments = function["arguments"]
    if arguments is not None and not isinstance(arguments, dict):
        raise Refused("arguments")
    return f"<|tool_call>call:{function['name']}{{{pairs(arguments or {})}}}<tool_call|>"


def response(name, value):
    inner = pairs(value) if isinstance(value, dict) else "value:" + literal(value)
    return f"<|tool_response>response:{name}{{{inner}}}<tool_response|>"


def result(name, body):
    if isinstance(body, dict) and body:
        raise Refused("mapping as a result")
    if not isinstance(body, list | dict):
        return response(name, body)
    text = "".join(part["text"] for part in body if part["type"] == "text")
    media = "".join(PLACEHOLDERS.get(part["type"], "") for part in body)
    return response(name, text) + media


def stripped(text):
    """Remove thoughts: what is between an opening tag and the next closing one."""
    kept = [piece.partition("<|channel>")[0] for piece in text.split("<channel|>")]
    return "".join(kept).strip()


def spoken(content, *, clean=str.strip, behind=""):
    if isinstance(content, str):
        return clean(content)
    texts = [
        clean(part["text"]) + behind
        if part["type"] == "text"
        else PLACEHOLDERS.get(part["type"], "")
        for part in content or []
    ]
    return "".join(texts)


@dataclass
class Part:
    """One message of a turn, with the results that belong to it."""

    message: dict
    recent: bool
    results: list = field(default_factory=list)


def fold(messages):
    """Return the turns: role and parts; the parts of adjacent assistant messages are one turn."""
    last_user = max((i for i, m in enumerate(messages) if m["role"] == "user"), default=-1)
    turns = []
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            if turns and turns[-1][0] == "assistant" and turns[-1][1][-1].message.get("tool_calls"):
                turns[-1][1][-1].results.append(message)
        elif message["role"] == "assistant" and turns and turns[-1][0] == "assistant":
            turns[-1][1].append(Part(message, index > last_user))
        else:
            turns.append((message["role"], [Part(message, index > last_user)]))
    return turns


def name_of(message, calls):
    """Return the name of the last call with the result's id; having none is an id as well."""
    matching = [c for c in calls if c.get("id") == message.get("tool_call_id")]
    return matching[-1]["function"]["name"] if matching else message.get("name") or "unknown"


def model_part(part, preserve_thinking):
    message = part.message
    calls = message.get("tool_calls") or []
    thought = message.get("reasoning") or message.get("reasoning_content")
    text = ""
    if thought and (part.recent or (preserve_thinking and calls)):
        text += f"<|channel>thought\n{thought}\n<channel|>"
    text += "".join(call(c["function"]) for c in calls)
    for native in message.get("tool_responses") or []:
        text += response(native.get("name") or "unknown", native["response"])
    text += "".join(result(name_of(r, calls), r["content"]) for r in part.results)
    text += said(part)
    return text + ("<|tool_response>" if is_open(part) else "")


def said(part):
    return spoken(part.message["content"], clean=stripped)


def is_answered(part):
    return bool(part.results or part.message.get("tool_responses"))


def is_open(part):
    return bool(part.message.get("tool_calls")) and not is_answered(part)


def turn_text(role, parts, *, is_last, preserve_thinking):
    if role != "assistant":
        return f"<|turn>{role}\n{spoken(parts[0].message['content'])}<turn|>\n"
    text = "<|turn>model\n" + "".join(model_part(part, preserve_thinking) for part in parts)
    end = parts[-1]
    goes_on = is_last and is_answered(end) and not said(end)
    return text if is_open(end) or goes_on else text + "<turn|>\n"


def render(variant, messages, tools, enable_thinking, preserve_thinking, add_generation_prompt):
    """Return the prompt, or raise ``Refused``."""
    has_system = bool(messages) and messages[0]["role"] in ("system", "developer")
    prompt = "<bos>"
    if has_system or tools or enable_thinking:
        prompt += "<|turn>system\n" + ("<|think|>\n" if enable_thinking else "")
        prompt += spoken(messages[0]["content"], behind=" ") if has_system else ""
        prompt += "".join(declaration(tool["function"]) for tool in tools or [])
        prompt += "<turn|>\n"
    turns = fold(messages[1:] if has_system else messages)
    for number, (role, parts) in enumerate(turns, 1):
        prompt += turn_text(
            role, parts, is_last=number == len(turns), preserve_thinking=preserve_thinking
        )
    return prompt + (generation(variant, turns, enable_thinking) if add_generation_prompt else "")


def generation(variant, turns, enable_thinking):
    last = turns[-1][1][-1] if turns and turns[-1][0] == "assistant" else None
    if last and is_answered(last):
        return "<|channel>thought\n" if enable_thinking else ""
    if last and is_open(last):
        return ""
    empty_thought = variant == "large" and not enable_thinking
    return "<|turn>model\n" + ("<|channel>thought\n<channel|>" if empty_thought else "")
