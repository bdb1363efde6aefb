"""Why a request gets no answer, in Ollama's words and with its status."""

from __future__ import annotations

from tonearm.errors import TonearmError


class Refusal(TonearmError):
    """A request is answered with an error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
