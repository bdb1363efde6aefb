"""Make findings that have a named cause."""

from __future__ import annotations

from tonearm.model import Layer
from tonearm.replay.compare import AROUND, Finding, Kind
from tonearm.replay.translator.causes import Cause, about


def finding(
    layer: Layer,
    kind: Kind,
    cause: Cause,
    *,
    detail: str = "",
    left: str = "",
    right: str = "",
    offset: int | None = None,
    severity: int | None = None,
) -> Finding:
    """Return a finding with what is known of its cause.

    Args:
        layer: Where it was found.
        kind: What differs.
        cause: Why.
        detail: What is special to this one.
        left: What our side says.
        right: What the server says.
        offset: Where the two part.
        severity: In place of the cause's own.
    """
    known = about(cause)
    return Finding(
        layer=layer,
        kind=kind,
        severity=known.severity if severity is None else severity,
        summary=f"{known.text}: {detail}" if detail else known.text,
        left=left,
        right=right,
        cause=cause.value,
        offset=offset,
    )


def parting(
    layer: Layer,
    kind: Kind,
    cause: Cause,
    left: str,
    right: str,
    *,
    detail: str = "",
    severity: int | None = None,
) -> Finding:
    """Return a finding about two texts, which shows them where they part."""
    at = shared(left, right)
    around = slice(max(0, at - AROUND), at + AROUND)
    return finding(
        layer,
        kind,
        cause,
        detail=detail,
        left=left[around],
        right=right[around],
        offset=at,
        severity=severity,
    )


def shared(left: str, right: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
