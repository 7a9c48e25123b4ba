"""Uploads to Jimeng's two services, each step by hand."""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from providers.sandbox.jimeng.upload_services import IMAGEX, VOD, Service
from tests.providers.sandbox.clients import JimengClient, Json
from tests.providers.sandbox.signing import sign

SCENES = {IMAGEX.name: 2, VOD.name: 1}


@dataclass(frozen=True)
class UploadAddress:
    """What an Apply answered."""

    uri: str
    auth: str
    host: str
    session_key: str
    vid: str = ""


class Uploader:
    """One session's uploads to one service, each step by hand."""

    def __init__(self, client: JimengClient, clock: Callable[[], float], service: Service = IMAGEX) -> None:
        self.client = client
        self.clock = clock
        self.service = service
        self.token: Json = {}

    async def keys(self) -> Json:
        self.token = await self.client.upload_token(SCENES[self.service.name])
        return self.token

    async def signed(
        self,
        method: str,
        query: dict[str, str],
        body: bytes = b"",
        *,
        path: str = "",
        headers: Json | None = None,
        **how: Any,
    ) -> httpx.Response:
        url = f"{self.client.http.base_url}".rstrip("/") + (path or f"/{self.service.name}/")
        how.setdefault("service", self.service.name)
        made = sign(method, url, self.token, self.clock(), params=query, body=body, **how)
        return await self.client.http.request(
            method, f"{url}?{urlencode(query, quote_via=quote)}", content=body, headers={**made, **(headers or {})}
        )

    def space(self) -> str:
        return str(self.token.get("service_id") or self.token["space_name"])

    async def apply(self, size: int | str, changed: dict[str, str] | None = None, **how: Any) -> httpx.Response:
        service = self.service
        query = {"Action": service.apply, "Version": service.version, service.space: self.space()}
        query |= {"FileSize": str(size), "s": "a b~*/é"}
        query |= {"FileType": "video", "IsInner": "1"} if service is VOD else {}
        query |= changed or {}
        return await self.signed("GET", {name: value for name, value in query.items() if value}, **how)

    async def address(self, size: int) -> UploadAddress:
        answer = await self.apply(size)
        assert answer.status_code == 200, answer.text
        result = answer.json()["Result"]
        if self.service is VOD:
            node = result["InnerUploadAddress"]["UploadNodes"][0]
            store = node["StoreInfos"][0]
            return UploadAddress(store["StoreUri"], store["Auth"], node["UploadHost"], node["SessionKey"], node["Vid"])
        address = result["UploadAddress"]
        store, host = address["StoreInfos"][0], address.get("UploadHost") or address["UploadHosts"][0]
        return UploadAddress(store["StoreUri"], store["Auth"], host, address["SessionKey"])

    async def send(self, address: UploadAddress, data: bytes, **changed: str) -> httpx.Response:
        headers = {
            "Authorization": address.auth,
            "Content-CRC32": f"{zlib.crc32(data):08x}",
            "Content-Type": "application/octet-stream",
        }
        headers |= {name.replace("_", "-"): value for name, value in changed.items()}
        url = f"http://{address.host}/upload/v1/{address.uri}"
        return await self.client.http.post(url, content=data, headers=headers)

    async def commit(self, address: UploadAddress, changed: dict[str, str] | None = None, **how: Any) -> httpx.Response:
        service = self.service
        query = {"Action": service.commit, "Version": service.version, service.space: self.space()} | (changed or {})
        body: Json = {"SessionKey": address.session_key}
        body |= {"Functions": []} if service is VOD else {}
        return await self.signed("POST", query, json.dumps(body).encode(), **how)

    async def upload(self, data: bytes) -> tuple[UploadAddress, Json]:
        """Everything: the place and the commit's `Result`."""
        await self.keys()
        address = await self.address(len(data))
        sent = await self.send(address, data)
        assert sent.status_code == 200, sent.text
        answer = await self.commit(address)
        assert answer.status_code == 200, answer.text
        result: Json = answer.json()["Result"]
        return address, result


def denied(answer: httpx.Response, status: int, code: str) -> None:
    metadata = answer.json()["ResponseMetadata"]
    assert (answer.status_code, metadata["Error"]["Code"]) == (status, code), metadata
    assert metadata.keys() == {"RequestId", "Action", "Version", "Service", "Region", "Error"}
    assert metadata["Error"]["CodeN"] and metadata["Error"]["Message"]
    assert "Result" not in answer.json()
