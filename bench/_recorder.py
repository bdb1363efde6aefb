"""The recorder as ``tonearm record`` runs it, for a server that answers nothing but questions.

    python -m bench._recorder UPSTREAM_PORT PORT SHELF [--off | --long]

With ``--off`` nothing is copied or written; what is left is the proxy. With ``--long`` everything
takes mitmproxy's way.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

from mitmproxy import http

from tonearm.proxy import session
from tonearm.proxy.addon import Recorder
from tonearm.proxy.address import Address
from tonearm.proxy.launch import Proxy
from tonearm.proxy.pins import PinBook


def _pass_on(recorder: Recorder, flow: http.HTTPFlow) -> None:
    flow.request.stream = True


def main(upstream: int, port: int, shelf: Path, *more: str) -> None:
    """Record until terminated."""
    PinBook._fresh = lambda *_: None  # type: ignore[method-assign,assignment]
    if "--off" in more:
        Recorder.requestheaders = _pass_on  # type: ignore[method-assign,assignment]
    if "--long" in more:
        session.Proxy = functools.partial(Proxy, relaying=False)  # type: ignore[misc,assignment]
    settings = session.Settings(
        upstream=Address(host="127.0.0.1", port=upstream),
        listen=Address(host="127.0.0.1", port=port),
        shelf=shelf,
    )
    session.record(settings, [], lambda line: None)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
