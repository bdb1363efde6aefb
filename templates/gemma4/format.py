"""Our own template of Gemma 4 behind the protocol of ``tonearm.templates.base``.

The template is ours and therefore trusted: it runs in a plain environment, compiled once for each
variant. Templates of other origin go through ``tonearm.templates.custom``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal, NoReturn

from jinja2 import Environment, Template, TemplateError, TemplateRuntimeError

from tonearm.canonical import JsonObject
from tonearm.errors import RenderError
from tonearm.templates.gemma4.grammar import Gemma4Grammar

type Variant = Literal["small", "large"]
"""E2B and E4B, or 12B, 26B-A4B and 31B."""


@dataclass(frozen=True, slots=True)
class Gemma4(Gemma4Grammar):
    """One variant of the grammar."""

    variant: Variant

    @property
    def name(self) -> str:
        """As Ollama names its renderers."""
        return f"gemma4-{self.variant}"

    @property
    def sha256(self) -> str:
        """Of the template's source, variant included."""
        return hashlib.sha256(source(self.variant).encode()).hexdigest()

    def render(
        self,
        messages: Sequence[JsonObject],
        tools: Sequence[JsonObject] | None = None,
        *,
        enable_thinking: bool | None = None,
        preserve_thinking: bool | None = None,
        add_generation_prompt: bool = True,
    ) -> str:
        """Write the prompt of a conversation.

        Raises:
            RenderError: A message lacks what the format needs, or arguments are not an object.
        """
        try:
            return _template(self.variant).render(
                messages=messages,
                tools=tools,
                enable_thinking=enable_thinking,
                preserve_thinking=preserve_thinking,
                add_generation_prompt=add_generation_prompt,
            )
        except RecursionError as err:
            raise RenderError(f"{self.name}: values are nested too deeply") from err
        except (TemplateError, ArithmeticError, AttributeError, TypeError, ValueError) as err:
            raise RenderError(f"{self.name}: {err}") from err


@cache
def source(variant: Variant) -> str:
    """Return a variant's whole template, which other jinja programs can use as well."""
    text = files(__package__).joinpath("chat.jinja").read_text(encoding="utf-8")
    return f'{{%- set variant = "{variant}" -%}}\n{text}'


@cache
def _template(variant: Variant) -> Template:
    environment = Environment(autoescape=False)
    environment.globals["raise_exception"] = _refuse
    return environment.from_string(source(variant))


def _refuse(message: str) -> NoReturn:
    raise TemplateRuntimeError(message)
