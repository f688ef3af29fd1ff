"""What models cost, by a list that whoever imports gives.

None is built in: prices change, and a wrong one is worse than none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from fnmatch import translate
from typing import Any

from deia import system
from deia.journal.limits import LARGEST

_MOST_BYTES = 1024 * 1024
"""A list of every model that there is takes less than a tenth of that; another file was meant."""

_NEEDED = ("input", "output")


@dataclass(frozen=True)
class Price:
    """Dollars per million tokens; None where the list does not say.

    Attributes:
        input: What goes in and has nothing to do with the cache.
        output: What comes out.
        cache_read: What comes from the cache.
        cache_write_5m: What goes into the cache for five minutes.
        cache_write_1h: What goes into it for an hour.
    """

    input: float
    output: float
    cache_read: float | None = None
    cache_write_5m: float | None = None
    cache_write_1h: float | None = None


_NAMES = tuple(Price.__dataclass_fields__)


class Prices:
    """A list of prices by the names of models.

    A `*` in a name stands for any characters. A name without it goes before all that have one, and of these the one
    with the most other characters does.
    """

    def __init__(self, by_name: Mapping[str, Price]) -> None:
        """Take a list."""
        self._by_name = dict(by_name)
        patterns = sorted((name for name in by_name if "*" in name), key=lambda name: name.count("*") - len(name))
        self._patterns = [(re.compile(translate(_star_alone(name))), name) for name in patterns]

    def __bool__(self) -> bool:
        """Whether there is a price in it."""
        return bool(self._by_name)

    def of(self, model: str) -> Price | None:
        """Return the price of a model; None where the list has none."""
        if model in self._by_name:
            return self._by_name[model]
        return next((self._by_name[name] for pattern, name in self._patterns if pattern.match(model)), None)

    def only(self, models: Iterable[str]) -> Prices:
        """Return the part of the list that these models need, by their own names."""
        found = ((model, self.of(model)) for model in models)
        return Prices({model: price for model, price in found if price is not None})

    @property
    def object(self) -> dict[str, dict[str, float]]:
        """The list, as `parse` takes it."""
        return {
            model: {name: value for name, value in asdict(price).items() if value is not None}
            for model, price in sorted(self._by_name.items())
        }


def read(path: str) -> Prices:
    """Read a list from a file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no such list; the text says what is wrong, and where.
    """
    size = system.stat_file(path).st_size
    if size > _MOST_BYTES:
        raise ValueError(f"too long for a list of prices: {size:,} bytes")
    with system.open_for_reading(path) as file:
        data = file.read(_MOST_BYTES)
    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_each_once)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return parse(value)


def parse(value: object) -> Prices:
    """Make a list of what JSON says.

    Raises:
        ValueError: It is no such list; the text says what is wrong, and where.
    """
    if type(value) is not dict:
        raise ValueError("not an object with the names of models")
    return Prices({model: _price(model, given) for model, given in value.items()})


def _price(model: str, given: object) -> Price:
    if type(given) is not dict:
        raise ValueError(f"{model!r}: not an object with prices")
    for name, value in given.items():
        if name not in _NAMES:
            raise ValueError(f"{model!r}: there is no price called {name!r}, only {', '.join(_NAMES)}")
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not 0 <= value <= LARGEST:
            raise ValueError(f"{model!r}: {name!r} is to be dollars per million tokens, not {json.dumps(value)[:40]}")
    for name in _NEEDED:
        if name not in given:
            raise ValueError(f"{model!r}: the price {name!r} is missing")
    return Price(**{name: float(value) for name, value in given.items()})


def _star_alone(name: str) -> str:
    """Return a name as a pattern of the shell's, of which `[` and `?` stand for themselves: models are called so."""
    return name.replace("[", "[[]").replace("?", "[?]")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} stands there twice")
        found[name] = value
    return found
