"""Keys that their issuers gave a form of their own, and other secrets that one knows by sight."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tonearm.redaction.detector import Check, Detector, Hit, Rank, by_form, misread, within
from tonearm.redaction.linear import Match, compile_bytes
from tonearm.redaction.view import View


def _mixed(view: View, match: Match) -> bool:
    """Return whether a text is random enough; ``sk-learn-contrib-something`` is no key."""
    text = view.data[match.start() : match.end()]
    return all(re.search(group, text) for group in (rb"[a-z]", rb"[A-Z]", rb"[0-9]"))


_RUN = re.compile(rb"[A-Za-z0-9]{16,}")


def _random(view: View, match: Match) -> bool:
    """Return whether a text is mixed, or has a long run with digits in it, as no name has."""
    runs: list[bytes] = _RUN.findall(view.data[match.start() : match.end()])
    return _mixed(view, match) or any(len(re.findall(rb"\d", run)) >= 2 for run in runs)


def _is_mailchimp(view: View, match: Match) -> bool:
    return view.data[match.start() : match.end()].find(b"-") == 32


def _is_pair(view: View, match: Match) -> bool:
    """Return whether a text is an id and a secret, as Ollama's and Zhipu's keys are."""
    secret = view.data[match.start() : match.end()].partition(b".")[2]
    return all(re.search(group, secret) for group in (rb"[a-z]", rb"[A-Z]", rb"[0-9]"))


def _is_discord(view: View, match: Match) -> bool:
    first, second, _ = view.data[match.start() : match.end()].split(b".")
    return 24 <= len(first) <= 28 and len(second) == 6 and _mixed(view, match)


_FORMS: tuple[tuple[str, bytes, bytes] | tuple[str, bytes, bytes, Check], ...] = (
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
    ("telegram_token", rb"(?:bot)?\d+:AA", rb"[A-Za-z0-9_-]{32,}"),
    ("databricks_token", rb"dapi[0-9a-f]", rb"[0-9a-f]{31}\b"),
    ("age_key", rb"AGE-SECRET-KEY-1", rb"[A-Z0-9]{50,}"),
    ("shopify_token", rb"shp(?:at|ca|pa|ss)_", rb"[0-9a-fA-F]{32}\b"),
    ("docker_token", rb"dckr_(?:pat|oat)_", rb"[A-Za-z0-9_-]{20,}"),
    ("vault_token", rb"hv[sbr]\.", rb"[A-Za-z0-9_-]{24,}"),
    (
        "service_token",
        rb"do[por]_v1_|gsk_|xai-|r8_|pplx-|tvly-|lsv2_(?:pt|sk)_|sbp_|lin_api_|ntn_|figd_|ATATT3"
        rb"|NRAK-|glsa_|sq0csp-|PMAK-|rdme_|shippo_(?:live|test)_|nvapi-|csk-|pat-(?:na|eu)\d-",
        rb"[A-Za-z0-9_=-]{20,}",
    ),
    (
        "service_token",
        rb"nfp_|aio_|rubygems_|fw_|CCI(?:PAT|PRJ)_|bk[au]a_|pscale_(?:tkn|pw|oauth)_|xkeysib-|xsmtpsib-|CFPAT-|pul-|key-"
        rb"|sntryu_|pcsk_|jina_|npg_|fc-|e2b_|sq[pua]_|lin_oauth_|duffel_(?:live|test)_|EZ[AT]K"
        rb"|AKCp|ops_eyJ|glc_eyJ|sntrys_eyJ|sgp_|sk-lf-|FLWSECK_",
        rb"[A-Za-z0-9_=-]{20,}",
        _random,
    ),
    ("service_token", rb"dp\.(?:pt|st|ct|sa|scim|audit)\.", rb"[A-Za-z0-9_.-]{20,}", _random),
    ("service_token", rb"[A-Za-z0-9]+\.atlasv1\.", rb"[A-Za-z0-9_=-]{40,}"),
    ("service_token", rb"AAAA[A-Za-z0-9_-]+:APA91b", rb"[A-Za-z0-9_-]{100,}"),
    ("service_token", rb"[st]k\.eyJ[A-Za-z0-9]", rb"[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{10,}"),
    (
        "service_token",
        rb"(?:sdk|mob|api)-[0-9a-f]",
        rb"[0-9a-f]{7}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b",
    ),
    ("service_token", rb"fm[12]r?_|fo1_", rb"[A-Za-z0-9+/_-]{40,}={0,2}", _random),
    ("service_token", rb"re_[A-Za-z0-9]+_[A-Za-z0-9]", rb"[A-Za-z0-9]{19,}", _random),
    ("service_token", rb"pat[A-Za-z0-9]+\.[0-9a-f]", rb"[0-9a-f]{63}\b"),
    ("service_token", rb"sl\.[A-Z]", rb"[A-Za-z0-9_-]{60,}", _random),
    ("service_token", rb"oy2[a-z0-9]", rb"[a-z0-9]{42}\b", _random),
    ("service_token", rb"cio[A-Za-z0-9]", rb"[A-Za-z0-9]{31}\b", _random),
    ("service_token", rb"EAA[A-Z]", rb"[A-Za-z0-9_-]{56,}", _random),
    ("service_token", rb"1//0", rb"[A-Za-z0-9_-]{40,}", _random),
    ("service_token", rb"secret_[A-Za-z0-9]", rb"[A-Za-z0-9]{39,}\b", _random),
    ("service_token", rb"[0-9a-f]+-us\d", rb"\d?\b", _is_mailchimp),
    ("service_token", rb"[0-9a-f]" * 32 + rb"\.", rb"[A-Za-z0-9_-]{16,}", _is_pair),
    (
        "service_token",
        rb"[A-Za-z][A-Za-z0-9]+[_-](?:live|test|prod|dev|pat|sk|key|secret|api|tok|token|tkn)[_-]",
        rb"[A-Za-z0-9]{20,}",
        _random,
    ),
    (
        "discord_token",
        rb"[MNO][A-Za-z0-9]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]",
        rb"[A-Za-z0-9_-]{26,37}",
        _is_discord,
    ),
)
"""Kind, beginning, rest, and a check where the beginning is that of other texts as well."""

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
    within(
        "private_key",
        rb"Private-Lines: \d+\s",
        rb"Private-Lines: \d+\s+((?:[A-Za-z0-9+/]{20,}={0,2}\s{0,2})+)",
    ),
    within(
        "password_hash",
        rb"\$(?:1|2[abxy]|5|6|7|y|apr1|argon2i?d?)\$",
        rb"(\$(?:1|2[abxy]|5|6|7|y|apr1|argon2i?d?)\$[A-Za-z0-9./$,=+]{20,})",
    ),
)
