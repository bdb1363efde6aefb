"""Anthropic's client against Ollama's ``/v1/messages``."""

import anthropic
from talk import CITY, MODEL, NO_MODEL, QUESTION, TOKENS, say

TOOL = {"name": "get_weather", "description": "Weather of a place.", "input_schema": CITY}
REQUEST = {"model": MODEL, "messages": QUESTION, "max_tokens": TOKENS}

with anthropic.Anthropic(api_key="ollama", max_retries=0) as client:
    say("message", client.messages.create(**REQUEST))
    say("tools", client.messages.create(**REQUEST, tools=[TOOL], system="Be brief."))
    with client.messages.stream(**REQUEST) as stream:
        say("stream", [event.type for event in stream])
        say("final", stream.get_final_message())
    with client.messages.create(**REQUEST, tools=[TOOL], stream=True) as events:
        say("events", list(events))
    for streamed in (False, True):
        try:
            client.messages.create(**REQUEST | {"model": NO_MODEL}, stream=streamed)
        except anthropic.NotFoundError as err:
            say("failure", [err.status_code, err.body["error"]])
