"""Every sample of the README and of the documentation runs, and prints what its page says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from support.samples import NOT_RUN, RUN, SHOWN, SampleFailed, blocks, commands, matches, run_page

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
WITH_SAMPLES = [page for page in PAGES if any(block.language in RUN for block in blocks(page.read_text("utf-8")))]


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", WITH_SAMPLES, ids=name_of)
def test_samples_of_page_run_and_print_what_it_says(page: Path, tmp_path: Path) -> None:
    """Worked through from its top in an empty directory, a page keeps its word."""
    if re.search(r"^\$ (?:.*\| )?jq\b", page.read_text("utf-8"), re.MULTILINE) and shutil.which("jq") is None:
        pytest.skip("the page's samples use jq, which is not installed")
    assert run_page(page, tmp_path) > 0


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_page_hides_no_sample_behind_a_language_that_is_not_run(page: Path) -> None:
    """A block is of a language that is run, or of one that only shows data; what is not run is listed by name."""
    for block in blocks(page.read_text("utf-8")):
        assert block.language in RUN | SHOWN, f"{name_of(page)}:{block.line}"
        if block.language == "sh":
            assert set(block.body.splitlines()) <= NOT_RUN, f"{name_of(page)}:{block.line}"


def test_every_fence_of_a_page_is_found() -> None:
    """No block escapes because its fence is written in an unusual way."""
    for page in PAGES:
        text = page.read_text("utf-8")
        fences = re.findall(r"^ *(?:```|~~~)", text, re.MULTILINE)
        assert len(fences) == 2 * sum(1 + (block.output is not None) for block in blocks(text)), name_of(page)


def test_sample_that_prints_something_else_fails(tmp_path: Path) -> None:
    """The check checks: another output than the page's is a failure that names the line."""
    page = tmp_path / "page.md"
    page.write_text("One.\n\n```python\nprint(2)\n```\n\n```text\n1\n```\n", encoding="utf-8")
    with pytest.raises(SampleFailed, match=r"page\.md:3: expected\n1\n\nbut saw\n2\n"):
        run_page(page, tmp_path)


def test_sample_that_raises_fails(tmp_path: Path) -> None:
    """A sample without a shown output must still end well."""
    page = tmp_path / "page.md"
    page.write_text("```python\nraise SystemExit(3)\n```\n", encoding="utf-8")
    with pytest.raises(SampleFailed, match=r"page\.md:1: exit code 3"):
        run_page(page, tmp_path)


def test_failing_command_must_be_shown_to_fail(tmp_path: Path) -> None:
    """An exit code that is part of the page is checked like any output."""
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo no; exit 2\nno\n[exit code 2]\n```\n", encoding="utf-8")
    assert run_page(page, tmp_path) == 1


def test_titled_script_is_run_by_the_console_block_that_names_it(tmp_path: Path) -> None:
    """It is saved first, and not run twice."""
    page = tmp_path / "page.md"
    page.write_text(
        '```python title="a.py"\nopen("ran", "a").write("x")\n```\n```console\n$ python a.py\n$ cat ran\nx\n```\n',
        "utf-8",
    )
    assert run_page(page, tmp_path) == 2


def test_prompt_session_is_one_over_the_page(tmp_path: Path) -> None:
    """A name bound in one block is there in the next, and a wrong answer fails."""
    page = tmp_path / "page.md"
    page.write_text("```pycon\n>>> a = 1\n```\nand\n```pycon\n>>> a + 1\n2\n```\n", encoding="utf-8")
    assert run_page(page, tmp_path) == 1
    page.write_text("```pycon\n>>> 1 + 1\n3\n```\n", encoding="utf-8")
    with pytest.raises(SampleFailed, match="Expected"):
        run_page(page, tmp_path)


@pytest.mark.parametrize(
    ("expected", "got", "same"),
    [
        ("a\nb\n", "a\nb", True),
        ("a … b", "a 1 2 3 b", True),
        ("a … b", "a 1\n2 b", False),
        ("a\n…\nb", "a\n1\n2\nb", True),
        ("a\n…\nb", "a\nb", True),
        ("a.b", "axb", False),
        ("", "something", False),
    ],
)
def test_ellipsis_stands_for_what_differs_from_run_to_run(expected: str, got: str, same: bool) -> None:
    """Inside a line for a part of it, alone on a line for any number of lines, and for nothing else."""
    assert matches(expected, got) is same


def test_console_block_is_cut_into_commands_and_their_output() -> None:
    """A backslash goes on with the command; what follows it is output up to the next prompt."""
    assert list(commands("$ a \\\n  b\nout\nput\n$ c\n")) == [("a \\\n  b", "out\nput\n"), ("c", "")]
