"""Texts with secrets planted in them, and harmless ones that look alike, fresh for every seed.

The forms are those that issuers publish. Nothing here knows how the redaction finds anything.
"""

from __future__ import annotations

import base64
import io
import json
import random
import string
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import quote

from PIL import Image

LETTERS = string.ascii_letters
ALNUM = LETTERS + string.digits
WORDS = ["apple", "bread", "cloud", "dance", "eagle", "flame", "grape", "house", "inlet", "jolly"]
"""Shorter than six letters, so that none of them can be a part of a secret that was left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A text, and the secret in it; a harmless one has none."""

    kind: str
    carrier: str
    text: str
    secret: str = ""
    """As one reads it."""
    spelled: str = ""
    """As it stands in the text, where that is one piece."""


type Rng = random.Random


def some(rng: Rng, alphabet: str, low: int, high: int | None = None) -> str:
    return "".join(rng.choices(alphabet, k=rng.randint(low, high or low)))


def hexa(rng: Rng, size: int) -> str:
    return some(rng, "0123456789abcdef", size)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def b64url(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def filler(rng: Rng, low: int = 2, high: int = 14) -> str:
    return " ".join(rng.choices(WORDS, k=rng.randint(low, high)))


# --- secrets


def password(rng: Rng) -> str:
    signs = some(rng, "!*+#$%^&_-=@~?", 1, 3)
    return (
        rng.choice(WORDS).title() + signs + some(rng, ALNUM, 4, 9) + some(rng, string.digits, 2, 4)
    )


def plain_password(rng: Rng) -> str:
    return rng.choice(WORDS).title() + some(rng, ALNUM, 5, 9) + some(rng, string.digits, 3)


def luhn(digits: str) -> str:
    """Return the digits with the one that makes the check sum right."""
    for last in string.digits:
        number = digits + last
        total = sum(map(int, number[-1::-2]))
        total += sum(sum(divmod(2 * int(d), 10)) for d in number[-2::-2])
        if total % 10 == 0:
            return number
    raise AssertionError


def card(rng: Rng) -> str:
    kind = rng.choice(("visa", "mastercard", "amex"))
    if kind == "amex":
        number = luhn(rng.choice(("34", "37")) + some(rng, string.digits, 12))
        groups = [number[:4], number[4:10], number[10:]]
    else:
        first = "4" if kind == "visa" else "5" + rng.choice("12345")
        number = luhn(first + some(rng, string.digits, 15 - len(first)))
        groups = [number[n : n + 4] for n in range(0, 16, 4)]
    return rng.choice((" ", "-", "", " ")).join(groups)


def iban(rng: Rng) -> str:
    country, account = rng.choice(
        (
            ("DE", some(rng, string.digits, 18)),
            ("GB", some(rng, string.ascii_uppercase, 4) + some(rng, string.digits, 14)),
            ("FR", some(rng, string.digits, 23)),
            ("NL", some(rng, string.ascii_uppercase, 4) + some(rng, string.digits, 10)),
        )
    )
    value = int("".join(str(int(c, 36)) for c in account + country + "00"))
    whole = f"{country}{98 - value % 97:02}{account}"
    if rng.random() < 0.4:
        whole = " ".join(whole[n : n + 4] for n in range(0, len(whole), 4))
    return whole


def phone(rng: Rng) -> str:
    d = string.digits[2:]
    return rng.choice(
        (
            f"+1 {some(rng, d, 3)}-{some(rng, d, 3)}-{some(rng, d, 4)}",
            f"+49 {some(rng, d, 3)} {some(rng, d, 7)}",
            f"+44 20 {some(rng, d, 4)} {some(rng, d, 4)}",
            f"+33{some(rng, d, 9)}",
            f"({some(rng, d, 3)}) {some(rng, d, 3)}-{some(rng, d, 4)}",
        )
    )


def email(rng: Rng) -> str:
    name = some(rng, string.ascii_lowercase, 4, 7)
    rest = rng.choice((".", "_", "-", "")) + some(rng, string.ascii_lowercase, 3, 8)
    domain = some(rng, string.ascii_lowercase, 4, 9) + rng.choice(("", "-corp", "-labs"))
    return f"{name}{rest}{rng.randint(1, 99)}@{domain}.{rng.choice(('com', 'io', 'de', 'co.uk'))}"


def private_key(rng: Rng) -> str:
    kind = rng.choice(("RSA ", "EC ", "OPENSSH ", "", "ENCRYPTED "))
    body = some(rng, ALNUM + "+/", 180, 900)
    lines = [body[n : n + 64] for n in range(0, len(body), 64)]
    mark = f"{kind}PRIVATE KEY-----"
    return "\n".join((f"-----BEGIN {mark}", *lines, f"-----END {mark}"))


def jwt(rng: Rng) -> str:
    head = b64url(json.dumps({"alg": rng.choice(("HS256", "RS256")), "typ": "JWT"}))
    body = b64url(json.dumps({"sub": some(rng, ALNUM, 10), "exp": rng.randint(10**9, 2 * 10**9)}))
    return f"{head}.{body}.{some(rng, ALNUM + '-_', 43)}"


def basic(rng: Rng) -> str:
    return b64(f"{rng.choice(WORDS)}:{password(rng)}")


def slack_webhook(rng: Rng) -> str:
    up = string.ascii_uppercase + string.digits
    return (
        "https://hooks.slack.com/services/"
        f"T{some(rng, up, 8)}/B{some(rng, up, 8)}/{some(rng, ALNUM, 24)}"
    )


TOKEN = ("{}", "the key is {} ok?", "export API_KEY={}", '{{"credential": "{}"}}', "token: {}")
TOKEN_MORE = (*TOKEN, "config:\n  secret: '{}'", "Use {}, please.", "({})", "key={}&page=2")
ASSIGN = ("API_KEY={}", '{{"credential": "{}"}}', "secret: '{}'", '"auth_token": "{}"')

KINDS: dict[str, tuple[Callable[[Rng], str], tuple[str, ...]]] = {
    "openai": (lambda r: "sk-proj-" + some(r, ALNUM + "-_", 47) + some(r, ALNUM, 1), TOKEN_MORE),
    "openai_old": (lambda r: "sk-" + some(r, ALNUM, 48), TOKEN_MORE),
    "anthropic": (
        lambda r: "sk-ant-api03-" + some(r, ALNUM + "-_", 92) + some(r, ALNUM, 1),
        TOKEN_MORE,
    ),
    "github": (lambda r: f"gh{r.choice('pousr')}_" + some(r, ALNUM, 36), TOKEN_MORE),
    "github_fine": (
        lambda r: f"github_pat_{some(r, ALNUM, 22)}_{some(r, ALNUM, 59)}",
        TOKEN_MORE,
    ),
    "gitlab": (lambda r: "glpat-" + some(r, ALNUM + "-_", 19) + some(r, ALNUM, 1), TOKEN_MORE),
    "slack": (
        lambda r: (
            f"xox{r.choice('bp')}-{some(r, '123456789', 12)}-{some(r, '123456789', 12)}-"
            + some(r, ALNUM, 24)
        ),
        TOKEN_MORE,
    ),
    "slack_webhook": (slack_webhook, (*TOKEN[:2], "curl -X POST {}")),
    "stripe": (
        lambda r: f"{r.choice('sr')}k_{r.choice(('live', 'test'))}_{some(r, ALNUM, 24, 99)}",
        TOKEN_MORE,
    ),
    "google": (lambda r: "AIza" + some(r, ALNUM + "-_", 34) + some(r, ALNUM, 1), TOKEN_MORE),
    "aws_id": (
        lambda r: r.choice(("AKIA", "ASIA")) + some(r, string.ascii_uppercase + "234567", 16),
        (*TOKEN_MORE, "aws_access_key_id = {}"),
    ),
    "aws_secret": (
        lambda r: some(r, ALNUM, 1) + some(r, ALNUM + "/+", 38) + some(r, ALNUM, 1),
        (
            "aws_secret_access_key = {}",
            "AWS_SECRET_ACCESS_KEY={}",
            '{{"SecretAccessKey": "{}"}}',
            "aws_session_token: {}",
        ),
    ),
    "huggingface": (lambda r: "hf_" + some(r, LETTERS, 34), TOKEN_MORE),
    "npm": (lambda r: "npm_" + some(r, ALNUM, 36), (*TOKEN_MORE, "//reg/:_authToken={}")),
    "pypi": (
        lambda r: "pypi-AgEIcHlwaS5vcmc" + some(r, ALNUM + "-_", 119) + some(r, ALNUM, 1),
        TOKEN_MORE,
    ),
    "jwt": (jwt, (*TOKEN_MORE, "Authorization: Bearer {}", "id_token={}")),
    "private_key": (private_key, ("cat id_key\n{}", "{}", '{{"key": "x"}}\n{}\n$')),
    "basic_auth": (
        basic,
        ("Authorization: Basic {}", "curl -H 'Authorization: Basic {}' http://h"),
    ),
    "bearer": (
        lambda r: some(r, ALNUM, 4) + some(r, ALNUM + "._~-", 34) + some(r, string.digits, 2),
        ("Authorization: Bearer {}", "curl -H 'Authorization: Bearer {}' https://h/v1"),
    ),
    "cookie": (
        lambda r: hexa(r, 32) if r.random() < 0.5 else "s%3A" + some(r, ALNUM, 32),
        (
            "Set-Cookie: connect.sid={}; HttpOnly",
            "Cookie: theme=dark; session={}; lang=en",
            "Cookie: PHPSESSID={}",
            "Set-Cookie: __Host-auth={}; Path=/; Secure",
        ),
    ),
    "db_url": (
        plain_password,
        (
            "postgres://app:{}@db.lan:5432/prod",
            "mysql://root:{}@10.0.0.7/shop",
            "DATABASE_URL=mongodb+srv://svc:{}@c0.lan/?w=1",
            "redis://:{}@cache:6379/0",
            "amqp://bus:{}@mq.lan:5672",
        ),
    ),
    "password": (
        password,
        (
            "login: root\npassword: {}",
            "PASSWORD={}",
            "password = '{}'",
            '{{"user": "joe", "password": "{}"}}',
            "the password is {}",
            "mysql --password={} shop",
            "db_passwd: {}\nport: 1",
        ),
    ),
    "generic": (lambda r: some(r, ALNUM, 32), ASSIGN),
    "credit_card": (card, ("card {} exp 09/29", "pay with {}", '{{"card": "{}"}}', "PAN: {}.")),
    "iban": (iban, ("IBAN: {}", "send it to {} today", '{{"account": "{}"}}')),
    "phone": (phone, ("Tel: {}", "call {} now", '{{"phone": "{}"}}')),
    "email": (email, ("From: {}\nSubject: hi", "mail {} now", '{{"to": "{}"}}', "Joe <{}>")),
}


# --- carriers


@dataclass(frozen=True, slots=True)
class Planted:
    """A sentence with a secret in it."""

    before: str
    secret: str
    after: str

    @property
    def whole(self) -> str:
        return self.before + self.secret + self.after


def chat(role: str, content: str, **more: object) -> str:
    message = {"role": role, "content": content, **more}
    return json.dumps({"model": "gemma4:26b", "stream": True, "messages": [message]})


def inner(text: str, rounds: int = 1) -> str:
    """Return a text as it is spelled inside of JSON strings."""
    for _ in range(rounds):
        text = json.dumps(text)[1:-1]
    return text


def pieces(rng: Rng, text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        size = rng.randint(1, 9)
        yield text[at : at + size]
        at += size


def ndjson(rng: Rng, text: str, name: str) -> str:
    lines: list[object] = [
        {"model": "m", "message": {"role": "assistant", name: piece}, "done": False}
        for piece in pieces(rng, text)
    ]
    lines.append({"model": "m", "message": {"role": "assistant", "content": ""}, "done": True})
    return "".join(json.dumps(line) + "\n" for line in lines)


def generated(rng: Rng, text: str) -> str:
    return "".join(
        json.dumps({"model": "m", "response": piece, "done": False}) + "\n"
        for piece in pieces(rng, text)
    )


def events(rng: Rng, text: str, make: Callable[[str], object]) -> str:
    return "".join(f"data: {json.dumps(make(piece))}\n\n" for piece in pieces(rng, text))


def openai_content(piece: str) -> object:
    return {"choices": [{"index": 0, "delta": {"content": piece}}]}


def openai_arguments(piece: str) -> object:
    call = {"index": 0, "function": {"arguments": piece}}
    return {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}


def anthropic_arguments(piece: str) -> object:
    delta = {"type": "input_json_delta", "partial_json": piece}
    return {"type": "content_block_delta", "index": 1, "delta": delta}


def responses_text(piece: str) -> object:
    return {"type": "response.output_text.delta", "output_index": 0, "delta": piece}


def anthropic_text(piece: str) -> object:
    delta = {"type": "text_delta", "text": piece}
    return {"type": "content_block_delta", "index": 0, "delta": delta}


def completion_text(piece: str) -> object:
    return {"object": "text_completion", "choices": [{"index": 0, "text": piece}]}


def named_events(rng: Rng, text: str, make: Callable[[str], object]) -> str:
    """Return events as Anthropic's servers write them, with the line ends that HTTP likes."""
    parts = [json.dumps(make(piece), separators=(",", ":")) for piece in pieces(rng, text)]
    return "".join(f"event: content_block_delta\r\ndata: {part}\r\n\r\n" for part in parts)


def two_choices(rng: Rng, text: str) -> str:
    """Return two answers that come side by side, the text in the second one."""
    lines = []
    for piece in pieces(rng, text):
        for index, said in ((0, rng.choice(WORDS)), (1, piece)):
            lines.append({"choices": [{"index": index, "delta": {"content": said}}]})
    return "".join(f"data: {json.dumps(line)}\n\n" for line in lines)


def escape(rng: Rng, text: str) -> str:
    """Return a text with some characters spelled as ``\\u`` escapes, as it stands in JSON."""
    return "".join(
        f"\\u{ord(c):04x}" if rng.random() < 0.35 and ord(c) < 0x10000 else inner(c) for c in text
    )


def png(text: str, *, kind: bytes = b"tEXt") -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    body = b"Comment\0" + text.encode()
    if kind == b"zTXt":
        body = b"Comment\0\0" + zlib.compress(text.encode())
    if kind == b"iTXt":
        body = b"Comment\0\0\0\0\0" + text.encode()
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    parts = (
        (b"IHDR", header),
        *([(kind, body)] if text else ()),
        (b"IDAT", zlib.compress(b"\0\0")),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts) + chunk(b"IEND", b"")


def in_header(rng: Rng, p: Planted) -> tuple[str, str]:
    head = "POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1:11434\r\n"
    return f"{head}{p.whole}\r\nContent-Type: application/json\r\n\r\n{{}}", p.secret


def in_content(role: str) -> Callable[[Rng, Planted], tuple[str, str]]:
    def carry(rng: Rng, p: Planted) -> tuple[str, str]:
        return chat(role, f"{filler(rng)} {p.whole} {filler(rng)}"), inner(p.secret)

    return carry


def in_prompt(rng: Rng, p: Planted) -> tuple[str, str]:
    prompt = f"<|turn>user\n{filler(rng)} {p.whole} {filler(rng)}<turn|>\n<|turn>model\n"
    return json.dumps({"model": "m", "raw": True, "prompt": prompt}), inner(p.secret)


def in_stream(name: str) -> Callable[[Rng, Planted], tuple[str, str]]:
    return lambda rng, p: (ndjson(rng, f"{filler(rng)} {p.whole} {filler(rng)}", name), "")


def in_events(make: Callable[[str], object]) -> Callable[[Rng, Planted], tuple[str, str]]:
    return lambda rng, p: (events(rng, f"{filler(rng)} {p.whole} {filler(rng)}", make), "")


def in_argument_events(make: Callable[[str], object]) -> Callable[[Rng, Planted], tuple[str, str]]:
    def carry(rng: Rng, p: Planted) -> tuple[str, str]:
        return events(rng, json.dumps({"cmd": f"{filler(rng)} {p.whole}", "n": 1}), make), ""

    return carry


def in_arguments(rng: Rng, p: Planted) -> tuple[str, str]:
    call = {"function": {"name": "run", "arguments": {"cmd": f"{filler(rng)} {p.whole}", "n": 1}}}
    message = {"role": "assistant", "content": "", "tool_calls": [call]}
    return json.dumps({"model": "m", "message": message, "done": False}), inner(p.secret)


def in_twice_encoded(rng: Rng, p: Planted) -> tuple[str, str]:
    arguments = json.dumps({"cmd": f"{filler(rng)} {p.whole} {filler(rng)}"})
    call = {"function": {"name": "run", "arguments": arguments}}
    return json.dumps({"message": {"role": "assistant", "tool_calls": [call]}}), inner(p.secret, 2)


def in_result(rng: Rng, p: Planted) -> tuple[str, str]:
    content = f"PATH=/bin\n{filler(rng)} {p.whole} {filler(rng)}\nLANG=C\n"
    return chat("tool", content, tool_name="shell"), inner(p.secret)


def in_escapes(rng: Rng, p: Planted) -> tuple[str, str]:
    spelled = escape(rng, p.secret)
    text = f"{inner(filler(rng) + ' ' + p.before)}{spelled}{inner(p.after)}"
    return f'{{"messages": [{{"role": "user", "content": "{text}"}}]}}', spelled


def in_base64(rng: Rng, p: Planted) -> tuple[str, str]:
    blob = b64(p.whole)
    return chat("tool", f"kind: Secret\ndata:\n  v: {blob}", tool_name="k8s"), blob


def in_address(rng: Rng, p: Planted) -> tuple[str, str]:
    spelled = quote(p.secret, safe=rng.choice(("", "/")))
    url = f"https://svc.lan/q?user=1&api_key={spelled}&page=2"
    return chat("user", f"fetch {url}"), spelled


def in_image(rng: Rng, p: Planted) -> tuple[str, str]:
    image = base64.b64encode(png(p.whole, kind=rng.choice((b"tEXt", b"zTXt", b"iTXt")))).decode()
    return chat("user", "what is this", images=[image]), image


def in_blocks(rng: Rng, p: Planted) -> tuple[str, str]:
    """As Anthropic's clients send the result of a tool."""
    text = {"type": "text", "text": f"{filler(rng)} {p.whole} {filler(rng)}"}
    block = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [text]}
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": [block]}]}
    return json.dumps(body), inner(p.secret)


def in_parts(rng: Rng, p: Planted) -> tuple[str, str]:
    """As OpenAI's clients send a message in parts, written for people to read."""
    part = {"type": "text", "text": f"{filler(rng)} {p.whole}"}
    body = {"model": "m", "messages": [{"role": "user", "content": [part]}]}
    return json.dumps(body, indent=2), inner(p.secret)


def in_input(rng: Rng, p: Planted) -> tuple[str, str]:
    """As clients of /v1/responses send the output of a function, and /api/embed gets texts."""
    output = {"type": "function_call_output", "call_id": "c", "output": f"{filler(rng)} {p.whole}"}
    body = {"model": "m", "input": rng.choice(([output], [filler(rng), f"{p.whole} ok"]))}
    return json.dumps(body, ensure_ascii=False), inner(p.secret)


def in_photo(rng: Rng, p: Planted) -> tuple[str, str]:
    """In the metadata of an image as cameras and editors write it."""
    out = io.BytesIO()
    picture = Image.new("RGB", (9, 9), (rng.randrange(256), 0, 0))
    if rng.random() < 0.5:
        picture.save(out, "JPEG", comment=p.whole.encode())
    else:
        exif = Image.Exif()
        exif[0x010E] = p.whole  # the description
        picture.save(out, rng.choice(("JPEG", "WEBP")), exif=exif)
    image = base64.b64encode(out.getvalue()).decode()
    url = {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{image}"}}
    return json.dumps({"messages": [{"role": "user", "content": [url]}]}), ""


CARRIERS: dict[str, Callable[[Rng, Planted], tuple[str, str]]] = {
    "header": in_header,
    "user_content": in_content("user"),
    "system_prompt": in_content("system"),
    "raw_prompt": in_prompt,
    "stream_split": in_stream("content"),
    "thinking_split": in_stream("thinking"),
    "openai_split": in_events(openai_content),
    "responses_split": in_events(responses_text),
    "openai_arguments_split": in_argument_events(openai_arguments),
    "anthropic_arguments_split": in_argument_events(anthropic_arguments),
    "tool_args": in_arguments,
    "tool_args_twice_encoded": in_twice_encoded,
    "tool_result": in_result,
    "unicode_escape": in_escapes,
    "base64": in_base64,
    "url_query": in_address,
    "image_text": in_image,
    "generate_split": lambda rng, p: (generated(rng, f"{filler(rng)} {p.whole} {filler(rng)}"), ""),
    "anthropic_split": lambda rng, p: (
        named_events(rng, f"{filler(rng)} {p.whole} {filler(rng)}", anthropic_text),
        "",
    ),
    "completions_split": in_events(completion_text),
    "two_choices_split": lambda rng, p: (two_choices(rng, f"{p.whole} {filler(rng)}"), ""),
    "anthropic_tool_result": in_blocks,
    "openai_parts": in_parts,
    "responses_input": in_input,
    "photo_metadata": in_photo,
}


def planted(seed: int, rounds: int) -> Iterator[Item]:
    """Yield every kind in every carrier, so many times."""
    rng = random.Random(f"planted {seed}")
    for _ in range(rounds):
        for kind, (make, frames) in KINDS.items():
            for carrier, carry in CARRIERS.items():
                frame = rng.choice(frames)
                while carrier == "header" and "\n" in frame:
                    frame = rng.choice((*frames, "X-Value: password={}"))
                secret = make(rng)
                before, after = frame.replace("{{", "{").replace("}}", "}").split("{}")
                p = Planted(before, secret, after)
                if '"{}"' in frame:  # a value of JSON is spelled as such
                    p = Planted(before, inner(secret), after)
                text, spelled = carry(rng, p)
                yield Item(kind=kind, carrier=carrier, text=text, secret=secret, spelled=spelled)


# --- harmless texts


def lock_line(rng: Rng) -> str:
    digest = base64.b64encode(rng.randbytes(64)).decode()
    return f'"integrity": "sha512-{digest}"'


def counts(rng: Rng) -> str:
    return json.dumps(
        {
            "total_duration": rng.randint(10**9, 10**13),
            "prompt_eval_count": rng.randint(1, 9999),
            "eval_duration": rng.randint(10**9, 10**12),
            "max_tokens": 4096,
        }
    )


def picture(rng: Rng) -> str:
    return base64.b64encode(png("") + b"" if rng.random() < 0.5 else png("made by hand")).decode()


HARMLESS: dict[str, Callable[[Rng], str]] = {
    "git_hash": lambda r: f"commit {hexa(r, 40)}",
    "uuid": lambda r: "id " + "-".join(hexa(r, n) for n in (8, 4, 4, 4, 12)),
    "digest": lambda r: f"digest sha256:{hexa(r, 64)}",
    "nanoseconds": lambda r: f"total_duration {r.randint(10**15, 10**16 - 1)} ns",
    "call_id": lambda r: f"tool_call id call_{some(r, ALNUM, 24)}",
    "package": lambda r: f"pip install sk-learn-contrib-{r.choice(WORDS)}",
    "placeholder": lambda r: r.choice(
        (
            "replace YOUR_API_KEY with your own key",
            "api_key = <YOUR_API_KEY>",
            'api_key="sk-..."',
            "export OPENAI_API_KEY=${OPENAI_API_KEY}",
            "password: ********",
            "TOKEN=xxxxxxxxxxxxxxxx",
            "postgres://user:password@localhost/db",
            "postgres://app:${DB_PASSWORD}@db/prod",
            "mail me at joe@example.com",
        )
    ),
    "bearer_word": lambda r: r.choice(
        ("Authorization: Bearer <token>", "uses bearer authentication", "Bearer {token}")
    ),
    "git_remote": lambda r: f"git clone git@github.com:{r.choice(WORDS)}/{r.choice(WORDS)}.git",
    "code": lambda r: r.choice(
        (
            "password = os.environ['PASSWORD']",
            "token = tokenizer.decode(ids[0])",
            "def login(user: str, password: str) -> Token:",
            "secret = settings.SECRET_KEY",
            "if token == other.token: return",
            "api_key=os.getenv('API_KEY')",
            "self.password = password",
            "@pytest.fixture def apple(): ...",
            "for token in tokens: yield token",
            "const token = await getToken(request)",
            "x = a @ b.T  # matrix",
            "max_new_tokens=512, stop_token_id=106",
        )
    ),
    "schema": lambda r: json.dumps(
        {
            "name": "login",
            "parameters": {
                "type": "object",
                "properties": {
                    "password": {"type": "string", "description": "The user's password"},
                    "token": {"type": "string"},
                },
                "required": ["password"],
            },
        }
    ),
    "model": lambda r: f"model gemma4:{r.randint(1, 70)}b-a4b-it-q4_K_M",
    "random_base64": lambda r: (
        "notebook output image/png " + base64.b64encode(r.randbytes(r.randint(60, 240))).decode()
    ),
    "image": picture,
    "public_key": lambda r: (
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5" + some(r, ALNUM + "+/", 48) + " joe-laptop"
    ),
    "public_pem": lambda r: (
        f"-----BEGIN PUBLIC KEY-----\n{some(r, ALNUM + '+/', 80)}\n-----END PUBLIC KEY-----"
    ),
    "lock_file": lock_line,
    "counts": counts,
    "time": lambda r: (
        f"2026-11-{r.randint(10, 28)}T09:{r.randint(10, 59)}:12.{some(r, '123456789', 9)}Z"
    ),
    "version": lambda r: (
        f"numpy==2.{r.randint(0, 30)}.{r.randint(0, 9)} on 10.0.{r.randint(0, 99)}.7"
    ),
    "prose": lambda r: f"{filler(r, 10, 40)}. the password is required, the token is optional.",
    "path": lambda r: f"secrets are in /run/secrets/db_password, see docs/{r.choice(WORDS)}-v2.md",
    "diff": lambda r: f"@@ -1,{r.randint(2, 90)} +1,{r.randint(2, 90)} @@ def {r.choice(WORDS)}():",
    "json_ids": lambda r: json.dumps(
        {"id": f"chatcmpl-{r.randint(100, 999)}", "created": 1793266800}
    ),
}

HARMLESS_CARRIERS: dict[str, Callable[[Rng, str], str]] = {
    "prompt": lambda r, t: json.dumps({"model": "gemma4:26b", "raw": True, "prompt": t}),
    "user": lambda r, t: chat("user", t),
    "tool": lambda r, t: chat("tool", t, tool_name="x"),
    "stream": lambda r, t: ndjson(r, t, "content"),
    "events": lambda r, t: events(r, t, openai_content),
    "arguments": lambda r, t: in_twice_encoded(r, Planted("", t, ""))[0],
}


def harmless(seed: int, rounds: int) -> Iterator[Item]:
    """Yield every harmless kind in every carrier, so many times."""
    rng = random.Random(f"harmless {seed}")
    for _ in range(rounds):
        for kind, make in HARMLESS.items():
            for carrier, carry in HARMLESS_CARRIERS.items():
                text = carry(rng, f"{filler(rng, 4, 10)} {make(rng)}")
                yield Item(kind=kind, carrier=carrier, text=text)
