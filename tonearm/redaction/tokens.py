"""Keys that their issuers gave a form of their own, and other secrets that one knows by sight."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tonearm.redaction.detector import Detector, Hit, Rank, by_form, misread
from tonearm.redaction.linear import Match, compile_bytes
from tonearm.redaction.view import View

_FORMS: tuple[tuple[str, bytes, bytes], ...] = (
    ("anthropic_key", rb"sk-ant-", rb"[a-z0-9]+-[A-Za-z0-9_-]{16,}"),
    ("openai_key", rb"sk-(?:proj|svcacct|admin|service|None)-", rb"[A-Za-z0-9_-]{16,}"),
    ("openai_key", rb"sk-[A-Za-z0-9]", rb"[A-Za-z0-9]{19,}"),
    ("openrouter_key", rb"sk-or-v1-", rb"[0-9a-f]{32,}"),
    ("github_token", rb"gh[pousr]_", rb"[A-Za-z0-9]{20,}"),
    ("github_token", rb"github_pat_", rb"[A-Za-z0-9_]{20,}"),
    (
        "gitlab_token",
        rb"gl(?:pat|ptt|dt|rt|cbt|ft|soat|agent|oas|imt|ffct)-",
        rb"[A-Za-z0-9_-]{16,}(?:\.[a-z0-9]{2,20})*",
    ),
    ("slack_token", rb"xox[a-z]-|xapp-", rb"[A-Za-z0-9-]{10,}"),
    (
        "slack_webhook",
        rb"https://hooks\.slack(?:-gov)?\.com/",
        rb"(?:services|workflows|triggers)/[A-Za-z0-9/_-]{16,}",
    ),
    (
        "discord_webhook",
        rb"https://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/",
        rb"\d+/[\w-]{20,}",
    ),
    ("stripe_key", rb"[rs]k_(?:live|test)_|whsec_", rb"[A-Za-z0-9+/]{10,}=*"),
    ("google_key", rb"AIza", rb"[A-Za-z0-9_-]{30,}"),
    ("google_key", rb"GOCSPX-|ya29\.", rb"[A-Za-z0-9_-]{20,}"),
    ("aws_key_id", rb"A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA|AROA|AIDA", rb"[A-Z0-9]{16}\b"),
    ("huggingface_token", rb"hf_|api_org_", rb"[A-Za-z0-9]{20,}"),
    ("npm_token", rb"npm_", rb"[A-Za-z0-9]{30,}"),
    ("pypi_token", rb"pypi-", rb"[A-Za-z0-9_-]{40,}"),
    ("jwt", rb"eyJ[A-Za-z0-9]", rb"[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)+"),
    ("sendgrid_key", rb"SG\.", rb"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("telegram_token", rb"\d+:AA", rb"[A-Za-z0-9_-]{32,}"),
    ("databricks_token", rb"dapi[0-9a-f]", rb"[0-9a-f]{31}\b"),
    ("age_key", rb"AGE-SECRET-KEY-1", rb"[A-Z0-9]{50,}"),
    ("shopify_token", rb"shp(?:at|ca|pa|ss)_", rb"[0-9a-fA-F]{32}\b"),
    ("docker_token", rb"dckr_(?:pat|oat)_", rb"[A-Za-z0-9_-]{20,}"),
    ("vault_token", rb"hv[sbr]\.", rb"[A-Za-z0-9_-]{24,}"),
    (
        "service_token",
        rb"do[por]_v1_|gsk_|xai-|r8_|pplx-|tvly-|lsv2_(?:pt|sk)_|sbp_|lin_api_|ntn_|figd_|ATATT3"
        rb"|NRAK-|glsa_|sq0csp-|PMAK-|rdme_|shippo_(?:live|test)_|nvapi-|csk-",
        rb"[A-Za-z0-9_=-]{20,}",
    ),
)
"""Kind, beginning and rest."""


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
                yield from _cut_key(view, begins, match.start())
            begins = match.start()
        elif begins is not None:
            yield from _private_key(view, begins, match.end())
            begins = None
    if begins is not None:
        yield from _cut_key(view, begins, len(view.data))


def _cut_key(view: View, start: int, limit: int) -> Iterator[Hit]:
    rest = _REST_OF_KEY.match(view.data, start, min(start + _LONGEST_KEY, limit))
    yield from _private_key(view, start, rest.end() if rest else start)


def _private_key(view: View, start: int, end: int) -> Iterator[Hit]:
    if end - start <= _LONGEST_KEY and not misread(view, start, end):
        yield Hit(kind="private_key", rank=Rank.FORM, view=view, start=start, end=end)


DETECTORS: tuple[Detector, ...] = (
    *(by_form(*form) for form in _FORMS),
    by_form("openai_key", rb"sk-[A-Za-z0-9]", rb"[A-Za-z0-9_-]{31,}", _mixed),
    Detector(trigger=rb"PRIVATE KEY", find=_private_keys),
)
