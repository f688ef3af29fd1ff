"""The operating system, as the rest of the package sees it.

This is the only module that opens, writes, syncs, maps or locks a file, or reads a clock, so that a test can put a
world behind it that fails. Callers use it as `system.pwrite(...)`, never by importing a function out of it (the clocks
excepted).
"""

from __future__ import annotations

import _thread
import contextlib
import errno
import mmap
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from io import FileIO
from pathlib import Path
from stat import S_ISDIR, S_ISFIFO, S_ISREG, S_ISSOCK
from typing import TYPE_CHECKING, BinaryIO, TextIO, TypeVar

try:
    import fcntl
except ImportError:  # Windows has no flock: sessions go on without, and `statistics()` says so
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import subprocess
    import tempfile

FileT = TypeVar("FileT", bound=FileIO)

now = time.time
"""Wall clock, Unix seconds."""

monotonic = time.monotonic
"""Seconds that no one steps: for deadlines."""

stopwatch = time.monotonic
"""The same, for durations that are recorded. By a name of its own, so that a test may stop this clock, and nothing that
waits waits longer."""

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_CLOEXEC = getattr(os, "O_CLOEXEC", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
"""A pipe at one of our names must not hold up its opener; of a file it changes nothing."""
_MADV_POPULATE_WRITE = 23
"""Linux 5.14: make every page present and writable now, instead of one fault of 2–4 µs per page in a log call.
The `mmap` module has no name for it yet."""

pause = time.sleep
process_id = os.getpid

FILE_MODE = 0o600
DIRECTORY_MODE = 0o700

stat = os.stat
lstat = os.lstat
fstat = os.fstat
close = os.close
read = os.read
pwrite = os.pwrite
ftruncate = os.ftruncate
unlink = os.unlink
rename = os.replace
link = os.link
list_directory = os.listdir


def open_new(path: str | os.PathLike[str]) -> int:
    """Create a file for reading and writing; it must not exist."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC | _BINARY, FILE_MODE)


def open_or_create(path: str | os.PathLike[str]) -> int:
    """Open a file for reading and writing, made if missing.

    Raises:
        OSError: It cannot be; ELOOP for a symbolic link, EINVAL for a pipe, a socket or a device.
    """
    flags = os.O_RDWR | os.O_CREAT | _NOFOLLOW | _NONBLOCK | _CLOEXEC | _BINARY
    return _plain_file(os.open(path, flags, FILE_MODE), path)


def open_existing(path: str | os.PathLike[str], *, writable: bool = False) -> int:
    """Open a file that exists.

    Raises:
        OSError: As for `open_or_create`, or there is none.
    """
    flags = (os.O_RDWR if writable else os.O_RDONLY) | _NOFOLLOW | _NONBLOCK | _CLOEXEC | _BINARY
    return _plain_file(os.open(path, flags), path)


def _plain_file(fd: int, path: str | os.PathLike[str]) -> int:
    """Return a descriptor again, if it is a file's. A look at the name would tell of another moment."""
    mode = os.fstat(fd).st_mode
    if S_ISREG(mode):
        return fd
    os.close(fd)
    if S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    raise OSError(errno.EINVAL, "not a plain file", os.fspath(path))


def stat_file(path: str | os.PathLike[str]) -> os.stat_result:
    """Return the status of a file; links are followed.

    For whoever would open it next: to open a pipe waits for a writer, who may never come.

    Raises:
        OSError: There is none, or it is a directory, a pipe, or another thing without a content of its own.
    """
    status = os.stat(path)
    if not S_ISREG(status.st_mode):
        is_directory = S_ISDIR(status.st_mode)
        raise OSError(errno.EISDIR if is_directory else errno.EINVAL, "not a plain file", os.fspath(path))
    return status


def is_special(path: str | os.PathLike[str]) -> bool:
    """Tell whether a name is a directory's, a pipe's or a device's; of what is not there, or is a broken link, not."""
    try:
        return not S_ISREG(os.stat(path).st_mode)
    except OSError:  # whoever looks at it says what is the matter
        return False


def open_for_reading(path: str | os.PathLike[str]) -> FileIO:
    """Open a file as an unbuffered binary stream; links are followed, for it is only read."""
    return open(path, "rb", buffering=0)


def open_scratch() -> FileIO:
    """Open a file that has no name, for reading and writing; it is gone when nobody has it open any more."""
    import tempfile  # which whoever only records never needs

    return tempfile.TemporaryFile(buffering=0)


def open_as_asked(kind: type[FileT], path: str | os.PathLike[str], mode: str) -> FileT:
    """Open a file of the user's, as an unbuffered stream of a kind of ours."""
    return kind(path, mode)


def create_stream(path: str | os.PathLike[str]) -> BinaryIO:
    """Create a file, which must not exist, and return it as a buffered stream to write to."""
    return open(open_new(path), "wb", buffering=1024 * 1024)


def temporary_directory() -> tempfile.TemporaryDirectory[str]:
    """Make a directory of a program's own, private to the user; as a context it is gone at its end."""
    import tempfile

    return tempfile.TemporaryDirectory(prefix="deia-")


def pread(fd: int, size: int, offset: int) -> bytes:
    """Read `size` bytes at `offset`, however short each read is; fewer only where the file ends.

    A short read taken for the file's end would have recovery cut what it did not see.
    """
    data = os.pread(fd, size, offset)
    while len(data) < size and (more := os.pread(fd, size - len(data), offset + len(data))):
        data += more
    return data


def write_all(fd: int, data: bytes | memoryview, offset: int) -> int:
    """Write all of `data` at `offset`, however short each write is.

    Returns:
        The offset after the last byte.

    Raises:
        OSError: With what was written before it left in the file.
    """
    view = memoryview(data)
    while view:
        written = pwrite(fd, view, offset)
        view = view[written:]
        offset += written
    return offset


def sync(fd: int) -> None:
    """Return once the file's data is on the disk itself."""
    if sys.platform == "darwin" and fcntl is not None:
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # plain fsync leaves the data in the drive's cache there
    else:
        os.fsync(fd)


def open_directory(path: str | os.PathLike[str]) -> int:
    """Open a directory itself, to lock it."""
    return os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _CLOEXEC)


