# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call"
"""The reference's own process: read questions from stdin, write answers to stdout, a line each.

It alone imports JAX and the library. Whatever they print goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

from tonearm.arms import _jax_model, _jax_sample
from tonearm.arms._jax_model import Loaded, Refused
from tonearm.arms._jax_sample import Wanted
from tonearm.arms._jax_score import Compilations, Place, Scorer
from tonearm.canonical import Json, JsonObject

type Drafted = tuple[list[int], bool]
"""Token ids of a draft, and whether its text had to be cut anew."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A prompt and what was answered to it, in tokens."""

    prompt: list[int]
    drafts: list[Drafted]


class Child:
    """Answer the parent's questions about one model."""

    def __init__(self) -> None:
        self._compilations = Compilations()
        self._loaded: Loaded | None = None
        self._scorer: Scorer | None = None
        self._texts: list[str] = []
        self._ids: dict[str, int] = {}
        self.questions: dict[str, Callable[[JsonObject], JsonObject]] = {
            "open": self._open,
            "score": self._score,
            "sample": self._sample,
        }

    def _open(self, wanted: JsonObject) -> JsonObject:
        loaded = _jax_model.load(wanted)
        defect = loaded.experts and not _jax_model.router_is_sound()
        if defect and not wanted["accept_defects"]:
            raise Refused(
                "reference_defect",
                "this version of gemma gives the router of a mixture of experts an input that is "
                "already normalised, so its answers are not the model's",
            )
        self._loaded, self._scorer = loaded, Scorer(loaded)
        self._texts = list(loaded.tokenizer.tokens)
        self._ids = {text: n for n, text in enumerate(self._texts)}
        return {"parameters": loaded.parameters, "defect": "router" if defect else None}

    def _score(self, asked: JsonObject) -> JsonObject:
        with self._measured() as cost:
            ready = [self._each(self._cut, item, asked["context"]) for item in asked["items"]]
            sequences = [
                (cut.prompt, ids) for cut in ready if isinstance(cut, Cut) for ids, _ in cut.drafts
            ]
            places = iter(self._scored(sequences, asked["top"]))
            items = [self._drafts(cut, places) if isinstance(cut, Cut) else cut for cut in ready]
        return {"items": items, **cost}

    def _sample(self, asked: JsonObject) -> JsonObject:
        assert self._loaded is not None, "open comes first"
        with self._measured() as cost:
            ready = [self._each(self._want, item, asked["context"]) for item in asked["items"]]
            wanted = [one for one in ready if isinstance(one, Wanted)]
            answers = _jax_sample.sample(self._loaded, wanted)
            sequences = [(list(w.ids), ids) for w, ids in zip(wanted, answers, strict=True)]
            places = self._scored(sequences, asked["top"])
            sampled = iter(zip(sequences, places, strict=True))
            items = [
                self._answer(*next(sampled)) if isinstance(one, Wanted) else one for one in ready
            ]
        return {"items": items, **cost}

    def _each[T](
        self, make: Callable[[JsonObject, int], T], item: JsonObject, context: int
    ) -> T | JsonObject:
        """Return what an item is made into, or why it cannot be."""
        try:
            return make(item, context)
        except Refused as err:
            return {"error": f"{err.kind}: {err}"}

    def _cut(self, item: JsonObject, context: int) -> Cut:
        prompt = self._prompt(item["prompt"])
        drafts = [self._draft(draft) for draft in item["drafts"]]
        longest = len(prompt) + max((len(ids) for ids, _ in drafts), default=0)
        if longest > context:
            raise Refused(
                "cache_too_short",
                f"a conversation of {longest} tokens does not fit into {context}; "
                f"ask for more with context={longest}",
            )
        return Cut(prompt, drafts)

    def _want(self, item: JsonObject, context: int) -> Wanted:
        ids = tuple(self._prompt(item["prompt"]))
        limit = _jax_sample.limit(len(ids), item.pop("limit"), context)
        return Wanted(ids=ids, limit=limit, **item)

    def _drafts(self, cut: Cut, places: Iterator[list[Place]]) -> JsonObject:
        return {
            "ids": cut.prompt,
            "drafts": [
                {"recut": recut, "tokens": self._tokens(ids, next(places))}
                for ids, recut in cut.drafts
            ],
        }

    def _answer(self, sequence: tuple[list[int], list[int]], places: list[Place]) -> JsonObject:
        before, ids = sequence
        return {"ids": before, "text": self._text(ids), "tokens": self._tokens(ids, places)}

    @contextmanager
    def _measured(self) -> Iterator[JsonObject]:
        """Fill a record of what the block costs, once it is done."""
        cost: JsonObject = {}
        started, compiled = time.monotonic(), self._compilations.count
        yield cost
        cost["seconds"] = time.monotonic() - started
        cost["compilations"] = self._compilations.count - compiled

    def _scored(self, sequences: list[tuple[list[int], list[int]]], top: int) -> list[list[Place]]:
        assert self._scorer is not None, "open comes first"
        return self._scorer.score(sequences, top)

    def _prompt(self, text: str) -> list[int]:
        assert self._loaded is not None, "open comes first"
        ids: list[int] = self._loaded.tokenizer.encode(text, add_bos=True)
        return ids

    def _draft(self, draft: JsonObject) -> Drafted:
        assert self._loaded is not None, "open comes first"
        ids: list[int] = self._loaded.tokenizer.encode(draft["text"])
        recut = draft["tokens"] is None or any(t not in self._ids for t in draft["tokens"])
        if not recut and [self._texts[i] for i in ids] != draft["tokens"]:
            ids = [self._ids[text] for text in draft["tokens"]]
        return ids + ([self._ids[draft["end"]]] if draft["end"] else []), recut

    def _tokens(self, ids: list[int], places: list[Place]) -> list[Json]:
        return [
            [self._texts[i], place.logprob, place.rank, self._named(place.top)]
            for i, place in zip(ids, places, strict=True)
        ]

    def _named(self, top: list[tuple[int, float]]) -> list[tuple[str, float]]:
        return [(self._texts[i], logprob) for i, logprob in top]

    def _text(self, ids: list[int]) -> str:
        assert self._loaded is not None, "open comes first"
        return str(self._loaded.tokenizer.decode(ids))


def answer(child: Child, line: str) -> JsonObject:
    """Return the answer to one question; whatever goes wrong is an answer too."""
    try:
        asked = json.loads(line)
        return {"ok": child.questions[asked["question"]](asked)}
    except Refused as err:
        return {"error": {"kind": err.kind, "problem": str(err)}}
    except Exception as err:  # the parent has to hear of it, and other questions may follow
        problem = " ".join(str(err).split())[:500]
        return {"error": {"kind": type(err).__name__, "problem": problem}}


def main() -> None:
    """Answer until there are no more questions."""
    replies = _private_stdout()
    child = Child()
    for line in sys.stdin:
        replies.write(json.dumps(answer(child, line)) + "\n")
        replies.flush()


def _private_stdout() -> TextIO:
    """Return stdout, and let what others write to it go to stderr."""
    own = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(own, "w", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
