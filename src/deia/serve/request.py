"""Read a request within a time, however slowly it is sent."""

from __future__ import annotations

import io
import socket
from typing import TYPE_CHECKING

from deia import system

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Hurried(io.RawIOBase):
    """What a connection says, up to a deadline.

    A time-out of the socket alone begins again with each byte, and who sends one now and then is never late.
    """

    def __init__(self, connection: socket.socket, within_s: float) -> None:
        """Read from a connection.

        Args:
            connection: From which; its time-out is changed.
            within_s: How long from now on, seconds; whoever reads later gets a `TimeoutError`.
        """
        self._connection = connection
        self._deadline = system.monotonic() + within_s

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read what there is, or wait for some.

        Raises:
            TimeoutError: The time is over.
        """
        left = self._deadline - system.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)
