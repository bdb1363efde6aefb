"""Judge whether two lists of tool calls ask for the same, and say what differs.

Equal calls are matched first, as a multiset and in order; whether anything differs never hangs on
how the rest is paired, which only explains. Rules and classes: docs/tool-calls.md.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from tonearm.canonical import JsonObject
from tonearm.model import ToolCall
from tonearm.replay.arguments import (
    Canon,
    DiffKind,
    Rule,
    differences,
    faults,
    rules_needed,
    spelling,
)
from tonearm.replay.describe import describe
from tonearm.replay.pairing import Item, Pair, item, match, pair_up
from tonearm.replay.schema import Fault, declarations, tool_schema

__all__ = ["ArgDiff", "CallFault", "CallVerdict", "CallsDiff", "Order", "compare_calls", "describe"]


class CallVerdict(StrEnum):
    """What actual calls are to the expected ones, the mildest first."""

    IDENTICAL = "identical"
    EQUIVALENT = "equivalent"
    ORDER = "order"
    WRONG_ARGS = "wrong_args"
    EXTRA_CALL = "extra_call"
    WRONG_NAME = "wrong_name"
    MISSING_CALL = "missing_call"
    SCHEMA_INVALID = "schema_invalid"


class Order(StrEnum):
    """What it means that two calls changed places."""

    IGNORE = "ignore"
    FLAG = "flag"
    STRICT = "strict"

    @property
    def severity(self) -> int:
        """How much it matters, from 0 to 4."""
        return {Order.IGNORE: 0, Order.FLAG: 1, Order.STRICT: 3}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgDiff:
    """A place where the arguments of two paired calls differ, defaults filled in."""

    call: Pair
    path: str
    """JSON pointer into the arguments."""
    kind: DiffKind

    @property
    def severity(self) -> int:
        """How much it matters, from 0 to 4."""
        return 1 if self.kind is DiffKind.WHITESPACE else 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFault:
    """A place where an actual call breaks the declaration of its tool."""

    call: int
    path: str
    """JSON pointer into the arguments."""
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsDiff:
    """How actual calls differ from the expected ones; calls are named by index, from 0."""

    matched: tuple[Pair, ...] = ()
    """Expected and actual calls that are the same."""
    changed: tuple[Pair, ...] = ()
    """Calls to the same tool with other arguments."""
    renamed: tuple[Pair, ...] = ()
    """Calls to different tools that stand in for one another."""
    missing: tuple[int, ...] = ()
    """Expected calls without a partner."""
    extra: tuple[int, ...] = ()
    """Actual calls without a partner."""
    swapped: Order | None = None
    """What it means that matched calls changed places, ``None`` where none did."""
    rules: tuple[Rule, ...] = ()
    """What the matched calls owe their sameness to, beyond being identical."""
    arg_diffs: tuple[ArgDiff, ...] = ()
    schema_errors: tuple[CallFault, ...] = ()
    """Of actual calls that were not expected; a fault in the recording is no regression."""
    unusable_schemas: Mapping[str, str] = field(default_factory=dict)
    """Why the declaration of a tool was not applied, by the tool's name."""

    @property
    def order_changed(self) -> bool:
        """Whether matched calls changed places, allowed or not."""
        return self.swapped is not None

    @property
    def verdict(self) -> CallVerdict:
        """The worst class that has a member."""
        found = {
            CallVerdict.SCHEMA_INVALID: self.schema_errors,
            CallVerdict.MISSING_CALL: self.missing,
            CallVerdict.WRONG_NAME: self.renamed,
            CallVerdict.EXTRA_CALL: self.extra,
            CallVerdict.WRONG_ARGS: self.changed,
            CallVerdict.ORDER: self.swapped and self.swapped.severity,
            CallVerdict.EQUIVALENT: self.rules,
        }
        return next((verdict for verdict, is_so in found.items() if is_so), CallVerdict.IDENTICAL)

    @property
    def severity(self) -> int:
        """How much the worst difference matters, from 0 (not at all) to 4 (a client breaks)."""
        if self.schema_errors:
            return 4
        if self.missing or self.renamed or self.extra:
            return 3
        swap = self.swapped.severity if self.swapped else 0
        return max([swap, *(diff.severity for diff in self.arg_diffs)])

    @property
    def same(self) -> bool:
        """Whether both sides ask for the same."""
        return self.verdict in {CallVerdict.IDENTICAL, CallVerdict.EQUIVALENT}

    def to_json(self) -> JsonObject:
        """Return ``verdict`` and ``details`` as JSON."""
        details: JsonObject = {
            "matched": [list(pair) for pair in self.matched],
            "changed": [list(pair) for pair in self.changed],
            "renamed": [list(pair) for pair in self.renamed],
            "missing": list(self.missing),
            "extra": list(self.extra),
            "order_changed": self.order_changed,
            "rules": list(self.rules),
            "arg_diffs": [asdict(diff) | {"call": list(diff.call)} for diff in self.arg_diffs],
            "schema_errors": [asdict(fault) for fault in self.schema_errors],
            "severity": self.severity,
        }
        if self.unusable_schemas:
            details["unusable_schemas"] = dict(self.unusable_schemas)
        return {"verdict": self.verdict, "details": details}


