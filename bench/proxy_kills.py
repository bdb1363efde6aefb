"""Kill a thousand times and count what was acknowledged and is not there.

uv run python -m bench.proxy_kills [KILLS]             the writer alone, under full load
uv run python -m bench.proxy_kills --recorder [KILLS]  whole recorders, answers under way
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.proxy import killing, killing_recorder

if __name__ == "__main__":
    main = killing_recorder.main if "--recorder" in sys.argv else killing.main
    numbers = [int(arg) for arg in sys.argv[1:] if arg.isdecimal()]
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(main(numbers[0] if numbers else 1000, Path(folder)))
