"""Take a completion apart: thinking, content, tool calls, and what is wrong with it.

However the text is cut into parts, the result is the same; and nothing that the model wrote is
dropped without a problem that says so.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tonearm.canonical import JsonObject
from tonearm.model import Answer, ParseProblem, ToolCall
from tonearm.templates.gemma4 import tokens
from tonearm.templates.gemma4.call import Reading, declared, read_call
from tonearm.templates.gemma4.tokens import Piece, Scanner

_THOUGHT = "thought\n"
_BARE_CALL = re.compile(r"call:[\w.:-]*\{")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What one more piece of a completion adds to the answer."""

    content: str = ""
    thinking: str = ""
    tool_call: ToolCall | None = None


class _Text:
    """Text without the blanks at its two ends, whatever parts it comes in."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._blanks: list[str] = []

    def write(self, text: str) -> str:
        """Take more, return what is certain to belong to the text now."""
        body = text.rstrip() if self._parts else text.strip()
        if not body:
            if self._parts:
                self._blanks.append(text)
            return ""
        start = 0 if self._parts else text.index(body)
        certain = "".join(self._blanks) + body
        self._blanks = [text[start + len(body) :]]
        self._parts.append(certain)
        return certain

    def __str__(self) -> str:
        return "".join(self._parts)


class Parser:
    """Read one completion, part by part.

    ``feed`` returns what is certain so far, so a server can pass it on; the concatenation of all
    deltas is the answer. ``close`` ends the completion and returns the whole.
    """

    def __init__(
        self,
        *,
        tools: Iterable[JsonObject] | None = None,
        starts_in_thinking: bool = False,
        repair: bool = True,
    ) -> None:
        """Begin a completion.

        Args:
            tools: What the request declared.
            starts_in_thinking: Whether the prompt left a thought open.
            repair: Whether calls that had to be repaired are part of the answer.
        """
        self._tools = declared(tools)
        self._repair = repair
        self._scanner = Scanner()
        self._queue: deque[Piece] = deque()
        self._deltas: list[Delta] = []
        self._content, self._thinking = _Text(), _Text()
        self._calls: list[ToolCall] = []
        self._problems: list[ParseProblem] = []
        self._state = self._in_thinking if starts_in_thinking else self._in_content
        self._channel_at = 0
        self._header: str | None = None
        self._call: list[Piece] = []
        self._quoted = False
        self._cut: int | None = None
        self._after_stop: list[Piece] = []
        self._markup = False
        self._ended = False

    def feed(self, text: str) -> list[Delta]:
        """Take the next part of the completion."""
        return self._take(self._scanner.feed(text))

    def end(self) -> list[Delta]:
        """Take the end of the completion; after that, nothing changes any more."""
        if self._ended:
            return []
        self._ended = True
        deltas = self._take(self._scanner.close())
        while self._state == self._in_call:
            self._end_call(None)
            deltas += self._take(())
        if self._state == self._in_thinking:
            self._leave_open_channel()
        self._look_behind_stop()
        self._look_for_stripped_tokens()
        return deltas

    def close(self) -> Answer:
        """Return the answer; the completion is over."""
        self.end()
        return Answer(
            content=str(self._content),
            thinking=str(self._thinking),
            tool_calls=tuple(self._calls),
            problems=tuple(sorted(self._problems, key=lambda problem: problem.offset)),
        )

    def _take(self, pieces: Iterable[Piece]) -> list[Delta]:
        self._queue.extend(pieces)
        while self._queue:
            self._state(self._queue.popleft())
        deltas, self._deltas = self._deltas, []
        return deltas

    def _in_content(self, piece: Piece) -> None:
        match piece.text:
            case tokens.CHANNEL:
                self._open_channel(piece)
            case tokens.CALL:
                self._open_call(piece)
            case tokens.CHANNEL_END:
                self._report("stray_channel_close", piece)
            case tokens.CALL_END:
                self._report("stray_close_tag", piece)
            case text if text in tokens.STOPS:
                self._state = self._stopped
            case _:
                self._check_leak(piece)
                self._add_content(piece.text)

    def _in_thinking(self, piece: Piece) -> None:
        match piece.text:
            case tokens.CHANNEL_END:
                self._close_channel(piece)
            case tokens.CHANNEL:
                self._report("nested_channel", piece)
                self._header = ""
            case tokens.CALL:
                self._leave_open_channel()
                self._open_call(piece)
            case tokens.CALL_END:
                self._report("stray_close_tag", piece)
            case text if text in tokens.STOPS:
                self._leave_open_channel()
                self._state = self._stopped
            case _:
                self._check_leak(piece)
                self._think(piece.text)

    def _stopped(self, piece: Piece) -> None:
        if piece.text not in tokens.STOPS:
            self._after_stop.append(piece)

    def _in_call(self, piece: Piece) -> None:
        if piece.text == tokens.QUOTE:
            self._quoted = not self._quoted
        elif _ends_call(piece):
            if not self._quoted:
                self._end_call(piece)
                return
            if self._cut is None:
                self._cut = len(self._call)
        self._call.append(piece)

    def _open_channel(self, piece: Piece) -> None:
        self._markup = True
        self._channel_at = piece.offset
        self._header = ""
        self._state = self._in_thinking

    def _think(self, text: str) -> None:
        if self._header is None:
            self._add_thinking(text)
            return
        self._header += text
        if self._header.startswith(_THOUGHT):
            text, self._header = self._header.removeprefix(_THOUGHT), None
            self._add_thinking(text)
        elif not _THOUGHT.startswith(self._header) and not self._header.isspace():
            self._accept_header()

    def _accept_header(self) -> None:
        """Go on in a channel that is not called ``thought``: its text is kept as thinking."""
        header, self._header = self._header or "", None
        self._problem("channel_name", self._channel_at, detail=header[:40])
        self._add_thinking(header)

    def _close_channel(self, piece: Piece) -> None:
        if self._header is not None and self._header.rstrip() != _THOUGHT.rstrip():
            self._accept_header()
        elif self._header is not None:
            self._problem("channel_name", self._channel_at, detail=self._header)
        self._header = None
        self._state = self._in_content

    def _leave_open_channel(self) -> None:
        kind = "unclosed_channel" if self._header is None else "dangling_channel"
        self._problem(kind, self._channel_at, detail=self._header or "")
        self._header = None
        self._state = self._in_content

    def _open_call(self, piece: Piece) -> None:
        self._markup = True
        self._call, self._quoted, self._cut = [piece], False, None
        self._state = self._in_call

    def _end_call(self, end: Piece | None) -> None:
        """Read the call that ends here, or where a string hides its end.

        A string may hold anything but its own delimiter, the tag that closes the call included. So
        a string that nobody closed reaches into what follows; only if the whole cannot be read is
        the first such tag taken for the end, and what follows it is read again.
        """
        self._state = self._in_content
        reading = self._read(self._call)
        if self._cut is not None and not (reading.strict and end is not None):
            rest = self._call[self._cut :] + ([end] if end else [])
            self._call, end = self._call[: self._cut], rest[0]
            self._queue.extendleft(reversed(rest[1:]))
            reading = self._read(self._call)
        closed = end is not None and end.text == tokens.CALL_END
        if end is not None and not closed:
            self._queue.appendleft(end)
        self._accept(reading, closed=closed)

    def _read(self, pieces: Sequence[Piece]) -> Reading:
        text = "".join(piece.text for piece in pieces[1:])
        return read_call(text, pieces[0].offset + len(tokens.CALL), self._tools)

    def _accept(self, reading: Reading, *, closed: bool) -> None:
        strict = reading.strict and closed
        call = reading.call if strict or self._repair else None
        for problem in reading.problems:
            self._problems.append(replace(problem, repaired=call is not None))
        if not closed:
            last = self._call[-1]
            self._problem(
                "missing_close_tag", last.offset + len(last.text), repaired=call is not None
            )
        if call is not None:
            self._calls.append(call)
            self._deltas.append(Delta(tool_call=call))

    def _add_content(self, text: str) -> None:
        if certain := self._content.write(text):
            self._deltas.append(Delta(content=certain))

    def _add_thinking(self, text: str) -> None:
        if certain := self._thinking.write(text):
            self._deltas.append(Delta(thinking=certain))

    def _check_leak(self, piece: Piece) -> None:
        if piece.special:
            self._report("leaked_token", piece)

    def _report(self, kind: str, piece: Piece) -> None:
        self._markup = True
        self._problem(kind, piece.offset, detail=piece.text)

    def _problem(self, kind: str, offset: int, *, repaired: bool = True, detail: str = "") -> None:
        self._problems.append(
            ParseProblem(kind=kind, offset=offset, repaired=repaired, detail=detail)
        )

    def _look_behind_stop(self) -> None:
        text = "".join(piece.text for piece in self._after_stop)
        if text.strip():
            offset = self._after_stop[0].offset
            self._problem("text_after_stop", offset, repaired=False, detail=text)

    def _look_for_stripped_tokens(self) -> None:
        """Report text that looks like markup from which the special tokens were taken away."""
        text = str(self._content) or str(self._thinking)
        if self._markup:
            return
        bare_call = _BARE_CALL.search(text) if text.endswith("}") else None
        if bare_call or text.startswith(_THOUGHT):
            offset = bare_call.start() if bare_call else 0
            self._problem("special_tokens_stripped", offset, repaired=False, detail=text)


def _ends_call(piece: Piece) -> bool:
    return piece.text in (tokens.CALL_END, tokens.CALL, tokens.CHANNEL, *tokens.STOPS)


def parse(
    completion: str,
    *,
    tools: Iterable[JsonObject] | None = None,
    starts_in_thinking: bool = False,
) -> Answer:
    """Take a whole completion apart; never raises."""
    parser = Parser(tools=tools, starts_in_thinking=starts_in_thinking)
    parser.feed(completion)
    return parser.close()
