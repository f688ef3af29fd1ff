"""What the model calls of a transcript cost: it has their tokens, and whoever imports it the prices."""

from __future__ import annotations

from typing import Any

from deia.importing.claude_code.records import Fields, mapping, text
from deia.importing.prices import Prices
from deia.journal.limits import LARGEST

_ORDINARY = frozenset(("", "standard"))
"""Tiers of service that a list of prices is of; batches cost less, priority more."""


class Bill:
    """Puts a price on one model call after the other.

    Attributes:
        unpriced: The models of calls that have no cost for want of a price, each once, with what there is no price for.
    """

    def __init__(self, prices: Prices) -> None:
        """Begin, with a list of prices; an empty one puts none on any."""
        self.unpriced: dict[str, None] = {}
        self._prices = prices

    def cost_usd(self, model: str, usage: Fields) -> float | None:
        """Return what a call cost, US dollars; None where that cannot be told.

        Args:
            model: Its model.
            usage: What the answer says of its tokens.
        """
        tokens = _tokens(usage) if self._prices else None
        if tokens is None or not any(tokens.values()):
            return None
        tier = text(usage.get("service_tier"))
        price = self._prices.of(model)
        if price is None or tier not in _ORDINARY:
            self.unpriced[model if price is None else f"{model} ({tier})"] = None
            return None
        cost = 0.0
        for name, number in tokens.items():
            dollars = getattr(price, name)
            if number and dollars is None:
                self.unpriced[f"{model} ({name})"] = None
                return None
            cost += number * (dollars or 0.0)
        return cost / 1e6


def _tokens(usage: Fields) -> dict[str, int] | None:
    """Return how many tokens of each price there are; None where the answer does not tell them all."""
    written = usage.get("cache_creation_input_tokens") or 0
    kept = mapping(usage.get("cache_creation"))
    hour, minutes = kept.get("ephemeral_1h_input_tokens") or 0, kept.get("ephemeral_5m_input_tokens") or 0
    if not kept:
        minutes = written  # older versions do not say for how long: there was nothing but five minutes
    tokens: dict[str, Any] = {
        "input": usage.get("input_tokens"),
        "output": usage.get("output_tokens"),
        "cache_read": usage.get("cache_read_input_tokens") or 0,
        "cache_write_5m": minutes,
        "cache_write_1h": hour,
    }
    if not all(type(number) is int and 0 <= number <= LARGEST for number in tokens.values()):
        return None
    return tokens if minutes + hour == written else None
