"""Take the samples out of a Markdown page and run them, as a reader would who works through the page from its top.

What a fenced block is told by its first word:

    python    a script. It runs where it stands, or, where it has a `title="name.py"`, it is saved under that name, and
              runs with a later `console` block that names it.
    pycon     a session at the prompt, checked as doctest does; all of a page are one session.
    console   commands after `$`, run by bash, each followed by its output.
    text      right after `python`: the script's output. Elsewhere it is not run.
    jsonl, json, toml, ini and sh are not run; `sh` may only hold commands of `NOT_RUN`.

In expected output, `…` stands for anything on its line, and a line that is `…` alone for any number of lines.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

RUN = frozenset({"python", "pycon", "console"})
SHOWN = frozenset({"text", "jsonl", "json", "toml", "ini", "sh"})
NOT_RUN = frozenset(
    {
        "python -m pip install '.[cli]' && deia demo",
        "python -m pip install tox && tox",
        "deia import claude-code ~/.claude/projects/*/*.jsonl",
        "deia serve .deia/sessions/agent_tailed.jsonl",
        "deia top",
        "deia tail -f --type task,tool,error",
        "python -m pip install 'deia[report]'",
        "tox -e faults",
        "python -m pytest tests/faults/test_simulated_disk.py                    # about half a minute",
        "DEIA_FAULTS=full python -m pytest tests/faults/test_simulated_disk.py   # the long way",
        "DEIA_SEED=another python -m pytest tests/faults/test_simulated_disk.py  # other random outcomes",
    }
)
"""They install from an index, and take minutes: continuous integration runs the second; the demo has its own tests. Or
they go on until somebody ends them, and have their own tests, too."""

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=indent)(?P=fence) *$", re.MULTILINE | re.DOTALL
)
_TITLE = re.compile(r'\btitle="([^"]+)"')
TIMEOUT_S = 60


@dataclass(frozen=True)
class Block:
    """One fenced block of a page.

    Attributes:
        language: First word of the fence.
        title: File name, where the fence gives one.
        body: What stands between the fences, without their indentation.
        line: Line of the opening fence in the page, from 1.
        output: Body of the `text` block right after it, for a `python` block that has one.
    """

    language: str
    title: str | None
    body: str
    line: int
    output: str | None = None


def blocks(page: str) -> list[Block]:
    """Return every fenced block of a page, in order."""
    found: list[Block] = []
    end = 0
    for match in _FENCE.finditer(page):
        language, _, rest = match["info"].strip().partition(" ")
        title = _TITLE.search(rest)
        indent = len(match["indent"])
        body = "".join(line[indent:] if line.strip() else line for line in match["body"].splitlines(keepends=True))
        line = page.count("\n", 0, match.start()) + 1
        if language == "text" and found and found[-1].language == "python" and not page[end : match.start()].strip():
            script = found.pop()
            found.append(Block(script.language, script.title, script.body, script.line, body))
        else:
            found.append(Block(language, title[1] if title else None, body, line))
        end = match.end()
    return found


def commands(body: str) -> Iterator[tuple[str, str]]:
    """Yield (command, expected output) of a console block."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        while command.endswith("\\"):
            more, _, output = output.partition("\n")
            command = f"{command}\n{more}"
        yield command, output


def matches(expected: str, got: str) -> bool:
    """Tell whether an output is the expected one, `…` standing for what differs from run to run."""
    pattern = ""
    for line in expected.rstrip().split("\n"):
        if line.strip() == "…":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += "[^\n]*?".join(re.escape(piece) for piece in line.rstrip().split("…")) + r"[ \t]*\n"
    return re.fullmatch(pattern, got.rstrip() + "\n") is not None


class SampleFailed(AssertionError):
    """A sample did not run, or printed something else than its page says."""


def run_page(path: Path, directory: Path) -> int:
    """Run every sample of a page in a directory of its own; return how many ran.

    Raises:
        SampleFailed: With the page's line, what was expected and what was seen.
    """
    __tracebackhide__ = True
    page = blocks(path.read_text(encoding="utf-8"))
    named = {block.title for block in page if block.language == "python" and block.title}
    run_later = {name for name in named for block in page if block.language == "console" and name in block.body}
    session = "".join(block.body for block in page if block.language == "pycon")
    ran = 0
    for number, block in enumerate(page):
        where = f"{path.name}:{block.line}"
        if block.language == "python":
            name = block.title or f"sample_{number}.py"
            (directory / name).write_text(block.body, encoding="utf-8")
            if name not in run_later:
                _expect(where, [sys.executable, name], directory, block.output)
                ran += 1
        elif block.language == "console":
            for command, output in commands(block.body):
                _expect(f"{where}: $ {command}", ["bash", "-c", command], directory, output)
                ran += 1
    if session:
        # doctest compares; its own `...` is spelled as everywhere else on the page
        (directory / "session.txt").write_text(session.replace("…", "..."), encoding="utf-8")
        _expect(path.name, [sys.executable, "-m", "doctest", "-o", "ELLIPSIS", "session.txt"], directory, "")
        ran += 1
    return ran


def _expect(where: str, command: list[str], directory: Path, output: str | None) -> None:
    __tracebackhide__ = True
    done = subprocess.run(
        command,
        cwd=directory,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    code = done.returncode if done.returncode >= 0 else 128 - done.returncode  # a signal, as a shell reports it
    # a command that is shown to fail says so on its last line
    if code and not (output or "").rstrip().endswith(f"[exit code {code}]"):
        raise SampleFailed(f"{where}: exit code {code}\n{done.stdout}")
    got = done.stdout + (f"[exit code {code}]\n" if code else "")
    if output is not None and not matches(output, got):
        raise SampleFailed(f"{where}: expected\n{output}\nbut saw\n{got}")


def _environment() -> dict[str, str]:
    """Return the environment of a reader: this interpreter first on PATH, no setting of ours, English, 100 columns."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DEIA_", "TRACEPARENT"))}
    path = os.pathsep.join((os.path.dirname(sys.executable), kept.get("PATH", "")))
    return kept | {"PATH": path, "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8", "COLUMNS": "100", "NO_COLOR": "1"}
