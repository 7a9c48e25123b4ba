"""Whether the client of a connection takes what is written to it."""

import asyncio
import fcntl
import struct
import termios


class WriteProgress:
    """Write progress of one connection, which is looked at from time to time: reads and writes cost nothing.

    Progress is that a byte leaves the buffer of the transport, or is acknowledged by the client's system. The buffer
    alone tells too little: the system asks for more only when a good part of its own buffer, up to megabytes, is free.
    """

    __slots__ = ("_buffered", "_since", "_unacknowledged")

    def __init__(self) -> None:
        self._buffered = self._unacknowledged = 0
        self._since = 0.0

    def stalled_seconds(self, transport: asyncio.WriteTransport, now: float) -> float:
        """Seconds without progress, as far as observed; 0 while nothing is buffered. `now` is of a monotonic clock."""
        buffered = transport.get_write_buffer_size()
        if not buffered:
            self._buffered = 0
            return 0.0
        unacknowledged = _unacknowledged_bytes(transport)
        # More in the buffer is the application's progress, not the client's.
        if not self._buffered or buffered < self._buffered or unacknowledged != self._unacknowledged:
            self._since = now
        self._buffered, self._unacknowledged = buffered, unacknowledged
        return now - self._since


def _unacknowledged_bytes(transport: asyncio.WriteTransport) -> int:
    """Bytes in the system's send buffer that the client's system has not acknowledged; 0 where that is unknown."""
    connection = transport.get_extra_info("socket")
    try:
        # SIOCOUTQ of Linux has the same number.
        answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    except (AttributeError, OSError, ValueError):
        return 0
    count: int = struct.unpack("i", answer)[0]
    return count
