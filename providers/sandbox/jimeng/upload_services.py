"""The two services behind Jimeng's uploads: ImageX for images, VOD for video and audio. Data and errors."""

from dataclasses import dataclass
from typing import Literal

from providers.sandbox.jimeng.sites import Site


@dataclass(frozen=True, slots=True)
class Service:
    """One of the two. `space` is the query parameter of the space, `max_bytes` the largest file."""

    name: Literal["imagex", "vod"]
    version: str
    apply: str
    commit: str
    space: str
    max_bytes: int


IMAGEX = Service("imagex", "2018-08-01", "ApplyImageUpload", "CommitImageUpload", "ServiceId", 100_000_000)
VOD = Service("vod", "2020-11-19", "ApplyUploadInner", "CommitUploadInner", "SpaceName", 500_000_000)

SCENES = {1: VOD, 2: IMAGEX, 3: VOD}
"""`scene` of the site's `get_upload_token` → the service of its keys; 3 is for files and audio."""

OPENS = {IMAGEX: (IMAGEX, VOD), VOD: (VOD,)}
"""Service of the keys → services that accept them: keys of ImageX worked for VOD too (2026-09-18)."""

TOKEN_REGIONS: dict[Site, str] = {"cn": "cn", "us": "us-east-1", "asia": "sg"}
"""`region` of the keys. A short one is not what a signature names."""

SIGNED_REGIONS: dict[tuple[str, Site], tuple[str, ...]] = {
    ("imagex", "cn"): ("cn-north-1",),
    ("imagex", "us"): ("us-east-1",),
    ("imagex", "asia"): ("ap-southeast-1", "ap-singapore-1"),
    ("vod", "cn"): ("cn-north-1", "cn"),
    ("vod", "us"): ("us-east-1",),
    ("vod", "asia"): ("ap-southeast-1", "ap-singapore-1"),
}
"""Service and site → the regions that a signature may name: clients differ, and all are accepted."""

APPLY_SIGNED = ("x-amz-date", "x-amz-security-token")
COMMIT_SIGNED = ("x-amz-content-sha256", *APPLY_SIGNED)

STORED, NOT_STORED = 2000, 2001
"""`UriStatus`: the image is usable, or it is not an image."""

PICTURE_SPACES: dict[Site, str] = {"cn": "tb4s082cfz", "us": "wopfjsm1ax", "asia": "wopfjsm1ax"}
FILM_SPACE = "dreamina"
ERRORS: dict[str, tuple[int, int]] = {
    "MissingParameter": (100002, 400),
    "MissingAuthenticationToken": (100003, 401),
    "MissingRequestInfo": (100004, 400),
    "InvalidTimestamp": (100006, 403),
    "InvalidActionOrVersion": (100008, 404),
    "InvalidAccessKey": (100009, 401),
    "CheckAuthenticationError": (100009, 401),
    "SignatureDoesNotMatch": (100010, 401),
    "AccessDenied": (100013, 403),
    "InvalidAuthorization": (100024, 400),
    "InvalidCredential": (100025, 400),
    "InvalidSecretToken": (100026, 401),
    "InvalidParameter": (600001, 400),
    "FileTooLarge": (600002, 400),
    "InvalidSessionKey": (600003, 400),
    "FileNotUploaded": (600004, 400),
    "InvalidMedia": (600005, 400),
}
"""Code → (`CodeN`, HTTP status). The services' own numbers, from 600001 on, are not published."""


class Denied(Exception):  # noqa: N818
    """A service rejects the call with this code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
