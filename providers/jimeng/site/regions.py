"""The sites of Jimeng and Dreamina, and the parsing of credentials with their site prefix and proxy."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from providers.contract.accounts import Account
from providers.transport.proxy_urls import is_proxy

PROVIDER = "jimeng"


@dataclass(frozen=True, slots=True)
class Region:
    """One site: its hosts and the constants that its web page sends."""

    code: str
    base_url: str
    """Host of /mweb and /passport."""
    commerce_url: str
    origin: str
    page: str
    """Origin of the web page: the Referer of a call is a path below it."""
    aid: int
    param: str
    """The `region` query parameter."""
    lan: str
    loc: str
    imagex_url: str
    """Base of ImageX, which stores images."""
    vod_url: str
    """Base of VOD, which stores video and audio."""
    signing_region: str
    """The region in signatures for both, if the upload token names none."""
    short_signing_region: str
    """The same if the token has a short region name, such as `cn` or `sg`."""
    image_service: str
    """The ServiceId of ImageX if the upload token names none."""
    cookies: Mapping[str, str] = field(default_factory=dict, hash=False)
    """A browser's cookies besides the session."""
    fixed_imagex: bool = False
    """The operator has set `imagex_url`: the domain of an upload token does not replace it."""
    fixed_vod: bool = False
    """The same for `vod_url`."""

    @property
    def domestic(self) -> bool:
        return self.code == "cn"

    def referer(self, path: str) -> str:
        """The Referer of a call to `path`."""
        page = REFERERS.get(path)
        return self.page + page if page else self.origin


REFERERS: dict[str, str] = {
    # Captured 2026-09-20 and 09-24 on the mainland site; older clients add ?type=video.
    "/mweb/v1/aigc_draft/generate": "/ai-tool/generate",
    # Captured 2026-09-30 on the mainland site.
    "/mweb/v1/video_generate/get_common_config": "/ai-tool/generate?type=video",
    # Live 2026-09-30 on the mainland site: under any other page the answer is ret 1014, "system busy".
    "/commerce/v1/benefits/user_credit": "/ai-tool/image/generate",
    # One client family; others send /ai-tool/image/generate, and both work.
    "/commerce/v1/benefits/credit_receive": "/ai-tool/home",
}
"""Path of a call → path of the page that makes it. Other calls send the origin of the site only."""

_CN = Region(
    code="cn",
    base_url="https://jimeng.jianying.com",
    commerce_url="https://jimeng.jianying.com",
    origin="https://jimeng.jianying.com",
    page="https://jimeng.jianying.com",
    aid=513695,
    param="cn",
    lan="zh-Hans",
    loc="cn",
    imagex_url="https://imagex.bytedanceapi.com",
    vod_url="https://vod.bytedanceapi.com",
    signing_region="cn-north-1",
    # Of VOD one capture signs for `cn` as the token says (2026-06-10), a younger one for cn-north-1 (2026-09-24).
    short_signing_region="cn-north-1",
    image_service="tb4s082cfz",
    cookies={"store-region": "cn-gd", "store-region-src": "uid"},
)
_US = Region(
    code="us",
    base_url="https://dreamina-api.us.capcut.com",
    commerce_url="https://commerce.us.capcut.com",
    origin="https://dreamina-api.us.capcut.com",
    page="https://dreamina.capcut.com",
    aid=513641,
    param="US",
    lan="en",
    loc="us",
    imagex_url="https://imagex16-normal-us-ttp.capcutapi.us",
    # By the pattern of the other clusters, without a capture; the upload token mostly names one itself.
    vod_url="https://vod-us-east-1.bytevcloudapi.com",
    signing_region="us-east-1",
    short_signing_region="us-east-1",
    image_service="wopfjsm1ax",
)
_HK = replace(
    _US,
    code="hk",
    base_url="https://mweb-api-sg.capcut.com",
    commerce_url="https://commerce-api-sg.capcut.com",
    origin="https://mweb-api-sg.capcut.com",
    param="HK",
    loc="hk",
    imagex_url="https://imagex-normal-sg.capcutapi.com",
    # The host that programs of CapCut's Singapore cluster use; the upload token mostly names one itself.
    vod_url="https://vod-ap-singapore-1.bytevcloudapi.com",
    # Accepted by ImageX in 2026-02; the page of autumn 2026 signs for ap-singapore-1 where the token is short.
    signing_region="ap-southeast-1",
    short_signing_region="ap-singapore-1",
)

