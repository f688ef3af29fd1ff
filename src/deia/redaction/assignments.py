r"""Secrets that are told by a name before them, in a text: `PASSWORD=…`, `"token": "…"`, `Authorization: Bearer …`.

Prose and source code are full of such names. What is taken for a secret after one: a literal in quotes; what stands
after `=` in the manner of a shell or an address (`NAME=…`, `--name=…`, `?name=…`); a header's value; and elsewhere what
looks made up, with letters and digits. A variable, a call, an empty or a filled-in-later value is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from deia.redaction.names import is_placeholder, kind_of
from deia.redaction.signs import NAMES

Span = tuple[int, int, str]
"""Where a secret begins and ends, and its kind."""

_LONGEST_NAME = 90
_NAME = re.compile(r"(?P<before>-{0,2})(?P<name>[\w.-]{1,80})(?P<quote>\\*[\"'])? ?\Z")
_SEPARATOR = re.compile(r"\]? ?(?P<sign>[:=])")
_SPACES = re.compile(" *")
_OPTION = re.compile(r"--(?P<name>[\w-]{1,80}) +(?=[^\s-])")
_QUOTE = re.compile(r" *(?P<mark>(?P<slashes>\\*)[\"'])")
_BARE = re.compile(r"[^\s\"'`,;&|<>(){}\[\]\\]+")
_SCHEME = re.compile(r" *(?P<name>(?i:bearer|basic|token|digest|negotiate|api-?key|key|bot)) +(?=\S)")
_BEARER = re.compile(r"\bBearer +(?P<secret>[\w.~+/-]{16,}=*)")
_LINE_END = re.compile(r"[\r\n\"']|\\+[nr\"']|\Z")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_COOKIES = re.compile(r" *[\w!#$%&*+.^`|~-]+=[^\s=]{2,}")

_AFTER_QUOTE = ("", *" \t\n,;:+)]}")

_PROSE = frozenset(
    (
        *("access_token", "api_key", "apikey", "auth", "authentication", "bearer", "credentials", "header", "headers"),
        *("is", "jwt", "key", "missing", "required", "scheme", "the", "token", "tokens", "value", "xxx", "your"),
    )
)
"""What documentation has where an Authorization header has its value."""


def assignments(text: str) -> Iterator[Span]:
    """Yield the secrets of a text that a name before them tells."""
    for sign in NAMES:
        if sign.character not in text:
            continue
        for found in sign.in_text.finditer(text):
            end = found.start() + (found[0][0] in "\"'")
            separator = _SEPARATOR.match(text, end)
            start = max(0, end - _LONGEST_NAME)
            name = _NAME.search(text[start:end])
            kind = kind_of(name["name"]) if name and separator else None
            if name is None or separator is None or kind is None:
                continue
            at = separator.end()
            if kind == "authorization":
                span = _authorization(text, at)
            elif separator["sign"] == ":" and kind == "cookie" and not name["quote"]:
                span = _cookies(text, at)
            else:
                span = _quoted(text, at) or _unquoted(text, start + name.start(), name, separator)
            if span is not None and not is_placeholder(text[span[0] : span[1]]):
                yield (*span, kind)
    if "--" in text:
        for found in _OPTION.finditer(text):
            value, kind = _BARE.match(text, found.end()), kind_of(found["name"])
            if value and kind and _is_made_up(value[0], found["name"]):
                yield (*value.span(), kind)
    if "Bearer " in text:
        for found in _BEARER.finditer(text):
            if any(character.isdigit() for character in found["secret"]):
                yield (*found.span("secret"), "authorization")


def _quoted(text: str, at: int) -> tuple[int, int] | None:
    """A literal in quotes; one that is never closed goes on to the end of its line."""
    opening = _QUOTE.match(text, at)
    if opening is None:
        return None
    start, mark = opening.end(), opening["mark"]
    if text[start : start + 1] in _AFTER_QUOTE and text.count(mark, text.rfind("\n", 0, at) + 1, at) % 2:
        return None  # it closes a text that ends in a name: `"token=" + …`
    end = text.find(mark, start)
    while end > start and not opening["slashes"] and text[end - 1] == "\\":
        end = text.find(mark, end + 1)
    line_end = text.find("\n", start)
    if line_end >= 0 and not start <= end < line_end:
        end = line_end
    elif end < 0:
        end = len(text)
    return (start, end)


def _unquoted(text: str, start: int, name: re.Match[str], separator: re.Match[str]) -> tuple[int, int] | None:
    """A value that nothing encloses, where the manner of writing says that it is a literal."""
    bare = _BARE.match(text, _SPACES.match(text, separator.end()).end())  # type: ignore[union-attr]  # always a match
    if bare is None or bare[0][0] == "$" or text[bare.end() : bare.end() + 1] in ("(", "[", "{"):
        return None
    value, is_made_up = bare[0], _is_made_up(bare[0], name["name"])
    if name["quote"]:  # a number in JSON
        is_number = separator["sign"] == ":" and value.isdigit() and len(value) >= 4
        return bare.span() if is_number and "token" not in name["name"].lower() else None
    if separator[0] != "=" or text[separator.end() : bare.start()]:  # `name: value` and `name = value` of a file
        return bare.span() if is_made_up and _is_line(text, start, bare.end()) else None
    if name["before"] == "--" or text[max(0, start - 1) : start] in ("?", "&", ";"):
        return bare.span()
    if name["name"].isupper():
        return bare.span() if len(value) >= 4 and not _DOTTED.fullmatch(value) else None
    return bare.span() if is_made_up else None


def _is_line(text: str, start: int, end: int) -> bool:
    """Whether a name and its value are a line by themselves, or a text in quotes (a header, as a shell has it)."""
    line_start = max(text.rfind("\n", 0, start), text.rfind("\\n", 0, start) + 1)
    before, after = text[line_start + 1 : start], text[end : end + 1]
    if before[-1:] in ("'", '"'):
        return after == before[-1:]
    return not before.strip(" \t-") and after in ("", "\n", "\r", "\\")


def _authorization(text: str, at: int) -> tuple[int, int] | None:
    """The credentials of a header, without their scheme."""
    opening = _QUOTE.match(text, at)
    at = opening.end() if opening else at
    scheme = _SCHEME.match(text, at)
    at = (scheme or _SPACES.match(text, at)).end()  # type: ignore[union-attr]  # always a match
    if scheme and scheme["name"].lower() == "digest":
        end = text.find("\n", at)
        return at, end if end >= 0 else len(text)
    bare = _BARE.match(text, at)
    if bare is None or bare[0][0] == "$" or text[bare.end() : bare.end() + 1] in ("(", "[", "{"):
        return None
    if bare[0].lower().strip(".:") in _PROSE or _DOTTED.fullmatch(bare[0]):
        return None
    return bare.span() if scheme or opening or _is_made_up(bare[0], "authorization") else None


def _cookies(text: str, at: int) -> tuple[int, int] | None:
    """All of a header that holds cookies."""
    found, end = _COOKIES.match(text, at), _LINE_END.search(text, at)
    if found is None or end is None:
        return None
    return (found.start() + len(found[0]) - len(found[0].lstrip(" ")), end.start())


def _is_made_up(value: str, name: str) -> bool:
    """Whether a value looks made up: letters and digits, no path of attributes, not its own name with a number."""
    return (
        len(value) >= 6
        and any(character.isdigit() for character in value)
        and any(character.isalpha() for character in value)
        and not _DOTTED.fullmatch(value)
        and re.split(r"[\W_]", name)[-1].lower() not in value.lower()
    )
