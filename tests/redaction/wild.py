"""More secrets and more that is harmless, in the forms of providers, tools and files of the day.

What ``generator`` plants are the kinds that the redaction must know. This is what else passes an
agent: the formats are those that their issuers and tools document.
"""

from __future__ import annotations

import base64
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator
from urllib.parse import quote

from tests.redaction.generator import (
    ALNUM,
    CARRIERS,
    HARMLESS_CARRIERS,
    WORDS,
    Item,
    Planted,
    Rng,
    b64,
    b64url,
    filler,
    hexa,
    password,
    plain_password,
    private_key,
    some,
)

UPPER = string.ascii_uppercase
LOWER = string.ascii_lowercase
DIGITS = string.digits

type Made = tuple[str, str]
"""A secret, and the text around it with ``{}`` in its place; other braces are doubled."""


def guid(rng: Rng) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def b64bytes(rng: Rng, size: int) -> str:
    return base64.b64encode(rng.randbytes(size)).decode()


def one_of(*frames: str) -> Callable[[Rng], str]:
    return lambda rng: rng.choice(frames)


BARE = ("{}", "found {} in the log", "curl -H 'X-Key: {}' https://h", '{{"k": "{}"}}', "KEY={}")


def form(make: Callable[[Rng], str], frames: tuple[str, ...] = BARE) -> Callable[[Rng], Made]:
    return lambda rng: (make(rng), rng.choice(frames))


def aws4(rng: Rng) -> Made:
    head = f"AKIA{some(rng, UPPER, 16)}/20261121/eu-west-1/s3/aws4_request"
    return hexa(rng, 64), (
        f"Authorization: AWS4-HMAC-SHA256 Credential={head}, SignedHeaders=host, Signature={{}}"
    )


