"""What is known of the request that is being answered, for its log line, its headers and lines about it elsewhere."""

from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class RequestRecord:
    """One request. `account` is the label of the account that was used last, "" for none; `upstream_seconds` is the
    time that the request has waited for upstreams. Tasks that a request starts share its record."""

    request_id: str
    account: str = ""
    upstream_seconds: float = 0.0


current_record: ContextVar[RequestRecord | None] = ContextVar("gateway_request", default=None)
"""Of the running request; None outside of one, and in a poll that is answered from the cache."""


def request_fields() -> dict[str, str]:
    """The log field with the id of the running request; empty outside of one."""
    record = current_record.get()
    return {"request_id": record.request_id} if record is not None else {}


def waited_for_upstream(account: str, seconds: float) -> None:
    """Add to the time that the running request has waited for upstreams. `account` is a label."""
    record = current_record.get()
    if record is not None:
        record.account = account
        record.upstream_seconds += seconds
