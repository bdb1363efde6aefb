"""Figures for Prometheus, events for a log collector, and the note of what was lost."""

import json
import logging

import httpx
import pytest

from tests.proxy.harness import LIMIT_S, run
from tonearm import losses
from tonearm.commands import _log, main
from tonearm.errors import CaptureError
from tonearm.proxy.address import parse_listen
from tonearm.proxy.lossnote import LossNote
from tonearm.proxy.metrics import Delay, MetricsServer, exposition
from tonearm.proxy.tally import Tally


def figures():
    tally = Tally(recorded=5, recovered=7, passed=2, copied_bytes=1234)
    tally.outcomes["complete"] = 6
    tally.refused["its token is missing or wrong"] = 1
    tally.lose('a "bad"\ndisk\\', 3)
    return tally


def test_every_figure_is_told_in_the_text_format():
    delay = Delay()
    for sample_s in (0.0001, 0.003, 5.0):
        delay.add(sample_s)
    lines = exposition(figures(), delay, backlog=4, backlog_bytes=99).splitlines()

    for line in (
        "tonearm_recorded_total 5",
        "tonearm_recovered_total 7",
        'tonearm_exchanges_total{outcome="complete"} 6',
        "tonearm_passed_total 2",
        r'tonearm_dropped_total{reason="a \"bad\"\ndisk\\"} 3',
        'tonearm_refused_total{reason="its token is missing or wrong"} 1',
        "tonearm_bytes_total 1234",
        "tonearm_queue_exchanges 4",
        "tonearm_queue_bytes 99",
        'tonearm_added_latency_seconds_bucket{le="0.0005"} 1',
        'tonearm_added_latency_seconds_bucket{le="0.005"} 2',
        'tonearm_added_latency_seconds_bucket{le="+Inf"} 3',
        "tonearm_added_latency_seconds_count 3",
        "# TYPE tonearm_added_latency_seconds histogram",
    ):
        assert line in lines


def test_figures_are_served_and_the_port_is_given_back():
    async def scenario():
        listen = parse_listen("127.0.0.1:0")
        server = MetricsServer(listen, lambda delay: "tonearm_x 1\n")
        address = await server.start()
        with pytest.raises(CaptureError, match="for --metrics"):
            await MetricsServer(address, lambda delay: "").start()
        async with httpx.AsyncClient(trust_env=False, timeout=LIMIT_S) as client:
            answer = await client.get(f"{address.url}/metrics")
            other = await client.get(f"{address.url}/api/chat")
        await server.stop()
        return answer, other

    answer, other = run(scenario())
    assert answer.text == "tonearm_x 1\n"
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert other.status_code == 404


def test_events_are_json_objects_where_that_is_asked_for():
    record = logging.LogRecord("tonearm", logging.INFO, "", 0, "%s lost", ("3",), None)
    record.facts = {"lost": 3, "reason": "a full disk"}
    event = json.loads(_log.JsonLines().format(record))

    assert event["time"].endswith("+00:00")
    assert event == event | {"level": "info", "message": "3 lost", "lost": 3}


def test_losses_are_noted_once_they_happen_and_listed(tmp_path, capsys):
    tally = Tally(recorded=7)
    times = iter("abcd")
    note = LossNote(tmp_path, tally, token="t", now=lambda: next(times))
    note.update()
    assert list(tmp_path.iterdir()) == []

    tally.lose("the queue to the writer was full", 2)
    note.update()
    note.update()
    tally.lose("the queue to the writer was full")
    note.update_within(LIMIT_S)

    (found,) = losses.read(tmp_path)
    assert (found.started_at, found.noted_at, found.recorded) == ("a", "c", 7)
    assert found.lost == {"the queue to the writer was full": 3}
    assert main(["ls", str(tmp_path)]) == 0
    assert "3 LOST by the recorder started a: the queue" in capsys.readouterr().out
    assert main(["ls", "--json", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["lost"] == found.lost


def test_a_note_that_cannot_be_written_is_tried_again(tmp_path):
    shelf = tmp_path / "gone"
    tally = Tally()
    tally.lose("x")
    note = LossNote(shelf, tally, token="t", now=lambda: "now")
    note.update()
    shelf.mkdir()
    note.update()

    assert [n.lost for n in losses.read(shelf)] == [{"x": 1}]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"lost": 3}', '{"lost": {"x": "many"}}', "[" * 9999]
)
def test_a_file_that_is_no_note_is_left_out(tmp_path, text):
    (tmp_path / "losses-x.json").write_text(text)

    assert losses.read(tmp_path) == []
