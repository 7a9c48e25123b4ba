"""What the tests of connections share: types of the fixtures, and reading of raw responses."""

import socket
from collections.abc import Callable

Start = Callable[..., tuple[str, int]]
"""Starts a server with an application (an echo of body lengths unless given) and limits; gives its host and port."""
Connect = Callable[[tuple[str, int]], socket.socket]


def answer(connection: socket.socket) -> tuple[int, bytes]:
    """Status and body of the answer; (0, b"") where the connection ends without one."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return 0, b""
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    while lengths and len(body) < int(lengths[0].partition(b":")[2]):
        piece = connection.recv(65536)
        if not piece:
            break
        body += piece
    return int(head.split(b" ")[1]), body


def ends(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
