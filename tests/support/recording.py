"""A process that records numbered events until it dies, and counts the calls that have returned where its death cannot
take them: in a file that it maps. Started by `support.recorder`, never imported.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

from deia import AsyncSessionLogger, SessionLogger
from deia.errors import WriterFailedError
from deia.testing.counters import map_counters

# The file systems of these tests are real and slow; a core file of each crash would make them slower.
try:
    import resource
except ImportError:  # Windows
    pass
else:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

# A shell starts its background jobs with SIGINT ignored, and that is inherited.
signal.signal(signal.SIGINT, signal.default_int_handler)

warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads, where a test wants one

config: dict[str, Any] = json.loads(sys.argv[1])
face: str = config["face"]
Logger: Any = SessionLogger if face == "sync" else AsyncSessionLogger
logger = Logger("agent", config["session_id"], output_dir=config["directory"], **config["options"])

counters = map_counters(config["counters"])


FOR_EVER = 500_000
"""Events of a writer that goes on until it is killed: far more than any test waits for, and no full disk."""


def events(writer: int, number_of_events: int | None) -> Iterator[tuple[int, str]]:
    """Yield what a writer is to record: numbers, and the names that carry them."""
    for number in range(FOR_EVER if number_of_events is None else number_of_events):
        yield number, f"{config['run']}/{writer}/{number}"


def log(number: int, name: str) -> Any:
    """Record one event; on the async logger this returns what has to be awaited."""
    if number % 5 == 3:
        return logger.log_file_write(name, number)
    return logger.log_tool_call(name, {"pad": "x" * (number * 37 % config["pad"])}, number)


def write(writer: int, number_of_events: int | None) -> None:
    for number, name in events(writer, number_of_events):
        log(number, name)
        counters[writer] = number + 1
        if config["pause_s"]:
            time.sleep(config["pause_s"])


async def write_async(writer: int, number_of_events: int | None) -> None:
    for number, name in events(writer, number_of_events):
        await log(number, name)
        counters[writer] = number + 1
        if number % 7 == 0 or config["pause_s"]:
            await rest()


async def rest() -> None:
    """Let the event loop go round."""
    if face == "trio":
        import trio

        await trio.sleep(config["pause_s"])
    else:
        await asyncio.sleep(config["pause_s"])


def run(coroutine_function: Any, *arguments: object) -> None:
    if face == "trio":
        import trio

        trio.run(coroutine_function, *arguments)
    else:
        asyncio.run(coroutine_function(*arguments))


def fail_in_a_thread() -> None:
    def work() -> None:
        raise RuntimeError("in a thread")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def die(death: str) -> None:
    """End this process, or leave it to end by itself."""
    if death == "sys.exit":
        sys.exit(3)
    elif death == "exception":
        raise RuntimeError("unhandled")
    elif death == "exception in a thread":
        fail_in_a_thread()
    elif death == "os._exit":
        os._exit(4)
    elif death == "os.abort":
        os.abort()
    elif death == "exec":
        os.execv(sys.executable, [sys.executable, "-c", ""])
    elif death == "SIGTERM turned into sys.exit":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
        os.kill(os.getpid(), signal.SIGTERM)
    elif death.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, death))
        if face == "sync":
            threading.Event().wait()
    elif death == "logger dropped":
        global logger
        del logger
    else:
        assert death == "end", death


def is_settled() -> bool:
    """Whether what kept the log from being written is over."""
    try:
        logger.flush()
    except WriterFailedError:
        return False
    return True


async def is_settled_async() -> bool:
    try:
        await logger.flush()
    except WriterFailedError:
        return False
    return True


def main() -> None:
    others = [
        threading.Thread(
            target=write if face == "sync" else run,
            args=(*(() if face == "sync" else (write_async,)), writer, config["others"]),
            daemon=True,
        )
        for writer in range(1, config["writers"])
    ]
    for thread in others:
        thread.start()

    def wait_for_others() -> None:
        if config["others"] is not None:
            for thread in others:
                thread.join()
        else:  # they go on until the end; each is under way
            while not all(counters[writer] for writer in range(1, config["writers"])):
                threading.Event().wait(0.001)
        print("dying", flush=True)

    if face == "sync":
        write(0, config["events"])
        wait_for_others()
        while config["settled"] and not is_settled():
            pass
        die(config["death"])
        return

    async def agent() -> None:
        await write_async(0, config["events"])
        wait_for_others()
        while config["settled"] and not await is_settled_async():
            pass
        die(config["death"])
        if config["death"] == "SIGINT":  # it is told the loop, not the task
            import anyio

            await anyio.sleep_forever()

    run(agent)


print("begun", flush=True)
main()
