"""One file of HTML that needs no other, and in which the browser runs nothing but the scripts that we put there."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence

from deia import system
from deia.report.markup import Markup, tag

_SCRIPTS = ("format.js", "items.js", "axis.js", "painter.js", "timeline.js", "table.js", "charts.js", "main.js")
"""Ours, in the order in which they build on each other; on the page they are one."""

_FOLLOWING = "live.js"
"""Before them, on a page that is served."""

_ASSETS = os.path.join(os.path.dirname(__file__), "assets")

_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' "
    "rx='3' fill='%23d9541e'/%3E%3Cpath d='M3 5h7M5 8h8M4 11h5' stroke='white' stroke-width='2'/%3E%3C/svg%3E"
)


def document(title: str, body: Markup, *, data: str, scripts: Sequence[str], version: int | None = None) -> bytes:
    """Return a page.

    Args:
        title: Its title.
        body: What is seen of it.
        data: JSON for the scripts, in which nothing can be taken for HTML; empty where there are none.
        scripts: What runs on it, once it is there.
        version: Its number, where it is served and told of later ones; it may then ask its own server, and nobody else.
    """
    style = _asset("report.css")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag(
            "meta", http_equiv="Content-Security-Policy", content=_policy(style, scripts, is_served=version is not None)
        ),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{title} – Deia"),
        tag("link", rel="icon", href=_ICON),
        tag("style", Markup(style)),
    )
    island = tag("script", Markup(data), type="application/json", id="data") if data else None
    news = None if version is None else _news()
    running = [tag("script", Markup(script)) for script in scripts]
    whole = tag("html", head, tag("body", body, news, island, running), lang="en", data_version=version)
    return f"<!doctype html>\n{whole}\n".encode()


def own_script(*, is_served: bool = False) -> str:
    """Return our scripts as one, whose names no other script sees.

    Args:
        is_served: Whether the page follows its session.
    """
    return _closed("\n".join(map(_asset, (_FOLLOWING, *_SCRIPTS) if is_served else _SCRIPTS)))


def follow_script() -> str:
    """Return the script of a page that is served and has nothing else that moves."""
    return _closed(f"{_asset(_FOLLOWING)}\nfollow();\n")


def _closed(script: str) -> str:
    return f'"use strict";\n(() => {{\n{script}}})();\n'


def _news() -> Markup:
    """Return where a page that is served says whether there is something new."""
    button = tag("button", "Show it", type="button", hidden=True)
    return tag("p", tag("span", "Live"), " ", button, class_="live", role="status", hidden=True)


def _policy(style: str, scripts: Sequence[str], *, is_served: bool) -> str:
    """Return what the browser may do: run and apply what is known by its hash, and nothing else.

    It may ask for no address (but for those of its own server, where it is served), send no form, and make neither a
    script nor an element out of a text, whatever a log holds.
    """
    return "; ".join(
        [
            "default-src 'none'",
            "script-src " + (" ".join(map(_hash, scripts)) or "'none'"),
            f"style-src {_hash(style)}",
            "img-src data:",
            *(["connect-src 'self'"] if is_served else []),
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _asset(name: str) -> str:
    with system.open_for_reading(os.path.join(_ASSETS, name)) as file:
        return file.read().decode("utf-8")


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
