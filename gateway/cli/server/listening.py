"""The listening socket, which is bound before anything else is loaded, and its URL."""

import errno
import socket
from ipaddress import ip_address

from gateway.cli.errors import CommandError

_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 picks a free one. Connections queue in it until the server has started.

    Raises CommandError.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)
    except OSError as error:
        raise CommandError(bind_error_message(error, host, port)) from None


def bind_error_message(error: OSError, host: str, port: int) -> str:
    """The message for an address that cannot be bound."""
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is already in use: stop the process that uses it, or choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} needs more privileges: choose one above 1023 with --port"
    return f"cannot listen on {host}, port {port} ({error.strerror or error}): choose another with --host or --port"


def url_of(listener: socket.socket) -> str:
    """The URL of the socket on this machine."""
    host, port = listener.getsockname()[:2]
    version = ip_address(host.partition("%")[0])
    if version.is_unspecified:
        host = "127.0.0.1"
    elif version.version == 6:
        host = f"[{host}]"
    return f"http://{host}:{port}"
