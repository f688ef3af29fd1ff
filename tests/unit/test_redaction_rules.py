"""What is taken for a secret, and what is not."""

from __future__ import annotations

import json

import pytest

from deia.redaction import names, rules, signs, suspicion
from deia.redaction.redactor import Redactor
from deia.redaction.text import find
from support import planted

KEY = b"k" * 32


def kinds(text: str) -> list[str]:
    return [kind for _, _, kind in find(text)]


def secrets(text: str) -> list[str]:
    return [text[start:end] for start, end, _ in find(text)]


@pytest.mark.parametrize(
    ("kind", "text"), planted.ALL, ids=[f"{kind}-{at}" for at, (kind, _) in enumerate(planted.ALL)]
)
@pytest.mark.parametrize(
    "around", ["{}", "see {} there", 'x = "{}"', "({})", "line\n{}\nline", "a={};", "`{}`", "\\n{}\\n"]
)
def test_secret_is_told_by_its_form_wherever_it_stands(kind: str, text: str, around: str) -> None:
    """Alone, in prose, in code, between lines, and in text that is JSON."""
    found = find(around.replace("{}", text))
    assert [kind for _, _, kind in found] == [kind]
    assert planted.secret_of(kind, text) in secrets(around.replace("{}", text))[0]


@pytest.mark.parametrize("kind", [rule.kind for rule in rules.RULES])
def test_every_rule_has_a_secret_to_find(kind: str) -> None:
    """A rule without an example would be believed, and not tried."""
    assert planted.BY_FORM[kind]


@pytest.mark.parametrize(
    ("kind", "text"), planted.ALL, ids=[f"{kind}-{at}" for at, (kind, _) in enumerate(planted.ALL)]
)
def test_every_form_shows_its_sign_in_a_line(kind: str, text: str) -> None:
    """What the quick look passes over no rule ever sees."""
    for given in (text, f"a {text} b", json.dumps({"x": text})):
        encoded = json.dumps({"x": given}, separators=(",", ":")).encode()
        assert suspicion.in_task(b"", encoded)


SECRET_NAMES = [
    *("password", "PASSWORD", "db_password", "DB_PASSWORD", "dbPassword", "user-password", "Password"),
    *("passwd", "password1", "password2", "passphrase", "PGPASSWORD", "db_pass", "mysql_pwd", "secret"),
    *("client_secret", "secrets", "clientSecret", "token", "access_token", "accessToken", "refresh_token"),
    *("GITHUB_TOKEN", "csrfToken", "id.token", "api_key", "apiKey", "APIKey", "api-key", "x-api-key"),
    *("apikey", "OPENAI_API_KEY", "api_keys", "secret_key", "aws_secret_access_key", "private_key"),
    *("AccountKey", "authorization", "Authorization", "Proxy-Authorization", "cookie", "Cookie"),
    *("Set-Cookie", "cookies", "credential", "credentials", "jwt", "API Key"),
]