def sync_directory(path: str | os.PathLike[str]) -> None:
    """Make the names in a directory durable, where the platform can."""
    try:
        fd = open_directory(path)
    except PermissionError:  # a directory that may be written but not read; Windows has no such descriptor at all
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_directory(path: Path) -> list[Path]:
    """Make a directory and its parents, private to the user; return those that were made, outermost first."""
    missing: list[Path] = []
    while not path.is_dir():
        missing.append(path)
        if path.parent == path:
            break
        path = path.parent
    missing.reverse()
    for directory in missing:
        with contextlib.suppress(FileExistsError):  # another process was first; a file in the way raises on its child
            os.mkdir(directory, DIRECTORY_MODE)
    return missing


def exists(path: str | os.PathLike[str]) -> bool:
    """Tell whether there is a file, or what a link at that name points to."""
    return os.path.exists(path)


def is_directory(path: str | os.PathLike[str]) -> bool:
    """Tell whether there is a directory, or a link to one."""
    return os.path.isdir(path)


def is_link(path: str | os.PathLike[str]) -> bool:
    """Tell whether a name is a symbolic link."""
    return os.path.islink(path)


def real_path(path: str | os.PathLike[str]) -> str:
    """Return a path with every link in it resolved."""
    return os.path.realpath(path)


def list_apart(path: str | os.PathLike[str]) -> tuple[list[str], list[str]]:
    """Return the names in a directory: those of directories, and all others. Links are not followed."""
    directories: list[str] = []
    others: list[str] = []
    with os.scandir(path) as entries:
        for entry in entries:
            (directories if entry.is_dir(follow_symlinks=False) else others).append(entry.name)
    return directories, others


def is_empty(path: str | os.PathLike[str]) -> bool:
    """Tell whether a directory is empty; one that may not be read is taken not to be."""
    try:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    except PermissionError:
        return False


