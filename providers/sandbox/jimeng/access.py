"""Access control: session, home cluster, signature and referer of a request."""

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
"""Calls that change state: on the international sites they need `Sign` (2026-10-01), reads do not."""

HOME: Site = "asia"
"""The cluster of an account with the directive `elsewhere`."""

REFERERS: dict[str, frozenset[str]] = {
    CREDIT: frozenset({"/ai-tool/image/generate"}),
    CREDIT_RECEIVE: frozenset({"/ai-tool/home", "/ai-tool/image/generate"}),
}
"""Call → the `Referer` paths that known clients send. user_credit with another is rejected (2026-09-30)."""


@dataclass(frozen=True, slots=True)
class Call:
    """An accepted request with its JSON body. `site` is a guess if the query names none."""

    request: Request
    account: Account
    body: Json
    site: Site

    def named_site(self) -> Site:
        """The site in the query. Raises `Refused` if there is none."""
        site = site_of(self.request)
        if site is None:
            raise Refused(PARAMETER, "region or aid")
        return site


def authenticate(request: Request) -> str:
    """Authenticate a request and return its session. Raises `Refused`."""
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

    A request without it is accepted on the mainland (2026-09-18), and for reads elsewhere; a wrong one never is.
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