OTHER_NAMES = [
    *("max_tokens", "token_count", "tokens", "total_tokens", "input_tokens", "session_id", "author"),
    *("authority", "key", "primary_key", "public_key", "sort_key", "cache_key", "foreign_key", "keyboard"),
    *("monkey", "tokenizer", "tokenize", "next_token", "page_token", "nextPageToken", "continuation_token"),
    *("pad_token", "eos_token", "cancellation_token", "pwd", "PWD", "OLDPWD", "pass", "passed"),
    *("test_pass", "password_policy", "secret_name", "secretary", "cookie_jar", "aws_access_key_id"),
    *("key_id", "token_type", "description", "authorized", "author_token_count", "credentials_file", ""),
    *("_", "1", "id", "path", "command", "content", "value"),
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_name_of_a_secret_is_told_by_its_last_segment(name: str) -> None:
    """In any case and any manner of writing."""
    assert names.kind_of(name) is not None


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_name_that_only_resembles_a_secrets_is_none(name: str) -> None:
    """Counters, places in a list, kinds of keys, and words that begin or end alike."""
    assert names.kind_of(name) is None


@pytest.mark.parametrize(
    "name",
    [
        *SECRET_NAMES,
        *sorted(names.KINDS),
        *(f"{word}_key" for word in sorted(names.KEY_OF)),
        *(f"{word}_pwd" for word in sorted(names.PASS_OF)),
    ],
)
def test_every_name_of_a_secret_shows_its_sign(name: str) -> None:
    """As a key at any depth, in a pair, in JSON in a text, and before a separator: the quick look sees it."""
    assert names.kind_of(name) is not None
    assert suspicion.in_task(b"", json.dumps({"a": [{name: 1}]}, separators=(",", ":")).encode())
    assert suspicion.in_task(b"", json.dumps({"a": [name, "x"]}, separators=(",", ":")).encode())
    for text in (json.dumps({name: "x"}), json.dumps(json.dumps({name: "x"})), repr({name: "x"})):
        assert suspicion.in_task(b"", json.dumps({"a": text}).encode())
    if " " not in name:
        for text in (f"{name}=x", f"{name} = 'x'", f"{name}: x"):
            assert suspicion.in_task(text.encode(), b"{}")
            assert any(sign.in_text.search(text) for sign in signs.NAMES)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("curl -H 'Authorization: Bearer s3cr3t'", "s3cr3t"),
        ("Authorization: Basic dXNlcjpwYXNz\nHost: x", "dXNlcjpwYXNz"),
        ("Authorization: token abcdef", "abcdef"),
        ('{"Authorization": "Bearer abcdef', "abcdef"),
        ("headers={'Authorization': 'Bearer abcdef'}", "abcdef"),
        ("headers['Authorization'] = 'Bearer abcdef'", "abcdef"),
        ("use Bearer abcdefghijklmnop1234 here", "abcdefghijklmnop1234"),
        ("Cookie: sid=abcdef; theme=dark\nAccept: */*", "sid=abcdef; theme=dark"),
        ("Set-Cookie: sid=abcdef; HttpOnly", "sid=abcdef; HttpOnly"),
        ("curl -b x -H 'Cookie: sid=abcdef' u", "sid=abcdef"),
        ("PASSWORD=hunter2", "hunter2"),
        ("export DB_PASSWORD=swordfish && run", "swordfish"),
        ("OPENAI_API_KEY='abc def' python x.py", "abc def"),
        ("GITHUB_TOKEN=abcdef gh pr list", "abcdef"),
        ("mysql --password=swordfish -u root", "swordfish"),
        ("tool --api-key abc123def", "abc123def"),
        ("https://x/y?access_token=abcdef&z=1", "abcdef"),
        ("Server=x;Password=hunter;Database=y", "hunter"),
        ("host=localhost password=hunter2 user=me", "hunter2"),
        ("Config(password='swordfish', port=1)", "swordfish"),
        ('client_secret = "swordfish"', "swordfish"),
        ("{'password': 'swordfish'}", "swordfish"),
        ('{"password": "swordfish", "a": ', "swordfish"),
        ('{"password": "sword\\"fish", "a": ', 'sword\\"fish'),
        ('{\\"password\\": \\"swordfish\\", ', "swordfish"),
        ('{"password": 123456, ', "123456"),
        ("password: hunter2\nuser: me", "hunter2"),
        ("  - api_key: abc123def\n", "abc123def"),
        ("[db]\npassword = hunter2\n", "hunter2"),
        ("curl -H 'X-Api-Key: abc123def' u", "abc123def"),
        ("os.environ['API_KEY'] = 'swordfish'", "swordfish"),
        ('password: "swordfish"', "swordfish"),
        ("ValueError: bad password='swordfish", "swordfish"),
        ("postgresql://me:p%40ss@db/x", "p%40ss"),
    ],
)
def test_secret_in_a_text_is_told_by_the_name_before_it(text: str, secret: str) -> None:
    """Headers, shells, addresses, programs, representations, JSON and YAML, whole or cut off."""
    assert secrets(text) == [secret]
    assert suspicion.in_task(b"", json.dumps({"x": text}).encode())


