"""Where an answer of the stage is not that of an Ollama, and why.

docs/serve.md tells users the same in the section *Differences*.
"""

from __future__ import annotations

BLANKS = "another engine reads schemas, which lets more than one blank stand between words"
TEMPLATE = "Go's templates are not run: a request that brings one is refused"
NO_ROLE = "our template takes a message without a role for the beginning of the conversation"
SCHEMA_WORDS = "a schema that is none is refused, in other words"
UNKNOWN = "Ollama does not know that a file of 32-bit weights is one"
COPIED = "Ollama copies a file before it shows it, which sorts its tensors and adds a version"

NEW = {
    "chat, schema": BLANKS,
    "chat, schema, thinking, streamed": BLANKS,
    "format: no schema": SCHEMA_WORDS,
    "generate, template": TEMPLATE,
    "generate, template broken": TEMPLATE,
    "chat, no role": NO_ROLE,
    "chat, empty message": NO_ROLE,
    "tags": UNKNOWN,
    "ps": UNKNOWN,
    "ps, the longest context": UNKNOWN,
    "show": COPIED,
    "show by name": COPIED,
}

THOUGHT = "since 0.32.1 a prompt with thinking that ends with a result opens the thought itself"
CALL_END = "since 0.30 the token that ends a call has a log-prob of its own"
NO_TEXT = "since 0.30 a token that ends a turn has no text among the likeliest"
RENDERED_AGAIN = "since 0.32 a thought before a bound answer has a turn of its own"
HALF = "since 0.30.11 half of the context is left free of a prompt that is too long"
NO_SHIFT = "since 0.30.9 a prompt that is too long is refused where shift is off"
BEGIN = "since 0.30 every prompt begins with <bos>, raw ones too"
NO_IMAGES = "since 0.30 llama.cpp's own words are passed on"
VERSION = "the stage is asked like 0.33.0"
LATEST = "since 0.30 the name is told with its tag"
EMBEDDINGS = "since 0.30 llama.cpp's own words are passed on"
SSE = "since 0.32.6 the role comes once, and the end in an event of its own"

OLD = NEW | {
    "chat, a result, thinking": THOUGHT,
    "chat, log-probs of a call, streamed": CALL_END,
    "chat, two likeliest": NO_TEXT,
    "chat, JSON, thinking": RENDERED_AGAIN,
    "chat, messages too many": HALF,
    "chat, a message too long": HALF,
    "chat, num_ctx 1": HALF,
    "chat, too long, no shift": NO_SHIFT,
    "generate, raw": BEGIN,
    "images: no image": NO_IMAGES,
    "images: no image, streamed": NO_IMAGES,
    "generate, images: no image": NO_IMAGES,
    "version": VERSION,
    "show, unknown model": LATEST,
    "model, unknown": LATEST,
    "embed": EMBEDDINGS,
    "embeddings": EMBEDDINGS,
    "OpenAI, streamed": SSE,
    "OpenAI, streamed, thinking, usage": SSE,
    "OpenAI, a call, streamed": SSE,
}

DIFFERENCES: dict[str, dict[str, str]] = {"0.24.0": OLD, "0.33.0": NEW}
"""Reasons by version and request; what the older version has of its own is in ``OLD`` alone."""
