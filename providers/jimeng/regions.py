"""The sites of Jimeng and Dreamina, and how a token names its site and its proxy."""

import re
from dataclasses import dataclass, replace

from providers.contract import Account
from providers.proxies import is_proxy

PROVIDER = "jimeng"


@dataclass(frozen=True, slots=True)
class Region:
    """One site: its hosts and the words its web page sends about itself."""

    code: str
    base_url: str
    """Host of /mweb and /passport."""
    commerce_url: str
    origin: str
    generate_referer: str
    aid: int
    param: str
    """The `region` query parameter."""
    lan: str
    loc: str
    imagex_url: str
    """Base of ImageX, which takes pictures."""
    vod_url: str
    """Base of VOD, which takes clips and sounds."""
    signing_region: str
    """The region in the signatures for both."""
    image_service: str
    """The ServiceId of ImageX where the upload token names none."""

    @property
    def domestic(self) -> bool:
        return self.code == "cn"


_CN = Region(
    code="cn",
    base_url="https://jimeng.jianying.com",
    commerce_url="https://jimeng.jianying.com",
    origin="https://jimeng.jianying.com",
    generate_referer="https://jimeng.jianying.com/ai-tool/generate?type=video",
    aid=513695,
    param="cn",
    lan="zh-Hans",
    loc="cn",
    imagex_url="https://imagex.bytedanceapi.com",
    vod_url="https://vod.bytedanceapi.com",
    signing_region="cn-north-1",
    image_service="tb4s082cfz",
)
_US = Region(
    code="us",
    base_url="https://dreamina-api.us.capcut.com",
    commerce_url="https://commerce.us.capcut.com",
    origin="https://dreamina-api.us.capcut.com",
    generate_referer="https://dreamina.capcut.com/ai-tool/generate?type=video",
    aid=513641,
    param="US",
    lan="en",
    loc="us",
    imagex_url="https://imagex16-normal-us-ttp.capcutapi.us",
    vod_url="https://vod.bytedanceapi.com",
    signing_region="us-east-1",
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
    signing_region="ap-southeast-1",
)

REGIONS: dict[str, Region] = {
    "cn": _CN,
    "us": _US,
    "hk": _HK,
    "jp": replace(_HK, code="jp", param="JP", lan="ja", loc="jp"),
    "sg": replace(_HK, code="sg", param="SG", loc="sg"),
}
ASIA = frozenset({"hk", "jp", "sg"})

_PREFIX = re.compile(r"(us|hk|jp|sg)-")
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")
_NOT_IN_A_TOKEN = re.compile(r'[;,:"\\]')
"""What a cookie cannot hold, and the colon, which stands behind the name of a service."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """Addresses that replace those of every region; None keeps the region's own."""

    base_url: str | None = None
    commerce_url: str | None = None
    imagex_url: str | None = None
    vod_url: str | None = None

    def of(self, region: Region) -> Region:
        """The region with these hosts. The commerce host follows the base when only the base is given."""
        base = (self.base_url or region.base_url).rstrip("/")
        commerce = (self.commerce_url or self.base_url or region.commerce_url).rstrip("/")
        imagex = (self.imagex_url or region.imagex_url).rstrip("/")
        vod = (self.vod_url or region.vod_url).rstrip("/")
        return replace(region, base_url=base, commerce_url=commerce, imagex_url=imagex, vod_url=vod)


def account_from(credential: str) -> Account | None:
    """The account of `[proxy-url@][us-|hk-|jp-|sg-]sessionid`; None when it cannot be a token.

    A proxy may hold an @ in its password, so the last one parts it from the token. The prefix of the region belongs
    to the token and does not go into the cookie.
    """
    text = credential.strip()
    proxy: str | None = None
    if "://" in text:
        proxy, at, text = text.rpartition("@")
        if not at or not is_proxy(proxy):
            return None
    if not _TOKEN.fullmatch(text):
        return None
    match = _PREFIX.match(text)
    session_id = text[match.end() :] if match else text
    if not session_id or _NOT_IN_A_TOKEN.search(session_id):
        return None
    return Account(PROVIDER, session_id, region=match[1] if match else "cn", proxy=proxy)