FORMS: dict[str, Callable[[Rng], Made]] = {
    "azure_storage": form(
        lambda r: b64bytes(r, 64),
        (
            "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={};EndpointSuffix=x.net",
            '"AzureWebJobsStorage": "AccountName=shop;AccountKey={}"',
        ),
    ),
    "azure_client": form(
        lambda r: f"{some(r, ALNUM, 3)}8Q~{some(r, ALNUM + '_.-', 30)}{some(r, ALNUM, 1)}",
        ("AZURE_CLIENT_SECRET={}", '"clientSecret": "{}"', "client_secret={}&scope=x"),
    ),
    "azure_sas": form(
        lambda r: quote(b64bytes(r, 32), safe=""),
        ("https://a.blob.core.windows.net/c/f.png?sv=2022-11-02&ss=b&sp=r&sig={}",),
    ),
    "gcp_key": lambda r: (
        private_key(r).replace("\n", "\\n"),
        '{{"type": "service_account", "private_key": "{}", "client_id": "1"}}',
    ),
    "twilio": form(lambda r: hexa(r, 32), ("TWILIO_AUTH_TOKEN={}", "Client(sid, auth_token='{}')")),
    "mailgun": form(lambda r: "key-" + hexa(r, 32), ("api:{}", "MAILGUN_API_KEY={}")),
    "mailchimp": form(lambda r: f"{hexa(r, 32)}-us{r.randint(1, 21)}"),
    "discord": form(
        lambda r: (
            f"{r.choice('MNO')}{some(r, ALNUM, 23)}.{some(r, ALNUM, 6)}.{some(r, ALNUM + '_-', 37)}"
            + some(r, ALNUM, 1)
        )
    ),
    "telegram": form(
        lambda r: f"{r.randint(10**8, 10**10)}:AA{some(r, ALNUM + '_-', 32)}{some(r, ALNUM, 1)}",
        ("{}", "https://api.telegram.org/bot{}/getMe", "BOT={}"),
    ),
    "sendgrid": form(lambda r: f"SG.{some(r, ALNUM, 22)}.{some(r, ALNUM + '_-', 42)}a"),
    "heroku": form(guid, ("HEROKU_API_KEY={}", "machine api.heroku.com login j password {}")),
    "datadog": form(lambda r: hexa(r, 32), ("DD_API_KEY={}", "DD-API-KEY: {}", "api_key: {}")),
    "new_relic": form(lambda r: "NRAK-" + some(r, UPPER + DIGITS, 27)),
    "netlify": form(lambda r: "nfp_" + some(r, ALNUM, 36)),
    "supabase": form(lambda r: "sbp_" + hexa(r, 40)),
    "linear": form(lambda r: "lin_api_" + some(r, ALNUM, 40)),
    "notion": form(lambda r: r.choice(("ntn_", "secret_")) + some(r, ALNUM, 43, 46)),
    "figma": form(lambda r: f"figd_{some(r, ALNUM + '_-', 39)}a"),
    "atlassian": form(lambda r: f"ATATT3xFfGF0{some(r, ALNUM + '_-', 170)}={hexa(r, 8).upper()}"),
    "cloudflare": form(
        lambda r: some(r, ALNUM + "_-", 39) + "a",
        ("CLOUDFLARE_API_TOKEN={}", "CF_API_TOKEN: {}", "--api-token {}"),
    ),
    "cloudflare_old": form(lambda r: hexa(r, 37), ("X-Auth-Key: {}", "CF_API_KEY={}")),
    "digitalocean": form(lambda r: f"do{r.choice('por')}_v1_{hexa(r, 64)}"),
    "doppler": form(lambda r: f"dp.{r.choice(('pt', 'st.prd', 'ct'))}.{some(r, ALNUM, 40, 44)}"),
    "vault": form(lambda r: f"hv{r.choice('sb')}.{some(r, ALNUM + '_-', 90)}a"),
    "terraform": form(lambda r: f"{some(r, ALNUM, 14)}.atlasv1.{some(r, ALNUM + '_-', 66)}a"),
    "pulumi": form(lambda r: "pul-" + hexa(r, 40)),
    "grafana": form(lambda r: f"glsa_{some(r, ALNUM, 32)}_{hexa(r, 8)}"),
    "grafana_cloud": form(lambda r: f"glc_eyJ{some(r, ALNUM, 80, 140)}="),
    "sentry": form(lambda r: "sntryu_" + hexa(r, 64)),
    "sentry_org": form(
        lambda r: f"sntrys_{b64(json.dumps({'iat': r.random()}))}_{some(r, ALNUM, 43)}"
    ),
    "postman": form(lambda r: f"PMAK-{hexa(r, 24)}-{hexa(r, 34)}"),
    "rubygems": form(lambda r: "rubygems_" + hexa(r, 48)),
    "nuget": form(lambda r: "oy2" + some(r, LOWER + "234567", 43)),
    "crates": form(lambda r: "cio" + some(r, ALNUM, 32)),
    "docker": form(lambda r: f"dckr_pat_{some(r, ALNUM + '_-', 26)}a"),
    "artifactory": form(lambda r: "AKCp" + some(r, ALNUM, 69)),
    "okta": form(lambda r: f"00{some(r, ALNUM + '_-', 39)}a", ("Authorization: SSWS {}",)),
    "airtable": form(lambda r: f"pat{some(r, ALNUM, 14)}.{hexa(r, 64)}"),
    "asana": form(
        lambda r: f"{r.choice('12')}/{some(r, '123456789', 16)}:{hexa(r, 32)}",
        ("ASANA_TOKEN={}", "Authorization: Bearer {}"),
    ),
    "dropbox": form(lambda r: f"sl.B{some(r, ALNUM + '_-', 130)}a"),
    "groq": form(lambda r: "gsk_" + some(r, ALNUM, 52)),
    "replicate": form(lambda r: "r8_" + some(r, ALNUM, 37)),
    "fireworks": form(lambda r: "fw_" + some(r, ALNUM, 24)),
    "perplexity": form(lambda r: "pplx-" + some(r, ALNUM, 48)),
    "deepseek": form(lambda r: "sk-" + hexa(r, 32)),
    "openrouter": form(lambda r: "sk-or-v1-" + hexa(r, 64)),
    "nvidia": form(lambda r: f"nvapi-{some(r, ALNUM + '_-', 63)}a"),
    "one_password": form(lambda r: f"ops_eyJ{some(r, ALNUM, 200, 300)}"),
    "mistral": form(
        lambda r: some(r, ALNUM, 32), ("MISTRAL_API_KEY={}", "CO_API_KEY={}", 'api_key="{}"')
    ),
    "wandb": form(lambda r: hexa(r, 40), ("WANDB_API_KEY={}", "wandb login --key={}")),
    "square": form(lambda r: f"sq0csp-{some(r, ALNUM + '_-', 42)}a"),
    "square_access": form(lambda r: f"EAAA{some(r, ALNUM + '_-', 59)}a"),
    "shopify": form(lambda r: f"shp{r.choice(('at', 'ca', 'pa', 'ss'))}_{hexa(r, 32)}"),
    "facebook": form(lambda r: "EAAC" + some(r, ALNUM, 120, 180)),
    "google_oauth": form(lambda r: f"ya29.{some(r, ALNUM + '_-', 120)}a"),
    "google_client": form(lambda r: f"GOCSPX-{some(r, ALNUM + '_-', 27)}a"),
    "google_refresh": form(lambda r: f"1//0{some(r, ALNUM + '_-', 60, 100)}a"),
    "circleci": form(lambda r: f"CCIPAT_{some(r, ALNUM, 22)}_{hexa(r, 40)}"),
    "buildkite": form(lambda r: "bkua_" + hexa(r, 40)),
    "planetscale": form(lambda r: f"pscale_tkn_{some(r, ALNUM + '_-', 42)}a"),
    "fly": form(lambda r: f"fm2_lJPEC{b64bytes(r, 90)}"),
    "resend": form(lambda r: f"re_{some(r, ALNUM, 8)}_{some(r, ALNUM, 24)}"),
    "brevo": form(lambda r: f"xkeysib-{hexa(r, 64)}-{some(r, ALNUM, 16)}"),
    "contentful": form(lambda r: f"CFPAT-{some(r, ALNUM + '_-', 42)}a"),
    "hubspot": form(lambda r: f"pat-{r.choice(('na1', 'eu1'))}-{guid(r)}"),
    "monday": form(lambda r: f"eyJhbGciOiJIUzI1NiJ9.{b64url(guid(r))}.{some(r, ALNUM, 43)}"),
    "aws4_signature": aws4,
    "presigned": form(
        lambda r: hexa(r, 64), ("https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature={}",)
    ),
    "otp": form(
        lambda r: some(r, UPPER + "234567", 32),
        ("otpauth://totp/Shop:joe?secret={}&issuer=Shop", "TOTP secret: {}"),
    ),
    "ethereum": form(
        lambda r: "0x" + hexa(r, 64), ("PRIVATE_KEY={}", "private key: {}", '"privateKey": "{}"')
    ),
    "putty": form(
        lambda r: b64bytes(r, 96),
        ("PuTTY-User-Key-File-3: ssh-rsa\nPrivate-Lines: 2\n{}\nPrivate-MAC: ab",),
    ),
    "pgp": lambda r: (
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2\n\n"
        + "\n".join(b64bytes(r, 48) for _ in range(8))
        + "\n=aB3d\n-----END PGP PRIVATE KEY BLOCK-----",
        "{}",
    ),
    "kube_key": lambda r: (b64(private_key(r) + "\n"), "user:\n    client-key-data: {}"),
    "docker_auth": lambda r: (
        b64(f"joe:{password(r)}"),
        '{{"auths": {{"https://index.docker.io/v1/": {{"auth": "{}"}}}}}}',
    ),
    "npm_auth": lambda r: (b64(f"joe:{password(r)}"), "//npm.lan/:_auth={}"),
    "npm_uuid": form(guid, ("//npm.lan/:_authToken={}",)),
    "git_token_url": form(
        lambda r: some(r, ALNUM, 40), ("git clone https://{}:x-oauth-basic@github.com/a/b.git",)
    ),
    "shadow": form(
        lambda r: f"$6${some(r, ALNUM, 16)}${some(r, ALNUM + './', 86)}",
        ("root:{}:19000:0:99999:7:::",),
    ),
    "bcrypt": form(
        lambda r: f"$2b$12${some(r, ALNUM + './', 53)}", ("joe:{}", '"password_hash": "{}"')
    ),
    "session_headers": form(
        lambda r: some(r, ALNUM, 32),
        (
            "X-API-Key: {}",
            "Api-Key: {}",
            "X-Auth-Token: {}",
            "PRIVATE-TOKEN: {}",
            "X-Vault-Token: {}",
            "Authorization: Token {}",
            "Authorization: ApiKey {}",
            '-H "X-Api-Key: {}"',
        ),
    ),
}
"""Secrets of machines: by their own form, or in the place where a tool expects them."""


