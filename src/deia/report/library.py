"""The charts' code: Chart.js, as the package `chartkick` brings it; nothing of it is ours, or copied into our tree."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec

from deia import system
from deia.errors import DeiaError

_PACKAGE = "chartkick"
_PLACE = ("django", "static", "chartkick", "Chart.bundle.js")
"""Where it lies in the package, which knows it as a static file of a web framework that is not needed for it."""

_INSTALL = "the report needs chartkick and rjsmin: python -m pip install 'deia[report]'"


class ChartsMissingError(DeiaError):
    """The package with the charts' code is not installed, or not as it was."""


def charts_code() -> str:
    """Return the code of Chart.js, without what only its developers read; the licences stay.

    Its package is not imported.

    Raises:
        ChartsMissingError: It is not there.
    """
    try:
        jsmin = import_module("rjsmin").jsmin  # it has no types
    except ModuleNotFoundError:
        raise ChartsMissingError(_INSTALL) from None
    spec = find_spec(_PACKAGE)
    for directory in (spec and spec.submodule_search_locations) or ():
        try:
            with system.open_for_reading(os.path.join(directory, *_PLACE)) as file:
                code = file.read().decode("utf-8")
        except FileNotFoundError:
            continue
        # Line ends as a page is read, for that is what is hashed.
        return str(jsmin(code.replace("\r\n", "\n"), keep_bang_comments=True))
    raise ChartsMissingError(_INSTALL)
