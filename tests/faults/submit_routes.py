"""Submits and uploads: which faults they meet, and what is expected.

What was sent and is answered by nothing that can be read as the upstream's own refusal may exist: Jimeng is asked for
it, DashScope cannot be asked, and in no case is it sent again blindly. What was not sent may be sent again.
"""

from dataclasses import replace
from ipaddress import ip_network

from gateway.core.settings import MediaSettings
from tests.faults import submits, targets
from tests.faults.catalog import (
    ANSWERS,
    CORE,
    DIRECTED_AFTER,
    DIRECTED_BEFORE,
    MISLED,
    PROXY_REFUSES,
    REFUSALS,
    SENDING,
    SOCKS,
    TUNNELS,
    UNREACHED,
    Kind,
    Upstream,
)
from tests.faults.relay import Stage
from tests.faults.rows import Expectation, Route

_UNCONFIRMED = "504 submission_unconfirmed"
_FOUND = Expectation(("200",), charges=(1,))
_NOT_FOUND = Expectation((_UNCONFIRMED,), (_UNCONFIRMED,), charges=(1,))
"""An upstream that cannot look a submit up."""
_NEVER_ARRIVED = replace(_NOT_FOUND, charges=(0,))
_NOT_SENT = Expectation(("502 upstream_unavailable retry",), charges=(1,))

_BY_PROXY = tuple(fault for fault in CORE if fault.name != "407 HTML")
"""Through a proxy a 407 is the proxy's own."""


def _accepted(upstream: Upstream, expected: Expectation) -> tuple[Route, ...]:
    target = targets.only(targets.SUBMIT, upstream)
    direct = Route("submit, accepted", submits.text_submit, (*ANSWERS, *DIRECTED_AFTER), target, {Kind.SENT: expected})
    return (
        direct,
        replace(direct, name="submit by a proxy, accepted", faults=_BY_PROXY, via="http proxy"),
    )


def _not_accepted(upstream: Upstream, expected: Expectation) -> Route:
    return Route(
        "submit, not accepted",
        submits.text_submit,
        (*ANSWERS, *SENDING, *DIRECTED_BEFORE),
        targets.only(targets.SUBMIT, upstream),
        {Kind.SENT: expected},
        stage=Stage.BEFORE,
    )


SUBMITS: tuple[Route, ...] = (
    *_accepted("jimeng", _FOUND),
    *_accepted("dashscope", _NOT_FOUND),
    _not_accepted("jimeng", Expectation((_UNCONFIRMED,), ("200", _UNCONFIRMED))),
    _not_accepted("dashscope", _NEVER_ARRIVED),
    Route(
        "submit, not accepted once",
        submits.text_submit,
        (*CORE, *SENDING),
        targets.only(targets.SUBMIT, "jimeng"),
        {Kind.SENT: _FOUND},
        stage=Stage.BEFORE,
        times=1,
    ),
    Route(
        "submit and look-up",
        submits.text_submit,
        CORE,
        targets.SUBMIT_AND_LOOK_UP,
        # With a key it is looked up before it is sent.
        {Kind.SENT: Expectation((_UNCONFIRMED, "502 upstream_unavailable retry"), charges=(1,))},
    ),
    Route("submit, refused", submits.text_submit, REFUSALS, targets.SUBMIT, {}, stage=Stage.BEFORE),
    Route(
        "submit, no connection", submits.text_submit, (*UNREACHED, *MISLED), targets.SUBMIT, {Kind.NOT_SENT: _NOT_SENT}
    ),
    Route(
        "submit, proxy fails",
        submits.text_submit,
        (PROXY_REFUSES, *UNREACHED, *TUNNELS),
        targets.SUBMIT,
        {Kind.NOT_SENT: _NOT_SENT},
        stage=Stage.BEFORE,
        via="http proxy",
    ),
    Route(
        "submit, SOCKS proxy fails",
        submits.text_submit,
        (*SOCKS, *UNREACHED),
        targets.SUBMIT,
        {Kind.NOT_SENT: _NOT_SENT},
        via="socks proxy",
    ),
)

_UPLOAD_FAULTS = tuple(fault for fault in (*CORE, *SENDING) if fault.name != "body of 17 MB")
# Nothing limits how long the body of a whole picture may be on the wire, but the size of a file.
_INPUT_FAULTS = tuple(fault for fault in CORE if fault.name != "body of 17 MB")
_FAILED = Expectation(("502 upstream_unavailable retry",), charges=(1,))
_KEYS_REFUSED = Expectation(("502 upstream_unavailable retry", "502 upstream_error"), charges=(1,))
"""Said of a 401 or 403, which the hosts of files answer to keys of another site."""
_BUSY = Expectation((*_FAILED.answers, "429 rate_limit_exceeded retry"), charges=(1,))
_FOUND_OUT_LATER = Expectation((*_FAILED.answers, "400 invalid_value"), charges=(1,))
"""DashScope's store answers an upload with an empty 200: that nothing was stored shows when the submit is refused."""

_REFUSED_STATUSES = ("401 HTML", "403 HTML", "403 JSON of a gateway", "403 foreign JSON: Forbidden")
_BUSY_PAGES = ("429 text", "429 HTML with Retry-After")
_SUCCESSES = (
    *("204", "200 HTML", "200 empty", "200 half the JSON", "200 JSON null", "200 JSON list", "200 JSON {}"),
    *("200 JSON of a stranger", "broken gzip"),
)

UPLOADS: tuple[Route, ...] = (
    Route(
        "input by address",
        submits.address_submit,
        _INPUT_FAULTS,
        targets.PICTURES,
        dict.fromkeys(Kind, Expectation(("400 invalid_value",), charges=(1,))),
        settings={"media": MediaSettings(networks=(ip_network("127.0.0.0/8"),), fetch_seconds=2.0)},
    ),
    Route(
        "upload",
        submits.file_submit,
        (*_UPLOAD_FAULTS, *UNREACHED),
        targets.UPLOAD,
        dict.fromkeys(Kind, _FAILED),
        {
            **{f"jimeng {name}": _KEYS_REFUSED for name in _REFUSED_STATUSES},
            **{f"dashscope {name}": _FOUND_OUT_LATER for name in _SUCCESSES},
        },
        stage=Stage.BEFORE,
    ),
    Route(
        "upload keys",
        submits.file_submit,
        _UPLOAD_FAULTS,
        targets.UPLOAD_KEYS,
        dict.fromkeys(Kind, _FAILED),
        dict.fromkeys(_BUSY_PAGES, _BUSY),
    ),
    Route(
        "upload address",
        submits.file_submit,
        _UPLOAD_FAULTS,
        targets.UPLOAD_ADDRESS,
        dict.fromkeys(Kind, _FAILED),
        dict.fromkeys(_REFUSED_STATUSES, _KEYS_REFUSED),
    ),
    Route(
        "upload, once",
        submits.file_submit,
        [fault for fault in _UPLOAD_FAULTS if fault.name in {"500 HTML", "503 HTML with Retry-After", "garbage"}],
        targets.UPLOAD,
        {Kind.SENT: Expectation(("200",), charges=(1,))},
        stage=Stage.BEFORE,
        times=1,
    ),
)