PASSWORDS: tuple[str, ...] = (
    "machine h.lan login joe password {}",
    "Driver={{ODBC}};Server=db;Uid=sa;Pwd={};",
    "Server=db;Database=shop;User Id=sa;Password={};Encrypt=true",
    "jdbc:postgresql://db/shop?user=app&password={}",
    "sshpass -p '{}' ssh root@h",
    "PGPASSWORD={} psql -h db",
    "curl -u joe:{} https://h/api",
    "wget --user=joe --password='{}' https://h",
    "docker login -u joe -p {} reg.lan",
    "mysql -u root -p{} shop",
    "redis-cli -a {} ping",
    "echo {} | sudo -S true",
    "spring.datasource.password={}",
    '<add key="Password" value="{}"/>',
    "<password>{}</password>",
    "'password': '{}',",
    'connect(host="db", password="{}")',
    "const dbPassword = '{}';",
    'password: "{}"',
    "- POSTGRES_PASSWORD={}",
    "POSTGRES_PASSWORD: {}",
    "ENV ROOT_PASSWORD {}",
    '$env:DB_PASSWORD = "{}"',
    "set -gx DB_PASSWORD '{}'",
    "CREATE USER joe WITH PASSWORD '{}';",
    "CREATE USER joe IDENTIFIED BY '{}';",
    "ALTER ROLE app PASSWORD '{}';",
    "| password | {} |",
    "my password is {}",
    "Password for root: {}",
    "user joe / pass {}",
    "Passwort: {}",
    "mot de passe : {}",
    "contraseña: {}",
    "密码：{}",
    "https://joe:{}@h.lan/path",
    "smtp://mailer:{}@smtp.lan:587",
    "net use z: \\\\h\\s {} /user:joe",
    "requirepass {}",
    "bind_pw = {}",
)


