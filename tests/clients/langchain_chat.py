"""LangChain's models for Ollama: chat, text and embeddings."""

import asyncio
import os

import ollama
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM
from talk import ASKED, MODEL, NO_MODEL, TOKENS, say, without

WHERE = {"base_url": os.environ["OLLAMA_HOST"]}
SAMPLING = {"temperature": 0, "seed": 1, "num_predict": TOKENS}


@tool
def get_weather(city: str) -> str:
    """Weather of a place."""
    return f"rain in {city}"


def seen(message):
    """Return a message without the names that LangChain gives to its run and to calls."""
    return without(message.model_dump(mode="json"), "id")


async def answered():
    """Return an answer, asked for in asyncio."""
    return [seen(piece) async for piece in chat.astream("Why?")]


chat = ChatOllama(model=MODEL, **WHERE, **SAMPLING)
say("invoke", seen(chat.invoke(ASKED)))
say("stream", [seen(piece) for piece in chat.stream(ASKED)])
say("tools", seen(chat.bind_tools([get_weather]).invoke(ASKED)))
say("astream", asyncio.run(answered()))
say("text", OllamaLLM(model=MODEL, **WHERE, **SAMPLING).invoke(ASKED))
try:
    say("embeddings", OllamaEmbeddings(model=MODEL, **WHERE).embed_documents(["one", "two"]))
except ollama.ResponseError as err:
    say("embeddings", [err.status_code, err.error])
try:
    ChatOllama(model=NO_MODEL, **WHERE).invoke(ASKED)
except ollama.ResponseError as err:
    say("failure", [err.status_code, err.error])
