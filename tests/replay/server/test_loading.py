"""Cassettes of any origin become what can be served."""

import yaml

from tests.replay.server.harness import MODEL, PIN, asks, streamed, whole, without_pin, write
from tonearm.replay.server.loading import load_stock
from tonearm.replay.server.repertoire import Found
from tonearm.replay.server.reply import Asked

STOCK = {
    "version": 1,
    "interactions": [
        {
            "request": {
                "method": "POST",
                "uri": "http://localhost:11434/api/chat",
                "body": '{"model": "m", "messages": [{"role": "user", "content": "hi"}]}',
                "headers": {"Content-Type": ["application/json"]},
            },
            "response": {
                "status": {"code": 200, "message": "OK"},
                "headers": {"Transfer-Encoding": ["chunked"], "X": ["1", "2"]},
                "body": {"string": '{"done": true}\n'},
            },
        }
    ],
}


def test_a_cassette_that_vcrpy_recorded_is_served(tmp_path):
    """It knows nothing of pieces and times, and another server may have answered."""
    path = tmp_path / "vcr.yaml"
    path.write_text(yaml.safe_dump(STOCK), encoding="utf-8")

    stock = load_stock([path])

    body = b'{"messages":[{"content":"hi","role":"user"}],"model":"m"}'
    taken = stock.repertoire.take(
        Asked(method="POST", target="/api/chat", path="/api/chat", body=body)
    )
    assert isinstance(taken, Found)
    assert taken.framed.whole == (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: 1\r\nX: 2\r\n\r\n"
        b'f\r\n{"done": true}\n\r\n0\r\n\r\n'
    )
    assert stock.lineup.names == ["m:latest"]


def test_models_come_from_pins_and_from_requests_that_were_answered(tmp_path):
    unknown = whole(asks("a") | {"model": "nope"}, {"error": "model 'nope' not found"}, status=404)
    path = write(
        tmp_path / "a.yaml",
        [streamed(asks("a")), without_pin(streamed(asks("a") | {"model": "own"})), unknown],
    )

    lineup = load_stock([path]).lineup

    assert lineup.names == [MODEL, "own:latest"]
    assert lineup.find(MODEL) == PIN
    assert lineup.version == "0.24.0"


def test_a_torn_cassette_is_served_as_far_as_it_goes_and_named(tmp_path, caplog):
    path = write(tmp_path / "a.yaml", [streamed(asks("a")), streamed(asks("b"))])
    path.write_bytes(path.read_bytes()[:-20])

    assert len(load_stock([path]).repertoire) == 1
    assert str(path) in caplog.text