def plainly(rng: Rng) -> Made:
    frame = rng.choice(PASSWORDS)
    return (
        plain_password(rng) if "://" in frame or "IDENTIFIED" in frame else password(rng)
    ), frame


def planted(seed: int, rounds: int) -> Iterator[Item]:
    """Yield every form, and as many passwords in every frame, each in any carrier."""
    rng = random.Random(f"wild {seed}")
    makers = [*FORMS.items(), *[("password_places", plainly)] * len(PASSWORDS)]
    for _ in range(rounds):
        for kind, make in makers:
            secret, frame = make(rng)
            carrier = rng.choice([c for c in CARRIERS if "\n" not in frame or c != "header"])
            if kind in ("private_key", "pgp", "putty") and carrier == "header":
                carrier = "tool_result"
            before, after = frame.replace("{{", "{").replace("}}", "}").split("{}")
            text, spelled = CARRIERS[carrier](rng, Planted(before, secret, after))
            yield Item(kind=kind, carrier=carrier, text=text, secret=secret, spelled=spelled)


# --- harmless


def table(rng: Rng) -> str:
    rows = [f"| {hexa(rng, 12)} | {rng.choice(WORDS)} | {rng.randint(1, 10**9)} |" for _ in "123"]
    return "\n".join(rows)


HARMLESS: dict[str, Callable[[Rng], str]] = {
    "tool_ids": lambda r: json.dumps(
        {
            "id": f"toolu_01{some(r, ALNUM, 22)}",
            "message": f"msg_01{some(r, ALNUM, 22)}",
            "request": f"req_01{some(r, ALNUM, 22)}",
        }
    ),
    "snowflake": lambda r: f"https://x.com/a/status/{r.randint(10**18, 2 * 10**18)}",
    "epoch_ms": lambda r: (
        f"at {r.randint(16 * 10**11, 18 * 10**11)} and {r.randint(10**15, 10**16)}"
    ),
    "trace": lambda r: f"traceparent: 00-{hexa(r, 32)}-{hexa(r, 16)}-01",
    "etag": lambda r: f'ETag: "{hexa(r, 32)}"\nCache-Control: max-age=3600',
    "image_digest": lambda r: f"FROM python:3.12-slim@sha256:{hexa(r, 64)}",
    "go_sum": lambda r: f"golang.org/x/net v0.{r.randint(1, 40)}.0 h1:{b64bytes(r, 32)}",
    "pip_hash": lambda r: f"numpy==2.1.0 \\\n    --hash=sha256:{hexa(r, 64)}",
    "pod": lambda r: (
        f"shop-api-{some(r, LOWER + DIGITS, 10)}-{some(r, LOWER + DIGITS, 5)} 1/1 Running"
    ),
    "arn": lambda r: f"arn:aws:iam::{some(r, DIGITS, 12)}:role/shop-{r.choice(WORDS)}-deploy",
    "secret_name": one_of(
        "secretName: shop-tls-cert",
        "secret_id: projects/12/secrets/db-main/versions/3",
        "token_type: bearer",
        "token_endpoint: https://h/oauth2/v2/token",
        "password_policy: min-12-chars",
        "password_reset_url=https://h.lan/reset/v2",
        "api_key_name: prod-key-2",
        "PASSWORD_FILE=/run/secrets/db1",
        "tokens_per_second: 43.1",
        "eos_token_id: 106",
        "secretKeyRef:\n  name: db\n  key: url",
        "access_token_lifetime: 3600s",
        "token_count=12345678",
        "num_tokens: 100_000",
        "pad_token: <pad>",
        "--max-tokens 4096 --token-budget 20000",
    ),
    "code": one_of(
        "password = getpass.getpass('Password: ')",
        "token = request.headers.get('X-Token')",
        "secret = os.urandom(32).hex()",
        "if not check_password(password, user.password_hash): raise PermissionError",
        'api_key = config["openai"]["api_key"]',
        "const token = localStorage.getItem('token');",
        'let secret = std::env::var("SECRET")?;',
        "password: process.env.DB_PASSWORD!,",
        'token := strings.TrimPrefix(h, "Bearer ")',
        "tokenizer = AutoTokenizer.from_pretrained('google/gemma-3-27b-it')",
        "password=None, token=None, api_key=None",
        "assert token == next_token",
        "private String password;",
        "password VARCHAR(255) NOT NULL,",
        '@Value("${db.password}") String password',
        "password = fields.CharField(max_length=128)",
        "tokens = tokens[:max_length - 2]",
        "access_token: Optional[str] = None",
        'parser.add_argument("--password", default=None, help="the password")',
        "token = yaml.load_token(stream=StringIO2())",
    ),
    "prose": one_of(
        "The password is stored as a hash with 12 rounds of bcrypt.",
        "Reset your password within 24 hours.",
        "A token is about 4 characters of English text.",
        "The secret to good bread is 24h of patience.",
        "Your password must be at least 12 characters long and have 1 digit.",
        "password: the one that you chose in 2024",
        "call me maybe; section +4 5 of chapter 12",
        "Use Basic authentication or Bearer authentication.",
        "Cookie: the biscuit; see recipe 12-34.",
        "The API key is missing. Error code: 401-invalid.",
    ),
    "numbers": lambda r: (
        f"isbn 978-{r.randint(0, 9)}-{some(r, DIGITS, 4)}-{some(r, DIGITS, 4)}-{r.randint(0, 9)} "
        f"lat {r.uniform(-90, 90):.6f}, {r.uniform(-180, 180):.6f} "
        f"{r.randint(1, 999)}.{r.randint(1, 999)}.{r.randint(1, 255)}.{r.randint(1, 255)}"
    ),
    "diff_numbers": lambda r: f"@@\n-{r.randint(10**8, 10**9)}\n+{r.randint(10**8, 10**9)}\n",
    "arithmetic": lambda r: (
        f"x = {r.randint(10, 99)} +{r.randint(100, 999)} {r.randint(1000, 9999)}"
    ),
    "svg": lambda r: "M" + " ".join(f"{r.uniform(0, 99):.2f}" for _ in range(12)) + "z",
    "hex_dump": lambda r: "00000010  " + " ".join(hexa(r, 2) for _ in range(16)) + "  |......|",
    "table": table,
    "log": lambda r: (
        f"2026-11-21 09:{r.randint(10, 59)}:01,{r.randint(100, 999)} INFO [{r.randint(1, 99999)}] "
        f"GET /api/v{r.randint(1, 3)}/items/{guid(r)} 200 {r.randint(100, 9999)}ms"
    ),
    "mac": lambda r: "mac " + ":".join(hexa(r, 2) for _ in range(6)) + f" fe80::{hexa(r, 4)}",
    "decorators": one_of(
        "@app.route('/a') @dataclass(frozen=True)", "user@host:~$ ls", "npm i @types/node@20.1.0"
    ),
    "git_url": lambda r: f"git@gitlab.lan:{r.choice(WORDS)}/x.git ssh://git@h.lan:22/{hexa(r, 7)}",
    "url": lambda r: (
        f"https://h.lan/p?id={r.randint(1, 10**9)}&page_token={r.randint(1, 9)}&q=red%20apple"
        f"&utm_source=mail&v={hexa(r, 8)}"
    ),
    "css": lambda r: f".a{{color:#{hexa(r, 6)};background:url(/img/{hexa(r, 20)}.png)}}",
    "minified": lambda r: (
        f"!function(e,t){{var n=e.{some(r, LOWER, 2)};t[{r.randint(0, 9)}]=n}}();"
    ),
    "font": lambda r: f"src:url(data:font/woff2;base64,{b64bytes(r, 300)})",
    "wheel": lambda r: (
        f"https://files.lan/packages/{hexa(r, 2)}/{hexa(r, 2)}/{hexa(r, 60)}/a-1.0.whl"
    ),
    "embedding": lambda r: json.dumps({"embedding": [r.uniform(-1, 1) for _ in range(20)]}),
    "tree": lambda r: f"100644 blob {hexa(r, 40)}\tsrc/{r.choice(WORDS)}.py",
    "cert": lambda r: (
        f"-----BEGIN CERTIFICATE-----\n{b64bytes(r, 48)}\n{b64bytes(r, 48)}\n"
        "-----END CERTIFICATE-----"
    ),
    "known_hosts": lambda r: f"h.lan ssh-rsa {b64bytes(r, 96)}",
    "base64_text": lambda r: b64(filler(r, 20, 40)),
    "base64_json": lambda r: b64(json.dumps({"name": r.choice(WORDS), "n": r.randint(1, 99)})),
    "lock": lambda r: (
        f'{{"name": "x", "resolved": "https://r.lan/x.tgz#{hexa(r, 40)}", "dev": true}}'
    ),
}


def harmless(seed: int, rounds: int) -> Iterator[Item]:
    """Yield every harmless kind in every carrier, so many times."""
    rng = random.Random(f"wild harmless {seed}")
    for _ in range(rounds):
        for kind, make in HARMLESS.items():
            for carrier, carry in HARMLESS_CARRIERS.items():
                text = carry(rng, f"{filler(rng, 4, 10)} {make(rng)}")
                yield Item(kind=kind, carrier=carrier, text=text)
