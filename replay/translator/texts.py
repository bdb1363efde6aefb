"""Write the text of a message, with what stands for its images and sounds."""

from __future__ import annotations

from tonearm.canonical import JsonObject
from tonearm.replay.translator.causes import Cause
from tonearm.replay.translator.conversation import as_text
from tonearm.replay.translator.quirks import Quirks
from tonearm.templates.gemma4.tokens import CHANNEL, CHANNEL_END

INSTRUCTIONS, MODEL = "instructions", "model"
"""Roles whose texts are treated in a way of their own; all others are alike."""

GO_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
"""What Go trims; Python trims U+001C to U+001F as well."""

_SLOT = "[img]"
_PLACEHOLDERS = {
    "image": "<|image|>",
    "image_url": "<|image|>",
    "audio": "<|audio|>",
    "input_audio": "<|audio|>",
    "video": "<|video|>",
}


def placeholder(part: JsonObject) -> str:
    """Return what the template writes for a part that is no text."""
    return _PLACEHOLDERS.get(str(part.get("type")), "")


class Texts:
    """The texts of one conversation; media are numbered throughout."""

    def __init__(self, quirks: Quirks) -> None:
        self._quirks = quirks
        self._media = 0

    def message(self, message: JsonObject, sent: JsonObject, role: str) -> str:
        """Return the text of a message that is no result."""
        content, media = message.get("content"), len(sent.get("images") or ())
        if media and self._quirks.applies(Cause.IMAGE_TAG):
            return self.tagged(self.plain(as_text(sent.get("content")), role), media)
        if isinstance(content, str):
            return self.plain(content, role)
        if not isinstance(content, list):
            return ""
        ours = "".join(self._part(part, role) for part in content)
        if media:
            return ours
        theirs = self.plain(as_text(sent.get("content")), role)
        return self._quirks.pick(Cause.TEXT_PARTS, ours, theirs)

    def plain(self, text: str, role: str) -> str:
        """Return a text without blanks at its ends and, if a model said it, without thoughts."""
        if role == MODEL:
            text = self._quirks.pick(
                Cause.CHANNEL_TAG, _without_thoughts(text), _without_closed_thoughts(text)
            )
        return self._quirks.pick(Cause.CONTROL_WHITESPACE, text.strip(), text.strip(GO_SPACE))

    def tagged(self, text: str, media: int) -> str:
        """Return a text with Ollama's numbered tags for its media.

        Each ``[img]`` in the text takes one tag, the others stand before it. A text that has tags
        already gets none.
        """
        tags = [f"[img-{self._media + n}]" for n in range(media)]
        self._media += media
        at_start = "".join(tags) + text
        if "[img-" not in text:
            slots = min(media, text.count(_SLOT))
            for tag in tags[:slots]:
                text = text.replace(_SLOT, tag, 1)
            before = "".join(tags[slots:])
            text = before + " " * bool(before and text and text[0] not in GO_SPACE) + text
        return self._quirks.pick(Cause.IMAGE_TAG_AT_START, text, at_start)

    def _part(self, part: JsonObject, role: str) -> str:
        if part.get("type") != "text":
            return placeholder(part)
        return self.plain(part["text"], role) + " " * (role == INSTRUCTIONS)


def _without_thoughts(text: str) -> str:
    return "".join(piece.split(CHANNEL)[0] for piece in text.split(CHANNEL_END))


def _without_closed_thoughts(text: str) -> str:
    """Return a text without the thoughts in it, each from its opening tag to the next closing."""
    kept = []
    while True:
        before, opened, text = text.partition(CHANNEL)
        kept.append(before)
        _, closed, text = text.partition(CHANNEL_END)
        if not opened or not closed:
            return "".join(kept)
