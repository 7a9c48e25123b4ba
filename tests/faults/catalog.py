"""The faults: what goes wrong between the gateway and an upstream, as data."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal

import orjson

from tests.faults import wire
from tests.faults.relay import Connecting
from tests.faults.wire import HTML, JSON, TEXT, Answer, End, Wire, instead, whole

Upstream = Literal["jimeng", "dashscope"]
UPSTREAMS: tuple[Upstream, ...] = ("jimeng", "dashscope")


class Kind(Enum):
    """What can be known after the fault."""

    NOT_SENT = "not sent"
    """No connection was established."""
    SENT = "sent"
    """The request was sent, and nothing that came back can be read as the upstream's own refusal."""
    REFUSED = "refused"
    """The upstream's own refusal: nothing was created."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. One of the fields from `answer` to `directive` says how it is made.

    `waits` is true for one that lasts until a time-out. `expected` is the answer to a submit after a refusal.
    """

    name: str
    kind: Kind = Kind.SENT
    answer: Answer | None = None
    connecting: Connecting | None = None
    greeting: tuple[bytes, ...] | None = None
    sending: End | None = None
    address: str = ""
    """The base URL of the upstream in place of the relay's, whose host and port are put in for `{relay}`."""
    directive: str = ""
    """A word in the prompt that lets the sandbox make the fault."""
    waits: bool = False
    expected: str = ""


_DRIP_SECONDS = 6.0

# --- answers of a server in front of the upstream -----------------------------------------------------------------

_STATUSES = (
    *(204, 205, 304),
    *(400, 401, 403, 404, 405, 407, 408, 409, 410, 413, 415, 421, 425, 431, 451, 499),
    *(500, 501, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526),
)
_REDIRECTS = (301, 302, 303, 307, 308)
_FOREIGN_JSON: tuple[tuple[int, bytes], ...] = (
    (400, b'{"error":"bad request"}'),
    (401, b'{"message":"Unauthorized"}'),
    (403, b'{"message":"Forbidden"}'),
    (404, b'{"message":"no Route matched with those values"}'),
    (429, b'{"message":"API rate limit exceeded"}'),
    (503, b'{"message":"failure to get a peer from the ring-balancer"}'),
)
_FOREIGN_CODES: tuple[tuple[int, str, bytes], ...] = (
    (400, "BadRequest", b'{"code":"BadRequest","message":"the request was blocked"}'),
    (401, "Unauthorized", b'{"code":"Unauthorized","message":"log in to the proxy"}'),
    (403, "Forbidden", b'{"code":"Forbidden","message":"the request was blocked"}'),
    (403, "AccessDenied", b'{"code":"AccessDenied","message":"the request was blocked"}'),
    (403, "WafBlocked and its id", b'{"code":"WafBlocked","message":"blocked","request_id":"1a2b3c4d5e6f70819f8e"}'),
    (
        403,
        "Forbidden and a UUID",
        b'{"code":"Forbidden","message":"blocked","request_id":"0af76519-16cd-43dd-8448-eb211c80319c"}',
    ),
    (403, "Forbidden inside", b'{"error":{"code":"Forbidden","message":"the request was blocked"}}'),
    (403, "Code and RequestId", b'{"Code":"Forbidden","RequestId":"0AF76519-16CD-43DD-8448-EB211C80319C"}'),
    (404, "NotFound", b'{"code":"NotFound","message":"no such page","request_id":"req-17"}'),
    (429, "TooManyRequests", b'{"code":"TooManyRequests","message":"slow down"}'),
    (429, "Throttling", b'{"code":"Throttling","message":"slow down","request_id":"0af7651916cd43dd8448eb211c80319c"}'),
    (403, "ret", b'{"ret":"403","message":"the request was blocked"}'),
)
"""What the codes of the upstreams look like in the JSON of something in between."""

