"""Kill the recorder's writer a thousand times and count what was acknowledged and is not there.

uv run python -m bench.proxy_kills [KILLS]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.proxy.killing import main

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, Path(folder)))
