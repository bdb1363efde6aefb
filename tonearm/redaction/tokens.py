"""Keys that their issuers gave a form of their own, and other secrets that one knows by sight."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tonearm.redaction.detector import Detector, Hit, Rank, by_form, misread
from tonearm.redaction.linear import Match, compile_bytes
from tonearm.redaction.view import View

_FORMS: tuple[tuple[str, bytes], ...] = (
    ("anthropic_key", rb"\bsk-ant-[a-z0-9]+-[A-Za-z0-9_-]{16,}"),
    ("openai_key", rb"\bsk-(?:proj|svcacct|admin|service|None)-[A-Za-z0-9_-]{16,}"),
    ("openai_key", rb"\bsk-[A-Za-z0-9]{20,}"),
    ("openrouter_key", rb"\bsk-or-v1-[0-9a-f]{32,}"),
    ("github_token", rb"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,})"),
    (
        "gitlab_token",
        rb"\bgl(?:pat|ptt|dt|rt|cbt|ft|soat|agent|oas|imt|ffct)-[A-Za-z0-9_-]{16,}(?:\.[a-z0-9]{2,20})*",
    ),
    ("slack_token", rb"\b(?:xox[a-z]-|xapp-)[A-Za-z0-9-]{10,}"),
    (
        "slack_webhook",
        rb"https://hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{16,}",
    ),
    ("discord_webhook", rb"https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\d+/[\w-]{20,}"),
    ("stripe_key", rb"\b(?:[rs]k_(?:live|test)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/]{20,}=*)"),
    (
        "google_key",
        rb"\b(?:AIza[A-Za-z0-9_-]{30,}|GOCSPX-[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{20,})",
    ),
    ("aws_key_id", rb"\b(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA|AROA|AIDA)[A-Z0-9]{16}\b"),
    ("huggingface_token", rb"\b(?:hf_|api_org_)[A-Za-z0-9]{20,}"),
    ("npm_token", rb"\bnpm_[A-Za-z0-9]{30,}"),
    ("pypi_token", rb"\bpypi-[A-Za-z0-9_-]{40,}"),
    ("jwt", rb"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)+"),
    ("sendgrid_key", rb"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("telegram_token", rb"\b\d{8,10}:AA[A-Za-z0-9_-]{32,}"),
    ("azure_key", rb"\b(?:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,}=*)"),
    ("databricks_token", rb"\bdapi[0-9a-f]{32}\b"),
    ("age_key", rb"\bAGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    ("shopify_token", rb"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}\b"),
    ("docker_token", rb"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}"),
    ("vault_token", rb"\bhv[sbr]\.[A-Za-z0-9_-]{24,}"),
    (
        "service_token",
        rb"\b(?:dop_v1_|doo_v1_|gsk_|xai-|r8_|pplx-|tvly-|lsv2_(?:pt|sk)_|sbp_|lin_api_|ntn_|figd_"
        rb"|ATATT3|NRAK-|glsa_|sq0csp-|PMAK-|rdme_|shippo_(?:live|test)_|EZAK|nvapi-|fw_|csk-)"
        rb"[A-Za-z0-9_=-]{20,}",
    ),
)


def _mixed(view: View, match: Match) -> bool:
    """Return whether a text is random enough; ``sk-learn-contrib-something`` is no key."""
    text = view.data[match.start() : match.end()]
    return all(re.search(group, text) for group in (rb"[a-z]", rb"[A-Z]", rb"[0-9]"))


_MARKER = rb"-----(BEGIN|END) [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_PEM = compile_bytes(_MARKER)
_REST_OF_KEY = re.compile(rb"(?:[A-Za-z0-9+/=,:.\s-]|\\[nr])*")
_LONGEST_KEY = 64 << 10


def _private_keys(view: View) -> Iterator[Hit]:
    """Yield each key from its first line to its last, or as far as it goes where it was cut."""
    begins: int | None = None
    for match in _PEM.finditer(view.data):
        if match[1] == b"BEGIN":
            if begins is not None:
                yield from _cut_key(view, begins)
            begins = match.start()
        elif begins is not None:
            yield from _private_key(view, begins, match.end())
            begins = None
    if begins is not None:
        yield from _cut_key(view, begins)


def _cut_key(view: View, start: int) -> Iterator[Hit]:
    rest = _REST_OF_KEY.match(view.data, start, start + _LONGEST_KEY)
    yield from _private_key(view, start, rest.end() if rest else start)


def _private_key(view: View, start: int, end: int) -> Iterator[Hit]:
    if end - start <= _LONGEST_KEY and not misread(view, start, end):
        yield Hit(kind="private_key", rank=Rank.FORM, view=view, start=start, end=end)


DETECTORS: tuple[Detector, ...] = (
    *(by_form(kind, expression) for kind, expression in _FORMS),
    by_form("openai_key", rb"\bsk-[A-Za-z0-9_-]{32,}", _mixed),
    Detector(trigger=_MARKER, find=_private_keys),
)
