"""Secrets that are told by their own form, wherever they stand in a text.

Each rule names where its form is published, and the sign (`signs.FORMS`) that every text with this form has.
"""

from __future__ import annotations

from typing import NamedTuple

from deia.redaction.search import Search
from deia.redaction.signs import FORMS


class Rule(NamedTuple):
    """One form of secret.

    Attributes:
        kind: What stands in its place: `[redacted:KIND:…]`.
        form: Its form, as a regular expression; a group called `secret` is what is replaced, else all of it.
        sign: Which of `signs.FORMS` a text with this form has.
        what: What it is, for the reference.
        source: Where its form is published.
    """

    kind: str
    form: str
    sign: str
    what: str
    source: str


_START = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))"
"""A short prefix counts at the beginning of a word only: `task-…` holds no `sk-`. (In JSON, `n` may end a line.)"""

_BODY = r"(?=[\s\S]{0,500}?[A-Za-z0-9+/]{24})"
"""A key has a line of base64 within reach; a program that only names the markers has none."""

RULES: tuple[Rule, ...] = (
    Rule(
        "github-token",
        r"(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{36,255})",
        "_",
        "GitHub: personal, OAuth, app and refresh tokens",
        "https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/",
    ),
    Rule(
        "gitlab-token",
        _START + r"gl(?:pat|dt|rt|ptt|cbt|ft|imt|soat|oas)-[\w-]{20,}(?:\.[\w.-]+)?",
        "-",
        "GitLab: personal, deploy, runner, trigger, job, feed and mail tokens",
        "https://docs.gitlab.com/security/tokens/#token-prefixes",
    ),
    Rule(
        "anthropic-key",
        _START + r"sk-ant-[\w-]{20,}",
        "-",
        "Anthropic",
        "https://docs.anthropic.com/en/api/overview",
    ),
    Rule(
        "openai-key",
        _START + r"sk-(?:(?:proj|svcacct|admin|or-v1)-[\w-]{20,}|[A-Za-z0-9]{20,})",
        "-",
        "OpenAI, and those whose keys have its form (OpenRouter, DeepSeek, …)",
        "https://platform.openai.com/docs/api-reference/authentication",
    ),
    Rule(
        "aws-key-id",
        _START + r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])",
        "A",
        "AWS: access key ids",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids",
    ),
    Rule(
        "google-key",
        _START + r"AIza[\w-]{35}",
        "A",
        "Google: API keys",
        "https://cloud.google.com/docs/authentication/api-keys",
    ),
    Rule(
        "google-token",
        _START + r"(?:ya29\.[\w-]{20,}(?:\.[\w-]+)*)",
        "9",
        "Google: OAuth access tokens",
        "https://cloud.google.com/docs/authentication/token-types#access",
    ),
    Rule(
        "google-secret",
        _START + r"GOCSPX-[\w-]{20,}",
        "-",
        "Google: OAuth client secrets",
        "https://developers.google.com/identity/protocols/oauth2",
    ),
    Rule(
        "slack-token",
        _START + r"(?:xox[a-z]-[A-Za-z0-9-]{16,}|xapp-[A-Za-z0-9-]{16,})",
        "-",
        "Slack: bot, user, app and refresh tokens",
        "https://docs.slack.dev/authentication/tokens",
    ),
    Rule(
        "slack-webhook",
        r"hooks\.slack\.com/services/(?P<secret>T[A-Z0-9]{6,}/B[\w/+-]{12,})",
        "B",
        "Slack: what makes a webhook's address secret",
        "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks",
    ),
    Rule(
        "stripe-key",
        _START + r"(?:[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9]{24,})",
        "_",
        "Stripe: secret and restricted keys, webhook secrets",
        "https://docs.stripe.com/keys",
    ),
    Rule("npm-token", _START + r"npm_[A-Za-z0-9]{36,}", "_", "npm", "https://docs.npmjs.com/about-access-tokens"),
    Rule("pypi-token", _START + r"pypi-[\w-]{50,}", "-", "PyPI: API tokens", "https://pypi.org/help/#apitoken"),
    Rule(
        "huggingface-token",
        _START + r"hf_[A-Za-z0-9]{30,}",
        "_",
        "Hugging Face",
        "https://huggingface.co/docs/hub/security-tokens",
    ),
    Rule(
        "sendgrid-key",
        _START + r"SG\.[\w-]{16,}\.[\w-]{16,}",
        "G",
        "SendGrid",
        "https://www.twilio.com/docs/sendgrid/api-reference/api-keys/create-api-keys",
    ),
    Rule(
        "telegram-token",
        r"(?<![0-9])[0-9]{8,10}:AA[\w-]{33}",
        "A",
        "Telegram: bot tokens",
        "https://core.telegram.org/bots/features#botfather",
    ),
    Rule(
        "atlassian-token",
        _START + r"ATATT3[\w=-]{20,}",
        "A",
        "Atlassian: API tokens",
        "https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/",
    ),
    Rule(
        "digitalocean-token",
        _START + r"do[opr]_v1_[0-9a-f]{64}",
        "_",
        "DigitalOcean",
        "https://docs.digitalocean.com/reference/api/create-personal-access-token/",
    ),
    Rule(
        "docker-token",
        _START + r"dckr_(?:pat|oat)_[\w-]{20,}",
        "_",
        "Docker Hub",
        "https://docs.docker.com/security/access-tokens/",
    ),
    Rule(
        "shopify-token",
        _START + r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
        "_",
        "Shopify",
        "https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens",
    ),
    Rule(
        "service-key",
        _START + r"(?:gsk_[A-Za-z0-9]{40,}|r8_[A-Za-z0-9]{36,}|lin_api_[A-Za-z0-9]{36,}|ntn_[A-Za-z0-9]{40,}"
        r"|sbp_[0-9a-f]{40})",
        "_",
        "Groq, Replicate, Linear, Notion, Supabase",
        "https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns",
    ),
    Rule(
        "service-key",
        _START + r"(?:xai-[A-Za-z0-9]{40,}|pplx-[A-Za-z0-9]{40,}|tvly-[A-Za-z0-9-]{20,})",
        "-",
        "xAI, Perplexity, Tavily",
        "https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns",
    ),
    Rule(
        "private-key",
        r"-----BEGIN (?P<pem>[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?)-----" + _BODY + r"(?:"
        r"[\s\S]{16,20000}?-----END (?P=pem)-----|[\w+/=\s\\:,-]{16,20000})"  # cut off: as far as it can be one
        r"|AGE-SECRET-KEY-1[A-Z0-9]{58}",
        "-",
        "private keys in PEM or OpenPGP armour, and those of age",
        "https://www.rfc-editor.org/rfc/rfc7468",
    ),
    Rule(
        "jwt",
        r"(?:(?<![\w-])|(?<=\\[nrt]))eyJ[\w-]{8,}(?:\.[\w-]*){2,4}",
        "J",
        "JSON web tokens, signed or encrypted",
        "https://www.rfc-editor.org/rfc/rfc7519",
    ),
    Rule(
        "url-password",
        r"""(?<![\w+.-])[A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@:"'<>]*:(?P<secret>[^\s/?#"'<>]+)@""",
        "@",
        "the password in `scheme://user:password@host`",
        "https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1",
    ),
)

BY_SIGN: dict[str, tuple[tuple[str, Search], ...]] = {
    sign: tuple((rule.kind, Search(rule.form)) for rule in RULES if rule.sign == sign) for sign in FORMS
}
"""Kinds and forms by what they have in common."""
