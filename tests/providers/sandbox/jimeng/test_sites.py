"""Which site a call is for."""

import pytest
from starlette.requests import Request

from providers.sandbox.jimeng.sites import likely_site, site_of


def request(query: str, headers: dict[str, str] | None = None) -> Request:
    pairs = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    return Request({"type": "http", "query_string": query.encode(), "headers": pairs})


@pytest.mark.parametrize(
    ("query", "site"),
    [
        ("region=cn&aid=513695", "cn"),
        ("region=US&aid=513641", "us"),
        ("region=HK", "asia"),
        ("region=jp&aid=513641", "asia"),
        ("aid=513695", "cn"),
        ("aid=513641", "us"),
        ("region=cn&aid=513641", None),
        ("region=mars", None),
        ("aid=1", None),
        ("", None),
    ],
)
def test_query_names_it(query: str, site: str | None) -> None:
    assert site_of(request(query)) == site


@pytest.mark.parametrize(
    ("query", "headers", "site"),
    [
        ("", {"loc": "us", "appid": "513641"}, "us"),
        ("", {"loc": "sg", "appid": "513641"}, "asia"),
        ("", {"appid": "513641"}, "us"),
        ("", {"loc": "cn"}, "cn"),
        ("", {"loc": "mars"}, "cn"),
        ("", {}, "cn"),
        ("aid=513641", {"loc": "jp"}, "asia"),
        ("aid=513641", {}, "us"),
        ("region=us", {"loc": "sg"}, "us"),
    ],
)
def test_call_that_need_not_name_it(query: str, headers: dict[str, str], site: str) -> None:
    assert likely_site(request(query, headers)) == site