PAGES: tuple[Fault, ...] = (
    Fault(
        "101 switching protocols",
        answer=lambda real: Wire([wire.head(101, Upgrade="h2c", Connection="Upgrade") + b"\r\n"]),
    ),
    *(Fault(f"{status} HTML" if status >= 400 else f"{status}", answer=instead(status)) for status in _STATUSES),
    *(Fault(f"{status} redirect", answer=instead(status, Location="/elsewhere")) for status in _REDIRECTS),
    Fault("429 text", answer=instead(429, b"Too Many Requests", TEXT)),
    Fault("429 HTML with Retry-After", answer=instead(429, Retry_After=7)),
    Fault("503 HTML with Retry-After", answer=instead(503, Retry_After=7)),
    Fault("503 empty", answer=instead(503, b"")),
    *(Fault(f"{status} JSON of a gateway", answer=instead(status, body, JSON)) for status, body in _FOREIGN_JSON),
    *(
        Fault(f"{status} foreign JSON: {code}", answer=instead(status, body, JSON))
        for status, code, body in _FOREIGN_CODES
    ),
)

# --- bodies that say nothing --------------------------------------------------------------------------------------

BODIES: tuple[Fault, ...] = (
    Fault("200 HTML", answer=instead(200)),
    Fault("200 HTML said to be JSON", answer=instead(200, media_type=JSON)),
    Fault("200 empty", answer=instead(200, b"", JSON)),
    Fault("200 half the JSON", answer=wire.changed(wire.half)),
    Fault("200 JSON null", answer=instead(200, b"null", JSON)),
    Fault("200 JSON list", answer=instead(200, b"[]", JSON)),
    Fault("200 JSON text", answer=instead(200, b'"ok"', JSON)),
    Fault("200 JSON number", answer=instead(200, b"1", JSON)),
    Fault("200 JSON false", answer=instead(200, b"false", JSON)),
    Fault("200 JSON {}", answer=instead(200, b"{}", JSON)),
    Fault("200 JSON of a stranger", answer=instead(200, b'{"status":"ok"}', JSON)),
    Fault("200 zero bytes", answer=instead(200, bytes(64), JSON)),
    Fault("200 JSON in UTF-16", answer=wire.changed(lambda body: body.decode("latin-1").encode("utf-16"))),
    Fault("202 empty", answer=instead(202, b"", JSON)),
)

# --- broken HTTP --------------------------------------------------------------------------------------------------

FRAMING: tuple[Fault, ...] = (
    Fault("length too large", answer=wire.length_off(50)),
    Fault("length too small", answer=wire.length_off(-50)),
    Fault("length not a number", answer=wire.raw(wire.head(200, JSON, Content_Length="many") + b"\r\n{}")),
    Fault("chunked, not ended", answer=wire.chunked(last=False)),
    Fault("chunked, invalid size", answer=wire.chunked(size=b"zz")),
    Fault("chunked, size too large", answer=wire.chunked(size=b"fffffff")),
    Fault("broken gzip", answer=wire.broken_gzip),
    Fault("garbage", answer=wire.raw(bytes(range(256)))),
    Fault("another protocol", answer=wire.raw(b"SSH-2.0-OpenSSH_9.6\r\n")),
    Fault("half a status line", answer=wire.raw(b"HTTP/1.1 2")),
    Fault("header of 2 MB", answer=wire.long_header),
    Fault("endless headers", answer=wire.endless_headers),
    Fault("body of 17 MB", answer=wire.too_large),
    Fault("closed after headers", answer=wire.headers_only(End.CLOSE)),
    Fault("reset after headers", answer=wire.headers_only(End.RESET)),
    Fault("closed in the body", answer=wire.cut(End.CLOSE)),
    Fault("reset in the body", answer=wire.cut(End.RESET)),
)

SILENT: tuple[Fault, ...] = (
    Fault("hangs", answer=wire.raw(end=End.HANG), waits=True),
    Fault("hangs after headers", answer=wire.headers_only(End.HANG), waits=True),
    Fault("hangs in the body", answer=wire.cut(End.HANG), waits=True),
    Fault("drips", answer=wire.drip(_DRIP_SECONDS), waits=True),
)

LOST: tuple[Fault, ...] = (
    Fault("closed without an answer", answer=wire.raw()),
    Fault("reset without an answer", answer=wire.raw(end=End.RESET)),
)

