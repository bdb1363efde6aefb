"""OpenAI's client: every endpoint under ``/v1`` that Ollama has of OpenAI's."""

import openai
from talk import ASKED, CITY, MODEL, NO_MODEL, QUESTION, TOKENS, TOOL, say

SAMPLING = {"temperature": 0, "seed": 1, "max_tokens": TOKENS}
FORMAT = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY, "strict": True}}

with openai.OpenAI(api_key="ollama", max_retries=0) as client:
    chat = client.chat.completions
    say("chat", chat.create(model=MODEL, messages=QUESTION, **SAMPLING))
    say("tools", chat.create(model=MODEL, messages=QUESTION, tools=[TOOL], **SAMPLING))
    say("format", chat.create(model=MODEL, messages=QUESTION, response_format=FORMAT, **SAMPLING))
    usage = {"include_usage": True}
    with chat.create(
        model=MODEL, messages=QUESTION, stream=True, stream_options=usage, **SAMPLING
    ) as pieces:
        say("stream", list(pieces))
    enough = SAMPLING | {"max_tokens": 8 * TOKENS}  # an answer that is cut short is an error here
    with chat.stream(model=MODEL, messages=QUESTION, tools=[TOOL], **enough) as stream:
        say("events", [event.type for event in stream])
        say("final", stream.get_final_completion())
    say("completion", client.completions.create(model=MODEL, prompt=ASKED, **SAMPLING))
    with client.completions.create(model=MODEL, prompt=ASKED, stream=True, **SAMPLING) as pieces:
        say("completion", list(pieces))
    limits = {"temperature": 0, "max_output_tokens": TOKENS}
    say("response", client.responses.create(model=MODEL, input=ASKED, **limits))
    with client.responses.create(model=MODEL, input=ASKED, stream=True, **limits) as events:
        say("response", list(events))
    say("models", [model.id for model in client.models.list()])
    say("model", client.models.retrieve(MODEL).id)
    try:
        say("embedding", client.embeddings.create(model=MODEL, input=["one", "two"]))
    except openai.APIStatusError as err:
        say("embedding", [err.status_code, err.body])
    for streamed in (False, True):
        try:
            chat.create(model=NO_MODEL, messages=QUESTION, stream=streamed)
        except openai.NotFoundError as err:
            say("failure", [err.status_code, err.message, err.body])
