"""Tells of a failed call whether something may have been sent, and which time limit ended it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from pyreqwest import exceptions as reqwest
from yarl import URL

from providers.contract.accounts import CallerProxy, Proxy
from providers.contract.errors import ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.transport.address_policy import PROXY_DISALLOWED
from providers.transport.proxy_urls import is_socks
from providers.transport.timeouts import Timeouts

CALLER_PROXY_FAILED = LocalizedText(
    "无法通过凭证中的代理连接上游，请求未发出，请检查代理的地址、用户名和密码，或换一个代理",
    "Cannot connect to the upstream through the proxy in the credential. Nothing was sent: check the proxy's address, "
    "user and password, or use another proxy",
)

_LOG = logging.getLogger("gateway.transport")

_NOT_SENT_ERRORS = (reqwest.PoolTimeoutError, reqwest.BuilderError)
_CONNECT_FAILURE = "client error (Connect)"
"""The cause in reqwest's errors if no connection was established. The error class does not tell: a connection closed
during a request is a ConnectError as well."""
_NO_RUNTIME = "Failed to create tokio runtime"
"""pyreqwest's RuntimeError if the first call of the process gets no file descriptors or threads."""


@dataclass(frozen=True, slots=True)
class LibraryErrors:
    """Errors of an HTTP library besides reqwest: nothing was sent, and no data arrived within the read timeout."""

    not_sent: tuple[type[Exception], ...] = ()
    silence: tuple[type[Exception], ...] = ()


def failure(error: Exception, library: LibraryErrors, timeouts: Timeouts, seconds: float) -> ProviderError:
    """The error as UNREACHABLE or ANSWER_LOST. An unknown one is ANSWER_LOST: a charged call may have arrived.
    `seconds` is how long the call took."""
    if isinstance(error, (*library.not_sent, *_NOT_SENT_ERRORS)) or _failed_to_connect(error):
        return ProviderError(ErrorKind.UNREACHABLE, detail=type(error).__name__)
    if isinstance(error, library.silence) or (
        # The class of reqwest's errors does not tell which limit it was.
        isinstance(error, reqwest.RequestTimeoutError) and seconds < timeouts.total
    ):
        return ProviderError(ErrorKind.ANSWER_LOST, detail=f"no data for {timeouts.read:g} s")
    if isinstance(error, TimeoutError):
        return ProviderError(ErrorKind.ANSWER_LOST, detail=f"no answer within {timeouts.total:g} s")
    # reqwest calls a connection that closes during a request a ConnectError, which would read as if none was made.
    closed = isinstance(error, reqwest.ConnectError)
    detail = "the connection was closed" if closed else type(error).__name__
    return ProviderError(ErrorKind.ANSWER_LOST, detail=detail)


def _failed_to_connect(error: Exception) -> bool:
    if isinstance(error, RuntimeError):
        return str(error).startswith(_NO_RUNTIME)
    if not isinstance(error, reqwest.DetailedPyreqwestError):
        return False
    return any(cause["message"] == _CONNECT_FAILURE for cause in error.details["causes"] or ())


def of_caller_proxy(error: ProviderError, proxy: CallerProxy) -> ProviderError:
    """The same error for every way in which a caller's proxy fails: the difference between a closed port, a silent one
    and one of another protocol would let callers scan with the gateway. The cause is in the log. Always a new error,
    which can be raised from the given one."""
    if error.kind not in (ErrorKind.UNREACHABLE, ErrorKind.ANSWER_LOST):
        return error.without_traceback()
    host = proxy.url.rpartition("@")[2].rpartition("://")[2]
    level = logging.INFO if error.detail == PROXY_DISALLOWED else logging.DEBUG
    _LOG.log(level, "the proxy of a caller failed", extra={"fields": {"proxy": host, "cause": error.detail}})
    return ProviderError(error.kind, message=CALLER_PROXY_FAILED if error.kind is ErrorKind.UNREACHABLE else None)


def raise_for_proxy_status(
    status: int, headers: Mapping[str, str], url: str, proxy: Proxy | None, *, once: bool = False
) -> None:
    """Raise ProviderError for a 407 in place of a response: the proxy rejected its user or password.

    Only without a tunnel, which is for plain http, is it the proxy that answers the request; for https it rejects the
    CONNECT, and the connection fails. A 407 from within a tunnel is the upstream's own. A proxy that rejects a request
    instead of passing it on says so with Proxy-Authenticate, which every proxy takes out of the responses of others.
    With `once` a 407 without it is ANSWER_LOST.
    """
    if status != 407 or proxy is None or is_socks(str(proxy)) or URL(url, encoded=True).scheme == "https":
        return
    kind = ErrorKind.ANSWER_LOST if once and "proxy-authenticate" not in headers else ErrorKind.UNREACHABLE
    raise ProviderError(kind, detail="the proxy rejected its user or password")