REGIONS: dict[str, Region] = {
    "cn": _CN,
    "us": _US,
    "hk": _HK,
    "jp": replace(_HK, code="jp", param="JP", lan="ja", loc="jp"),
    "sg": replace(_HK, code="sg", param="SG", loc="sg"),
}
ASIA = frozenset({"hk", "jp", "sg"})

_PREFIX = re.compile(r"(us|hk|jp|sg)-", re.IGNORECASE)
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_FORBIDDEN_IN_TOKEN = re.compile(r'[;,:"\\]')
"""Characters that are invalid in a cookie, and the colon, which follows the name of a provider."""
# Those of API keys are refused by the provider unless the credential names it.
_OTHER_PREFIX = re.compile(r"(?!sk|ms|gw)[A-Za-z]{2}-")
_COOKIE = re.compile(r"[\x20-\x7e]{1,16384}")
_SESSION_COOKIES = ("sessionid", "sessionid_ss", "sid_tt")
"""Cookies that hold the session, the best first."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """Base URLs that replace those of every region; None keeps the region's, or for uploads the upload token's. With
    another `base_url`, uploads go to the hosts in that site's token and never to the region's own: the whole site is
    replaced."""

    base_url: str | None = None
    commerce_url: str | None = None
    imagex_url: str | None = None
    vod_url: str | None = None

    def of(self, region: Region) -> Region:
        """The region with these hosts. With only `base_url` given, it is the commerce host too, and the upload hosts
        are ""."""
        base = (self.base_url or region.base_url).rstrip("/")
        commerce = (self.commerce_url or self.base_url or region.commerce_url).rstrip("/")
        imagex = (self.imagex_url or ("" if self.base_url else region.imagex_url)).rstrip("/")
        vod = (self.vod_url or ("" if self.base_url else region.vod_url)).rstrip("/")
        return replace(
            region,
            base_url=base,
            commerce_url=commerce,
            imagex_url=imagex,
            vod_url=vod,
            fixed_imagex=self.imagex_url is not None,
            fixed_vod=self.vod_url is not None,
        )


PREFIXES = tuple(f"{code}-" for code in REGIONS if code != "cn")
"""Prefixes of the sites abroad."""


def account_from(credential: str) -> Account | None:
    """The account of `[proxy-url@][us-|hk-|jp-|sg-]sessionid`; None if it is invalid.

    A proxy's password may contain an @, so the last one ends the proxy. The region prefix is not part of the cookie.
    Any other prefix of two letters and a dash is invalid: no sessionid has a dash. In place of the sessionid there may
    be a browser's cookies, `sessionid=…; …`: more than the session among them is sent as it is.
    """
    text = credential.strip()
    proxy: str | None = None
    scheme = text.partition("://")[0]
    if "://" in text and "=" not in scheme:
        proxy, at, text = text.rpartition("@")
        if not at or not is_proxy(proxy):
            return None
    text, region = _without_prefix(text)
    cookie: str | None = None
    if "=" in text:
        session_id, cookie = _session_of(text)
        session_id, inner = _without_prefix(session_id)
        region = inner if region == "cn" else region
    else:
        session_id = text
    if not _TOKEN.fullmatch(session_id) or _FORBIDDEN_IN_TOKEN.search(session_id) or _OTHER_PREFIX.match(session_id):
        return None
    return Account(PROVIDER, session_id, region=region, proxy=proxy, cookie=cookie)


def _without_prefix(text: str) -> tuple[str, str]:
    """A credential without the prefix of a site, and the site's code."""
    match = _PREFIX.match(text)
    return (text[match.end() :], match[1].lower()) if match else (text, "cn")


def _session_of(cookies: str) -> tuple[str, str | None]:
    """The session in a Cookie header, and the header itself if it holds more; ("", None) without a session. A text
    that names none of the session's cookies is a session of its own, which may hold an =."""
    pairs = [pair.strip().partition("=") for pair in cookies.split(";")]
    values = {name: value.strip() for name, _, value in reversed(pairs)}
    names = [name for name in _SESSION_COOKIES if values.get(name)]
    if not names:
        return ("", None) if values.keys() & set(_SESSION_COOKIES) else (cookies, None)
    whole = "; ".join(f"{name}={value.strip()}" for name, _, value in pairs if name)
    return values[names[0]], whole if len(values) > 1 and _COOKIE.fullmatch(whole) else None