def lock(fd: int) -> bool | None:
    """Take the exclusive lock of an open file, without waiting.

    Returns:
        True if it is ours, False if another holder has it, None where the file system has no locks.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def is_locked(fd: int) -> bool | None:
    """Tell whether somebody holds the exclusive lock of an open file.

    There is no asking without taking: for an instant this holds a shared lock, which keeps openers out but not other
    askers.

    Returns:
        None where the file system has no locks.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def map_shared(fd: int, size: int, *, keeps_descriptor: bool = True) -> mmap.mmap:
    """Map a whole file for reading and writing, shared with the kernel's page cache.

    Args:
        fd: The file; it may be closed afterwards.
        size: Its size, bytes.
        keeps_descriptor: Whether the mapping is to keep a duplicate of `fd`, and with it a lock that `fd` holds, until
            it is closed. Before Python 3.13 each does.
    """
    if sys.platform == "win32":
        return mmap.mmap(fd, size)
    mode = mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE
    if sys.version_info >= (3, 13):
        return mmap.mmap(fd, size, *mode, trackfd=keeps_descriptor)
    return mmap.mmap(fd, size, *mode)


def load_word(fd: int, at: int) -> int:
    """Load an aligned 8-byte word of a file that another process may be storing, in one piece.

    `read` copies bytes and promises nothing about eight of them together; a mapped word is one load.
    """
    with mmap.mmap(fd, at + 8, access=mmap.ACCESS_READ) as mapping, memoryview(mapping) as view:
        with view[at : at + 8].cast("Q") as words:
            value: int = words[0]
    return value


