"""The service that takes files, as tests play it."""

import base64
from typing import Any

import orjson
import respx

from providers.dashscope.uploads import (
    Policy,
)
from providers.media_files import MediaFile
from tests.providers.dashscope.wire import (
    ACCEPTED,
    BASE,
)

FOLDER = "dashscope-instant/1f2e3d/2026-10-20/5b1c"
OSS = "https://dashscope-file-mgr.oss-cn-beijing.aliyuncs.com"
DATA: dict[str, Any] = {
    "policy": "eyJleHBpcmF0aW9uIjoi",
    "signature": "Zm9yZ2Vk/+=",
    "upload_dir": FOLDER,
    "upload_host": OSS,
    "expire_in_seconds": 300,
    "max_file_size_mb": 100,
    "capacity_limit_mb": 999999999,
    "oss_access_key_id": "LTAI0123",
    "x_oss_object_acl": "private",
    "x_oss_forbid_overwrite": "true",
}
POLICY = Policy(OSS, FOLDER, "LTAI0123", "Zm9yZ2Vk/+=", "eyJleHBpcmF0aW9uIjoi", max_bytes=100 * 1024 * 1024)


def oss_error(code: str, message: str) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>\n  <Code>{code}</Code>\n  <Message>{message}</Message>\n'
        f"  <SignatureProvided>{DATA['signature']}</SignatureProvided>\n</Error>\n"
    )


EXPIRED = oss_error("AccessDenied", "Invalid according to Policy: Policy expired.")


class Store:
    """A service that gives leave, takes files and takes submits."""

    def __init__(self, router: respx.MockRouter) -> None:
        self.policies = router.get(f"{BASE}/uploads").respond(200, json={"request_id": "r", "data": DATA})
        self.files = router.post(OSS).respond(200)
        self.submits = router.post(path__regex=r"^/api/v1/services/aigc/.*/video-synthesis$").respond(
            200, json=ACCEPTED
        )

    @property
    def body(self) -> Any:
        """Of the last submit."""
        return orjson.loads(self.submits.calls.last.request.content)


def link(file: MediaFile) -> str:
    return f"oss://{FOLDER}/{file.name}"


def inline(file: MediaFile) -> str:
    return f"data:{file.media_type};base64,{base64.b64encode(file.read()).decode()}"
