"""Jimeng's three clusters, as the sandbox tells them apart."""

from typing import Literal

from starlette.requests import Request

Site = Literal["cn", "us", "asia"]

SITES: tuple[Site, ...] = ("cn", "us", "asia")

AIDS: dict[Site, str] = {"cn": "513695", "us": "513641", "asia": "513641"}
"""The `aid` of a site."""

REGIONS: dict[str, Site] = {"cn": "cn", "us": "us", "hk": "asia", "jp": "asia", "sg": "asia"}
"""The query parameter `region` and the header `Loc`, lower case → site."""


def site_of(request: Request) -> Site | None:
    """The site that `region` and `aid` of the query name; None where they name none, or contradict each other."""
    query = request.query_params
    aid, region = query.get("aid", ""), query.get("region", "").lower()
    site = REGIONS.get(region)
    if site is None and not region:
        site = "cn" if aid == AIDS["cn"] else "us" if aid == AIDS["us"] else None
    return None if site is None or (aid and aid != AIDS[site]) else site


def likely_site(request: Request) -> Site:
    """The site of a call that need not name one: `region` of the query, else the header `Loc`, else `aid`, else the
    header `Appid`, else cn.

    The real sites are told apart by their hosts; the sandbox has one host for all.
    """
    headers = request.headers
    if "region" not in request.query_params and (told := REGIONS.get(headers.get("loc", "").lower())):
        return told
    return site_of(request) or ("us" if headers.get("appid") == AIDS["us"] else "cn")
