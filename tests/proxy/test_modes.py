"""The ways in: each gets the same traffic to the same recorder, and nothing wider than that."""

import json
import os
import shutil
import subprocess
import sys

import httpx
import pytest

from tests.engines import require
from tests.proxy.harness import CHAT, LIMIT_S, Upstream, ndjson, recording, run, said
from tonearm.cassette import Shelf, load
from tonearm.proxy import child
from tonearm.proxy.address import Address

RECORDER, OLLAMA = Address(host="127.0.0.1", port=2), Address(host="127.0.0.1", port=1)


@pytest.mark.parametrize("relaying", [True, False])
def test_clients_that_use_the_recorder_as_a_proxy_are_recorded_and_get_no_further(relaying):
    async def scenario():
        async with (
            Upstream() as upstream,
            Upstream() as other,
            recording(
                upstream.address,
                mode="regular",
                gate={"forwards_to": upstream.address},
                relaying=relaying,
            ) as rec,
            httpx.AsyncClient(proxy=rec.url, timeout=LIMIT_S, trust_env=False) as client,
        ):
            good = await client.post(f"{upstream.address.url}/api/chat", json=CHAT)
            bad = await client.post(f"{other.address.url}/api/chat", json=CHAT)
            with pytest.raises(httpx.ProxyError):
                await client.get(f"https://127.0.0.1:{upstream.address.port}/")
            straight = await rec.client.post("/api/chat", json=CHAT)
            exchange = (await rec.captures.get()).exchange()
            return good, bad, straight, exchange, other.connections, upstream

    good, bad, straight, exchange, elsewhere, upstream = run(scenario())
    assert good.content == ndjson(said("hel"), said("lo"), said("", done=True))
    assert exchange.request.uri == f"{upstream.address.url}/api/chat"
    assert exchange.response.body == good.content
    assert (bad.status_code, straight.status_code, elsewhere) == (403, 403, 0)
    assert "to no other server" in bad.json()["error"]


@pytest.mark.parametrize(
    ("mode", "host", "proxy"),
    [
        ("reverse", RECORDER.url, None),
        ("regular", OLLAMA.url, RECORDER.url),
        ("transparent", OLLAMA.url, None),
        ("local:python", OLLAMA.url, None),
    ],
)
def test_a_command_is_told_what_its_mode_needs(mode, host, proxy):
    env = child.environment({"NO_PROXY": "*"}, RECORDER, upstream=OLLAMA, mode=mode)

    assert env["OLLAMA_HOST"] == host
    assert env["OPENAI_BASE_URL"] == f"{host}/v1"
    assert env.get("http_proxy") == proxy
    assert ("NO_PROXY" in env) is (proxy is None)


NAMESPACE = """
set -e
ip link set lo up
nft -f - <<'RULES'
table ip tonearm {
  chain output {
    type nat hook output priority -100
    ip daddr 127.0.0.1 tcp dport 11434 meta skgid != 65534 redirect to :11435
  }
}
RULES
exec "$@"
"""

CLIENT = """
import asyncio, json, signal, subprocess, sys
import httpx
from tests.proxy.harness import CHAT, Upstream, hello

async def main(shelf):
    server = Upstream(hello)
    server._server = await asyncio.start_server(server._serve, "127.0.0.1", 11434)
    recorder = await asyncio.create_subprocess_exec(
        "setpriv", "--regid", "65534", "--clear-groups", sys.executable, "-m", "tonearm", "record",
        "--mode", "transparent", "--listen", "127.0.0.1:11435", "--shelf", shelf,
        "--upstream", "http://127.0.0.1:11434", stderr=subprocess.PIPE)
    line = await recorder.stderr.readline()
    assert b"recording" in line, line
    async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
        answer = await client.post("http://127.0.0.1:11434/api/chat", json=CHAT)
    recorder.send_signal(signal.SIGTERM)
    _, said = await recorder.communicate()
    print(json.dumps({"body": answer.text, "code": recorder.returncode, "said": said.decode()}))

asyncio.run(main(sys.argv[1]))
"""


def test_redirected_traffic_is_recorded(tmp_path):
    """In a network of its own: the client knows nothing, the kernel sends it to the recorder."""
    if os.name == "nt" or os.geteuid() != 0:
        require("transparent", "redirecting traffic needs root")
    for tool in ("ip", "nft", "unshare", "setpriv"):
        if shutil.which(tool) is None:
            require("transparent", f"redirecting traffic needs {tool}")
    probe = ["unshare", "--net", "bash", "-c", NAMESPACE, "-", "true"]
    found = subprocess.run(probe, capture_output=True, text=True, check=False)
    if found.returncode != 0:
        require("transparent", f"no network of one's own here: {found.stderr.strip()[:200]}")
    shelf = tmp_path / "shelf"
    script = ["unshare", "--net", "bash", "-c", NAMESPACE, "-"]
    done = subprocess.run(
        [*script, sys.executable, "-c", CLIENT, str(shelf)],
        capture_output=True,
        text=True,
        timeout=LIMIT_S * 2,
        check=False,
        env=os.environ | {"HOME": str(tmp_path)},
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["code"] == 0, told["said"]
    (path,) = Shelf(shelf).paths()
    (exchange,) = load(path).exchanges
    assert exchange.response.body.decode() == told["body"]
    assert exchange.request.uri == "http://127.0.0.1:11434/api/chat"


def test_the_proxy_passes_what_is_not_for_the_upstream_unread_in_transparent_modes():
    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address, mode="transparent") as rec,
        ):
            return rec.proxy._master.options.allow_hosts, upstream.address.port

    hosts, port = run(scenario())
    assert rf"^127\.0\.0\.1:{port}$" in hosts
    assert len(hosts) == 3
