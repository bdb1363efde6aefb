"""Make up requests for ``/api/chat`` that give a translator every occasion to be wrong."""

from __future__ import annotations

from random import Random

from tonearm.canonical import Json, JsonObject

WORDS = ("a", "b c", " padded ", "", "x<channel|>y", "<|channel>t<channel|>z", "ein\nzwei", "日本")
ODD_WORDS = ("\x1cx\x1f", "  ", "<|channel>open", "a[img]b", "<|channel>thought\nh\n<channel|>")
KEYS = ("a", "A", "a_c", "aB", "b", "max_results", "maxResults", "Mode", "my-key")
KEYWORDS = ("description", "type", "properties", "required", "nullable", "items", "name")
TOOLS = ("f", "get_weather", "ns.search")
TYPES = ("string", "integer", "number", "boolean", "array", "object", "null")
NUMBERS = (
    *(0, 1, -7, 2**53 + 1, 2**63, 10**30, 1.0, -0.0, 1.5, 1e16, 1e-7, 1234567.5),
    *(100000.5, 123456789.25, 1e21, 1e300, 0.1, 5e-324),
)
IMAGE = "iVBORw0KGgo="


class Maker:
    """Make requests, each as a function of the seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def request(self) -> JsonObject:
        """Return a body that Ollama accepts."""
        body: JsonObject = {"model": self._choose("m:e2b", "m:31b"), "messages": self.messages()}
        if self._chance(0.6):
            body["tools"] = [self.tool() for _ in range(self._up_to(2) + 1)]
        if self._chance(0.8):
            body["think"] = self._chance(0.5)
        return body

    def messages(self) -> list[JsonObject]:
        """Return a history, not always one that makes sense."""
        messages: list[JsonObject] = []
        if self._chance(0.3):
            role = self._choose("system", "developer", "System")
            messages.append({"role": role, "content": self.text()})
        for _ in range(self._up_to(4) + 1):
            messages += self._exchange()
        return messages

    def tool(self) -> JsonObject:
        """Return a declaration."""
        function: JsonObject = {"name": self._choose(*TOOLS)}
        if self._chance(0.8):
            function["description"] = self._choose("D", "", None, self.text())
        if self._chance(0.9):
            function["parameters"] = self._parameters()
        if self._chance(0.1):
            function["response"] = {"type": "object", "description": "r"}
        return {"type": "function", "function": function}

    def value(self, depth: int = 0) -> Json:
        """Return an argument."""
        kind = self._up_to(8 if depth < 2 else 5)
        if kind == 6:
            return [self.value(depth + 1) for _ in range(self._up_to(3))]
        if kind > 6:
            return self.arguments(depth + 1)
        return (None, True, False, self.text(), self.number(), self.number())[min(kind, 5)]

    def arguments(self, depth: int = 0) -> JsonObject:
        """Return an object."""
        return {self._choose(*KEYS): self.value(depth) for _ in range(self._up_to(4))}

    def number(self) -> float:
        """Return a number."""
        return self._choose(*NUMBERS)

    def text(self) -> str:
        """Return some text."""
        return self._choose(*WORDS, *(ODD_WORDS if self._chance(0.3) else ()))

    def _exchange(self) -> list[JsonObject]:
        messages: list[JsonObject] = []
        if self._chance(0.8):
            messages.append(self._with_images({"role": "user", "content": self.text()}))
        if self._chance(0.05):
            messages.append({"role": self._choose("system", "user", "other"), "content": "o"})
        for _ in range(self._up_to(2)):
            messages += self._answer()
        return messages

    def _answer(self) -> list[JsonObject]:
        message: JsonObject = {"role": "assistant", "content": self._choose("", self.text())}
        if self._chance(0.3):
            message["thinking"] = self._choose("T", " t\n", "")
        calls = [self._call() for _ in range(self._up_to(3))] if self._chance(0.7) else []
        if calls:
            message["tool_calls"] = calls
        results = [self._result(call) for call in calls if self._chance(0.9)]
        if self._chance(0.05):
            results.append({"role": "tool", "content": "orphan"})
        return [message, *results]

    def _call(self) -> JsonObject:
        function = {"name": self._choose(*TOOLS), "arguments": self.arguments()}
        return ({"id": self._choose("i", "j", "k")} if self._chance(0.5) else {}) | {
            "function": function
        }

    def _result(self, call: JsonObject) -> JsonObject:
        message: JsonObject = {"role": "tool", "content": self._choose(self.text(), '{"b": 1}')}
        if "id" in call and self._chance(0.9):
            message["tool_call_id"] = call["id"]
        if self._chance(0.6):
            message["tool_name"] = call["function"]["name"]
        return self._with_images(message)

    def _with_images(self, message: JsonObject) -> JsonObject:
        count = self._up_to(2) if self._chance(0.15) else 0
        return message | ({"images": [IMAGE] * count} if count else {})

    def _parameters(self) -> Json:
        if self._chance(0.1):
            return self._choose(None, {})
        parameters: JsonObject = {}
        if self._chance(0.9):
            parameters["type"] = "object"
        if self._chance(0.95):
            parameters["properties"] = self._schemas(0, raw=False)
        if self._chance(0.4):
            parameters["required"] = ["a", "b"][: self._up_to(2)]
        return parameters

    def _schemas(self, depth: int, *, raw: bool) -> JsonObject:
        names = [self._choose(*KEYS, *KEYWORDS) for _ in range(self._up_to(4))]
        return {name: self._schema(depth + 1, raw=raw) for name in names}

    def _schema(self, depth: int, *, raw: bool) -> Json:
        if self._chance(0.05):
            return self._choose(None, *((True, False, "text") if raw else ()))
        schema: JsonObject = {}
        if self._chance(0.9):
            schema["type"] = self._choose(
                *TYPES, None if not raw else "string", ["string"], ["string", "null"], []
            )
        if self._chance(0.3):
            schema["description"] = self._choose("D", "")
        if self._chance(0.3):
            schema["enum"] = self._choose(["a", "b"], [], [1, 2.5, None, True, "x", [1], {"b": 1}])
        if self._chance(0.2):
            schema["nullable"] = True
        if self._chance(0.2):
            schema["additionalProperties"] = self._choose(False, {"type": "string"})
        if self._chance(0.1):
            schema["default"] = self.value()
        if self._chance(0.15) or "type" not in schema:
            schema["anyOf"] = self._choose(
                [{"type": "string"}, {"type": "null"}],
                [{"type": "string"}, {"type": "string", "format": "date"}],
                [{"type": "array", "items": {}}, {"type": "null"}],
                [],
            )
        if depth < 4 and self._chance(0.4):
            schema["properties"] = self._schemas(depth, raw=raw)
        if depth < 4 and self._chance(0.4):
            schema["items"] = self._items(depth)
        if self._chance(0.2):
            schema["required"] = self._choose(["a"], [])
        return schema

    def _items(self, depth: int) -> JsonObject:
        items: JsonObject = {}
        if self._chance(0.9):
            items["type"] = self._choose(*TYPES, ["string"], ["string", "null"])
        for keyword in ("default", "Format", "minimum"):
            if self._chance(0.2):
                items[keyword] = self.value()
        if self._chance(0.3):
            items["properties"] = self._schemas(depth, raw=True)
        if self._chance(0.2):
            items["required"] = ["a"]
        if self._chance(0.2):
            items["items"] = {"type": "string", "Zeta": 1, "alpha": 1.0}
        return items

    def _choose[T](self, *options: T) -> T:
        return self._random.choice(options)

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def _up_to(self, most: int) -> int:
        return self._random.randint(0, most)


def request(seed: int) -> JsonObject:
    """Return the request of a seed."""
    return Maker(seed).request()
