"""The values that rooms hand to one another; no I/O and no opinion about them.

Every duration is in seconds. Ollama's nanoseconds are converted in ``tonearm.wire`` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tonearm.canonical import Json, JsonObject

type Headers = tuple[tuple[str, str], ...]
"""Header fields as they crossed the wire, in order, repeated names kept."""


class Outcome(StrEnum):
    """How an exchange ended."""

    COMPLETE = "complete"
    CLIENT_ABORTED = "client_aborted"
    UPSTREAM_ABORTED = "upstream_aborted"
    UPSTREAM_ERROR = "upstream_error"
    PROXY_STOPPED = "proxy_stopped"
    TRUNCATED = "truncated"


class Layer(StrEnum):
    """The layers of a turn, in the order in which a comparison walks them."""

    RENDER = "render"
    DECODE = "decode"
    PARSE = "parse"
    WIRE = "wire"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request as it crossed the wire."""

    method: str
    uri: str
    """Absolute, with the address that the client was told to talk to upstream."""
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """A response as it crossed the wire, transfer coding removed."""

    status: int
    reason: str = ""
    headers: Headers = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Chunk:
    """One piece of a response body, as it arrived."""

    end: int
    """Offset in the body, bytes, behind the piece's last byte."""
    at_s: float
    """When it arrived, seconds after the request's first byte, monotonic clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """What identifies the engine that answered; ``None`` is "the server did not say"."""

    model: str
    runtime: str | None = None
    """What runs the model, with its version, where that is not Ollama."""
    server_version: str | None = None
    digest: str | None = None
    """SHA-256 of the model's manifest."""
    family: str | None = None
    parameter_size: str | None = None
    quantization: str | None = None
    renderer: str | None = None
    parser: str | None = None
    parameters: str | None = None
    """The Modelfile's parameters, one ``name value`` a line; a request's options go above them."""
    capabilities: tuple[str, ...] = ()
    """What the server says the model can do, such as ``tools`` and ``thinking``."""
    num_ctx: int | None = None
    """The context length in force, tokens."""
    template_sha256: str | None = None
    """Of the template that wrote the prompt, where the arm renders with one."""
    options: Mapping[str, Json] = field(default_factory=dict)
    """The options in force: those that were sent, above the model's and the server's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One HTTP request and its response: raw bytes, times and outcome."""

    request: HttpRequest
    response: HttpResponse
    sequence: int = 0
    """Position among the exchanges of its file."""
    started_at: str | None = None
    """UTC, ISO 8601; a label, never the base of a duration."""
    duration_s: float | None = None
    chunks: Sequence[Chunk] = ()
    outcome: Outcome = Outcome.COMPLETE
    error: str | None = None
    """What went wrong, for a human, where ``outcome`` is not complete."""
    pin: Pin | None = None
    redaction: JsonObject | None = None
    """What was taken out before the exchange reached the disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that the model asked for."""

    name: str
    arguments: Json
    """An object in a well-formed call. Anything else is what the model or the agent made of it."""
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseProblem:
    """Something in a completion that the grammar does not allow."""

    kind: str
    offset: int
    """Characters from the start of the completion."""
    repaired: bool
    """Whether the answer holds a reading of it; otherwise the text is in ``detail`` alone."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said, taken apart: the parse layer."""

    content: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    problems: tuple[ParseProblem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """The text that went into the model: the render layer."""

    prompt: str
    tokens: int | None = None
    """Tokens the server counted for the prompt; fewer than it has where a part was cut away."""
    ids_sha256: str | None = None
    """Of the token ids, decimal, joined by commas, where the arm knows them."""
    truncated: bool = False
    """Whether the count is what a server leaves of a prompt that is too long for its context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token of a completion."""

    text: str
    logprob: float
    rank: int | None = None
    """How many tokens are likelier at this place, as far as the arm looked."""
    top: tuple[tuple[str, float], ...] = ()
    """The likeliest tokens at this place with their log-probs, best first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """How likely an arm finds a completion that another one wrote; nothing is sampled for it."""

    arm: str
    """Whose completion it is."""
    tokens: tuple[Token, ...]
    """The other's tokens with this arm's log-probs, the end of the turn behind them."""
    recut: bool = False
    """Whether the other's own tokens are unknown, so that its text was cut into tokens anew."""

    @property
    def departs(self) -> int | None:
        """Index of the first token that greedy decoding would not have chosen."""
        return next((n for n, token in enumerate(self.tokens) if token.rank != 0), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """The text that came out of the model, markup included: the decode layer."""

    completion: str
    tokens: tuple[Token, ...] = ()
    eval_count: int | None = None
    """Tokens the server counted, the end-of-turn token included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireShape:
    """The parts of a response that clients branch on or count with: the wire layer."""

    status: int
    done: bool = False
    done_reason: str | None = None
    error: str | None = None
    """The server's own words, from an error body or an error line within a stream."""
    prompt_eval_count: int | None = None
    """Tokens of the prompt, as the server counted them."""
    eval_count: int | None = None
    """Tokens of the answer, as the server counted them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Where the time of one answer went."""

    wall_s: float
    """Request sent to last byte received, our monotonic clock."""
    load_s: float | None = None
    prompt_s: float | None = None
    decode_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """What one arm saw at each layer while it answered one turn."""

    arm: str
    translated: bool = False
    """Whether prompt and answer were made by the server's own translator, which can be checked."""
    rendered: Rendered | None = None
    decoded: Decoded | None = None
    answer: Answer | None = None
    scored: tuple[Scored, ...] = ()
    """What it thinks of the completions of others, where it is a reference."""
    wire: WireShape | None = None
    blind: Mapping[Layer, str] = field(default_factory=dict)
    """Why a layer is missing, for each layer that this arm could have seen."""
    error: str | None = None
    """Why there is no answer; then the turn is not a match but a named failure."""
    pin: Pin | None = None
    timing: Timing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A request for one more message of a conversation: the body of ``/api/chat``."""

    body: JsonObject
    """As recorded; everything below is a view of it."""

    @property
    def model(self) -> str:
        """The model's name as the client wrote it."""
        return str(self.body.get("model", ""))

    @property
    def messages(self) -> list[JsonObject]:
        """The history, oldest first."""
        return self.body.get("messages") or []

    @property
    def tools(self) -> list[JsonObject]:
        """Declarations of the tools that the model may call."""
        return self.body.get("tools") or []

    @property
    def options(self) -> JsonObject:
        """Sampling and context options; what is absent is the server's or the model's choice."""
        return self.body.get("options") or {}

    @property
    def stream(self) -> bool:
        """Whether the answer comes in pieces; true where the client does not say."""
        return self.body.get("stream") is not False

    def thinks(self, capable: bool) -> bool:
        """Return whether the model is to think: where the client does not say, if it can.

        Ollama takes an absent value for true with models that can think, since v0.12.4.
        """
        value = self.body.get("think")
        return capable if value is None else bool(value)


class Link(StrEnum):
    """How a turn hangs on the conversation before it."""

    START = "start"
    NEXT = "next"
    RETRY = "retry"
    FORK = "fork"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One model answer to one recorded request."""

    cassette: str
    """Name of the file it comes from."""
    conversation: int
    """Which conversation of that file, from 0."""
    index: int
    """Position within the conversation, from 0."""
    request: ChatRequest
    exchange: Exchange
    lost: tuple[str, ...] = ()
    """What of the recorded request ``request`` cannot say, where that was in another protocol."""
    link: Link = Link.START
    parent: int | None = None
    """Index of the turn whose history this one extends or repeats."""

    @property
    def key(self) -> str:
        """Name of the turn in reports and run files."""
        part = f".{self.conversation}" if self.conversation else ""
        return f"{self.cassette}{part}#{self.index}"
