"""An uploader of one account, and what the site received from it."""

import hashlib
import itertools
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl

import httpx
import pytest
import respx

from providers.contract.accounts import Account
from providers.contract.errors import ErrorKind, ProviderError
from providers.jimeng.provider import Jimeng
from providers.jimeng.site.regions import REGIONS, Hosts, Region
from providers.jimeng.uploads.answers import Uploaded
from providers.jimeng.uploads.sigv4 import SigningKeys, sign
from providers.jimeng.uploads.uploader import Uploader
from providers.media_files import MediaFile
from providers.sandbox import server as sandbox_server
from providers.transport.client import HttpClient
from tests.providers.jimeng.files import picture
from tests.providers.jimeng.upload_site import (
    ACCESS_KEY,
    LENT,
    SECRET_KEY,
    SESSION_TOKEN,
)

NOW = 1757737934.5
SECRET = "5e55101d0123456789"
PROXY = "http://user:proxy-password@proxy.example:8080"
CN, US, JP = REGIONS["cn"], REGIONS["us"], REGIONS["jp"]
BEST = Path(sandbox_server.__file__).parent / "clip" / "best.mp4"
KEYS = SigningKeys(ACCESS_KEY, SECRET_KEY, SESSION_TOKEN)


class UploaderFixture:
    """An uploader of one account at one site."""

    def __init__(self, router: respx.MockRouter, region: Region = CN, proxy: str | None = None) -> None:
        self.proxies: list[str | None] = []
        self.now = NOW
        account = Account("jimeng", SECRET, region=region.code, proxy=proxy)
        http = HttpClient(transport=lambda proxy: self._transport(router, proxy))
        jimeng = Jimeng(http, hosts=Hosts(region.base_url, region.commerce_url), now=lambda: NOW)
        ids = (f"0000-{number}-abcdefghijk" for number in itertools.count(1))
        self.uploader = Uploader(http, jimeng._call, account, region, now=lambda: self.now, new_id=lambda: next(ids))

    def _transport(self, router: respx.MockRouter, proxy: str | None) -> httpx.AsyncBaseTransport:
        self.proxies.append(proxy)
        return httpx.MockTransport(router.async_handler)

    async def upload(self, file: MediaFile | None = None) -> Uploaded:
        return await self.uploader.upload(file or picture())

    async def failed(self, file: MediaFile | None = None) -> ProviderError:
        with pytest.raises(ProviderError) as caught:
            await self.upload(file)
        error = caught.value
        told = f"{error} {error!r} {error.args} {error.code} {error.detail}"
        assert all(secret not in told for secret in (*LENT, SECRET, "proxy-password"))
        assert error.kind is not ErrorKind.ANSWER_LOST
        return error


def sent(route: respx.Route, number: int = -1) -> httpx.Request:
    return route.calls[number].request  # type: ignore[no-any-return]


def asked(route: respx.Route) -> list[tuple[str, str]]:
    return parse_qsl(sent(route).url.query.decode(), keep_blank_values=True, strict_parsing=True)


def expect_signed(
    request: httpx.Request, region: Region, service: str, headers: Mapping[str, str], signing_region: str = ""
) -> None:
    expected = sign(
        KEYS,
        request.method,
        str(request.url),
        region=signing_region or region.signing_region,
        service=service,
        at=NOW,
        headers=headers,
        body_sha256=hashlib.sha256(request.content).hexdigest(),
    )
    assert {name: request.headers[name] for name in expected} == expected
    assert "cookie" not in request.headers