@pytest.mark.parametrize(
    "text",
    [
        "The password must have a digit; a token is made for each session.",
        "Password: must be at least 8 characters",
        "Enter your API key: ",
        "Authorization: required",
        "send `Authorization: Bearer <token>` with each request",
        "headers = {'Authorization': f'Bearer {token}'}",
        'headers = {"Authorization": "Bearer " + token}',
        "Authorization: Bearer $TOKEN",
        'headers["Authorization"] = "Basic %s" % encoded',
        "the Bearer scheme of authentication",
        "password = getpass.getpass()",
        "password=password, token=self.token",
        "token=token1",
        "    token = token1\n",
        "    password = password_of(user1)\n",
        "TOKEN=$(gh auth token) PASSWORD=$PASSWORD SECRET=${SECRET}",
        "API_KEY=os.environ['API_KEY']",
        "PASSWORD=",
        'password: ""',
        'print("token=" + repr(token))',
        "input('Password: ')",
        "if token == other: pass",
        "token: str = ''",
        "max_tokens=4096, token_count=12, next_token='abc123def'",
        "https://example.com:8080/path@2",
        "https://user@example.com/x",
        "ssh://git@example.com/x.git",
        "mail me@example.com: hello",
        "http://user:${PASSWORD}@host/",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
        'if "-----BEGIN PRIVATE KEY-----" in text:\n    return True\n',
        "task-abcdefghijklmnopqrstuvwxyz0123456789",
        "risk-abcdefghijklmnopqrstuvwxyz",
        "sk-learn-is-not-a-key-but-a-library",
        "npm_config_cache npm_lifecycle_event",
        "eyJhbGciOiJIUzI1NiJ9 is base64",
        "Asia, AKIA and AIza",
        "0199f3a0-5f4e-7c11-9d2a-3b0c5a7e8f10",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "xoxo, -----, ://, @@, ==, eyJ, SG., ya29.",
        "cookie: chocolate",
        "git commit -m 'add --token flag'",
        "<input type='password' name='q'>",
        "cvs -d :pserver:anon@host:/x",
    ],
)
def test_text_without_a_secret_is_left_alone(text: str) -> None:
    """Prose, programs, placeholders, addresses, hashes: a false alarm costs trust in the true ones."""
    assert secrets(text) == []


@pytest.mark.parametrize(
    ("data", "gone"),
    [
        ({"password": "swordfish"}, ["swordfish"]),
        ({"Password": 1234}, ["1234"]),
        ({"secrets": ["one-of-them", "another"]}, ["one-of-them", "another"]),
        ({"cookies": {"sid": "abcdef"}}, ["abcdef"]),
        ({"headers": [["Authorization", "Bearer abcdef"], ["Accept", "x"]]}, ["abcdef"]),
        ({"env": [{"name": "API_TOKEN", "value": "abcdef"}]}, ["abcdef"]),
        ({"name": "API_TOKEN", "value": "abcdef"}, ["abcdef"]),
        ({"credentials": {"user": "u", "x": {"y": "abcdef"}}}, ["abcdef"]),
        ({"json": json.dumps({"a": {"token": "abcdef"}})}, ["abcdef"]),
        ({"json": json.dumps({"a": json.dumps([{"token": "abcdef"}])}, indent=2)}, ["abcdef"]),
        ({"postgresql://me:abcdef@db": 1}, ["abcdef"]),
    ],
)
def test_secret_in_data_is_told_by_its_place(data: dict[str, object], gone: list[str]) -> None:
    """Under a secret's name at any depth, in pairs, beside a name, in JSON that is a text, and as a key."""
    assert suspicion.in_task(b"", json.dumps(data, separators=(",", ":")).encode())
    seen = json.dumps(Redactor(KEY).data(data))
    assert "[redacted:" in seen
    for secret in gone:
        assert secret not in seen


@pytest.mark.parametrize("secret", [each for forms in planted.BY_FORM.values() for each in forms])
def test_secret_in_the_place_of_a_pairs_name_is_found(secret: str) -> None:
    """Two texts are a name and its value only where the first is a name: an armoured key ends in `KEY-----`."""
    for beside in ("anything", "password"):
        assert secret not in Redactor(KEY).data({"b": [secret, beside]})["b"][0]
        assert Redactor(KEY).data({"b": [secret, beside]})["b"][1] == beside


