"""Who may call: the session, the cluster it is at home on, the signature of a request, the page it comes from."""

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request

from providers.sandbox.directives import credential_directive
from providers.sandbox.jimeng.accounts import Account
from providers.sandbox.jimeng.errors import (
    COMMERCE_LOGIN,
    DENIED,
    LOGIN,
    PARAMETER,
    SHARK_ABROAD,
    SHARK_ACTION,
    SIGN,
    Refused,
)
from providers.sandbox.jimeng.sites import Site, likely_site, site_of
from providers.sandbox.state import session_of

Json = dict[str, Any]

GENERATE = "/mweb/v1/aigc_draft/generate"
CANCEL = "/mweb/v1/aigc_draft/cancel_generate"
CREDIT = "/commerce/v1/benefits/user_credit"
CREDIT_HISTORY = "/commerce/v1/benefits/user_credit_history"
CREDIT_RECEIVE = "/commerce/v1/benefits/credit_receive"

WRITES = frozenset({GENERATE, CANCEL, CREDIT_RECEIVE})
"""Calls that change something: abroad they need `Sign` (2026-10-01), reads do not."""

HOME: Site = "asia"
"""The cluster of an account whose credential says `elsewhere`."""

REFERERS: dict[str, frozenset[str]] = {
    CREDIT: frozenset({"/ai-tool/image/generate"}),
    CREDIT_RECEIVE: frozenset({"/ai-tool/home", "/ai-tool/image/generate"}),
}
"""Call → the paths of `Referer` that a program in use sends. user_credit with another is refused (2026-09-30)."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request that was let in, with its JSON body. `site` is a guess where the query names none."""

    request: Request
    account: Account
    body: Json
    site: Site

    def named_site(self) -> Site:
        """The site that the query names. Raises `Refused` where it names none."""
        site = site_of(self.request)
        if site is None:
            raise Refused(PARAMETER, "region or aid")
        return site


def let_in(request: Request) -> str:
    """The session of a request that may go on. Raises `Refused`."""
    path, site = request.url.path, likely_site(request)
    session = session_of(request.headers)
    directive = credential_directive(session)
    # An account whose home is another cluster gets the number of an expired login (2026-10-01).
    if not session or directive == "expired" or (directive == "elsewhere" and site != HOME):
        raise Refused(LOGIN)
    if directive == "relogin" and path.startswith("/commerce/"):
        raise Refused(COMMERCE_LOGIN)
    _check_sign(request, site)
    if directive == "noproof" and site != "cn" and path in WRITES:
        raise Refused(SHARK_ACTION if path == CREDIT_RECEIVE else SHARK_ABROAD)
    pages = REFERERS.get(path)
    if pages and urlsplit(request.headers.get("referer", "")).path not in pages:
        raise Refused(SIGN, message="system busy")
    return session


def _check_sign(request: Request, site: Site) -> None:
    """`Sign` is the md5 of "9e2c|", the path's last seven characters, Pf, Appvr and Device-Time, "||11ac".

    A request without it passes on the mainland (2026-09-18), and abroad where it reads; one that is wrong never does.
    """
    headers, path = request.headers, request.url.path
    given = headers.get("sign")
    if given is None:
        if site != "cn" and path in WRITES:
            raise Refused(DENIED)
        return
    moment = headers.get("device-time", "")
    if not (moment.isascii() and moment.isdigit()):
        raise Refused(SIGN, "device time")
    text = f"9e2c|{path[-7:]}|{headers.get('pf', '')}|{headers.get('appvr', '')}|{moment}||11ac"
    if hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() != given:
        raise Refused(SIGN)
