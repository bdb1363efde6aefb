"""A line is one exchange, read alike by orjson, libyaml, PyYAML and vcrpy."""

import base64
import json
import time
from dataclasses import replace

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from vcr.serialize import deserialize, serialize
from vcr.serializers import yamlserializer

from tests.cassette import samples
from tonearm.cassette._foreign import convert
from tonearm.cassette.format import HEADER, from_line, to_line
from tonearm.cassette.interaction import to_exchange
from tonearm.cassette.shape import NewerFormat, NotJson, ShapeError
from tonearm.model import Chunk, Exchange, HttpRequest, HttpResponse, Outcome, Pin

HOSTILE = (
    "\x00\t\r\n\x1f \"'\\/&!%#:-?{}[],\x7f\x80\x85\xa0é\u2028\u2029\ud800\udfff\ufeff\ufffe\uffff🎬"
)

texts = st.text(st.one_of(st.sampled_from(HOSTILE), st.characters(exclude_categories=())))
headers = st.lists(st.tuples(texts, texts) | st.tuples(st.sampled_from(["A", "a", "B"]), texts))
bodies = st.one_of(
    st.binary(),
    texts.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from([b'!!binary ""', b'": !!binary "', b'"a": !!binary "AA=="']),
)
seconds = st.integers(-(10**12), 10**12).map(lambda us: us / 1_000_000)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=6,
)
objects = st.dictionaries(texts, json_values, max_size=3)
chunks = st.lists(st.builds(Chunk, st.integers(0, 10**9), seconds), max_size=5).map(tuple)
pins = st.builds(
    Pin,
    model=texts,
    digest=st.none() | texts,
    parameters=st.none() | texts,
    capabilities=st.lists(texts, max_size=2).map(tuple),
    num_ctx=st.none() | st.integers(0, 2**20),
    options=objects,
)
exchanges = st.builds(
    Exchange,
    request=st.builds(
        HttpRequest, method=texts, uri=texts, headers=headers.map(tuple), body=bodies
    ),
    response=st.builds(
        HttpResponse,
        status=st.integers(100, 599),
        reason=texts,
        headers=headers.map(tuple),
        body=bodies,
    ),
    sequence=st.integers(0, 10**6),
    started_at=st.none() | texts,
    duration_s=st.none() | seconds,
    chunks=chunks,
    outcome=st.sampled_from(Outcome),
    error=st.none() | texts,
    pin=st.none() | pins,
    redaction=st.none() | objects,
)


@given(exchanges)
def test_what_is_written_is_read(exchange):
    line = to_line(exchange)

    assert from_line(line, 0) == exchange
    assert line.index(b"\n") == len(line) - 1


@given(exchanges)
def test_yaml_reads_the_same_values_as_json(exchange):
    """libyaml is what vcrpy uses; PyYAML's own parser is what it falls back to."""
    line = to_line(exchange)

    by_c, by_python = (
        yaml.load(HEADER + line, Loader=loader)["interactions"][0]
        for loader in (yaml.CSafeLoader, yaml.SafeLoader)
    )

    assert by_c == by_python
    assert to_exchange(json.loads(json.dumps(by_c, default=as_json)), 0) == exchange


@given(exchanges)
def test_what_vcrpy_saved_again_is_read(exchange):
    """vcrpy sorts the names of headers; everything else is as it was."""
    requests, responses = deserialize((HEADER + to_line(exchange)).decode(), yamlserializer)
    saved = serialize({"requests": requests, "responses": responses}, yamlserializer)

    read = json.loads(json.dumps(convert(saved.encode())["interactions"], default=as_json))

    assert samples.by_name(to_exchange(read[0], 0)) == samples.by_name(exchange)


def as_json(value):
    """Spell bytes as the child process does."""
    return {"!!binary": base64.b64encode(value).decode()}


def test_characters_that_yaml_refuses_are_escaped():
    body = "".join(map(chr, [0x7F, 0x80, 0x85, 0x9F, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF]))
    exchange = replace(
        samples.whole(), request=HttpRequest(method="POST", uri="/", body=body.encode())
    )

    line = to_line(exchange)

    assert rb'"body":"\u007f\u0080\u0085\u009f\u2028\u2029\ufeff\ufffe\uffff"' in line


