"""Text that nobody vouches for, as Markdown (CommonMark, with GitHub's tables) that it cannot break out of.

What an agent, or whatever it has read, has written is shown as it was meant, as far as that is harmless: paragraphs,
lists, tables, code. No text of it becomes HTML, an image that is fetched when it is looked at, a link definition
that other texts could fall for, or a code block that swallows what comes after. `docs/reference/conversation-file.md`
has the rules.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

from orjson import dumps

_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
"""What some program or other takes for the end of a line."""

_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What a terminal obeys, or what hides or reorders text. Joiners, which emoji and some scripts need, stay."""

_FENCE = re.compile(r"^[ \t]*(?P<mark>`{3,}|~{3,})(?P<info>.*)$")
_LANGUAGE = re.compile(r"[\w+#.-]{1,30}")
_BACKTICKS = re.compile("`+")
_MARK = re.compile(r"`+|\\")
_ACTIVE = re.compile(r"\\[!-/:-@\[-`{-~]|<|&(?=#?\w+;)|!\[|\]:|~{3,}")
"""What is or may become more than text: an escape (which is left as it is), HTML, an entity, an image, the label of a
definition, a fence."""

_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_ACTIVE_INLINE = re.compile(r"[\\`*\[\]<>|~&]|(?<![^\W_])_|_(?![^\W_])")
"""What is Markdown in the middle of a line; an underscore between letters is none."""


def visible(text: str) -> str:
    """Return a text with plain line ends, and with everything in it that is obeyed or hides made visible."""
    return _INVISIBLE.sub(_shown, _LINE_ENDS.sub("\n", text))


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else f"⟨U+{code:04X}⟩"


def one_line(text: str, most: int) -> str:
    """Return a text on one line, cut to so many characters."""
    line = " ".join(visible(text).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def inline(text: str, most: int = 200) -> str:
    """Return a text as part of a line, where nothing in it is Markdown."""
    return _ACTIVE_INLINE.sub(r"\\\g<0>", one_line(text, most))


def code(text: str, most: int = 500) -> str:
    """Return a text as code in a line."""
    line = one_line(text, most)
    if not line:
        return "` `"
    mark = "`" * (_longest(_BACKTICKS, line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{mark}{pad}{line}{pad}{mark}"


def html(text: str, most: int = 200) -> str:
    """Return a text as part of a line of HTML."""
    return escape(one_line(text, most))


def yaml(text: str, most: int) -> str:
    """Return a text as a quoted scalar, which is the same in YAML and in JSON, on one line."""
    line = "".join(c if c.isprintable() else "\ufffd" for c in one_line(text, most))
    return dumps(line).decode()


def fenced(text: str, language: str = "") -> str:
    """Return a text as a code block, whose fence is longer than any in it."""
    shown = visible(text).removesuffix("\n")
    mark = "`" * max(3, _longest(_BACKTICKS, shown) + 1)
    return f"{mark}{language}\n{shown}\n{mark}"


def fold(summary: str, content: str) -> str:
    """Return what is shown when a line is clicked at.

    Args:
        summary: The line, in HTML.
        content: Blocks of Markdown.
    """
    return f"<details>\n<summary>{summary}</summary>\n\n{content}\n\n</details>"


def quote(text: str) -> str:
    """Return what somebody said, as a block quote: none of it begins a heading, a fold or a rule outside."""
    lines = "\n".join(_prose(visible(text))).strip("\n").split("\n")
    return "\n".join(f"> {line}" if line else ">" for line in lines)


def _longest(pattern: re.Pattern[str], text: str) -> int:
    return max(map(len, pattern.findall(text)), default=0)


def _prose(text: str) -> Iterator[str]:
    """Yield the lines of a text, in which code blocks are closed and nothing is HTML.

    Which lines are code is decided here and then written so that every reader of Markdown decides the same: with
    fences of our own, at the beginning of the line, between empty ones.
    """
    lines = iter(text.strip("\n").split("\n"))
    before = ""  # a line of prose, held back until it is known whether one follows
    for line in lines:
        fence = _FENCE.match(line)
        if fence is None or ("`" in fence["mark"] and "`" in fence["info"]):
            after = _prose_line(line.rstrip())
            if before or after:  # of several empty lines, one
                yield before + "  " if before and after else before  # the text's line breaks are meant
            before = after
            continue
        language = _LANGUAGE.match(fence["info"].strip())
        if before:
            yield before
        yield ""
        yield from fenced("\n".join(_until_closed(lines, fence)), language[0] if language else "").split("\n")
        before = ""
    yield before


def _until_closed(lines: Iterator[str], fence: re.Match[str]) -> Iterator[str]:
    """Yield the lines of a code block, without the indentation of its fence, up to what closes it, or to the end."""
    indentation = len(fence[0]) - len(fence[0].lstrip())
    for line in lines:
        found = _FENCE.match(line)
        if found and found["mark"].startswith(fence["mark"]) and not found["info"].strip():
            return
        yield line[min(indentation, len(line) - len(line.lstrip())) :]


def _prose_line(line: str) -> str:
    """Return a line outside code blocks: code spans stay, everything else that could do harm is escaped."""
    parts: list[str] = []
    at = begin = 0
    in_table = "|" in line  # its cells are told apart before code is: a span may be none
    while (found := _MARK.search(line, at)) is not None:
        at = found.start()
        if line[at] == "\\":
            at += 2 if line[at + 1 : at + 2] in _PUNCTUATION else 1  # escaped by whoever wrote it, or only a character
            continue
        end = _close_of(line, found)
        span = line[at:end]
        parts.append(_harmless(line[begin:at]))
        if end == found.end() or (in_table and any(each in span for each in ("<", "&", "![", "]:"))):
            end = found.end()
            parts.append("\\`" * len(found[0]))
        else:
            parts.append(span)
        at = begin = end
    parts.append(_harmless(line[begin:]))
    return "".join(parts)


def _close_of(line: str, mark: re.Match[str]) -> int:
    """Return where the code span ends that a run of backticks begins; its own end where it begins none."""
    for found in _BACKTICKS.finditer(line, mark.end()):
        if len(found[0]) == len(mark[0]):
            return found.end()
    return mark.end()


def _harmless(text: str) -> str:
    return _ACTIVE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    what = found[0]
    if what[0] == "\\":
        return what
    if what in ("![", "]:"):
        return f"{what[0]}\\{what[1]}"
    return "".join(f"\\{character}" for character in what)
