"""Requests signed as the site's own pages do, by botocore's signer."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, cast

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials


class SiteSigner(SigV4Auth):  # type: ignore[misc]
    """Signs the x-amz headers and those named in `more`, not the host by itself; takes the time as given."""

    more: tuple[str, ...] = ()

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        signed = HTTPHeaders()
        for name, value in request.headers.items():
            if name.lower().startswith("x-amz-") or name.lower() in self.more:
                signed[name.lower()] = value
        return signed

    def sign(self, request: AWSRequest, moment: str) -> dict[str, str]:
        request.context["timestamp"] = moment
        self._modify_request_before_signing(request)
        to_sign = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(to_sign, request))
        return cast(dict[str, str], dict(request.headers.items()))


SIGNED_REGIONS = {"cn": "cn-north-1", "sg": "ap-southeast-1"}
"""A token's short region → the one in the signature."""


def moment_of(now: float) -> str:
    """Unix seconds as `YYYYMMDDTHHMMSSZ`."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")


def sign(
    method: str,
    url: str,
    token: dict[str, Any],
    now: float,
    *,
    params: dict[str, str] | None = None,
    body: bytes = b"",
    service: str = "imagex",
    region: str = "",
    more: dict[str, str] | None = None,
) -> dict[str, str]:
    """Headers of a request signed with the `data` of a `get_upload_token`, over the body's hash when there is one, and
    over the headers in `more`."""
    keys = Credentials(token["access_key_id"], token["secret_access_key"], token["session_token"])
    headers = {**(more or {}), **({"X-Amz-Content-SHA256": sha256(body).hexdigest()} if body else {})}
    request = AWSRequest(method, url, headers=headers, data=body, params=params or {})
    region = region or SIGNED_REGIONS.get(token["region"], token["region"])
    signer = SiteSigner(keys, service, region)
    signer.more = tuple(name.lower() for name in more or {})
    return signer.sign(request, moment_of(now))
