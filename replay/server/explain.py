"""Find the recording that a request was meant to match, and where the two differ.

Importing this takes several times as long as the rest of the server, and few runs need it: DeepDiff
brings numpy and pydantic.
"""

from __future__ import annotations

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from tonearm.cassette import find, load
from tonearm.errors import CassetteError
from tonearm.replay.server.convert import CONVERTIBLE
from tonearm.replay.server.difference import changes
from tonearm.replay.server.likeness import Features, features, read_body
from tonearm.replay.server.miss import Change, Miss
from tonearm.replay.server.question import Pointer
from tonearm.replay.server.repertoire import Absent, Recording
from tonearm.replay.server.reply import Asked
from tonearm.terminal import one_line

logger = logging.getLogger(__name__)


class Explainer:
    """Finds what a request was meant to match."""

    def __init__(self, free: Sequence[Pointer] = ()) -> None:
        self._free = free
        self._known: dict[Recording, Features] = {}

    def explain(self, asked: Asked, absent: Absent, recordings: Sequence[Recording]) -> Miss:
        """Return why a request has no answer; this reads cassettes again and takes its time."""
        request = f"{asked.method} {one_line(asked.path)}"
        if absent.reason is not None:
            return Miss(request=request, reason=absent.reason)
        kind = (asked.method, asked.path)
        alike = [r for r in recordings if (r.question.method, r.question.path) == kind]
        if not alike:
            return Miss(request=request, reason=_other_kinds(recordings))
        value = read_body(asked.path, asked.body, self._free)
        wanted = features(value)
        self._learn(alike)
        ranked = sorted(
            (r for r in alike if r in self._known),
            key=lambda r: self._known[r].likeness(wanted),
        )
        bodies = asked_bodies(ranked[-1:])
        if not bodies:
            return Miss(request=request, reason="the cassettes cannot be read any more")
        ((near, body),) = bodies.items()
        found = changes(read_body(asked.path, body, self._free), value)
        flags = _stream_change(near, absent)
        reason = f"it is nearest to {near.name}, from which it differs in"
        return Miss(request=request, reason=reason, changes=(*flags, *found))

    def _learn(self, recordings: Sequence[Recording]) -> None:
        new = [r for r in recordings if r not in self._known]
        for recording, body in asked_bodies(new).items():
            value = read_body(recording.question.path, body, self._free)
            self._known[recording] = features(value)


def asked_bodies(recordings: Sequence[Recording]) -> dict[Recording, bytes]:
    """Return what recordings ask, those left out whose cassettes cannot be read any more."""
    found = {r: r.body for r in recordings if r.body is not None}
    by_cassette: dict[Path, list[Recording]] = defaultdict(list)
    for recording in recordings:
        if recording.body is None:
            by_cassette[recording.cassette].append(recording)
    for path, mine in by_cassette.items():
        try:
            (now,) = find([path])  # it may have been sealed since
            exchanges = load(now).exchanges
        except CassetteError as err:
            logger.warning("a miss is explained without a cassette: %s", err)
            continue
        found |= {
            r: exchanges[r.position].request.body for r in mine if r.position < len(exchanges)
        }
    return found


def _stream_change(near: Recording, absent: Absent) -> tuple[Change, ...]:
    """Return the difference in ``stream``, where an answer cannot be made from the other kind."""
    left, right = near.question, absent.question
    if left.form is right.form or left.path in CONVERTIBLE:
        return ()
    was, wanted = left.form.streamed, right.form.streamed
    text = f"recorded {json.dumps(was)}, asked {json.dumps(wanted)}"
    return (Change(place="stream", text=text),)


def _other_kinds(recordings: Sequence[Recording]) -> str:
    kinds = Counter(f"{r.question.method} {one_line(r.question.path)}" for r in recordings)
    if not kinds:
        return "there are no recordings"
    listed = ", ".join(f"{n} of {kind}" for kind, n in kinds.most_common(5))
    return f"nothing of the kind was recorded; there are {listed}"
