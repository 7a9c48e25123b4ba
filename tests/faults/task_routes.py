"""Polls, content, archive, lists, cancels and token routes: which faults they meet, and what is expected.

A poll is never a verdict on a task unless the upstream gave one; no wrong bytes are passed on as a video; nothing is
said of an account or a list that the upstream has not said.
"""

from collections.abc import Mapping
from dataclasses import replace

from tests.faults import accounts, archives, targets, tasks
from tests.faults.catalog import ANSWERS, CORE, LOST, SENDING, SILENT, UNREACHED, Fault, Kind, Upstream, refusal
from tests.faults.relay import Stage
from tests.faults.rows import Expectation, Route
from tests.faults.wire import VIDEO, instead

_BUSY_PAGES = ("429 text", "429 HTML with Retry-After")
_REFUSED: dict[Upstream, tuple[Fault, ...]] = {
    "jimeng": (refusal("jimeng", "ret 1015"), refusal("jimeng", "ret 1057")),
    "dashscope": (refusal("dashscope", "401 InvalidApiKey"), refusal("dashscope", "429 Throttling.RateQuota")),
}
_LOGINS, _TOO_FREQUENT = ("ret 1015", "401 InvalidApiKey"), ("ret 1057", "429 Throttling.RateQuota")


def _with_refusals(*faults: Fault) -> dict[Upstream, tuple[Fault, ...]]:
    return {upstream: (*faults, *refusals) for upstream, refusals in _REFUSED.items()}


def _or_busy(expected: Expectation, busy: str) -> Mapping[str, Expectation]:
    """The expectation of what is not charged and may be repeated: a 429 means later, whoever says it."""
    return dict.fromkeys(_BUSY_PAGES, replace(expected, answers=(*expected.answers, busy)))


# --- polls --------------------------------------------------------------------------------------------------------

_KNOWN = ("200 pending", "200 processing", "200 completed")
_STALE = Expectation(("200 pending stale", "200 processing stale"), _KNOWN, (1,))
_NO_VERDICT = Expectation(("200 pending*", "200 processing*"), _KNOWN, (1,))
"""Of an object without a state: unknown states mean that the task is processed."""
_DIRECTED = tuple(
    Fault(f"#poll-{word}", directive=f"poll-{word}", waits=word in ("hang", "drip"))
    for word in ("500", "429", "html", "empty", "halfjson", "lost", "status=503", "drip", "hang")
)

POLLS = Route(
    "poll",
    tasks.poll,
    _with_refusals(*ANSWERS, *UNREACHED, *_DIRECTED),
    targets.QUERY,
    dict.fromkeys(Kind, _STALE),
    {
        **dict.fromkeys(("200 JSON {}", "200 JSON of a stranger"), _NO_VERDICT),
        **dict.fromkeys(_LOGINS, Expectation(("401 invalid_api_key",), _KNOWN, (1,))),
    },
)

# --- files --------------------------------------------------------------------------------------------------------

_S3_ERROR = b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"
_LINK_FAULTS = (
    Fault("redirect loop", answer=instead(302, Location="?again")),
    Fault("redirect to a local file", answer=instead(302, Location="file:///etc/hostname")),
    Fault("redirect to no host", answer=instead(302, Location="http:///")),
    Fault("HTML as a video", answer=instead(200, media_type=VIDEO)),
    Fault("XML error as 200", answer=instead(200, _S3_ERROR, "application/xml")),
    Fault("empty video", answer=instead(200, b"", VIDEO)),
    Fault("206 unasked", answer=instead(206, b"\0\0\0\x20ftypisom", VIDEO, Content_Range="bytes 0-11/99999")),
)
# Half a file with the right length is a whole file to HTTP. Nothing limits the size of a video.
_NOT_FOR_FILES = {"200 half the JSON", "body of 17 MB"}
_FILE_FAULTS = tuple(fault for fault in (*CORE, *_LINK_FAULTS) if fault.name not in _NOT_FOR_FILES)
_EXPIRED = ("401 HTML", "403 HTML", "403 JSON of a gateway", "404 HTML", "410 HTML", "302 redirect")
_NO_WRONG_BYTES = Expectation(("502*", "200 cut off"), charges=(1,))

CONTENT = (
    Route(
        "content",
        tasks.content,
        (*_FILE_FAULTS, *UNREACHED),
        targets.FILES,
        dict.fromkeys(Kind, _NO_WRONG_BYTES),
        dict.fromkeys(_EXPIRED, Expectation(("404 not_found", "502*"), charges=(1,))),
    ),
    Route(
        "content, link renewed",
        tasks.content,
        [fault for fault in _FILE_FAULTS if fault.name in _EXPIRED and fault.name != "302 redirect"],
        targets.FILES,
        {Kind.SENT: Expectation(("200 video",), charges=(1,))},
        times=1,
    ),
)

