"""What people are told about two calls."""

from tonearm.model import ToolCall
from tonearm.replay.describe import MAX_LINES, MAX_VALUES, WIDTH, describe


def lines(left, right, names=("f", "f")):
    return describe(
        *(ToolCall(name=n, arguments=a) for n, a in zip(names, (left, right), strict=True))
    )


def test_every_difference_has_a_line_with_its_place():
    left = {"a": 1, "b": {"c": [1, 2]}, "d": "x", "gone": [True]}
    right = {"a": 2, "b": {"c": [1, 3, 4]}, "d": None, "new": {"t": "y"}}

    assert lines(left, right, ("read", "write")) == [
        'name: "read" -> "write"',
        "/a: 1 -> 2",
        "/b/c/1: 2 -> 3",
        "/b/c/2: added 4",
        '/d: "x" -> null',
        "/gone: removed [true]",
        '/new: added {"t": "y"}',
    ]


def test_equal_calls_have_no_lines():
    assert lines({"a": [1, {"b": "x\ny"}]}, {"a": [1, {"b": "x\ny"}]}) == []
    assert lines({"a": 1}, '{"a": 1}') == []


def test_types_are_shown_as_they_are():
    assert lines({"a": 1}, {"a": 1.0}) == ["/a: 1 -> 1.0"]
    assert lines({"a": 1}, {"a": True}) == ["/a: 1 -> true"]
    assert lines({"a": 1}, {"a": "1"}) == ['/a: 1 -> "1"']


def test_arguments_that_cannot_be_read_are_shown_whole():
    assert lines({"a": 1}, '{"a":') == [r'arguments: {"a": 1} -> "{\"a\":"']
    assert lines(None, [1]) == ["arguments: null -> [1]"]


def test_keys_that_look_private_are_not_left_out():
    assert lines({"__a": 1}, {"__a": 2}) == ["/__a: 1 -> 2"]


def test_objects_with_little_in_common_are_shown_member_by_member():
    assert lines({"a": {"x": 1, "y": 2}}, {"a": {"z": 3}}) == [
        "/a/x: removed 1",
        "/a/y: removed 2",
        "/a/z: added 3",
    ]


def test_long_texts_are_shown_where_they_part():
    same = "all work and no play\n" * 1000

    (line,) = lines({"a": same + "makes"}, {"a": same + "is fun"})

    assert line.startswith("/a: …")
    assert 'makes" -> …' in line
    assert line.endswith('is fun"')
    assert len(line) < 3 * WIDTH


def test_many_differences_are_counted_not_listed():
    found = lines({"a": list(range(100))}, {"a": list(range(1, 101))})

    assert len(found) == MAX_LINES + 1
    assert found[-1] == "and 90 more"


def test_large_arguments_are_described_by_place_alone():
    found = lines({"a": [0] * MAX_VALUES}, {"a": [0] * (MAX_VALUES - 1) + ["x"]})
    assert found == [f"/a/{MAX_VALUES - 1}: type"]


def test_lines_are_safe_to_print():
    found = lines(
        {"a\x1b[31m\n": "\u202e\x07", "b": "\ud800"}, {"a\x1b[31m\n": "\u2066", "b": "\udfff"}
    )

    assert found == [
        r'/a\u{1b}[31m\n: "\u{202e}\u0007" -> "\u{2066}"',
        r'/b: "\u{d800}" -> "\u{dfff}"',
    ]
