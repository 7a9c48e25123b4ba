"""Requests signed as the site's own pages do, by botocore's signer."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, cast

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials


class SiteSigner(SigV4Auth):  # type: ignore[misc]
    """Leaves the host out of what is signed, and takes the time as given."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        signed = HTTPHeaders()
        for name, value in request.headers.items():
            if name.lower().startswith("x-amz-"):
                signed[name.lower()] = value
        return signed

    def sign(self, request: AWSRequest, moment: str) -> dict[str, str]:
        request.context["timestamp"] = moment
        self._modify_request_before_signing(request)
        to_sign = self.string_to_sign(request, self.canonical_request(request))
        self._inject_signature_to_request(request, self.signature(to_sign, request))
        return cast(dict[str, str], dict(request.headers.items()))


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
) -> dict[str, str]:
    """Headers of a request signed with the `data` of a `get_upload_token`, over the body's hash when there is one."""
    keys = Credentials(token["access_key_id"], token["secret_access_key"], token["session_token"])
    headers = {"X-Amz-Content-SHA256": sha256(body).hexdigest()} if body else {}
    request = AWSRequest(method, url, headers=headers, data=body, params=params or {})
    return SiteSigner(keys, service, region or token["region"]).sign(request, moment_of(now))