def test_other_characters_stay_readable():
    line = to_line(samples.streamed())

    assert "🎬".encode() in line
    assert "今日".encode() in line


def test_a_body_that_is_no_text_is_tagged_as_binary():
    exchange = replace(
        samples.whole(), request=HttpRequest(method="POST", uri="/", body=b"\xff\x00")
    )

    assert b'"body":!!binary "/wA="' in to_line(exchange)


def test_headers_that_vcrpy_keeps_stand_in_its_part_alone():
    assert b'"exact"' not in to_line(samples.streamed())


@pytest.mark.parametrize(
    "fields",
    [
        (("Accept", "a"), ("Accept", "b")),
        (("Accept", "a"), ("Host", "b"), ("accept", "c")),
        (("X", "é"),),
        (("x" * 2000, "long"),),
    ],
    ids=["repeated", "two spellings", "not ASCII", "longer than a YAML key"],
)
def test_headers_that_vcrpy_would_lose_are_kept_exactly(fields):
    request = replace(samples.streamed().request, headers=fields)
    line = to_line(replace(samples.streamed(), request=request))

    requests, responses = deserialize((HEADER + line).decode(), yamlserializer)
    saved = serialize({"requests": requests, "responses": responses}, yamlserializer)

    assert b'"exact"' in line
    assert to_exchange(convert(saved.encode())["interactions"][0], 0).request.headers == fields


def test_times_are_kept_in_microseconds():
    exchange = replace(samples.whole(), duration_s=1.23456789, chunks=(Chunk(3, 0.00000149),))

    read = from_line(to_line(exchange), 0)

    assert read.duration_s == 1.234568
    assert read.chunks == (Chunk(3, 0.000001),)


def test_an_interaction_without_our_facts_is_numbered_by_its_place():
    interaction = orjson.loads(to_line(samples.whole())[2:])
    del interaction["response"]["tonearm"]

    read = from_line(b"- " + orjson.dumps(interaction), 5)

    assert (read.sequence, read.chunks, read.pin, read.outcome) == (5, (), None, "complete")


def test_json_that_aiohttp_was_given_is_read_as_the_body_it_sent():
    """vcrpy's stub for aiohttp keeps the argument of ``json=`` and not the bytes."""
    interaction = orjson.loads(to_line(samples.whole())[2:])
    interaction["request"]["body"] = {"model": "m", "n": [1]}

    assert (
        from_line(b"- " + orjson.dumps(interaction), 0).request.body == b'{"model": "m", "n": [1]}'
    )


def test_facts_of_a_later_format_are_refused():
    line = to_line(samples.whole()).replace(b'"format":1', b'"format":2')

    with pytest.raises(NewerFormat, match="format 2, this tonearm reads up to 1; install a newer"):
        from_line(line, 0)


