"""Make of a request what it became on a shelf from which secrets are taken out.

A recorder puts stand-ins in the place of secrets, so what a client sends is not what was written.
With the shelf's own key the same secret gets the same stand-in again, and the request is known.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from tonearm.errors import RedactionError
from tonearm.model import Exchange
from tonearm.redaction import Redactor, keyfile

logger = logging.getLogger(__name__)

type Disguise = Callable[[bytes], bytes]
"""Takes a body as a client sends it and returns it as it was written."""


def has_stand_ins(exchange: Exchange) -> bool:
    """Return whether secrets were taken out of an exchange's texts."""
    return bool((exchange.redaction or {}).get("secrets"))


def of_shelf(root: Path) -> Disguise | None:
    """Return the disguise of a shelf, ``None`` where its key is not at hand; no key is made."""
    if not (root / keyfile.FOLDER / keyfile.NAME).exists():
        logger.warning(
            "%s: secrets were taken out of recordings, and the shelf's key is not here; requests "
            "that hold them will not be recognised",
            root,
        )
        return None
    try:
        redactor = Redactor.of_shelf(root)
    except RedactionError as err:
        logger.warning("requests with secrets will not be recognised: %s", err)
        return None
    return lambda body: redactor.request(body).body
