"""Conversations made up from a seed, of all shapes that the template tells apart.

The public vectors hold one example of most features; what two features do to one another is found
by drawing thousands of combinations. The same seed gives the same conversation on every machine.
"""

from __future__ import annotations

import random

TEXTS = (
    "",
    " ",
    "ok",
    " padded \n",
    "two\nlines",
    'say "hi", it\'s {a:[b]}',
    "日本語 🚀",
    "\x1cseparator\x1f",
    "a<channel|>b",
    "<|channel>thought\nhm<channel|> Answer ",
    "x<|channel>t<channel|>y<|channel>u",
    '<|"|>',
    "<turn|>",
    "<tool_call|>",
    "C:\\new\\table",
)
KEYS = ("path", "Path", "a_c", "aB", "ab", "description", "type", "items", "my-key", "$ref", "é")
NAMES = ("get_weather", "read-file", "ns.fn", "f")
SCALARS = (None, True, False, 0, -7, 2**70, 1.0, -0.0, 1e-07, 1e16, 2.5)
PARTS = ("image", "image_url", "audio", "input_audio", "video", "unknown")


class Maker:
    """Draw one conversation."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def case(self):
        """Return the arguments of ``render``, by name."""
        return {
            "messages": self.messages(),
            "tools": self.maybe([self.tool() for _ in range(self._random.randint(0, 3))]),
            "enable_thinking": self.pick(None, True, False),
            "preserve_thinking": self.pick(None, None, True, False),
            "add_generation_prompt": self.pick(True, True, True, False),
        }

    def pick(self, *choices):
        return self._random.choice(choices)

    def chance(self, probability):
        return self._random.random() < probability

    def maybe(self, value, probability=0.6):
        return value if self.chance(probability) else None

    def text(self):
        return self.pick(*TEXTS) if self.chance(0.7) else self.pick(*TEXTS) + self.pick(*TEXTS)

    def value(self, depth=0):
        kind = self.pick("text", "text", "scalar", "scalar", "list", "object")
        if kind == "list" and depth < 3:
            return [self.value(depth + 1) for _ in range(self._random.randint(0, 3))]
        if kind == "object" and depth < 3:
            return self.mapping(depth + 1)
        return self.pick(*SCALARS) if kind == "scalar" else self.text()

    def mapping(self, depth=0):
        keys = self._random.sample(KEYS, self._random.randint(0, 4))
        return {key: self.value(depth) for key in keys}

    def messages(self):
        roles = ["user", "user", "assistant", "assistant", "tool", "system", "developer"]
        first = [self.message(self.pick("system", "developer"))] if self.chance(0.5) else []
        messages = first
        for _ in range(self._random.randint(0, 9)):
            message = self.message(self.pick(*roles))
            messages.append(message)
            messages += self.results(message)
        return messages

    def message(self, role):
        message = {"role": role, "content": self.content()}
        if role == "tool":
            return self.result(self.pick("c1", "c9", None))
        if role == "assistant":
            message |= {self.pick("reasoning", "reasoning_content"): self.text()}
            if self.chance(0.5):
                message["tool_calls"] = self.calls()
            if self.chance(0.05):
                message["tool_responses"] = [
                    {"name": self.maybe("f"), "response": self.value()}
                    for _ in range(self._random.randint(0, 2))
                ]
        return message

    def content(self):
        if self.chance(0.1):
            return None
        if self.chance(0.75):
            return self.text()
        return [self.part() for _ in range(self._random.randint(0, 4))]

    def part(self):
        if self.chance(0.6):
            return {"type": "text", "text": self.text()}
        return {"type": self.pick(*PARTS)}

    def calls(self):
        return [self.call(f"c{n}") for n in range(self._random.randint(0, 3))]

    def call(self, name):
        arguments = self.mapping() if self.chance(0.95) else self.pick(None, "text", [], 5)
        call = {"function": {"name": self.pick(*NAMES), "arguments": arguments}}
        return call | ({"id": self.pick(name, name, "c1")} if self.chance(0.8) else {})

    def results(self, message):
        calls = message.get("tool_calls") or []
        results = [self.result(call.get("id")) for call in calls if self.chance(0.8)]
        self._random.shuffle(results)
        return results

    def result(self, call_id):
        message = {"role": "tool", "content": self.body()}
        if call_id is not None and self.chance(0.9):
            message["tool_call_id"] = call_id
        if self.chance(0.5):
            message["name"] = self.pick(*NAMES)
        return message

    def body(self):
        kind = self._random.random()
        if kind < 0.7:
            return self.text()
        if kind < 0.9:
            return [self.part() for _ in range(self._random.randint(0, 3))]
        return self.pick(*SCALARS, {}, {"a": 1})

    def tool(self):
        function = {"name": self.pick(*NAMES)}
        if self.chance(0.9):
            function["description"] = self.pick(None, *TEXTS)
        if self.chance(0.9):
            function["parameters"] = self.parameters()
        if self.chance(0.2):
            function["response"] = self.pick({}, {"type": "object"}, {"description": "res"})
        return {"type": "function", "function": function}

    def parameters(self):
        fields = {
            "type": self.pick("object", "OBJECT", None),
            "properties": self.properties(),
            "required": self._random.sample(KEYS, self._random.randint(0, 2)),
            "additionalProperties": False,
        }
        return {key: value for key, value in fields.items() if self.chance(0.8)}

    def properties(self, depth=0):
        keys = self._random.sample(KEYS, self._random.randint(0, 4))
        return {key: self.schema(depth + 1) for key in keys}

    def schema(self, depth):
        if self.chance(0.05):
            return self.pick(True, False)
        fields = {
            "type": self.type(),
            "description": self.text(),
            "enum": self.pick([], ["a", "b"], ["a", 1, None, True]),
            "nullable": self.pick(True, False),
            "items": self.schema(depth + 1) if depth < 3 else {},
            "properties": self.properties(depth) if depth < 3 else {},
            "required": self._random.sample(KEYS, self._random.randint(0, 2)),
            "default": self.value(2),
            "additionalProperties": self.pick(False, {"type": "string"}),
        }
        return {key: value for key, value in fields.items() if self.chance(0.4)}

    def type(self):
        name = self.pick("string", "integer", "array", "object", "Boolean", "ARRAY", "object")
        return name if self.chance(0.85) else [name, "null"]
