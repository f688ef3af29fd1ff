"""Names whose values are secrets: keys of mappings, and names before `=` and `:` in text."""

from __future__ import annotations

import re

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")
"""The segments of a name: `db_password`, `x-api-key`, `accessToken`, `APIKey`."""

KINDS: dict[str, str] = {
    **dict.fromkeys(("password", "passwords", "passwd", "passphrase", "pgpassword"), "password"),
    **dict.fromkeys(("secret", "secrets", "clientsecret"), "secret"),
    **dict.fromkeys(("token", "accesstoken", "authtoken", "refreshtoken", "sessiontoken", "jwt"), "token"),
    **dict.fromkeys(("apikey", "apikeys", "privatekey", "secretkey"), "key"),
    "authorization": "authorization",
    **dict.fromkeys(("cookie", "cookies"), "cookie"),
    **dict.fromkeys(("credential", "credentials"), "credential"),
}
"""Last segment → kind. Plural `tokens` is not here: agents count them."""

KEY_OF: frozenset[str] = frozenset(
    (
        *("access", "account", "api", "auth", "deploy", "encryption", "hmac", "master", "private", "secret"),
        *("service", "shared", "signing", "ssh", "storage", "subscription", "webhook"),
    )
)
"""What stands before a last segment `key` (or `keys`, after `api`) that is secret. A primary, public, sort or cache key
is none."""

PASS_OF: frozenset[str] = frozenset(
    (
        *("admin", "db", "email", "ftp", "imap", "ldap", "login", "mail", "mysql", "pg", "postgres", "proxy", "redis"),
        *("root", "smtp", "ssh", "user", "vpn", "wifi"),
    )
)
"""What stands before a last segment `pass` or `pwd` that is secret: `PWD` alone is the working directory, and a test
may pass."""

ALLOWED: frozenset[str] = frozenset(
    (
        # places in a list that is read page by page
        *("continuation_token", "next_page_token", "next_token", "page_token", "pagination_token", "prev_page_token"),
        *("prev_token", "previous_page_token", "previous_token", "start_token", "stop_token", "sync_token"),
        # what a language model reads and writes, and what a parser does
        *("bos_token", "cls_token", "completion_token", "current_token", "end_token", "eos_token", "expected_token"),
        *("first_token", "image_token", "input_token", "last_token", "lookahead_token", "mask_token", "output_token"),
        *("pad_token", "peek_token", "prompt_token", "sep_token", "special_token", "time_per_token"),
        *("time_to_first_token", "unexpected_token", "unk_token"),
        # signals between the parts of a program
        *("cancel_token", "cancellation_token"),
    )
)
"""Names that end like a secret's and are none, with `_` between their segments. (`max_tokens`, `token_count`,
`session_id`, `author` and the like need no place here: their last segment is another.)"""


def kind_of(name: str) -> str | None:
    """Return the kind of secret that a name's value is; None where it is none.

    The last segment decides, whatever the case and whatever stands between segments; a digit at the end of a
    password's name is passed over (`password1`, `password2`: the two fields of a form).
    """
    words = _WORDS.findall(name)
    if len(words) > 1 and words[-1].isdigit() and words[-2].lower() == "password":
        words.pop()
    if not words:
        return None
    last = words[-1].lower()
    kind = KINDS.get(last)
    if kind is None and len(words) > 1:
        before = words[-2].lower()
        if (last == "key" and before in KEY_OF) or (last == "keys" and before == "api"):
            kind = "key"
        elif last in ("pass", "pwd") and before in PASS_OF:
            kind = "password"
    if kind == "token" and "_".join(words).lower() in ALLOWED:
        return None
    return kind


_PLACEHOLDER = re.compile(
    r"""(?x)
      [*•·….-]*                                  # nothing, or a mask
    | [xX]{3,}
    | \$[A-Z_][A-Z0-9_]* | \$\{.*\} | \$\(.*\)    # a variable of a shell, or of a workflow
    | \{[^{}]*\} | \{\{[^{}]*\}\}                  # a field of a format string, or of a template
    | (?:%s|%\(\w+\)s|\{\w*\}|[:@/])+ | %\w+%
    | <[^<>]*>                                   # what the reader is to fill in
    | (?i:none|null|nil|true|false|undefined|string|str)
    | \[redacted:[a-z0-9-]+:[0-9a-f]{8}\]        # done already
    """
)


def is_placeholder(value: str) -> bool:
    """Whether a value stands for a secret, and is none."""
    return _PLACEHOLDER.fullmatch(value) is not None
