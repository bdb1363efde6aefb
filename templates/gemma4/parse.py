"""Take a completion apart: thinking, content, tool calls, and what is wrong with it.

However the text is cut into parts, the result is the same; and nothing that the model wrote is
dropped without a problem that says so.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable

from tonearm.canonical import JsonObject
from tonearm.model import Answer, ParseProblem, ToolCall
from tonearm.templates.base import Delta
from tonearm.templates.gemma4 import channel, tokens
from tonearm.templates.gemma4.call import Reading, declared
from tonearm.templates.gemma4.channel import Channel
from tonearm.templates.gemma4.open_call import OpenCall, without_repairs
from tonearm.templates.gemma4.text import Trimmed, Untrimmed
from tonearm.templates.gemma4.tokens import Piece, Scanner

_STRIPPED_CALL = re.compile(r"call:[\w.:-]{0,128}\{")


class Parser:
    """Read one completion, part by part.

    ``feed`` and ``end`` return what is certain by then, so that a server can pass it on; all deltas
    together are the answer that ``close`` returns.
    """

    def __init__(
        self,
        *,
        tools: Iterable[JsonObject] | None = None,
        starts_in_thinking: bool = False,
        repair: bool = True,
        blanks: bool = False,
    ) -> None:
        """Begin a completion.

        Args:
            tools: What the request declared.
            starts_in_thinking: Whether the prompt left a thought open.
            repair: Whether calls that had to be repaired are part of the answer.
            blanks: Whether blanks at the ends of content are kept, and those before a thought, as
                Ollama keeps them.
        """
        self._tools = declared(tools)
        self._repair = repair
        self._scanner = Scanner()
        self._queue: deque[Piece] = deque()
        self._channel = Channel(0, named=True) if starts_in_thinking else None
        self._call: OpenCall | None = None
        self._after_stop: list[Piece] | None = None
        self._markup = False
        self._ended = False
        self._blanks = blanks
        self._content = Untrimmed() if blanks else Trimmed()
        self._thinking = Trimmed(start=not blanks)
        self._calls: list[ToolCall] = []
        self._problems: list[ParseProblem] = []
        self._deltas: list[Delta] = []

    def feed(self, text: str) -> list[Delta]:
        """Take the next part of the completion."""
        return self._take(self._scanner.feed(text))

    def end(self) -> list[Delta]:
        """Take the end of the completion; after that nothing changes any more."""
        if self._ended:
            return []
        self._ended = True
        deltas = self._take(self._scanner.close())
        while self._call:
            self._finish_call(self._call, None)
            deltas += self._take(())
        if self._blanks and self._channel and (rest := self._thinking.rest()):
            deltas.append(Delta(thinking=rest))
        self._leave_channel()
        self._look_behind_stop()
        self._look_for_stripped_tokens()
        return deltas

    def close(self) -> Answer:
        """End the completion and return the answer."""
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
            self._step(self._queue.popleft())
        deltas, self._deltas = self._deltas, []
        return deltas

    def _step(self, piece: Piece) -> None:
        if self._after_stop is not None:
            self._after_stop.append(piece)
        elif self._call:
            if not self._call.take(piece):
                self._finish_call(self._call, piece)
        elif piece.special:
            self._special(piece)
        else:
            self._plain(piece.text)

    def _special(self, piece: Piece) -> None:
        match piece.text:
            case tokens.CALL:
                self._leave_channel()
                self._call = OpenCall(piece)
            case tokens.CALL_END:
                self._report("stray_close_tag", piece)
            case tokens.CHANNEL:
                self._open_channel(piece)
            case tokens.CHANNEL_END:
                self._close_channel(piece)
            case text if text in tokens.STOPS:
                self._leave_channel()
                self._after_stop = []
                return
            case _:
                self._report("leaked_token", piece)
                self._plain(piece.text)
        self._markup = True

    def _plain(self, text: str) -> None:
        if not self._channel:
            if certain := self._content.write(text):
                self._deltas.append(Delta(content=certain))
            return
        self._think(self._channel, *self._channel.write(text))

    def _think(self, where: Channel, text: str, misnamed: bool) -> None:
        if misnamed:
            self._problem("channel_name", where.offset)
        if certain := self._thinking.write(text):
            self._deltas.append(Delta(thinking=certain))

    def _open_channel(self, piece: Piece) -> None:
        if self._channel:
            self._think(self._channel, *self._channel.close())
            self._report("nested_channel", piece)
        self._channel = Channel(piece.offset)

    def _close_channel(self, piece: Piece) -> None:
        if self._channel:
            self._think(self._channel, *self._channel.close())
            self._channel = None
        else:
            self._report("stray_channel_close", piece)

    def _leave_channel(self) -> None:
        """Go on without the tag that would have closed the channel, if one is open."""
        if self._channel:
            begun = "" if self._channel.named else self._channel.begun
            kind = "unclosed_channel" if self._channel.named else "dangling_channel"
            self._problem(kind, self._channel.offset, detail=begun)
            self._channel = None

    def _finish_call(self, call: OpenCall, end: Piece | None) -> None:
        self._call = None
        reading, fits, rest = call.finish(end, self._tools)
        self._queue.extendleft(reversed(rest))
        self._accept(reading if fits or self._repair else without_repairs(reading))

    def _accept(self, reading: Reading) -> None:
        call, problems = reading
        self._problems += problems
        if call:
            self._calls.append(call)
            self._deltas.append(Delta(tool_call=call))

    def _report(self, kind: str, piece: Piece) -> None:
        self._problem(kind, piece.offset, detail=piece.text)

    def _problem(self, kind: str, offset: int, *, repaired: bool = True, detail: str = "") -> None:
        self._problems.append(
            ParseProblem(kind=kind, offset=offset, repaired=repaired, detail=detail)
        )

    def _look_behind_stop(self) -> None:
        pieces = [piece for piece in self._after_stop or () if piece.text not in tokens.STOPS]
        text = "".join(piece.text for piece in pieces)
        if text.strip():
            self._problem("text_after_stop", pieces[0].offset, repaired=False, detail=text)

    def _look_for_stripped_tokens(self) -> None:
        """Report text that looks like markup from which the special tokens were taken away."""
        text = str(self._content) or str(self._thinking)
        if self._markup:
            return
        call = _STRIPPED_CALL.search(text) if text.endswith("}") else None
        if call or text.startswith(channel.NAME):
            offset = call.start() if call else 0
            self._problem("special_tokens_stripped", offset, repaired=False, detail=text)


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
