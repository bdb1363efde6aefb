"""Arm C: google-deepmind/gemma, the model's own code, given a finished prompt.

It is asked after the others. What they wrote is scored in one pass over the conversation; where
greedy decoding would have written the same, token by token, that is its answer, and otherwise the
library's sampler writes one. So a reference that agrees costs a pass and not an answer.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from tonearm.arms import _gguf, _jax_lines, _jax_probe, _native
from tonearm.arms._jax_probe import Found, Missing
from tonearm.arms._jax_process import JaxProcess, ReferenceFailed, child_environ
from tonearm.arms._native import Generated
from tonearm.arms.base import ArmOptions, Case, Prompt
from tonearm.canonical import JsonObject
from tonearm.errors import ArmError, ArmUnavailable, RenderError, UsageError
from tonearm.model import ChatRequest, Pin, Rendered, Scored, Take

CONTEXT = 8192
"""Tokens that a conversation may have where ``context`` does not say otherwise."""

TOP = 5
"""How many of the likeliest tokens a take shows at each place."""

FIXES = {
    "reference_defect": "install gemma from its repository, at commit ab5a660 or later, or use "
    "a model without experts",
    "bad_checkpoint": "check the folder: weights, config.json and tokenizer must be of one model",
}


class JaxNative:
    """The reference, with one checkpoint."""

    SETTINGS: ClassVar[dict[str, tuple[str, ...]]] = {
        "mode": ("score", "sample"),
        "dtype": ("bf16", "f32"),
        "context": (),
        "tokenizer": (),
        "sharding": ("none", "fsdp"),
        "defects": ("refuse", "accept"),
    }
    """``mode=sample`` always lets the sampler write. ``context``: tokens of the longest
    conversation. ``tokenizer``: the sentencepiece file, where it is not beside the weights.
    ``sharding=fsdp`` spreads the weights over all devices. ``defects=accept`` runs a library that
    is known to compute the model wrongly, to see what that does."""

    def __init__(
        self, options: ArmOptions, process: Callable[[], JaxProcess] | None = None
    ) -> None:
        self._options = options
        self._settings = {name: values[0] for name, values in self.SETTINGS.items() if values}
        self._settings |= options.settings
        self._name = options.name or "jax-native"
        self._context = _number(self._settings.get("context", str(CONTEXT)))
        self._process = (process or self._new)()
        self._pin = Pin(model="")

    def _new(self) -> JaxProcess:
        return JaxProcess(self._name, timeout_s=self._options.timeout_s)

    @property
    def name(self) -> str:
        """The name in reports."""
        return self._name

    @property
    def judges(self) -> bool:
        """Whether it wants to see the others' answers."""
        return self._settings["mode"] == "score"

    async def open(self, models: Sequence[str]) -> None:
        """Look whether the reference can run here, start it, and load the weights.

        Raises:
            ArmUnavailable: Something is missing, or the library computes this model wrongly.
        """
        found = self._probe()
        await self._process.start(child_environ(os.environ, found.tokenizer))
        try:
            opened, digest = await asyncio.gather(
                self._process.ask("open", self._wanted(found)),
                asyncio.to_thread(_jax_probe.digest, found.checkpoint),
            )
        except ReferenceFailed as err:
            await self._process.close()
            fix = FIXES.get(err.kind, "check the installation: pip install 'tonearm[jax]'")
            raise ArmUnavailable(self._name, err.problem, fix=fix) from err
        except ArmError:
            await self._process.close()
            raise
        defect = f" with reference_defect: {opened['defect']}" if opened["defect"] else ""
        self._pin = Pin(
            model="",
            runtime=_jax_probe.versions() + defect,
            digest=digest,
            family="gemma4",
            parameter_size=_gguf.parameter_size(opened["parameters"]),
            quantization=self._settings["dtype"].upper(),
            num_ctx=self._context,
        )

    async def close(self) -> None:
        """End the process."""
        await self._process.close()

    async def play(self, request: ChatRequest) -> Take:
        """Let the sampler answer one request."""
        return (await self._sample([(request, ())]))[0]

    async def judge(self, cases: Sequence[Case]) -> list[Take]:
        """Score what the others answered, and let the sampler write where that is no answer."""
        if not self.judges:
            return await self._sample([(case.request, ()) for case in cases])
        takes: dict[int, Take] = {}
        scored = await self._score(cases, takes)
        unsettled = [n for n in range(len(cases)) if n not in takes]
        written = await self._sample([(cases[n].request, scored[n]) for n in unsettled])
        takes |= zip(unsettled, written, strict=True)
        return [takes[n] for n in range(len(cases))]

    async def _score(
        self, cases: Sequence[Case], takes: dict[int, Take]
    ) -> list[tuple[Scored, ...]]:
        """Return what each draft scores, and add the takes that need no more than that."""
        started = time.monotonic()
        prompts = self._prompts([case.request for case in cases], takes)
        items = [_jax_lines.drafts_item(prompt, cases[n].drafts) for n, prompt in prompts.items()]
        replies = await self._ask("score", items)
        share_s = (time.monotonic() - started) / max(1, len(items))
        scored: list[tuple[Scored, ...]] = [() for _ in cases]
        for (n, prompt), reply in zip(prompts.items(), replies, strict=True):
            case = cases[n]
            if "error" in reply:
                takes[n] = self._failed(case.request, prompt, reply["error"])
                continue
            scored[n] = _jax_lines.scored(case.drafts, reply["drafts"])
            repeated = _native.repeated(case.drafts, scored[n], share_s)
            if repeated is not None and _native.is_greedy(case.request):
                takes[n] = self._take(case.request, prompt, reply["ids"], repeated, scored[n])
        return scored

    async def _sample(self, asked: Sequence[tuple[ChatRequest, tuple[Scored, ...]]]) -> list[Take]:
        """Let the sampler answer; what was scored before comes along."""
        started = time.monotonic()
        takes: dict[int, Take] = {}
        prompts = self._prompts([request for request, _ in asked], takes)
        for n, (request, _) in enumerate(asked):
            if n in prompts and (option := _native.beyond_sampling(request)):
                error = f"unsupported_option: the reference cannot apply {option}"
                takes[n] = self._failed(request, prompts.pop(n), error)
        items = [_jax_lines.sample_item(prompt, asked[n][0]) for n, prompt in prompts.items()]
        replies = await self._ask("sample", items)
        share_s = (time.monotonic() - started) / max(1, len(items))
        for (n, prompt), reply in zip(prompts.items(), replies, strict=True):
            request = asked[n][0]
            if "error" in reply:
                takes[n] = self._failed(request, prompt, reply["error"])
            else:
                generated = _jax_lines.generated(reply, share_s)
                takes[n] = self._take(request, prompt, reply["ids"], generated, ())
        return [replace(takes[n], scored=scored) for n, (_, scored) in enumerate(asked)]

    def _prompts(
        self, requests: Sequence[ChatRequest], takes: dict[int, Take]
    ) -> dict[int, Prompt]:
        """Return the prompts of requests, and add a take for each that has none."""
        prompts = {}
        for n, request in enumerate(requests):
            pin = self._pin_of(request)
            try:
                prompts[n] = _native.write(request, pin, self._options.template)
            except RenderError as err:
                takes[n] = Take(arm=self._name, error=f"cannot render: {err}", pin=pin)
        return prompts

    async def _ask(self, question: str, items: list[JsonObject]) -> list[JsonObject]:
        """Return an answer for each item; where all fail, each fails for the same reason."""
        if not items:
            return []
        asked = {"items": items, "context": self._context, "top": TOP}
        try:
            replies: list[JsonObject] = (await self._process.ask(question, asked))["items"]
        except ArmError as err:
            return [{"error": err.problem}] * len(items)
        return replies

    def _take(
        self,
        request: ChatRequest,
        prompt: Prompt,
        ids: Sequence[int],
        generated: Generated,
        scored: tuple[Scored, ...],
    ) -> Take:
        pin = self._pin_of(request)
        return _native.take(self._name, request, prompt, ids, generated, pin, scored)

    def _failed(self, request: ChatRequest, prompt: Prompt, error: str) -> Take:
        rendered = Rendered(prompt=prompt.text)
        return Take(arm=self._name, rendered=rendered, error=error, pin=self._pin_of(request))

    def _pin_of(self, request: ChatRequest) -> Pin:
        model = self._options.model or request.model
        return replace(self._pin, model=model, options=request.options)

    def _probe(self) -> Found:
        if not self._options.target:
            raise UsageError("arm jax-native needs a checkpoint: --arm jax-native=FOLDER")
        tokenizer = self._settings.get("tokenizer")
        found = _jax_probe.probe(
            Path(self._options.target),
            Path(tokenizer) if tokenizer else None,
            double=self._settings["dtype"] == "f32",
            environ=os.environ,
        )
        if isinstance(found, Missing):
            problem = f"env_missing ({found.what}): {found.problem}"
            raise ArmUnavailable(self._name, problem, fix=found.fix)
        return found

    def _wanted(self, found: Found) -> JsonObject:
        return {
            "checkpoint": str(found.checkpoint),
            "layout": found.layout.value,
            "config": str(found.config) if found.config else None,
            "tokenizer": str(found.tokenizer),
            "dtype": self._settings["dtype"],
            "sharding": self._settings["sharding"],
            "accept_defects": self._settings["defects"] == "accept",
        }


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"arm jax-native: context={text} is not a number of tokens")
    return int(text)
