"""An agent of Pydantic AI's that talks to Ollama by OpenAI's protocol."""

import asyncio
import os

from pydantic_ai import Agent, ModelHTTPError
from pydantic_ai.exceptions import AgentRunError
from pydantic_ai.messages import ModelMessagesTypeAdapter
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.ollama import OllamaProvider
from talk import ASKED, MODEL, NO_MODEL, TOKENS, say, without

agent = Agent(model_settings={"temperature": 0, "seed": 1, "max_tokens": TOKENS}, retries=0)


@agent.tool_plain
def get_weather(city: str) -> str:
    """Weather of a place."""
    return f"rain in {city}"


def model(name):
    """Return a model; ``OLLAMA_BASE_URL`` would do where it ended in ``/v1``."""
    return OpenAIChatModel(name, provider=OllamaProvider(base_url=os.environ["OPENAI_BASE_URL"]))


def said(result):
    """Return all that was said in a run, without what the agent's side fills in."""
    messages = ModelMessagesTypeAdapter.dump_python(result.all_messages(), mode="json")
    return without(messages, "timestamp", "run_id", "conversation_id", "provider_url")


async def streamed():
    """Return the texts of a run that is streamed, and all that was said."""
    async with agent.run_stream(ASKED, model=model(MODEL)) as result:
        texts = [text async for text in result.stream_text(delta=True, debounce_by=None)]
    return [texts, said(result)]


try:
    say("run", said(agent.run_sync(ASKED, model=model(MODEL))))
except AgentRunError as err:
    say("run", [type(err).__name__, str(err)])
try:
    say("stream", asyncio.run(streamed()))
except AgentRunError as err:
    say("stream", [type(err).__name__, str(err)])
try:
    agent.run_sync(ASKED, model=model(NO_MODEL))
except ModelHTTPError as err:
    say("failure", [err.status_code, err.body])
