"""Ports of loopback that nobody else gets."""

import socket


def reserved() -> socket.socket:
    """A socket that is bound to a free port and does not listen. Until it is closed, connections to the port are
    refused, unless a server listens there, which asks for the port by number and with SO_REUSEADDR."""
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.bind(("127.0.0.1", 0))
    return found


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
