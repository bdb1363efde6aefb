"""The recorder as ``tonearm record`` runs it, for a server that answers nothing but questions.

    python -m bench._recorder UPSTREAM_PORT PORT SHELF [--off]

With ``--off`` nothing is copied or written; what is left is the proxy.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tonearm.proxy import session
from tonearm.proxy.addon import Recorder
from tonearm.proxy.address import Address
from tonearm.proxy.pins import PinBook


def main(upstream: int, port: int, shelf: Path, off: bool) -> None:
    """Record until terminated."""
    PinBook._fresh = lambda *_: None  # type: ignore[method-assign,assignment]
    if off:
        Recorder.requestheaders = lambda *_: None  # type: ignore[method-assign,assignment]
    settings = session.Settings(
        upstream=Address(host="127.0.0.1", port=upstream),
        listen=Address(host="127.0.0.1", port=port),
        shelf=shelf,
    )
    session.record(settings, [], lambda line: None)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), "--off" in sys.argv)