def compare_calls(
    expected: Sequence[ToolCall],
    actual: Sequence[ToolCall],
    tools: Sequence[JsonObject] = (),
    *,
    order: Mapping[str, str] | str = Order.FLAG,
    unordered: Mapping[str, Collection[str]] = {},
) -> CallsDiff:
    """Compare the calls of two answers to one request.

    Args:
        expected: The recorded calls.
        actual: The calls to judge. Ids are not compared.
        tools: The tools that the request offers, as in ``/api/chat``. With none, any tool counts
            as offered.
        order: What it means that two calls changed places (``flag``, ``ignore`` or ``strict``),
            for all tools or by name, ``flag`` where a name is missing. Of two tools' rules the
            stricter one counts.
        unordered: JSON pointers of argument lists whose order means nothing, by tool name.

    Raises:
        ValueError: ``order`` holds another word.
    """
    order_rule = _order_rule(order)
    if [_exactly(call) for call in expected] == [_exactly(call) for call in actual]:
        return CallsDiff(matched=tuple((n, n) for n in range(len(expected))))

    offered = declarations(tools)
    canons = {
        name: Canon(
            tool=tool_schema(offered.get(name)), unordered=frozenset(unordered.get(name, ()))
        )
        for name in sorted({call.name for call in (*expected, *actual)})
    }
    left = [item(call, canons[call.name]) for call in expected]
    right = [item(call, canons[call.name]) for call in actual]
    matched = match(left, right)
    rows = _without(range(len(left)), (i for i, _ in matched))
    columns = _without(range(len(right)), (j for _, j in matched))
    pairs = pair_up(left, right, rows, columns)
    changed = [(i, j) for i, j in pairs if left[i].call.name == right[j].call.name]
    swapped = _swapped((order_rule(left[i].call.name), j) for i, j in matched)

    return CallsDiff(
        matched=tuple(matched),
        changed=tuple(changed),
        renamed=tuple((i, j) for i, j in pairs if left[i].call.name != right[j].call.name),
        missing=_without(rows, (i for i, _ in pairs)),
        extra=_without(columns, (j for _, j in pairs)),
        swapped=swapped,
        rules=_rules(swapped, [(left[i], right[j]) for i, j in matched]),
        arg_diffs=_arg_diffs(left, right, changed),
        schema_errors=_schema_errors(left, right, columns, offered),
        unusable_schemas={n: c.tool.problem for n, c in canons.items() if c.tool.problem},
    )


def _order_rule(order: Mapping[str, str] | str) -> Callable[[str], Order]:
    """Return what gives the order rule of a tool by its name."""
    if isinstance(order, str):
        rule = Order(order)
        return lambda name: rule
    rules = {name: Order(word) for name, word in order.items()}
    return lambda name: rules.get(name, Order.FLAG)


def _exactly(call: ToolCall) -> str:
    return spelling([call.name, call.arguments])


def _without(indices: Iterable[int], taken: Iterable[int]) -> tuple[int, ...]:
    gone = set(taken)
    return tuple(n for n in indices if n not in gone)


def _swapped(matched: Iterable[tuple[Order, int]]) -> Order | None:
    """Return the severest rule that a changed order falls under.

    Args:
        matched: Rule and actual position of each matched call, in the expected order.
    """
    furthest: dict[Order, int] = {}
    found: set[Order] = set()
    for own, position in matched:
        overtaken = [other for other, last in furthest.items() if last > position]
        found |= {max(own, other, key=lambda rule: rule.severity) for other in overtaken}
        furthest[own] = max(furthest.get(own, position), position)
    return max(found, key=lambda rule: rule.severity, default=None)


def _rules(swapped: Order | None, matched: Iterable[tuple[Item, Item]]) -> tuple[Rule, ...]:
    found = {Rule.CALL_ORDER} if swapped is Order.IGNORE else set()
    for own, other in matched:
        if _exactly(own.call) != _exactly(other.call):
            found |= rules_needed(own.canon, own.call.arguments, other.call.arguments)
    return tuple(rule for rule in Rule if rule in found)


def _arg_diffs(
    left: Sequence[Item], right: Sequence[Item], changed: Iterable[Pair]
) -> tuple[ArgDiff, ...]:
    return tuple(
        ArgDiff(call=(i, j), path=path, kind=kind)
        for i, j in changed
        for path, kind in differences(
            left[i].arguments, right[j].arguments, left[i].canon.unordered
        )
    )


def _schema_errors(
    left: Iterable[Item],
    right: Sequence[Item],
    unmatched: Iterable[int],
    offered: Collection[str],
) -> tuple[CallFault, ...]:
    recorded = {own.key for own in left}
    return tuple(
        CallFault(call=j, path=fault.path, kind=fault.kind)
        for j in unmatched
        if right[j].key not in recorded
        for fault in _faults(right[j], offered)
    )


def _faults(call: Item, offered: Collection[str]) -> list[Fault]:
    if offered and call.call.name not in offered:
        return [Fault(path="", kind="unknown_tool")]
    return faults(call.call.arguments, call.canon.tool)
