"""Ollama's own client for asyncio, several requests at once, and what it asks besides."""

import asyncio

import ollama
from talk import MODEL, NO_MODEL, OPTIONS, QUESTION, TOOL, say


async def stream(client, **more):
    """Return the pieces of an answer."""
    answer = await client.chat(MODEL, QUESTION, options=OPTIONS, stream=True, **more)
    return [part async for part in answer]


async def failure(client):
    """Return what the client raises when there is no such model."""
    try:
        async for _ in await client.chat(NO_MODEL, QUESTION, stream=True):
            pass
    except ollama.ResponseError as err:
        return [err.status_code, err.error]
    raise AssertionError("a model that is not there has answered")


def known(model):
    """Return what recordings know of a listed model; size and age they do not."""
    return [model.model, model.digest, model.details.family, model.details.parameter_size]


async def main():
    async with ollama.AsyncClient() as client:
        for answer in await asyncio.gather(
            stream(client),
            stream(client, tools=[TOOL]),
            client.chat(MODEL, QUESTION, options=OPTIONS),
            client.generate(MODEL, "Once upon a time", options=OPTIONS),
        ):
            say("answer", answer)
        try:
            say("embed", await client.embed(MODEL, ["one", "two"]))
        except ollama.ResponseError as err:
            say("embed", [err.status_code, err.error])
        say("failure", await failure(client))
        say("listed", [known(model) for model in (await client.list()).models])
        (loaded,) = (await client.ps()).models
        say("loaded", [*known(loaded), loaded.context_length])
        shown = await client.show(MODEL)
        say(
            "shown",
            [shown.capabilities, sorted(shown.parameters.splitlines()), shown.details.family],
        )


asyncio.run(main())
