"""The static files of the pages, in memory: content, compressed content, media type and version."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "static"

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""By suffix, since `mimetypes` depends on the machine."""

VERSION_MARK = "{version}"
"""In a page: where the version of the assets goes."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. `etag` is quoted, as the header has it."""

    content: bytes
    compressed: bytes
    media_type: str
    etag: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All files by their path below the folder. `version` is a digest of everything: the URLs of the files hold it, so
    that a browser keeps them for good and never mixes files of two versions."""

    version: str
    files: Mapping[str, Asset]


@cache
def load_assets() -> Assets:
    """Read the files, once per process."""
    contents = {
        path.relative_to(FOLDER).as_posix(): path.read_bytes()
        for path in sorted(FOLDER.rglob("*"))
        if path.suffix in MEDIA_TYPES
    }
    digest = hashlib.sha256()
    for name, content in contents.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    version = digest.hexdigest()[:12]
    return Assets(version, {name: _asset(name, content, version) for name, content in contents.items()})


def _asset(name: str, content: bytes, version: str) -> Asset:
    suffix = name[name.rindex(".") :]
    if suffix == ".html":
        content = content.replace(VERSION_MARK.encode(), version.encode())
    # Without a time stamp, so that the bytes are the same in every process.
    compressed = gzip.compress(content, mtime=0)
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    return Asset(content, compressed, MEDIA_TYPES[suffix], etag)
