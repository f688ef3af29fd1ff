"""HTML that cannot be broken out of: whatever is no `Markup` is escaped, wherever it is put."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from deia.text import clean

Child = object
"""A `Markup` as it stands, None for nothing, a list or tuple for what is in it; anything else as text."""

_VOID = frozenset(("input", "link", "meta", "rect"))
"""Elements without an end."""


class Markup(str):
    """HTML, finished: made by `tag` and `join`, of what they escaped."""

    __slots__ = ()


def tag(name: str, /, *children: Child, **attributes: object) -> Markup:
    """Return an element.

    Args:
        name: Its name, which is ours.
        children: What is in it.
        attributes: Its attributes, whose names are ours: `class_` is `class`, `aria_label` is `aria-label`. False and
            None leave one out, True writes its name alone.
    """
    given = "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(children)}</{name}>")


def join(children: Iterable[Child]) -> Markup:
    """Return what stands one after the other."""
    return Markup("".join(map(_html, children)))


def _html(child: Child) -> str:
    if isinstance(child, Markup):
        return child
    if child is None:
        return ""
    if isinstance(child, (list, tuple)):
        return join(child)
    return text(child)


def text(value: object) -> Markup:
    """Return foreign text: with what a page would obey escaped, and what would hide or reorder it made visible."""
    return Markup(escape(clean(value), quote=True))


def with_code(sentence: str, code: Sequence[str]) -> Markup:
    """Return a sentence in which what is to be typed is `code`.

    Args:
        sentence: The sentence, in which that stands in backticks.
        code: What is to be typed. Nothing else in backticks is: it may be part of a foreign name.
    """
    parts: list[Child] = [sentence]
    for term in code:
        parts = [piece for part in parts for piece in _split(part, term)]
    return join(parts)


def _split(part: Child, term: str) -> list[Child]:
    if isinstance(part, Markup):
        return [part]
    first, *others = str(part).split(f"`{term}`")
    return [first, *(piece for other in others for piece in (tag("code", term), other))]


def _attribute(name: str, value: object) -> str:
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{text(value)}"'
