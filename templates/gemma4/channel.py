"""The beginning of a channel: its name, which can only be ``thought``, and a newline."""

from __future__ import annotations

NAME = "thought\n"


class Channel:
    """An open channel; its text is thinking once its name has come."""

    def __init__(self, offset: int, *, named: bool = False) -> None:
        self.offset = offset
        self.named = named
        """Whether the name has come, or something that cannot be it."""
        self.begun = ""
        """What has come of the name, before that."""

    def write(self, text: str) -> tuple[str, bool]:
        """Take more text; return what is thinking and whether the name is a wrong one."""
        if self.named:
            return text, False
        self.begun += text
        if self.begun.startswith(NAME):
            self.named = True
            return self.begun.removeprefix(NAME), False
        if NAME.startswith(self.begun) or self.begun.isspace():
            return "", False
        self.named = True
        return self.begun, True

    def close(self) -> tuple[str, bool]:
        """Take the end; return what is thinking after all and whether the name is a wrong one."""
        if self.named:
            return "", False
        self.named = True
        return ("" if self.begun == NAME.rstrip() else self.begun), True
