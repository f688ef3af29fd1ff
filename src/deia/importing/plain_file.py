"""Refuse what is no file before it is opened: to open a pipe would wait for a writer, who may never come."""

from __future__ import annotations

import errno
import os
import stat

from deia import system


def plain_file(path: str | os.PathLike[str]) -> os.stat_result:
    """Return the status of a file; links are followed.

    Raises:
        OSError: There is none, or it is a directory, a pipe, or another thing without a content of its own.
    """
    status = system.stat(path)
    if not stat.S_ISREG(status.st_mode):
        is_directory = stat.S_ISDIR(status.st_mode)
        raise OSError(errno.EISDIR if is_directory else errno.EINVAL, "not a plain file", os.fspath(path))
    return status
