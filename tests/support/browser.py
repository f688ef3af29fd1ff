"""Pages in a real browser that are watched: whatever they ask for, say, throw or pop up is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Viewer:
    """Opens pages, each in a window of its own.

    Attributes:
        complaints: What the pages asked for beyond themselves, wrote to the console, threw or popped up.
    """

    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self._contexts: list[Any] = []
        self.complaints: list[str] = []

    def __call__(self, path: Path, *, width: int = 1280, height: int = 900, **options: Any) -> Any:
        """Open a file as from disk.

        Args:
            path: The file.
            width: Of the window, pixels.
            height: Likewise.
            options: Of the browser's context: `color_scheme`, say.
        """
        context = self._browser.new_context(viewport={"width": width, "height": height}, **options)
        self._contexts.append(context)
        page = context.new_page()
        address = path.as_uri()

        def dismiss(dialog: Any) -> None:
            self.complaints.append(f"dialog: {dialog.message}")
            dialog.dismiss()

        def asked(request: Any) -> None:
            if request.url.partition("#")[0] != address and not request.url.startswith("data:image/svg+xml,"):
                self.complaints.append(f"request: {request.url}")

        page.on("dialog", dismiss)
        page.on("request", asked)
        page.on("console", lambda message: self.complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("popup", lambda popup: self.complaints.append(f"popup: {popup.url}"))
        page.goto(address)
        return page

    def close(self) -> None:
        """Close all of them."""
        for context in self._contexts:
            context.close()
