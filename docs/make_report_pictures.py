"""Make the pictures of a report for the documentation: `python docs/make_report_pictures.py`.

It needs the extra `report`, playwright, and Debian's `chromium`.
"""

from __future__ import annotations

import os
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from deia.report.model import make_report
from deia.report.page import page

PICTURES = Path(__file__).resolve().with_name("how-to") / "pictures"

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.journals import Lines  # noqa: E402  # the tests' helpers are no package


def session() -> bytes:
    """Return the log of an afternoon of an agent that fixes tests, the same each time."""
    chance = random.Random(4)
    lines = Lines("AGENT-004", "fix-the-tests")
    made = [lines.message("user", "Please make the tests pass.", at=0)]
    now = 1.0
    for turn in range(14):
        outer = lines.seq + 1
        name = ("read the code", "edit", "run the tests")[turn % 3]
        made.append(lines.begin(name, at=now))
        began = now
        for _ in range(chance.randint(1, 3)):
            thought = chance.uniform(4, 14)
            now += thought
            tokens = {"input_tokens": chance.randint(8_000, 30_000), "output_tokens": chance.randint(100, 900)}
            made.append(
                lines.llm(
                    "large", round(thought * 1000), at=now, provider="acme", cost_usd=0.08, task_id=outer, **tokens
                )
            )
            if name == "run the tests":
                inner = lines.seq + 1
                made.append(lines.begin("check", parent_id=outer, at=now))
                slow = chance.uniform(10, 26)
                failed = chance.random() < 0.4
                error = {"error": "3 tests failed", "error_type": "TestsFailed"} if failed else {}
                calls = [
                    (slow, "pytest", {"path": "tests/"}, error),
                    (slow * 0.6, "mypy", {"path": "src/"}, {}),
                    (2.5, "ruff", {"path": "."}, {}),
                ]
                for took, tool, params, further in sorted(calls, key=lambda call: call[0]):
                    made.append(
                        lines.tool(tool, round(took * 1000), params=params, at=now + took, task_id=inner, **further)
                    )
                made.append(lines.complete(inner, "check", began=now, at=now + slow + 0.2, parent_id=outer))
                now += slow + 0.3
            else:
                for number in range(chance.randint(2, 6)):
                    took = chance.uniform(0.1, 1.4)
                    now += took
                    path = f"src/app/module_{(turn + number) % 7}.py"
                    made.append(lines.tool("grep", round(took * 1000), params={"path": path}, at=now, task_id=outer))
                    operation = "write" if name == "edit" and number % 2 else "read"
                    made.append(lines.file(operation, path, at=now, task_id=outer, size_bytes=3000 + 400 * number))
        made.append(lines.complete(outer, name, began=began, at=now))
        now += 0.5
        if turn == 8:
            now += 150
            made.append(lines.message("user", "Yes, go on.", at=now))
            now += 0.5
    return b"".join(made)


def main() -> None:
    """Make all of them."""
    executable = shutil.which("chromium")
    if executable is None:
        sys.exit("chromium is not installed")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, sync_playwright() as playwright:
        log = Path(directory, "AGENT-004_fix-the-tests.jsonl")
        log.write_bytes(session())
        place = log.with_suffix(".html")
        os.chdir(directory)  # the page names the log as it is given here
        place.write_bytes(page(make_report(log.name)))
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])

        def opened(colours: str, height: int) -> Any:
            context = browser.new_context(viewport={"width": 1280, "height": height}, color_scheme=colours)
            shown = context.new_page()
            shown.goto(place.as_uri())
            return shown

        for colours in ("light", "dark"):
            opened(colours, 1190).screenshot(path=PICTURES / f"report-{colours}.png")
        opened("light", 900).locator("figure.over-time").screenshot(path=PICTURES / "at-once-light.png")
        zoomed = opened("dark", 900)
        zoomed.locator(".timeline .lanes").focus()
        for key in ("Shift+ArrowRight",) * 13 + ("+",) * 4:
            zoomed.keyboard.press(key)
        zoomed.wait_for_timeout(200)  # for the next frame
        zoomed.locator("#timeline").screenshot(path=PICTURES / "timeline-dark.png")
        browser.close()


if __name__ == "__main__":
    main()
