"""What an exception has to say: its type, its message, where it came from. Nothing here raises."""

from __future__ import annotations

import sys
from typing import Any

from deia.plain import plain, readable
from deia.services import arguments
from deia.system import raised_by_signal_handler

_CANCELLATIONS = (("asyncio", "CancelledError"), ("trio", "Cancelled"))
_GROUPS = (("builtins", "BaseExceptionGroup"), ("exceptiongroup", "BaseExceptionGroup"))
"""Module and name; the latter's before Python 3.11."""


def outcome(error: BaseException | None) -> dict[str, Any]:
    """Return the fields that tell how a block ended: none where it came to its end, or was left in good order."""
    if error is None or isinstance(error, GeneratorExit) or (isinstance(error, SystemExit) and not error.code):
        return {}
    if _is_cancellation(error):
        return {"cancelled": True}
    kind, message = told(error)
    return {"error_type": kind, "error": message}


def _is_cancellation(error: BaseException) -> bool:
    """Whether an exception is how asyncio or trio cancels, or a group of nothing else, however deep."""
    cancellations, groups = _known(_CANCELLATIONS), _known(_GROUPS)
    parts = [error]
    while parts:
        part = parts.pop()
        if isinstance(part, groups):
            parts.extend(part.exceptions)  # type: ignore[attr-defined]  # only on an exception group
        elif not isinstance(part, cancellations):
            return False
    return True


def _known(names: tuple[tuple[str, str], ...]) -> tuple[type[BaseException], ...]:
    """Return classes of modules that are imported: whoever has raised one has."""
    found = [getattr(sys.modules.get(module), name, None) for module, name in names]
    return tuple(kind for kind in found if kind is not None)


def told(error: object) -> tuple[str | None, str]:
    """Return the type and the message of an error.

    Args:
        error: An exception; or whatever else tells what went wrong, which has no type.

    Returns:
        The type with its module, unless that is built in; and the message, or the type where there is none.
    """
    if not isinstance(error, BaseException):
        form = plain(error)
        return None, form if isinstance(form, str) and form else readable(error)
    kind = type(error)
    name = message = ""
    try:
        name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
        message = str(error)
    except Exception as broken:  # a `__str__` of the caller's, or what its class makes of its name
        if raised_by_signal_handler(broken):
            raise
        message = readable(error)
    name, message = (str.encode(text, "utf-8", "backslashreplace").decode() for text in (name, message))
    return name or message, message or name


def failure(error: object, error_type: object) -> dict[str, Any]:
    """Return the fields of an error of which one of the two is given: what says it, what kind it is."""
    if error is None:
        text = arguments.readable_text(error_type)
        return {"error_type": text, "error": text}
    kind, message = told(error)
    return {"error_type": kind if error_type is None else arguments.readable_text(error_type), "error": message}


def origin(error: BaseException, *, where: bool = True, traceback: bool = True) -> tuple[str | None, str | None]:
    """Return where an exception was raised, and its traceback as Python shows it; None each where it was not raised.

    Args:
        error: The exception.
        where: Whether the first is wanted.
        traceback: Whether the second is.
    """
    entry = error.__traceback__
    if entry is None:
        return None, None
    place = trace = None
    if traceback:
        trace = _shown(error)
    if where:
        while entry.tb_next is not None:
            entry = entry.tb_next
        code = entry.tb_frame.f_code
        place = f"{code.co_filename}:{entry.tb_lineno} in {code.co_name}"
    return place, trace


def _shown(error: BaseException) -> str:
    from traceback import format_exception  # only who has an error needs it

    try:
        return "".join(format_exception(type(error), error, error.__traceback__))
    except Exception as broken:  # an exception of the caller's that cannot be shown
        if raised_by_signal_handler(broken):
            raise
        return readable(error)
