"""Secrets are known by where they stand, and code, words and placeholders are left alone."""

import pytest

from tonearm.redaction import Redactor


def taken(text: str) -> list[str]:
    _, findings = Redactor(bytes(32)).text(text)
    return sorted(text[a:b] for finding in findings for a, b in finding.spans)


@pytest.mark.parametrize(
    "text",
    [
        "password: «Harbor!x81»",
        "DB_PASSWORD=«hunter22x»",
        "export TOKEN='«a8Jk2mQx91zP»'",
        'password = "«Tr0ub4dor&3»"',
        '{"clientSecret": "«9fQ2xLw7Rt»"}',
        '{"auth": {"api-key" : "«9fQ2xLw7Rt»"}}',
        "the password is «Harbor!x81»",
        "login --token «9fQ2xLw7Rt» now",
        "curl -u joe:«Harbor!x81» http://h",
        '{"name": "DB_PASSWORD", "value": "«Harbor!x81»"}',
        "<password>«Harbor!x81»</password>",
        "https://h/cb?state=1&access_token=«9fQ2xLw7Rt»&x=2",
        "https://h/?apikey=«Harbor%21x81»#top",
        "Authorization: Bearer «abc123def456»",
        "authorization: «9fQ2xLw7Rt11»",
        "Authorization: Basic «am9lOkhhcmJvciF4»",
        "Cookie: a=1; session=«0123456789abcdef»",
        "JSESSIONID=«9fQ2xLw7Rt9fQ2xLw7Rt»",
        "postgres://app:«Gx81kQ2»@db/prod",
        "redis://:«Gx81kQ2»@cache:6379",
        '{"password": "«a\\"b1c2d3»"}',
        "password: «Müller99!x»",
        r"password: «a\cd1234»",
        "accountKey=«" + "aB3+" * 10 + "==»",
    ],
)
def test_what_stands_in_the_place_of_a_secret_is_taken(text):
    before, _, rest = text.partition("«")
    secret, _, after = rest.partition("»")

    assert "".join(taken(before + secret + after)) == secret


@pytest.mark.parametrize(
    "text",
    [
        "password = os.environ['PASSWORD']",
        "password = getpass.getpass()",
        "token = tokenizer.decode(ids)",
        "self.token = token",
        "secret=settings.SECRET_KEY",
        "api_key: ${API_KEY}",
        "api_key: {{ api_key }}",
        "api_key=<your key>",
        "OPENAI_API_KEY=sk-...",
        "OPENAI_API_KEY=your-api-key-here",
        "password: ********",
        'password="xxxxxxxx"',
        '{"password": {"type": "string"}}',
        '{"password": "The password of the user"}',
        "max_tokens=4096",
        "token_count: 123456789",
        '{"token_type": "abc123def456"}',
        "secret_name: prod/db-main-2",
        "password_file: /run/secrets/db_password_1",
        "tokens: 12, 13, 14",
        "uses bearer authentication",
        "Bearer <token>",
        "basic understanding of things",
        "Cookie: lang=en; theme=dark",
        "postgres://user:password@localhost/db",
        "postgres://app:${DB_PASSWORD}@db/prod",
        "http://localhost:11434/api/chat",
        "the password is required",
        "--token is needed",
        "public_key: abc123def456ghi789",
    ],
)
def test_what_is_no_secret_stays(text):
    assert taken(text) == []


def test_a_name_within_a_description_is_read_on():
    assert taken('{"token": "Log in with password: Harbor!x81 please"}') == ["Harbor!x81"]


def test_a_secret_that_was_cut_off_is_taken_as_far_as_it_goes():
    assert taken('{"content": "password: \\"Harbor!x8') == ["Harbor!x8"]
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEAx3\nabcdEFGH1234"
    assert "".join(taken("cat key\n" + key)) == key


def test_very_long_values_are_documents():
    assert taken(f'{{"token": "{"a1B2" * 3000}"}}') == []
