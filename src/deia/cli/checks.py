"""`--fail-if` and `--target`: what sessions are held against, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from deia.analysis.compare import SMALLEST_CHANGE, Comparison
from deia.analysis.conditions import (
    Condition,
    ConditionError,
    Outcome,
    Side,
    Target,
    missing,
    parse_condition,
    parse_target,
)
from deia.cli.amounts import part
from deia.cli.output import Output
from deia.cli.page import Page, Tone

F = TypeVar("F", bound=Callable[..., Any])


def _condition(text: str) -> Condition:
    try:
        return parse_condition(text)
    except ConditionError as error:
        raise click.BadParameter(str(error)) from error


def _target(text: str) -> Target:
    try:
        return parse_target(text)
    except ConditionError as error:
        raise click.BadParameter(str(error)) from error


def _figure_target(text: str) -> Target:
    target = _target(text)
    if target.measure.kind is not None:
        raise click.BadParameter(f"{text!r}: only figures have targets here, such as tasks_per_hour.")
    return target


def min_change_option(command: F) -> F:
    """Give a command the option `--min-change`."""
    return click.option(
        "--min-change",
        type=part,
        default=f"{SMALLEST_CHANGE:.0%}",
        show_default=True,
        metavar="PERCENT",
        help="What changes by less is not called slower or faster.",
    )(command)


def fail_if_option(command: F) -> F:
    """Give a command the option `--fail-if`."""
    return click.option(
        "--fail-if",
        "conditions",
        multiple=True,
        type=_condition,
        metavar="EXPR",
        help="Exit with 1 if this is so: slower, tool:pytest p50 > 20%, tasks_per_hour < 8. Several may be given.",
    )(command)


def target_option(*, of_figures: bool = False) -> Callable[[F], F]:
    """Give a command the option `--target`.

    Args:
        of_figures: Whether tasks, tools and models have none here.
    """
    return click.option(
        "--target",
        "targets",
        multiple=True,
        type=_figure_target if of_figures else _target,
        metavar="NAME=VALUE",
        help="Exit with 1 if this is not reached: tasks_per_hour=8. Several may be given.",
    )


def judge_conditions(
    conditions: Sequence[Condition], comparison: Comparison, before: Side, after: Side
) -> list[Outcome]:
    """Return what came of each condition.

    Raises:
        UsageError: One is about a name that is nowhere: a condition that can never be met checks nothing.
    """
    for condition in conditions:
        if what := missing(condition.measure, before, after):
            raise click.UsageError(f"--fail-if {condition.text!r}: {what} in either group.")
    return [condition.judge(comparison, before, after) for condition in conditions]


def judge_targets(targets: Sequence[Target], side: Side) -> list[Outcome]:
    """Return what came of each target.

    Raises:
        UsageError: One is for a name that is not there.
    """
    for target in targets:
        if what := missing(target.measure, side):
            raise click.UsageError(f"--target {target.text!r}: {what}.")
    return [target.judge(side) for target in targets]


def show_checks(output: Output, conditions: Sequence[Outcome], targets: Sequence[Outcome]) -> None:
    """Show what came of conditions and targets, and let the exit code tell."""
    if not conditions and not targets:
        return
    page = output.page
    page.heading("Checks")
    for outcome in conditions:
        tones: dict[str, Tone] = {"met": "bad", "not met": "good", "cannot be told": "quiet"}
        words = {"met": "FAILED", "not met": "passed", "cannot be told": "cannot be told"}
        _show(page, words[outcome.judgement], tones[outcome.judgement], outcome)
    for outcome in targets:
        tones = {"met": "good", "not met": "bad", "cannot be told": "quiet"}
        words = {"met": "reached", "not met": "MISSED", "cannot be told": "cannot be told"}
        _show(page, words[outcome.judgement], tones[outcome.judgement], outcome)
    if any(outcome.judgement == "met" for outcome in conditions):
        output.found()
    if any(outcome.judgement == "not met" for outcome in targets):
        output.found()


def _show(page: Page, word: str, tone: Tone, outcome: Outcome) -> None:
    page.line(f"{word}: {outcome.text} ({outcome.says})", tone)
