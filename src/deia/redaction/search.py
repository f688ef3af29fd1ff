"""A regular expression that is compiled when it is first needed: most sessions need few of them."""

from __future__ import annotations

import re
from typing import Any


class Search:
    """Searches text, or bytes, for a pattern.

    Attributes:
        pattern: The pattern.
        search: Its compiled form's `search`, once it has been used: nothing stands in between then.
        finditer: Likewise.
    """

    __slots__ = ("finditer", "pattern", "search")

    def __init__(self, pattern: str | bytes | re.Pattern[str]) -> None:
        self.pattern: Any = pattern
        self.search: Any = lambda text: self._compile().search(text)
        self.finditer: Any = lambda text: self._compile().finditer(text)

    def _compile(self) -> re.Pattern[Any]:
        compiled = re.compile(self.pattern)
        self.search, self.finditer = compiled.search, compiled.finditer
        return compiled
