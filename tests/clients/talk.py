"""What the programs beside this one ask, and how they print what they get.

A program knows nothing of tonearm: the environment says where its server is, as it would for a
user, and its argument is the model. It prints a line of JSON for each thing that it was given.
"""

import json
import sys

MODEL = sys.argv[1]
NO_MODEL = "no-such-model"

ASKED = "What is the weather in Paris?"
QUESTION = [{"role": "user", "content": ASKED}]
TOKENS = 24
OPTIONS = {"temperature": 0, "seed": 1, "num_predict": TOKENS}

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a place.",
        "parameters": CITY,
    },
}


def say(what, value):
    """Print a thing, which is JSON, a model of pydantic's, or a list of those."""
    print(json.dumps([what, _plain(value)], sort_keys=True))


def without(value, *names):
    """Return a value of JSON without members, at any depth, that a client makes up itself."""
    if isinstance(value, dict):
        kept = {name: item for name, item in value.items() if name not in names}
        return {name: without(item, *names) for name, item in kept.items()}
    return [without(item, *names) for item in value] if isinstance(value, list) else value


def _plain(value):
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value