@pytest.mark.parametrize(
    "data",
    [
        {"token": "", "password": None, "secret": True, "cookie": "***", "api_key": "$API_KEY", "jwt": "<jwt>"},
        {"token": 17, "tokens": ["a", "b"], "max_tokens": 4096},
        {"token": " the", "logprob": -0.1},
        {"properties": {"password": {"type": "string", "description": "The password"}}},
        {"properties": {"password": {"type": ["string", "null"], "description": "The password"}}},
        {"name": "path", "value": "tests/"},
        {"json": '{"max_tokens": 5, "a": [1, 2]}', "half": '{"max_tokens": 5, '},
        {"todos": [{"content": "Reset the password", "status": "pending", "id": "1"}]},
    ],
)
def test_data_without_a_secret_is_left_alone(data: dict[str, object]) -> None:
    """Placeholders, counts, what a model says, descriptions of parameters."""
    assert Redactor(KEY).data(data) == data


@pytest.mark.parametrize(
    "data",
    [
        {"a": {"Password:": "swordfish"}},
        {"a": {"password12": "swordfish"}},
        {"a": {"api\\key": "swordfish"}},
        {"a": {"token\n": "swordfish"}},
        {"a": ["Authorization:", "swordfish"]},
        {"json": '{"Password:": "swordfish"}'},
        {"json": '["password", "swordfish"]'},
        {'["password", "swordfish"]': "first key"},
        {"json": ' [ {"name": "API_TOKEN", "value": "swordfish"} ]\n'},
        {"json": '{"url": "https:\\/\\/me:swordfish@db\\/x"}'},
        {"json": '{"p\\u0061ssword": "swordfish"}'},
        {"text": "tool --secrets swordfish1"},
        {"text": "tool --apikey swordfish1"},
        {"text": "tool --é-token swordfish1"},
        {"text": "{'a': '{\\\\'password\\\\': swordfish1"},
    ],
)
def test_quick_look_sees_names_with_odd_ends_and_what_json_in_a_text_hides(data: dict[str, object]) -> None:
    """Each of these the rules know, and the quick look has to be as clever."""
    assert suspicion.in_task(b"", json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode())


@pytest.mark.parametrize(
    "text",
    [
        "names.sort(key=len)\n    key = args[0]\n    keywords = {}\n    word = words[0]; partials = {}",
        "self._has_negative_number_optionals = _GeneratorContextManager(bypass_x)",
        "git log --oneline --no-pager -5 && python -m pytest -k 'not slow' -x",
        "| --- | ---: |\n\n-----------------------------------------------------\n",
    ],
)
def test_quick_look_passes_over_what_programs_are_full_of(text: str) -> None:
    """A false alarm costs a hundred times what the look takes."""
    line = json.dumps({"x": text}, separators=(",", ":")).encode()
    assert not suspicion.in_tool_call(line, line, line.translate(suspicion.SIGNS), {})


def test_equal_secrets_look_equal_and_another_key_shows_them_otherwise() -> None:
    """The hash tells which is which within a session, and nothing to whoever has not its key."""
    one, other = Redactor(KEY), Redactor(b"o" * 32)
    data = {"password": "swordfish", "text": "PASSWORD=swordfish", "token": "another"}
    first, second = one.data(data), other.data(data)
    assert first["text"] == "PASSWORD=" + first["password"]
    assert first["password"].rpartition(":")[2] != first["token"].rpartition(":")[2]
    assert first["password"] != second["password"]
    assert first["password"].startswith("[redacted:password:")


def test_what_was_redacted_is_not_redacted_again() -> None:
    """A log that is read and logged again stays what it is."""
    once = Redactor(KEY).data({"password": "swordfish", "text": "PASSWORD=swordfish https://u:pw@h/"})
    assert Redactor(b"o" * 32).data(once) == once


def test_scheme_of_an_authorization_is_kept() -> None:
    """What kind of credential it was is no secret."""
    assert Redactor(KEY).data({"authorization": "Bearer abcdef"})["authorization"].startswith("Bearer [redacted:")


def test_a_text_under_a_secrets_name_is_called_what_its_form_says() -> None:
    """A form says more than a name."""
    token = planted.BY_FORM["github-token"][0]
    assert Redactor(KEY).data({"token": token})["token"].startswith("[redacted:github-token:")


def test_every_rule_names_where_its_form_is_published() -> None:
    """So that it can be checked, and mended when the form changes."""
    for rule in rules.RULES:
        assert rule.source.startswith("https://")
        assert rule.sign in signs.FORMS
