"""Measures each call to an upstream: metrics, the time of its request and a span of the trace."""

import time
from types import TracebackType

from gateway.core import metrics, tracing
from gateway.core.request_record import waited_for_upstream
from providers.contract.accounts import Account
from providers.contract.errors import ProviderError


class UpstreamCall:
    """A context manager around one call. `call` is one of `metrics.CALLS`. A `shared` call serves several requests, or
    none: its time is not that of the request in whose context it happens to run."""

    __slots__ = ("_account", "_began", "_call", "_shared", "_span")

    def __init__(self, account: Account, call: str, *, shared: bool = False) -> None:
        self._account = account
        self._call = call
        self._shared = shared

    def __enter__(self) -> None:
        self._span = tracing.start_span(
            f"upstream {self._call}",
            {"gateway.provider": self._account.provider, "gateway.account": self._account.label},
            kind="client",
        )
        self._began = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        seconds = time.perf_counter() - self._began
        match error:
            case None:
                outcome = metrics.OK
            case ProviderError():
                outcome = error.kind.value
            case Exception():
                outcome = metrics.UNEXPECTED
            case _:
                outcome = metrics.ABANDONED
        metrics.observe_call(self._account.provider, self._call, outcome, seconds)
        if not self._shared:
            waited_for_upstream(self._account.label, seconds)
        if self._span is not None:
            tracing.end_span(self._span, "" if outcome == metrics.OK else outcome)
