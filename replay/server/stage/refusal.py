"""Why a request gets no answer, in Ollama's words and with its status."""

from __future__ import annotations

from tonearm.errors import TonearmError


class Refusal(TonearmError):
    """A request is answered with an error."""

    def __init__(self, status: int, text: str, *, kind: str = "", streamed: bool = False) -> None:
        """Take what is to be answered.

        Args:
            status: Of HTTP.
            text: The error.
            kind: Of the content, where it is not the endpoint's usual one.
            streamed: Whether it stands in place of a stream.
        """
        super().__init__(text)
        self.status = status
        self.kind = kind
        self.streamed = streamed
