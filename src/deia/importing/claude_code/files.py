"""Which file a tool has read or written, and how much of it, as far as a transcript tells."""

from __future__ import annotations

from deia.importing import fields as of
from deia.importing.claude_code.records import Fields, mapping, text

_READ = frozenset(("Read", "NotebookRead"))
_WRITTEN = frozenset(("Write", "Edit", "MultiEdit", "NotebookEdit"))


def file_event(name: str, given: Fields, outcome: object) -> Fields | None:
    """Return the fields of the FileEvent of a tool call that was carried through; None where it is none.

    Args:
        name: The tool.
        given: Its input.
        outcome: What the record of its result says beside the result itself.
    """
    if name not in _READ and name not in _WRITTEN:
        return None
    told = mapping(outcome)
    path = text(given.get("file_path")) or text(given.get("notebook_path")) or text(told.get("filePath"))
    if not path:
        return None
    if name in _READ:
        return of.file(path, "read", *_read(mapping(told.get("file"))))
    content = _written(name, given, told)
    if content is None:
        return of.file(path, "write", None, None)
    return of.file(path, "write", of.bytes_in(content), of.lines_in(content))


def _read(file: Fields) -> tuple[int | None, int | None]:
    """Return bytes and lines of what was read: a part of the file, maybe; of an image its bytes."""
    content, size = file.get("content"), file.get("originalSize")
    if type(content) is str:
        return of.bytes_in(content), of.lines_in(content)
    return (size if type(size) is int else None), None


def _written(name: str, given: Fields, told: Fields) -> str | None:
    """Return the whole of a file as it was written; None where the transcript does not have it.

    An edit writes the file anew: that is what it was before, with the changes in it.
    """
    if name == "Write":
        content = told.get("content", given.get("content"))
        return content if type(content) is str else None
    if name == "NotebookEdit":
        content = told.get("updated_file")
        return content if type(content) is str else None
    if told.get("userModified") is True:
        return None
    before = told.get("originalFile", told.get("originalFileContents"))
    edits = given.get("edits") if name == "MultiEdit" else [given]
    if type(edits) is not list or not edits:
        return None
    content = text(before)
    for number, edit in enumerate(map(mapping, edits)):
        old, new = edit.get("old_string"), edit.get("new_string")
        if type(old) is not str or type(new) is not str:
            return None
        if not old and not number and not content:
            content = new  # it makes the file
        elif not old or not new or old not in content:
            return None  # what is taken out takes its line end along, or not
        else:
            content = content.replace(old, new) if edit.get("replace_all") is True else content.replace(old, new, 1)
    return content
