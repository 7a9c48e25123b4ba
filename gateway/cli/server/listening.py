"""Where to listen: a socket that is taken before anything else is loaded, and the address people can open."""

import errno
import socket
from ipaddress import ip_address

from gateway.cli.errors import CommandError

_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Connections wait in it until the server is up.

    Raises CommandError with the reason in one line.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        raise CommandError(why_not(error, host, port)) from None


def why_not(error: OSError, host: str, port: int) -> str:
    """What to tell a person whose host and port could not be taken."""
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is already in use: stop what listens there, or choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} is not allowed to this user: choose one above 1023 with --port"
    return f"cannot listen on {host}, port {port} ({error.strerror or error}): choose another with --host or --port"


def address(taken: socket.socket) -> str:
    """The socket's address as people can open it on this machine."""
    host, port = taken.getsockname()[:2]
    version = ip_address(host.partition("%")[0])
    if version.is_unspecified:
        host = "127.0.0.1"
    elif version.version == 6:
        host = f"[{host}]"
    return f"http://{host}:{port}"
