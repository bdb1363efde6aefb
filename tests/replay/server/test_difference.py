"""Where two requests differ, in words."""

import pytest

from tonearm.replay.server.difference import changes

USER = {"role": "user", "content": "hi"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def said(recorded, asked):
    return [str(change) for change in changes(recorded, asked)]


def test_equal_bodies_have_no_difference():
    assert said({"a": 1, "b": [1.0]}, {"b": [1], "a": 1.0}) == []


def test_a_changed_member_is_named_by_its_path():
    recorded = {"options": {"temperature": 0, "seed": 7}, "model": "m"}
    asked = {"options": {"temperature": 0.7, "seed": 7}, "model": "m"}

    assert said(recorded, asked) == ["options.temperature: recorded 0, asked 0.7"]


def test_types_are_told_apart():
    assert said({"a": 1, "b": 1}, {"a": "1", "b": True}) == [
        'a: recorded 1, asked "1"',
        "b: recorded 1, asked true",
    ]


def test_members_on_one_side_are_named():
    assert said({"think": True, "x": {"y": 1}}, {"keep_alive": "5m", "x": {"z": 1}}) == [
        "think: recorded true, not asked",
        "x.y: recorded 1, not asked",
        "x.z: asked 1, not recorded",
        'keep_alive: asked "5m", not recorded',
    ]


def test_a_message_that_was_put_in_is_one_difference():
    history = [{"role": "user", "content": f"m{n}"} for n in range(300)]

    assert said({"messages": history}, {"messages": [*history[:2], USER, *history[2:]]}) == [
        'messages[2]: asked {"role": "user", "content": "hi"}, not recorded'
    ]


def test_a_message_that_is_missing_is_one_difference():
    assert said({"messages": [USER, TOOL]}, {"messages": [TOOL]}) == [
        'messages[0]: recorded {"role": "user", "content": "hi"}, not asked'
    ]


def test_a_changed_message_is_looked_into():
    other = USER | {"content": "ho", "images": ["x"]}

    assert said({"messages": [TOOL, USER]}, {"messages": [TOOL, other]}) == [
        'messages[1].content: recorded "hi", asked "ho"',
        'messages[1].images: asked ["x"], not recorded',
    ]


def test_long_texts_are_shown_where_they_part():
    text = "so it begins, and so it goes on for quite a while until it parts " * 3

    (line,) = said({"prompt": text + "here"}, {"prompt": text + "there, and goes on"})

    assert line.startswith("prompt: recorded …")
    assert line.count("here") == 2
    assert len(line) < 200


def test_texts_of_lines_and_control_characters_stay_on_one_harmless_line():
    (line,) = said({"prompt": "a\nb\x1b[2J"}, {"prompt": "a\nc\u202e"})

    assert line.isprintable()
    assert "\\u" in line


def test_names_with_dots_are_quoted_so_that_they_can_be_ignored():
    assert said({"a.b": 1, "__x": 1}, {"a.b": 2, "__x": 2}) == [
        '["a.b"]: recorded 1, asked 2',
        "__x: recorded 1, asked 2",
    ]


@pytest.mark.parametrize(("recorded", "asked"), [([1], {"a": 1}), ("raw", None), (None, {"a": 1})])
def test_bodies_that_are_no_objects_are_shown_whole(recorded, asked):
    (line,) = said(recorded, asked)

    assert line.startswith("body: recorded ")


def test_values_too_large_to_compare_are_shown_instead():
    large = {"format": {str(n): n for n in range(6_000)}}

    (line,) = said(large, {"format": large["format"] | {"5999": 0}})

    assert line.startswith("format: recorded …")


def test_lists_too_long_to_match_are_compared_by_position():
    left, right = ["a"] * 1_100, ["b", *["a"] * 1_099]

    assert said({"x": left}, {"x": right}) == ['x[0]: recorded "a", asked "b"']