def changed(path, value):
    """Return a line in which one member, named by its path, has another value or none."""
    interaction = orjson.loads(to_line(samples.whole())[2:])
    *parents, name = path.split(".")
    target = interaction
    for parent in parents:
        target = target[parent]
    if value is ...:
        del target[name]
    else:
        target[name] = value
    return b"- " + json.dumps(interaction).encode()


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("request", ..., "request is missing"),
        ("request", [], "request is a list, not an object"),
        ("request.method", ..., "request.method is missing"),
        ("request.uri", None, "request.uri is null, not text"),
        ("request.body", 5, "request.body is an integer, not text"),
        ("request.body", {"!!binary": "?"}, "request.body is not base64"),
        ("request.body", {"!!binary": "é"}, "request.body is not base64"),
        ("request.headers", "x", "request.headers is text, not an object"),
        ("request.headers", {"Host": [1]}, "request.headers['Host'] is an integer, not text"),
        ("response", ..., "response is missing"),
        ("response.status", ..., "response.status is missing"),
        ("response.status.code", "200", "response.status.code is text, not an integer"),
        ("response.status.code", True, "response.status.code is a boolean, not an integer"),
        ("response.status.message", 1, "response.status.message is an integer, not text"),
        ("response.body", "x", "response.body is text, not an object"),
        ("response.body.string", [1], "response.body.string is a list, not text"),
        ("response.tonearm", 1, "response.tonearm is an integer, not an object"),
        ("response.tonearm.format", ..., "response.tonearm.format is missing"),
        ("response.tonearm.format", 0, "response.tonearm.format is 0"),
        ("response.tonearm.format", 2**70, "response.tonearm.format is a number"),
        ("response.tonearm.json", "{", "response.tonearm.json is not JSON"),
        ("response.tonearm.json", "[" * 99_999, "response.tonearm.json is not JSON"),
        ("response.tonearm.json", "[]", "response.tonearm.json is a list"),
        ("response.tonearm.json", "9" * 5000, "response.tonearm.json is not JSON"),
        ("response.tonearm.json", '{"duration_us": 1%s}' % ("0" * 400), "duration_us is too large"),
        (
            "response.tonearm.json",
            r'{"exact": {"request": {"headers": [], "uri": 1}}}',
            "request.uri is an integer",
        ),
        ("response.tonearm.sequence", "1", "response.tonearm.sequence is text"),
        ("response.tonearm.outcome", "lost", "response.tonearm.outcome is 'lost'"),
        ("response.tonearm.outcome", None, "response.tonearm.outcome is None"),
        ("response.tonearm.outcome", "\x1b[2J\n", r"response.tonearm.outcome is '\x1b[2J\n',"),
        ("request.headers", {"\x1b": 1}, r"request.headers['\x1b'] is an integer, not text"),
        ("response.tonearm.chunks.bytes", "1 2", "are not of one length"),
        ("response.tonearm.chunks.us", "1,5", "us is not a row of integers"),
        ("response.tonearm.chunks.us", "9" * 5000, "us is not a row of integers"),
        ("response.tonearm.pin.model", ..., "response.tonearm.pin.model is missing"),
        ("response.tonearm.pin.num_ctx", "x", "response.tonearm.pin.num_ctx is text"),
        ("response.tonearm.pin.capabilities", "x", "response.tonearm.pin.capabilities is text"),
        ("response.tonearm.pin.capabilities", [1], "response.tonearm.pin.capabilities[] is an int"),
        ("response.tonearm.exact", [], "response.tonearm.exact is a list"),
        (
            "response.tonearm.exact",
            {"request": {"headers": [["a"]]}},
            "request.headers holds a list, not a name and a value",
        ),
    ],
)
def test_a_wrong_shape_is_named(path, value, reason):
    with pytest.raises(ShapeError) as caught:
        from_line(changed(path, value), 0)

    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "line", [b"", b"x", b"- ", b"- {", b'-{"a": 1}', b'- "!!binary', b"- " + b"[" * 200_000]
)
def test_a_line_that_is_not_whole_json_is_told_apart(line):
    with pytest.raises(NotJson):
        from_line(line, 0)


def test_half_a_surrogate_pair_is_no_text():
    """No JSON reader of lines lets one through, but the child that reads YAML hands on escapes."""
    interaction = json.loads(to_line(samples.whole())[2:])
    interaction["request"]["body"] = "\ud800"

    with pytest.raises(ShapeError, match=r"request\.body has half of a surrogate pair"):
        to_exchange(interaction, 0)


def test_exact_values_are_those_that_vcrpy_cannot_keep_and_no_others():
    """A body of its own would let a file show one answer to vcrpy and another one to us."""
    text = json.dumps({"exact": {"request": {"body": "x"}, "response": {"body": {"string": "x"}}}})
    line = changed("response.tonearm", {"format": 1, "json": text})

    exchange = from_line(line, 0)

    assert exchange.request.body == samples.whole().request.body
    assert exchange.response.body == samples.whole().response.body


@pytest.mark.parametrize("end", [b'"\\' * 100_000, b'\\"' * 100_000, b'!!binary "A' * 100_000])
def test_a_line_of_quotes_without_end_takes_no_time(end):
    """To look for the end of a text from each of its quotes took minutes."""
    start = time.process_time()

    with pytest.raises(NotJson):
        from_line(b'- {"!!binary' + end, 0)

    assert time.process_time() - start < 5
