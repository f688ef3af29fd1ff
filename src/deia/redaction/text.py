"""Find the secrets of one text, and put something else in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter

from deia.redaction.assignments import Span, assignments
from deia.redaction.names import is_placeholder
from deia.redaction.rules import BY_SIGN
from deia.redaction.search import Search
from deia.redaction.signs import FORMS

Mark = Callable[[str, str], str]
"""From kind and secret to what stands in its place."""


def find(text: str, further: Iterable[tuple[str, Search]] = (), *, names: bool = True) -> list[Span]:
    """Return the secrets of a text, in order, none within another.

    Args:
        text: The text.
        further: Kinds and patterns of the user's, beside our own.
        names: Whether a name before it makes something a secret.
    """
    spans = [span for kind, form in further for span in _matches(text, kind, form)]
    for name, sign in FORMS.items():
        if sign.character in text and sign.in_text.search(text):
            spans += [span for kind, form in BY_SIGN[name] for span in _matches(text, kind, form)]
    if names:
        spans += assignments(text)
    if len(spans) < 2:
        return spans
    spans.sort(key=itemgetter(0))  # stable: of two at one place the more telling kind comes first
    merged = spans[:1]
    for start, end, kind in spans[1:]:
        last_start, last_end, last_kind = merged[-1]
        if start < last_end:
            merged[-1] = (last_start, max(end, last_end), last_kind)
        else:
            merged.append((start, end, kind))
    return merged


def _matches(text: str, kind: str, form: Search) -> Iterable[Span]:
    for found in form.finditer(text):
        start, end = found.span("secret" if "secret" in found.re.groupindex else 0)
        if end > start and not is_placeholder(text[start:end]):
            yield start, end, kind


def replace(text: str, spans: list[Span], mark: Mark) -> str:
    """Return a text with a mark in the place of each secret."""
    parts = []
    at = 0
    for start, end, kind in spans:
        parts += [text[at:start], mark(kind, text[start:end])]
        at = end
    return "".join((*parts, text[at:]))
