"""Timeouts of upstream calls."""

from dataclasses import dataclass

IDLE_SECONDS = 10.0
"""A connection that is idle for longer is not used again. Servers close theirs later, load balancers after 15 s at the
earliest: a call that is sent while the server closes the connection is lost."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `connect` until the connection is established, `read` between two chunks of a response, `total` for a
    call, or for a file until its body starts. `answer` until the first byte of an open call, and between two chunks of
    it: a language model may think for minutes."""

    connect: float = 10.0
    read: float = 45.0
    total: float = 60.0
    answer: float = 300.0
