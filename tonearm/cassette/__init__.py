"""Cassettes: vcrpy files that are also append-only logs."""

from tonearm.cassette.foreign import ForeignLimitsWarning
from tonearm.cassette.redact import Clean, cleaner, is_raw, keep_raw, redact
from tonearm.cassette.sealer import Sealer
from tonearm.cassette.sealing import seal, unseal
from tonearm.cassette.shelf import Shelf, find
from tonearm.cassette.store import Cassette, load
from tonearm.cassette.writer import CassetteWriter

__all__ = [
    "Cassette",
    "CassetteWriter",
    "Clean",
    "ForeignLimitsWarning",
    "Sealer",
    "Shelf",
    "cleaner",
    "find",
    "is_raw",
    "keep_raw",
    "load",
    "redact",
    "seal",
    "unseal",
]
