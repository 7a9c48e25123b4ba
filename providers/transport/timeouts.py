"""Timeouts of upstream calls."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `connect` until the connection is established, `read` between two chunks of a response, `total` for a
    call, or for a file until its body starts. `answer` until the first byte of an open call, and between two chunks of
    it: a language model may think for minutes."""

    connect: float = 10.0
    read: float = 45.0
    total: float = 60.0
    answer: float = 300.0
