"""Calls by DashScope's own API: which faults they meet, and what is expected.

The same as of the gateway's own API, in DashScope's words: where a submit may exist, its SDK is told not to send it
again.
"""

from dataclasses import replace

from tests.faults import native, submits, targets
from tests.faults.catalog import (
    ANSWERS,
    CORE,
    DIRECTED_AFTER,
    DIRECTED_BEFORE,
    MISLED,
    REFUSALS,
    SENDING,
    UNREACHED,
    Fault,
    Kind,
    refusal,
)
from tests.faults.relay import Stage
from tests.faults.rows import Expectation, Route

_UNCONFIRMED = "500 ResponseTimeout"
_UNAVAILABLE = "503 ModelUnavailable retry"
_FOUND = Expectation(("200",), charges=(1,))
_NOT_FOUND = Expectation((_UNCONFIRMED,), (_UNCONFIRMED,), charges=(1,))
_NOT_SENT = Expectation((_UNAVAILABLE,), charges=(1,))
_OF_ALL_ACCOUNTS = {
    "403 AccessDenied.Unpurchased": "403 AccessDenied",
    "403 Model.AccessDenied": "403 AccessDenied",
    "429 Throttling.AllocationQuota": "400 Arrearage",
}
_RETRIED = frozenset({"429 Throttling.RateQuota"})


def _refused(fault: Fault) -> Expectation:
    """DashScope's refusals as they are; where every account is refused, what that means for the caller."""
    status, _, code = _OF_ALL_ACCOUNTS.get(fault.name, fault.name).partition(" ")
    return Expectation((f"{status} {code}{' retry' if fault.name in _RETRIED else ''}",))


_DASHSCOPE = targets.only(targets.SUBMIT, "dashscope")
_JIMENG = targets.only(targets.SUBMIT, "jimeng")

SUBMITS: tuple[Route, ...] = (
    Route(
        "native submit, accepted",
        submits.native_submit,
        (*ANSWERS, *DIRECTED_AFTER),
        _DASHSCOPE,
        {Kind.SENT: _NOT_FOUND},
    ),
    Route("native submit, accepted", submits.native_submit, CORE, _JIMENG, {Kind.SENT: _FOUND}),
    Route(
        "native submit, not accepted",
        submits.native_submit,
        (*CORE, *SENDING, *DIRECTED_BEFORE),
        _DASHSCOPE,
        {Kind.SENT: replace(_NOT_FOUND, charges=(0,))},
        stage=Stage.BEFORE,
    ),
    Route(
        "native submit, refused",
        submits.native_submit,
        REFUSALS,
        _DASHSCOPE,
        {},
        {fault.name: _refused(fault) for fault in REFUSALS["dashscope"]},
        stage=Stage.BEFORE,
    ),
    Route(
        "native submit, no connection",
        submits.native_submit,
        (*UNREACHED, *MISLED),
        targets.SUBMIT,
        {Kind.NOT_SENT: _NOT_SENT},
    ),
)

_STATES = ("200 PENDING", "200 RUNNING", "200 SUCCEEDED")
_LAST_STATE = Expectation(_STATES[:2], _STATES, (1,))
_GRANT_FAILED = Expectation((_UNAVAILABLE,), charges=(0,))
_BUSY_PAGES = ("429 text", "429 HTML with Retry-After")

CALLS: tuple[Route, ...] = (
    Route(
        "native poll",
        native.poll,
        (
            *CORE,
            *UNREACHED,
            refusal("dashscope", "401 InvalidApiKey"),
            refusal("dashscope", "429 Throttling.RateQuota"),
        ),
        targets.only(targets.QUERY, "dashscope"),
        dict.fromkeys(Kind, _LAST_STATE),
        {"401 InvalidApiKey": Expectation(("401 InvalidApiKey",), _STATES, (1,))},
    ),
    Route(
        "native upload permission",
        native.grant,
        (*CORE, *SENDING, *UNREACHED),
        targets.only(targets.UPLOAD_KEYS, "dashscope"),
        dict.fromkeys(Kind, _GRANT_FAILED),
        dict.fromkeys(
            _BUSY_PAGES,
            replace(_GRANT_FAILED, answers=(_UNAVAILABLE, "429 Throttling.RateQuota retry")),
        ),
    ),
)