SENDING: tuple[Fault, ...] = (
    Fault("closed while sending", sending=End.CLOSE),
    Fault("reset while sending", sending=End.RESET),
    Fault("hangs while sending", sending=End.HANG, waits=True),
)
"""The upstream has not seen the request, which the gateway cannot know."""

ANSWERS = (*PAGES, *BODIES, *FRAMING, *SILENT, *LOST)

CORE = tuple(
    fault
    for fault in ANSWERS
    if fault.name
    in {
        *("101 switching protocols", "204", "302 redirect", "304", "401 HTML", "403 HTML", "404 HTML", "407 HTML"),
        *("408 HTML", "410 HTML", "413 HTML", "429 text", "429 HTML with Retry-After", "499 HTML", "500 HTML"),
        *("502 HTML", "503 HTML with Retry-After", "504 HTML", "524 HTML", "403 JSON of a gateway"),
        "403 foreign JSON: Forbidden",
        *("200 HTML", "200 empty", "200 half the JSON", "200 JSON null", "200 JSON list", "200 JSON {}"),
        "200 JSON of a stranger",
        *("length too large", "chunked, not ended", "broken gzip", "garbage", "endless headers", "body of 17 MB"),
        *("closed in the body", "reset in the body", "hangs", "hangs in the body", "drips"),
        *("closed without an answer", "reset without an answer"),
    }
)
"""A selection, for routes whose code for answers is the same as that of others."""

# --- no connection ------------------------------------------------------------------------------------------------

_NAME = "x" * 64
"""Longer than a label of a name may be: the resolver fails without asking anybody."""

UNREACHED: tuple[Fault, ...] = (
    Fault("connection refused", Kind.NOT_SENT, connecting=Connecting.REFUSED),
    Fault("connection never accepted", Kind.NOT_SENT, connecting=Connecting.NEVER_ACCEPTED, waits=True),
)
MISLED: tuple[Fault, ...] = (
    Fault("name not resolved", Kind.NOT_SENT, address=f"http://{_NAME}.invalid"),
    Fault(
        "plain HTTP where TLS is expected", Kind.NOT_SENT, address="https://{relay}", greeting=(whole(400, b"", HTML),)
    ),
    Fault("closed in the TLS handshake", Kind.NOT_SENT, address="https://{relay}", greeting=(b"",)),
    Fault("hangs in the TLS handshake", Kind.NOT_SENT, address="https://{relay}", answer=wire.raw(), waits=True),
)
"""The gateway is configured for another address than the upstream's; the end of the fault is a restart."""

# --- proxies ------------------------------------------------------------------------------------------------------

_TUNNELS: tuple[tuple[str, Answer], ...] = (
    ("403", instead(403)),
    ("407", instead(407, Proxy_Authenticate='Basic realm="proxy"')),
    ("429", instead(429)),
    ("502", instead(502)),
    ("503", instead(503)),
    ("200 HTML", wire.raw(whole(200, wire.PAGE, HTML))),
    ("garbage", wire.raw(bytes(range(256)))),
    ("a close", wire.raw()),
    ("a reset", wire.raw(end=End.RESET)),
)
TUNNELS: tuple[Fault, ...] = (
    *(
        Fault(f"proxy answers CONNECT with {what}", Kind.NOT_SENT, answer, address="https://127.0.0.1:9")
        for what, answer in _TUNNELS
    ),
    Fault(
        "proxy does not answer CONNECT",
        Kind.NOT_SENT,
        wire.raw(end=End.HANG),
        address="https://127.0.0.1:9",
        waits=True,
    ),
)
SOCKS: tuple[Fault, ...] = (
    Fault("SOCKS proxy accepts no method", Kind.NOT_SENT, greeting=(b"\x05\xff",)),
    Fault("SOCKS proxy fails", Kind.NOT_SENT, greeting=(b"\x05\x00", b"\x05\x01\x00\x01\0\0\0\0\0\0")),
    Fault("SOCKS proxy forbids it", Kind.NOT_SENT, greeting=(b"\x05\x00", b"\x05\x02\x00\x01\0\0\0\0\0\0")),
    Fault("SOCKS proxy is refused", Kind.NOT_SENT, greeting=(b"\x05\x00", b"\x05\x05\x00\x01\0\0\0\0\0\0")),
    Fault("SOCKS proxy closes", Kind.NOT_SENT, greeting=(b"",)),
    Fault("SOCKS proxy speaks HTTP", Kind.NOT_SENT, greeting=(whole(400, b"", HTML),)),
)
PROXY_REFUSES = Fault("407 of the proxy", Kind.NOT_SENT, instead(407, Proxy_Authenticate='Basic realm="proxy"'))

