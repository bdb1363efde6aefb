"""Ollama's own client for Python: an agent's loop, every kind of answer, and errors."""

import ollama
from talk import ASKED, CITY, MODEL, NO_MODEL, OPTIONS, QUESTION, TOOL, say


def failure(**changed):
    """Return what the client raises for a request with something wrong."""
    request = {"model": MODEL, "messages": QUESTION, "stream": False} | changed
    try:
        client.chat(**request)
    except ollama.ResponseError as err:
        return [err.status_code, err.error]
    raise AssertionError(f"{changed} was answered")


with ollama.Client() as client:
    history = list(QUESTION)
    for turn in range(2):
        parts = list(client.chat(MODEL, history, tools=[TOOL], options=OPTIONS, stream=True))
        say(f"turn {turn}", parts)
        text = "".join(part.message.content or "" for part in parts)
        history += [{"role": "assistant", "content": text}, {"role": "user", "content": "Why?"}]
    say("whole", client.chat(MODEL, history, options=OPTIONS))
    say("thinking", client.chat(MODEL, QUESTION, options=OPTIONS, think=True))
    say("format", client.chat(MODEL, QUESTION, options=OPTIONS, format=CITY))
    say("logprobs", client.chat(MODEL, QUESTION, options=OPTIONS, logprobs=True, top_logprobs=2))
    say("load", client.generate(MODEL))
    say("generate", client.generate(MODEL, ASKED, options=OPTIONS))
    say("raw", list(client.generate(MODEL, ASKED, options=OPTIONS, raw=True, stream=True)))
    for wrong in ({"model": NO_MODEL}, {"think": "much"}, {"options": {"seed": "x"}}):
        say("failure", failure(**wrong))