def populate(mapping: mmap.mmap) -> None:
    """Fault in every page of a mapping for writing, where the kernel can; it saves time and nothing else."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # before Linux 5.14: the first lap pays the faults
            mapping.madvise(_MADV_POPULATE_WRITE)


def give_back(mapping: mmap.mmap) -> None:
    """Let go of a mapping's pages, where the platform can.

    The kernel keeps their content, and the next use of a page takes it back.
    """
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            mapping.madvise(mmap.MADV_DONTNEED)


def boot_id() -> bytes:
    """Sixteen bytes that change with every boot of the machine; zeros where they cannot be had."""
    global _boot_id
    if _boot_id is None:
        _boot_id = _read_boot_id()
    return _boot_id


_boot_id: bytes | None = None


def _read_boot_id() -> bytes:
    # without the built-in `open`, which is gone when a destructor logs at the very end of the interpreter
    try:
        fd = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | _CLOEXEC)
    except OSError:
        return bytes(16)
    try:
        return bytes.fromhex(os.read(fd, 64).decode("ascii").strip().replace("-", ""))
    finally:
        os.close(fd)


def start_thread(function: Callable[[], None]) -> None:
    """Run a function on a thread of its own, which never holds up the interpreter's exit.

    Not by `threading.Thread`, whose `start` waits for the thread: an exception that a signal handler raises in that
    wait leaves it half started, and a destructor at the interpreter's end would wait for ever.

    Raises:
        RuntimeError: The system gives us none, or the interpreter ends.
    """
    begun = _thread.allocate_lock()
    begun.acquire()

    def run() -> None:
        _beginning.pop(begun, None)
        begun.release()
        trace = threading.gettrace()
        if trace is not None:  # a debugger's, or a coverage tool's, as `threading.Thread` would install it
            sys.settrace(trace)
        function()

    _beginning[begun] = os.getpid()
    try:
        _thread.start_new_thread(run, ())
    except BaseException:
        _beginning.pop(begun, None)
        raise


_beginning: dict[_thread.LockType, int] = {}
"""Of each thread that was started and has not begun: the lock that it will release, and the process it is of."""


def wait_for_threads(timeout_s: float) -> None:
    """Wait until the threads have begun that were started, or for so long.

    For the end of the interpreter: CPython 3.10 and 3.11 crash where a thread begins when its state is gone already.
    """
    deadline = monotonic() + timeout_s
    for begun, pid in list(_beginning.items()):
        if pid == os.getpid():  # a fork has none of its parent's threads
            begun.acquire(timeout=max(0.0, deadline - monotonic()))


def raised_by_signal_handler(error: BaseException) -> bool:
    """Whether a signal's handler raised this, inside what was tried: a deadline, say, that is the program's to meet."""
    import signal  # which whoever has handlers has imported

    handlers = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code in handlers:
            return True
        trace = trace.tb_next
    return False


def _code(handler: object) -> object:
    """The code of a function, a method, what `functools.partial` made of one, or an object that can be called."""
    handler = getattr(handler, "func", handler)
    found = getattr(handler, "__code__", None)  # a method passes on its function's
    if found is None:
        found = getattr(vars(type(handler)).get("__call__"), "__code__", None)
    return found


class Process:
    """A process of ours that says something on its standard output.

    Attributes:
        output: Descriptor to read that from.
    """

    def __init__(self, started: subprocess.Popen[bytes]) -> None:
        assert started.stdout is not None
        self._started = started
        self._pipe = started.stdout
        self.output = self._pipe.fileno()

    def end(self) -> int:
        """Wait until it has ended; return its exit code, negative where that was a signal."""
        self._pipe.close()
        return self._started.wait()

    def kill(self) -> None:
        """End it, whatever it is doing."""
        self._started.kill()
        self.end()


def start_python(code: str, arguments: Sequence[str], *, stdin: int) -> Process:
    """Start an interpreter like this one, with statements to run, in isolation from environment and site.

    It is in a session of its own: a key that interrupts this process is for this one to handle.

    Raises:
        OSError: It cannot be started, or this interpreter has no executable that would be one.
    """
    import subprocess

    executable = sys.executable or ""
    if "python" not in os.path.basename(executable).lower() or getattr(sys, "frozen", False):
        # a program that Python is embedded in, or that was made of a script: it would start once more
        raise OSError(errno.ENOEXEC, "not a Python interpreter", executable)
    return Process(
        subprocess.Popen(
            [executable, "-I", "-S", "-c", code, *arguments],
            bufsize=0,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    )


def wait_readable(fds: Sequence[int]) -> list[int]:
    """Wait until descriptors have something to read, or their other ends are closed; return those of which it is so."""
    import selectors

    with selectors.DefaultSelector() as selector:
        for fd in fds:
            selector.register(fd, selectors.EVENT_READ)
        return [key.fd for key, _ in selector.select()]


def wait_closed(fd: int, timeout_s: float) -> bool:
    """Wait until whoever reads a pipe or a socket has gone, or for so long; return whether that is so."""
    import select

    mode = os.fstat(fd).st_mode
    if not (S_ISFIFO(mode) or S_ISSOCK(mode)) or not hasattr(select, "poll"):
        pause(timeout_s)
        return False
    poll = select.poll()
    poll.register(fd, 0)  # an error or an end is told unasked
    return bool(poll.poll(timeout_s * 1000))


@contextlib.contextmanager
def single_keys(stream: TextIO | None) -> Iterator[None]:
    """Have a terminal give each key at once, and not show it; what is no terminal stays as it is."""
    if stream is None or not stream.isatty():
        yield
        return
    import termios
    import tty

    fd = stream.fileno()
    before = termios.tcgetattr(fd)
    tty.setcbreak(fd)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def key_within(stream: TextIO | None, timeout_s: float) -> str | None:
    """Return a key that is pressed within so many seconds; None where none is, or where there is no keyboard.

    An empty text means that the terminal is gone.
    """
    import select

    if stream is None or not stream.isatty():
        pause(timeout_s)
        return None
    fd = stream.fileno()
    if not select.select([fd], [], [], timeout_s)[0]:
        return None
    try:
        return os.read(fd, 1).decode("latin-1")
    except OSError:
        return ""


def advance(fd: int, by: int) -> int:
    """Move a file's position on, in one step for all processes that share it; return where it was."""
    return os.lseek(fd, by, os.SEEK_CUR) - by


def usable_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def has_gil() -> bool:
    """Whether one lock serialises all Python code, which the ring's commit section leans on."""
    probe = getattr(sys, "_is_gil_enabled", None)
    return probe is None or bool(probe())
