r"""Signs that there may be a secret: cheap to look for, in an encoded line as in decoded text.

Every rule implies one of them, so whatever shows no sign needs no rule. Each is looked for in two steps: is there a
certain character at all (one look at memory), and then, is there what makes it a sign. Those searches begin with fixed
characters, because only then `re` need not stop at every character on its way; what stands *before* these is asked by
looking behind.
"""

from __future__ import annotations

from typing import NamedTuple

from deia.redaction.search import Search

_ENDINGS = (
    r"jwt",
    r"word|ords|sswd|rase|cret|rets|oken|okie|kies|tial|ials|[^\"'\\]key|[^\"'\\]pwd",
    r"word[0-9]|[^\"'\\]pass",
    r"pikeys|i[_. -]keys",
    r"rization",
)
"""How the names of secrets end, by length: alternatives of a look behind have to be equally long. No more than a
filter; `names.kind_of` decides."""


def _after_name(suffix: str, further: str = "") -> str:
    """Return a pattern: the name of a secret, or one of `further` endings, stands before `suffix`, which ends here."""
    # almost all that is none fails at one of its last three characters, and costs no more than that
    quick = rf"(?<=(?i:[joraseki{further[:1]}p][wrdsetialyo{further[1:2]}][tdsenly0-9]){suffix})"
    endings = [rf"(?<=(?i:{alternatives}){suffix})" for alternatives in (*_ENDINGS, *filter(None, [further]))]
    return f"{quick}(?:{'|'.join(endings)})"


def _after_quoted_name(end: str, slashes: tuple[int, ...]) -> str:
    """Return the same for a name in quotes, themselves behind so many backslashes."""
    return "|".join(_after_name(r"\\" * count + end) for count in slashes)


class Sign(NamedTuple):
    """What a text with a secret of some rules has.

    Attributes:
        character: What must be in the text.
        in_text: What must be found then, in decoded text.
        in_line: The same, in JSON.
    """

    character: str
    in_text: Search
    in_line: Search


def _sign(character: str, pattern: str, in_line: str = "") -> Sign:
    return Sign(character, Search(pattern), Search((in_line or pattern).encode()))


FORMS: dict[str, Sign] = {
    "_": _sign("_", r"_(?:[A-Za-z0-9]{16}|[po]at_[\w-]{16})"),
    "-": _sign(
        "-",
        r"-(?=[\w-]{5})(?:----BEGIN"
        r"|-(?=[\w-]{0,60}(?i:word|passwd|phrase|secret|token|jwt|-key|pass|pwd|cookie|credentials) )"
        r"|(?=[\w-]{16})(?:(?<=sk-)|(?<=xox.-)|(?<=gl[a-z]{2}-)|(?<=gl[a-z]{3}-)|(?<=glsoat-)|(?<=pypi-)"
        r"|(?<=xapp-)|(?<=GOCSPX-)|(?<=KEY-)|(?<=xai-)|(?<=pplx-)|(?<=tvly-)))",
    ),
    "G": _sign("G", r"SG\.[\w-]{16}"),
    "9": _sign("9", r"ya29\.[\w-]{16}"),
    "B": _sign("B", r"hooks\.slack\.com/services/T"),
    "A": _sign("A", r"A(?:KIA|SIA|BIA|CCA|Iza|TATT3|(?<=[0-9]:A)A[\w-]{33})"),
    "J": _sign("J", r"J(?<=eyJ)"),
    "@": _sign("@", r"://[^/\s\"]*@"),
}
"""Of the rules in `rules`: what a secret looks like."""

NAMES: tuple[Sign, ...] = (
    _sign("=", f"=(?:{_after_name('=')}|{_after_name(' =')})"),
    _sign(" ", f": {_after_name(': ')}"),
    _sign(
        '"',
        f'"[] :=](?:{_after_quoted_name(chr(34) + "[] :=]", (0, 1, 3))})',
        f'\\\\"[] :=](?:{_after_quoted_name(chr(34) + "[] :=]", (1, 3, 7))})',
    ),
    _sign("'", f"'[] :=](?:{_after_quoted_name(chr(39) + '[] :=]', (0, 1, 2))})"),
)
"""Of `assignments`: the name before a secret, and what is between the two."""

KEYS = Search(f'":{_after_name(chr(34) + ":", further="lue")}'.encode())
"""Of the keys of mappings, in JSON: the name of a secret, or the `value` beside which a name may stand."""

PAIRS = Search(f'",{_after_name(chr(34) + ",")}'.encode())
"""Of pairs, in JSON: a list of two, a secret's name the first."""
