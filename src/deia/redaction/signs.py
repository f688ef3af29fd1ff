r"""Signs that there may be a secret: cheap to look for, in an encoded line as in decoded text.

Every rule implies one of them, so whatever shows no sign needs no rule. Each is looked for in two steps: is there a
certain character at all (one look at memory), and then, is there what makes it a sign. Those searches begin with fixed
characters, because only then `re` need not stop at every character on its way; what stands *before* these is asked by
looking behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from string import ascii_lowercase
from typing import NamedTuple

from deia.redaction.names import KEY_OF, KINDS
from deia.redaction.search import Search

_BODY = r"[^\x00-,./:-@[-^`{-\x7f]"
_JOINT = r"[^\x00-\x1f!-,/-Z[-^`-\x7f]"
_IN_NAME = r"[^\x00-,/-Z[-^`-\x7f]"
"""What tokens are made of; what may stand between the words of a name, and of one in a text: told by what of ASCII they
are not, for text and for bytes alike. (In text, a set up to the last character takes `re` milliseconds to compile.)"""


def _by_length(words: Iterable[str]) -> Iterator[str]:
    """Yield alternatives of a look behind, which have to be equally long."""
    for _, equal in groupby(sorted(words, key=lambda word: (len(word), word)), len):
        yield "|".join(equal)


_WHOLE = frozenset(
    word for word in KINDS if not word.endswith(tuple(f"{c}{other}" for c in ascii_lowercase for other in KINDS))
)
"""Names that are one word, without those that end in another of them."""

_BEFORE_KEY = f"(?:{'|'.join(sorted({word[-2:] for word in KEY_OF}))})"
_ENDINGS = (
    *_by_length(_WHOLE),
    *(f"{before}key" for before in (_BEFORE_KEY, _BEFORE_KEY + _JOINT, f"{_IN_NAME}{{2}}")),
    *(f"{before}keys" for before in (f"pi{_JOINT}", f"{_IN_NAME}{{2}}")),
    *(rf"[^\x00-,/:-@[-^`{{-\x7f]{name}" for name in ("pwd", "pass")),
    "password[0-9]",
)
"""How the names of secrets end in a text. No more than a filter, `names.kind_of` decides; but each text that passes it
and holds no secret costs a hundred times what the filter takes, so it asks for whole words."""

_LOOSE_ENDINGS = (
    *_by_length(_WHOLE),
    *(f"{before}(?:{names})" for before in (r"[^\"]", r"[^{,:\[]\"") for names in ("key|pwd", "keys|pass")),
    "value",
)
"""The same for keys of mappings, in which anything may stand between two words; and the `value` beside which a name
may stand."""

_QUICK = "(?<=[JORASKEIPjoraskeip][WRDSETIALYOwrdsetialyo][TDSENLYtdsenly0-9]{})"
_LAST_THREE = frozenset(word[-3:] for word in (*_WHOLE, "key", "keys", "pass", "pwd", "value"))
"""The last three characters of all of them, as three sets and then one by one: almost all that is none fails at one of
these, and costs no more than that. (The sets have both cases: `re` asks those faster than for either case.)"""


def _after_name(suffix: str, endings: Iterable[str] = _ENDINGS, quick: str = _QUICK) -> str:
    """Return a pattern: the name of a secret stands before `suffix`, which ends here."""
    last_three = f"(?<=(?i:{'|'.join(sorted(_LAST_THREE))}|rd[0-9]){suffix})"
    return f"{quick.format(suffix)}{last_three}(?:{'|'.join(f'(?<=(?i:{ending}){suffix})' for ending in endings)})"


def _after_quoted_name(end: str, slashes: tuple[int, ...]) -> str:
    """Return the same for a name in quotes, themselves behind so many backslashes."""
    return "|".join(_after_name(r"\\" * count + end) for count in slashes)


def _after_key(suffix: str) -> str:
    """Return a pattern: as `_after_name`, for keys in JSON; `odd` are those that do not end in a letter.

    What `kind_of` says of those (`Password:`, `password12`) is asked of itself.
    """
    quick = "(?<=[JORASKEIPLjoraskeipl][WRDSETIALYOUwrdsetialyou][TDSENLYEtdsenlye0-9]{})"  # `_QUICK`, and `lue`
    # what no name ends at is a quote behind one backslash
    ends = (r"[^A-Za-z\\]", r"[^\\]\\\\", r"\\\\\\\\", r"\\[bfnrt]", r"\\u00[01][a-f]")
    odd = f"(?:{'|'.join(f'(?<={end}{suffix})' for end in ends)})(?P<odd>)"
    return f"(?:{_after_name(suffix, _LOOSE_ENDINGS, quick)}|{odd})"


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


# No more than 16 characters of what is longer in most rules, and then what stands before them: few names in programs
# have the first, and hardly any both.
_UNDERSCORE = (
    r"_(?:[A-Za-z0-9]{16}(?<=(?:h[pousr]|ve|st|ec|pm|hf|v1|at|ca|pa|ss|sk|r8|pi|tn|bp)_[A-Za-z0-9]{16})"
    rf"|(?<=[po]at_){_BODY}{{16}})"
)
_BEFORE_HYPHEN = (
    *("sk", "xox.", "gl[a-z]{2}", "gl[a-z]{3}", "glsoat", "pypi"),
    *("xapp", "GOCSPX", "KEY", "xai", "pplx", "tvly"),
)
_AFTER_HYPHEN = "|".join(f"(?<={before}-{_BODY}{{16}})" for before in _BEFORE_HYPHEN)
_HYPHEN = f"(?<=[a-zXY]-){_BODY}{{16}}(?:{_AFTER_HYPHEN})|----BEGIN"
# the name of an option ends before a space; one that ends in no letter is not read any further here
_OPTION = rf"-(?!-){_BODY}{{1,320}} (?:{_after_name(' ')}|(?<=[^\x00-/:-^`-\x7f] )|(?<=[A-Za-z0-9_]- ))"

FORMS: dict[str, Sign] = {
    "_": _sign("_", _UNDERSCORE),
    "-": _sign("-", f"-(?:{_HYPHEN})", f"-(?:{_HYPHEN}|{_OPTION})"),
    "G": _sign("G", rf"SG\.{_BODY}{{16}}"),
    "9": _sign("9", rf"ya29\.{_BODY}{{16}}"),
    "B": _sign("B", r"hooks\.slack\.com/services/T"),
    "A": _sign("A", rf"A(?:KIA|SIA|BIA|CCA|Iza|TATT3|(?<=[0-9]:A)A{_BODY}{{33}})"),
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
    _sign(
        "'",
        f"'[] :=](?:{_after_quoted_name(chr(39) + '[] :=]', (0, 1, 2))})",
        f"'[] :=](?:{_after_quoted_name(chr(39) + '[] :=]', (0, 2, 4))})",
    ),
)
"""Of `assignments`: the name before a secret, and what is between the two."""

KEYS = Search(f'":{_after_key(chr(34) + ":")}'.encode())
"""Of the keys of mappings, in JSON: the name of a secret, or the `value` beside which a name may stand."""

PAIRS = Search(f'",{_after_key(chr(34) + ",")}'.encode())
"""Of pairs, in JSON: a list of two, a secret's name the first."""

JSON = Search(rb'"[\s\\\[{\x80-\xff](?<=[:,\[{]".)(?:(?<=[\[{])|[\s\x80-\xffa-f0-9\\nrtu]*[\[{])')
"""A text that may be JSON itself: how it begins."""
