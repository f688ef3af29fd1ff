"""What is not real in the demo: its models, which answer by this script after a moment, and the person it waits for.

Models, tokens and prices are made up, and are called so that nobody takes them for somebody's.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass

from deia.cli.demo.plan import Package, Plan

PROVIDER = "demo"

PERSON_S = 1.0
"""How long the person takes to agree to the plan, seconds: long enough to be seen in a report."""

_CACHED_TOKENS = 1_500
"""What each request begins with, and the provider has in its cache: the agent's instructions."""

_MOST_TOKENS = 30_000
"""Of the sources of one package that its reviewer is shown."""

_BYTES_A_TOKEN = 4


@dataclass(frozen=True)
class Model:
    """A model, with its prices in dollars per million tokens.

    Attributes:
        name: What it is called.
        input_usd: What it reads.
        cached_usd: What it reads from the cache.
        output_usd: What it writes.
        thinks_s: How long it takes to answer, seconds.
    """

    name: str
    input_usd: float
    cached_usd: float
    output_usd: float
    thinks_s: float


LARGE = Model("demo-large", 5.0, 0.5, 25.0, 0.7)
SMALL = Model("demo-small", 1.0, 0.1, 5.0, 0.1)


@dataclass(frozen=True)
class Answer:
    """What a model says.

    Attributes:
        model: Which one.
        name: The provider's name for the answer.
        text: What it says.
        read_tokens: What it was shown, without what came from the cache.
    """

    model: Model
    name: str
    text: str
    read_tokens: int

    @property
    def input_tokens(self) -> int:
        """The whole input, what came from the cache included."""
        return self.read_tokens + self.cached_tokens

    @property
    def cached_tokens(self) -> int:
        """Of the input, what came from the cache."""
        return _CACHED_TOKENS

    @property
    def output_tokens(self) -> int:
        """The whole output."""
        return _tokens(len(self.text))

    @property
    def cost_usd(self) -> float:
        """What it costs."""
        model = self.model
        priced = (
            (self.read_tokens, model.input_usd),
            (self.cached_tokens, model.cached_usd),
            (self.output_tokens, model.output_usd),
        )
        return round(sum(tokens * price for tokens, price in priced) / 1e6, 6)


def request() -> str:
    """Return what the person asks for."""
    return f"Review the standard library of Python {platform.python_version()}: what is in it, and does it compile?"


def go_ahead() -> str:
    """Return what the person says to the plan."""
    return "Yes, go ahead."


def planned(plan: Plan) -> Answer:
    """Return the plan, in words."""
    named = ", ".join(package.name for package in plan.packages)
    said = (
        f"{len(plan.files)} modules in {len(plan.packages)} packages, three packages at a time: {named}. Shall I begin?"
    )
    return Answer(LARGE, "plan", said, _tokens(sum(len(str(file)) for file in plan.files)))


def reviewed(package: Package) -> Answer:
    """Return what there is to say of a package."""
    size = sum(file.stat().st_size for file in package.files)
    said = f"{package.name}: {len(package.files)} modules, {size} bytes, read, counted and compiled twice."
    return Answer(SMALL, f"review {package.name}", said, min(_tokens(size), _MOST_TOKENS))


def concluded(plan: Plan) -> Answer:
    """Return what is said in the end."""
    said = f"All {len(plan.packages)} packages are reviewed; the figures and what failed are in the report."
    return Answer(LARGE, "report", said, sum(reviewed(package).output_tokens for package in plan.packages))


def _tokens(size: int) -> int:
    return -(-size // _BYTES_A_TOKEN)
