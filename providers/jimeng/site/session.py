"""Cookies, headers and query of every Jimeng request. The cookies are stable per account."""

import hashlib
import re
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from urllib.parse import quote_plus

from providers.contract.accounts import Account
from providers.jimeng.site.regions import Region


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions of the web page, as of autumn 2026 (captured 2026-09-18 to 10-02). `app_version` is `da_version` of
    every query, `draft_version` the `version` of a draft."""

    app_version: str = "3.3.28"
    draft_version: str = "3.3.28"


CURRENT = Versions()
WEB_VERSION = "7.5.0"
_APP_VERSION = "8.4.0"
_APP_SDK_VERSION = "48.0.0"
_PLATFORM = "7"
_SESSION_SECONDS = 5_184_000
_USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)


def sign(path: str, device_time: int) -> str:
    """The `Sign` header of a path without its query; `device_time` must be the `Device-Time` sent with it."""
    text = f"9e2c|{path[-7:]}|{_PLATFORM}|{_APP_VERSION}|{device_time}||11ac"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


_WEB_ID = re.compile(r"\d{8,24}", re.ASCII)
_COUNTRY = re.compile(r"[a-z]{2}", re.ASCII)


@lru_cache(maxsize=4096)
def web_id(account: Account) -> str:
    """The browser's id, 19 digits: `_tea_web_id` of the account's own cookie, else derived from the token, so that a
    restart does not look like a new device. A query that differs from the cookie gets error 4013 (2026-04)."""
    own = cookie_value(account, "_tea_web_id")
    if _WEB_ID.fullmatch(own):
        return own
    return str(7 * 10**18 + int(_digest(account, "web_id")[:15], 16) % 10**18)


def cookie_value(account: Account, name: str) -> str:
    """A value of the account's own cookie, "" if it has none."""
    pairs = (pair.strip().partition("=") for pair in (account.cookie or "").split(";"))
    return next((value.strip() for key, _, value in pairs if key.strip() == name), "")


@lru_cache(maxsize=4096)
def _user_id(account: Account) -> str:
    return _digest(account, "uid_tt")[:32]


def _digest(account: Account, purpose: str) -> str:
    return hashlib.sha256(f"{purpose}\0{account.credential}".encode()).hexdigest()


def cookie(account: Account, region: Region, now: int) -> str:
    """The Cookie header. Only `sessionid` is known to matter; the rest is what a browser sends with it."""
    if account.cookie:
        return account.cookie
    session_id = account.credential
    pairs = {
        "_tea_web_id": web_id(account),
        "is_staff_user": "false",
        **region.cookies,
        "sid_guard": f"{session_id}%7C{now}%7C{_SESSION_SECONDS}%7C{_cookie_date(now + _SESSION_SECONDS)}",
        "uid_tt": _user_id(account),
        "uid_tt_ss": _user_id(account),
        "sid_tt": session_id,
        "sessionid": session_id,
        "sessionid_ss": session_id,
    }
    return "; ".join(f"{name}={value}" for name, value in pairs.items())


def _cookie_date(at: int) -> str:
    """`Fri, 10-Sep-2027 06:32:06 GMT`, URL-encoded: the form of the site's own cookies (captured 2026-09)."""
    weekday, day, month, year, clock, zone = formatdate(at, usegmt=True).split()
    return quote_plus(f"{weekday} {day}-{month}-{year} {clock} {zone}", safe="")


def headers(account: Account, region: Region, path: str, now: int, referer: str) -> dict[str, str]:
    """All headers of a JSON call to `path` at unix second `now`."""
    found = {
        "Accept": "application/json, text/plain, */*",
        "Content-Type": "application/json",
        "User-Agent": _USER_AGENT,
        "Origin": region.origin,
        "Referer": referer,
        "App-Sdk-Version": _APP_SDK_VERSION,
        "Appid": str(region.aid),
        "Appvr": _APP_VERSION,
        "Pf": _PLATFORM,
        "Lan": region.lan,
        "Loc": region.loc,
        "Device-Time": str(now),
        "Sign": sign(path, now),
        "Sign-Ver": "1",
        "Tdid": "",
        "Cookie": cookie(account, region, now),
    }
    if not region.domestic:
        # The account's country, captured 2026-09-21 to 10-01 on the US site.
        country = cookie_value(account, "store-country-code")
        country = country if _COUNTRY.fullmatch(country) else region.loc
        found |= {"Loc": country, "Store-Country-Code": country, "Store-Country-Code-Src": "uid"}
    return found


def upload_headers(region: Region) -> dict[str, str]:
    """The headers that a browser sends to upload hosts. They get no cookie."""
    return {
        "Accept": "*/*",
        "User-Agent": _USER_AGENT,
        "Origin": region.origin,
        "Referer": f"{region.origin}/",
    }


def query(account: Account, region: Region, versions: Versions = CURRENT) -> dict[str, str | int]:
    """The query of every call except those for credits."""
    common: dict[str, str | int] = {"aid": region.aid, "device_platform": "web", "region": region.param}
    if region.domestic:
        common["webId"] = web_id(account)
    return common | {
        "da_version": versions.app_version,
        "os": "windows",
        "web_component_open_flag": 1,
        "web_version": WEB_VERSION,
        "aigc_features": "app_lip_sync",
    }
