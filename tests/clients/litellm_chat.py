"""LiteLLM by each of the three ways in which it reaches Ollama."""

import os

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks the network for prices

import litellm
from talk import MODEL, NO_MODEL, QUESTION, TOKENS, TOOL, say, without

litellm.suppress_debug_info = True
SAMPLING = {"temperature": 0, "seed": 1, "max_tokens": TOKENS, "num_retries": 0}
OLLAMA = {"api_base": os.environ["OLLAMA_HOST"]}
OPENAI = {"api_base": os.environ["OPENAI_BASE_URL"], "api_key": "ollama"}


def seen(answer):
    """Return an answer without what LiteLLM makes up: its name and when it came."""
    return without(answer.model_dump(mode="json"), "id", "created")


for provider, where in (("ollama_chat", OLLAMA), ("ollama", OLLAMA), ("openai", OPENAI)):
    request = {"model": f"{provider}/{MODEL}", "messages": QUESTION} | where | SAMPLING
    say(provider, seen(litellm.completion(**request)))
    say(provider, seen(litellm.completion(**request, tools=[TOOL])))
    say(provider, [seen(piece) for piece in litellm.completion(**request, stream=True)])
    try:
        litellm.completion(**request | {"model": f"{provider}/{NO_MODEL}"})
    except litellm.NotFoundError as err:
        say("failure", [err.status_code, str(err)])