# --- the sandbox's own --------------------------------------------------------------------------------------------

DIRECTED_AFTER: tuple[Fault, ...] = tuple(
    Fault(f"#{word}", directive=word, waits=word in ("hang", "drip"))
    for word in (
        "lost",
        "status-after=500",
        "status-after=429",
        "html",
        "empty",
        "noid",
        "halfjson",
        "cut",
        "hang",
        "drip",
    )
)
DIRECTED_BEFORE: tuple[Fault, ...] = tuple(
    Fault(f"#{word}", directive=word, waits=word == "hang-before")
    for word in ("lost-before", "status=500", "status=404", "html-before", "redirect", "hang-before")
)

# --- the upstreams' own refusals ----------------------------------------------------------------------------------


def _site(ret: str, expected: str, status: int = 200) -> Fault:
    body = {"ret": ret, "errmsg": "refused", "systime": "1757737934", "logid": "20260101", "data": None}
    name = f"ret {ret}" if status == 200 else f"ret {ret} under HTTP {status}"
    return Fault(name, Kind.REFUSED, instead(status, orjson.dumps(body), JSON), expected=expected)


def _service(status: int, code: str, expected: str, message: str = "refused") -> Fault:
    body = {"request_id": "4909100c-7b5a-9f92-bfe5-0385dc795ff8", "code": code, "message": message}
    return Fault(f"{status} {code}", Kind.REFUSED, instead(status, orjson.dumps(body), JSON), expected=expected)


_EXPIRED, _BUSY = "401 invalid_api_key", "429 rate_limit_exceeded retry"
_POOR, _RESTRICTED = "429 insufficient_quota", "403 account_restricted"
_INVALID, _CONTENT, _MODEL = "400 invalid_value", "400 content_policy_violation", "404 model_not_found"

REFUSALS: dict[Upstream, Sequence[Fault]] = {
    "jimeng": (
        _site("1000", _INVALID),
        _site("1000", _INVALID, 400),
        _site("1006", _POOR),
        _site("1010", _BUSY),
        _site("1014", "502 upstream_error"),
        _site("1015", _EXPIRED),
        _site("1015", _EXPIRED, 401),
        # Both accounts that are asked are then restricted for half an hour.
        _site("1019", _BUSY),
        _site("1057", _BUSY),
        _site("1310", _BUSY),
        _site("121101", _POOR),
        _site("2047", _CONTENT),
        _site("2061", _MODEL),
        _site("3018", _RESTRICTED),
        _site("9527", "502 upstream_error"),
    ),
    "dashscope": (
        _service(400, "InvalidParameter", _INVALID),
        _service(400, "DataInspectionFailed", _CONTENT),
        _service(400, "Arrearage", _POOR),
        _service(400, "SomethingNew", _INVALID),
        _service(401, "InvalidApiKey", _EXPIRED),
        _service(403, "AccessDenied.Unpurchased", _RESTRICTED),
        _service(403, "Model.AccessDenied", _RESTRICTED),
        _service(404, "ModelNotFound", _MODEL),
        _service(429, "Throttling.RateQuota", _BUSY),
        _service(429, "Throttling.AllocationQuota", _POOR, "quota has been exhausted"),
    ),
}


def refusal(upstream: Upstream, name: str) -> Fault:
    """The refusal of this name."""
    return next(fault for fault in REFUSALS[upstream] if fault.name == name)