# --- archive ------------------------------------------------------------------------------------------------------

_STORE_NAMES = {
    *("401 HTML", "403 HTML", "404 HTML", "429 text", "429 HTML with Retry-After", "500 HTML", "502 HTML"),
    *("503 HTML with Retry-After", "200 HTML", "200 empty", "garbage", "closed in the body", "drips", "hangs"),
    *("hangs in the body", "closed without an answer", "reset without an answer"),
}
_STORE_FAULTS = (*(fault for fault in CORE if fault.name in _STORE_NAMES), *SENDING, *UNREACHED)
_LATE_FAULTS = tuple(
    fault
    for fault in _STORE_FAULTS
    if fault in (*LOST, *SILENT) or fault.name in ("429 text", "503 HTML with Retry-After")
)
_FINISHED = Expectation(("200 completed",), charges=(1,))
_WITHOUT_STORE = Expectation(("200 video",), charges=(1,))

ARCHIVE = (
    Route(
        "archive, host of the video",
        archives.link,
        _FILE_FAULTS,
        targets.FILES,
        dict.fromkeys(Kind, _FINISHED),
        store="file",
    ),
    Route(
        "archive, S3 fails",
        archives.store,
        _STORE_FAULTS,
        targets.STORE,
        dict.fromkeys(Kind, _WITHOUT_STORE),
        stage=Stage.BEFORE,
        store="s3",
    ),
    Route(
        "archive, S3 answers badly",
        archives.store,
        _LATE_FAULTS,
        targets.STORE,
        dict.fromkeys(Kind, _WITHOUT_STORE),
        store="s3",
    ),
)

# --- lists, cancels, accounts -------------------------------------------------------------------------------------

_FAULTS = (*CORE, *UNREACHED)
_FAILED = ("502 upstream_unavailable retry", "502 upstream_error")
_NOT_LISTED = Expectation(("502 upstream_unavailable retry",), ("200 list",), (1,))
_UNCANCELLED = Expectation(_FAILED, charges=(1,))
_CANCELLED = Expectation(("200", *_FAILED), charges=(1,))
_NO_NEWS = Expectation(_FAILED, ("200 live",), (0,))
_ROW_FAILED = ("row upstream_error", "row upstream_unavailable")
_NO_POINTS = Expectation(_ROW_FAILED, ("200 points",), (0,))
_NOT_RECEIVED = Expectation(_ROW_FAILED, ("200 received",), (0,))
_BUSY = "429 rate_limit_exceeded retry"

OTHERS = (
    Route(
        "list",
        tasks.listing,
        _with_refusals(*_FAULTS),
        targets.LIST,
        dict.fromkeys(Kind, _NOT_LISTED),
        {
            **_or_busy(_NOT_LISTED, _BUSY),
            **dict.fromkeys(_LOGINS, replace(_NOT_LISTED, answers=("401 invalid_api_key",))),
            **dict.fromkeys(_TOO_FREQUENT, replace(_NOT_LISTED, answers=(_BUSY,))),
        },
    ),
    Route(
        "cancel, accepted",
        tasks.cancel,
        CORE,
        targets.CANCEL,
        dict.fromkeys(Kind, _CANCELLED),
        _or_busy(_CANCELLED, _BUSY),
    ),
    Route(
        "cancel, not accepted",
        tasks.cancel,
        (*_FAULTS, *SENDING),
        targets.CANCEL,
        dict.fromkeys(Kind, _UNCANCELLED),
        {
            **_or_busy(_UNCANCELLED, _BUSY),
            # A site without the call answers so. The task is read afterwards, and is still queued.
            "404 HTML": replace(_UNCANCELLED, answers=(*_FAILED, "409 not_cancellable")),
        },
        stage=Stage.BEFORE,
    ),
    Route(
        "token/check",
        accounts.check,
        _FAULTS,
        targets.CHECK,
        dict.fromkeys(Kind, _NO_NEWS),
        _or_busy(_NO_NEWS, _BUSY),
    ),
    Route(
        "token/points",
        accounts.points,
        _FAULTS,
        targets.POINTS,
        dict.fromkeys(Kind, _NO_POINTS),
        _or_busy(_NO_POINTS, "row rate_limit_exceeded"),
    ),
    Route(
        "token/receive, accepted",
        accounts.receive,
        CORE,
        targets.RECEIVE,
        dict.fromkeys(Kind, _NOT_RECEIVED),
        _or_busy(_NOT_RECEIVED, "row rate_limit_exceeded"),
    ),
    Route(
        "token/receive, not accepted",
        accounts.receive,
        _FAULTS,
        targets.RECEIVE,
        dict.fromkeys(Kind, _NOT_RECEIVED),
        _or_busy(_NOT_RECEIVED, "row rate_limit_exceeded"),
        stage=Stage.BEFORE,
    ),
)
