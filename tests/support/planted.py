"""Secrets to plant, one of each kind: put together here, so that no scanner of this repository takes them for live."""

from __future__ import annotations

import base64
import json
import random
import string

_rng = random.Random(1867)
_ALNUM = string.ascii_letters + string.digits
_CAPITALS = string.ascii_uppercase + string.digits
_URL = _ALNUM + "-_"


def _some(length: int, alphabet: str = _ALNUM) -> str:
    """Letters at random, a digit and a capital among them."""
    return "".join(_rng.choice(alphabet) for _ in range(length - 2)) + "7K"


def _base64url(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def _pem(what: str) -> str:
    lines = "\n".join(_some(64) for _ in range(6))
    return f"-----BEGIN {what}-----\n{lines}\n-----END {what}-----"


_JWT = f"{_base64url({'alg': 'HS256', 'typ': 'JWT'})}.{_base64url({'sub': '1234567890'})}.{_some(43, _URL)}"
_JWE = f"{_base64url({'alg': 'dir', 'enc': 'A256GCM'})}..{_some(16, _URL)}.{_some(40, _URL)}.{_some(22, _URL)}"

BY_FORM: dict[str, list[str]] = {
    "github-token": [
        *(f"gh{letter}_{_some(36)}" for letter in "pousr"),
        f"github_pat_{_some(22)}_{_some(59)}",
    ],
    "gitlab-token": [f"gl{letters}-{_some(20, _URL)}" for letters in ("pat", "dt", "rt", "ptt", "cbt", "ft", "soat")],
    "anthropic-key": [f"sk-ant-api03-{_some(93, _URL)}AA"],
    "openai-key": [f"sk-{_some(48)}", f"sk-proj-{_some(74, _URL)}", f"sk-or-v1-{_some(62, '0123456789abcdef')}"],
    "aws-key-id": [f"{prefix}{_some(16, string.ascii_uppercase + '234567')}" for prefix in ("AKIA", "ASIA")],
    "google-key": [f"AIza{_some(35, _URL)}"],
    "google-token": [f"ya29.{_some(80, _URL)}"],
    "google-secret": [f"GOCSPX-{_some(28, _URL)}"],
    "slack-token": [
        *(f"xox{letter}-{_some(12, string.digits)}-{_some(24)}" for letter in "abprs"),
        f"xapp-1-A{_some(10)}-{_some(12, string.digits)}-{_some(64)}",
    ],
    "slack-webhook": [
        f"https://hooks.slack.com/services/T{_some(8, '0123456789K')}/B{_some(8, '0123456789K')}/{_some(24)}"
    ],
    "stripe-key": [f"{kind}k_{mode}_{_some(24)}" for kind in "sr" for mode in ("live", "test")]
    + [f"whsec_{_some(32)}"],
    "npm-token": [f"npm_{_some(36)}"],
    "pypi-token": [f"pypi-AgEIcHlwaS5vcmc{_some(120, _URL)}"],
    "huggingface-token": [f"hf_{_some(34)}"],
    "sendgrid-key": [f"SG.{_some(22, _URL)}.{_some(43, _URL)}"],
    "telegram-token": [f"{_rng.randrange(10**8, 10**10)}:AA{_some(33, _URL)}"],
    "atlassian-token": [f"ATATT3xFfGF0{_some(180, _URL)}"],
    "digitalocean-token": [f"dop_v1_{_some(62, '0123456789abcdef').lower()[:-2]}0000"],
    "docker-token": [f"dckr_pat_{_some(27, _URL)}"],
    "shopify-token": [f"shpat_{_some(30, '0123456789abcdef').lower()[:-2]}0000"],
    "service-key": [
        *(f"gsk_{_some(52)}", f"r8_{_some(37)}", f"lin_api_{_some(40)}", f"ntn_{_some(46)}"),
        *(f"xai-{_some(80)}", f"pplx-{_some(48)}", f"tvly-{_some(32)}"),
        f"sbp_{_some(38, '0123456789abcdef').lower()[:-2]}0000",
    ],
    "private-key": [
        *(_pem(f"{kind}PRIVATE KEY") for kind in ("", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED ")),
        _pem("PGP PRIVATE KEY BLOCK"),
        _pem("PRIVATE KEY").replace("\n", "\\n"),
        _pem("PRIVATE KEY").partition("-----END")[0],
        f"AGE-SECRET-KEY-1{_some(58, string.ascii_uppercase + '0123456789')}",
    ],
    "jwt": [_JWT, _JWE],
    "url-password": [f"postgresql://user:{_some(12)}@db.example/x", f"redis://:{_some(12)}@localhost:6379/0"],
}
"""Kind → texts that are, or hold, one. Made anew from the same seed in each run."""


def secret_of(kind: str, text: str) -> str:
    """Return the part of a planted text that must not be seen."""
    if kind == "slack-webhook":
        return text.partition("/services/")[2]
    if kind == "url-password":
        return text.partition("://")[2].partition("@")[0].rpartition(":")[2]
    return text


ALL: list[tuple[str, str]] = [(kind, text) for kind, texts in BY_FORM.items() for text in texts]
"""Kind and text of each."""

IDS = [f"{kind}-{at}" for at, (kind, _) in enumerate(ALL)]
"""Their names, for tests with a case for each."""
