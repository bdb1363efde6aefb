"""The recorder as a script for a mitmproxy that is started by hand: ``mitmdump -s``.

What else that mitmproxy does, and how it listens, is for its own options to say; docs/record.md has
the command line that makes it behave like ``tonearm record``.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from mitmproxy import ctx, exceptions
from mitmproxy.addonmanager import Loader

from tonearm.cassette import Shelf, cleaner
from tonearm.errors import CaptureError, RedactionError
from tonearm.proxy.addon import Recorder
from tonearm.proxy.capture import Capture
from tonearm.proxy.filing import Filing
from tonearm.proxy.session import FLUSH_S, NOTE_S, prepare
from tonearm.proxy.tally import Tally
from tonearm.proxy.underway import UnderWay
from tonearm.proxy.writer import Writer


class Script:
    """Gives the recorder its shelf from mitmproxy's options, and its end from mitmproxy's end."""

    name = "tonearm_script"

    def __init__(self) -> None:
        self._tally = Tally()
        self._recorder = Recorder(self._put, self._tally)
        self._writer: Writer | None = None
        self._under_way: UnderWay | None = None
        self.addons = [self._recorder]

    def load(self, loader: Loader) -> None:
        """Declare the option."""
        loader.add_option("tonearm_shelf", str, "cassettes", "Folder to record cassettes into.")

    def configure(self, updated: set[str]) -> None:
        """Open the shelf."""
        if "tonearm_shelf" not in updated:
            return
        if self._writer is not None:
            raise exceptions.OptionsError("tonearm_shelf cannot change while mitmproxy runs")
        shelf = Path(ctx.options.tonearm_shelf)
        try:
            prepare(shelf)
            filing = Filing(Shelf(shelf), self._tally)
            clean = cleaner(shelf)
        except (CaptureError, RedactionError) as err:
            raise exceptions.OptionsError(str(err)) from err
        self._writer = Writer(filing, self._tally)
        self._under_way = UnderWay(
            shelf,
            self._recorder.under_way,
            self._writer.progress,
            clean=clean,
            token=secrets.token_hex(4),
        )
        self._writer.start()
        self._under_way.start()

    def done(self) -> None:
        """Write what is under way; mitmproxy asks us before it asks the recorder."""
        self._recorder.done()
        if self._writer is not None:
            self._writer.close(FLUSH_S)
        if self._under_way is not None:
            self._under_way.close(NOTE_S)

    def _put(self, capture: Capture) -> None:
        if self._writer is not None:
            self._writer.put(capture)


addons = [Script()]
