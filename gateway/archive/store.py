"""Archive store: a folder, or a bucket of an object store, behind one interface.

Writes are atomic, even where the writing process is killed. The parts of its unfinished multipart upload stay in the
bucket, invisible, until the bucket's lifecycle rule deletes them (AbortIncompleteMultipartUpload).
"""

import asyncio
import os
import re
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from gateway.archive import atomic_files

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("file", "s3", "gs", "az")

PART_BYTES = 5 * 1024 * 1024
"""The minimum of S3. One part is sent while the next one fills."""
PIECE_BYTES = 256 * 1024
"""Approximate size of the pieces of a download."""
MAX_SMALL_BYTES = 1024 * 1024

_REQUEST_TIMEOUT = timedelta(hours=12)
"""For slow readers: the default is 30 seconds for a whole file."""
_READ_TIMEOUT = timedelta(seconds=120)
_CONNECT_TIMEOUT = timedelta(seconds=10)
_SMALL_REQUEST_TIMEOUT = timedelta(seconds=8)
_RETRIES = 3
_RETRY_TIME = timedelta(seconds=30)

_NOT_INSTALLED = "the archive needs an optional package: pip install obstore"
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_QUERY = re.compile(r"\?\S*")
_LONGEST_REASON = 300


class StoreError(Exception):
    """The store is misconfigured or unavailable. The text is the reason, one line without secrets."""


class Stream(NamedTuple):
    """A download. `size` is that of the whole object. `pieces` raises StoreError where the download fails."""

    size: int
    pieces: AsyncGenerator[bytes, None]


class ArchiveStore:
    """Every call raises StoreError. Paths are relative, with `/` between their parts."""

    def __init__(self, store: "ObjectStore", folder: Path | None = None, small: "ObjectStore | None" = None) -> None:
        """`folder` is the root of a store of files, None for a bucket. `small` is the same store with short timeouts,
        for requests that a client waits for."""
        self._store = store
        self._small = small or store
        self._folder = folder

    @classmethod
    def open(cls, url: str) -> Self:
        """The store at `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.

        A missing folder is created. A bucket is not accessed yet; its credentials, region and endpoint come from the
        cloud's environment variables (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, …).
        """
        scheme = urlsplit(url).scheme
        if scheme not in SCHEMES:
            schemes = ", ".join(f"{name}://" for name in SCHEMES)
            raise StoreError(f"the archive's URL must begin with one of {schemes}")
        try:
            from obstore.store import LocalStore, from_url
        except ImportError:
            raise StoreError(_NOT_INSTALLED) from None
        with _store_errors():
            if scheme == "file":
                folder = Path(unquote(urlsplit(url).path))
                if folder.exists() and not folder.is_dir():
                    raise StoreError(f"{folder} is a file, not a folder")
                local = LocalStore.from_url(url, automatic_cleanup=True, mkdir=True)
                return cls(local, local.prefix or Path("/"))
            options: Any = {
                "timeout": _REQUEST_TIMEOUT,
                "read_timeout": _READ_TIMEOUT,
                "connect_timeout": _CONNECT_TIMEOUT,
            }
            endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "")
            if scheme == "s3" and endpoint.startswith("http://"):
                options["allow_http"] = True
            retries: Any = {"max_retries": _RETRIES, "retry_timeout": _RETRY_TIME}
            small: Any = options | {"timeout": _SMALL_REQUEST_TIMEOUT, "read_timeout": _SMALL_REQUEST_TIMEOUT}
            return cls(
                from_url(url, client_options=options, retry_config=retries),
                small=from_url(url, client_options=small, retry_config=retries | {"max_retries": 1}),
            )

    async def put(self, path: str, pieces: AsyncIterable[bytes], media_type: str) -> None:
        """Store an object from pieces, replacing an existing one. Needs memory for about two parts.

        Nothing is stored where the pieces raise, or the caller is cancelled. Errors of the pieces propagate.
        """
        if self._folder is not None:
            feed = _Feed(pieces)
            with _store_errors(feed):
                await atomic_files.write(self._folder, path, feed)
            return
        await self._upload(path, _Feed(pieces), media_type)

    async def _upload(self, path: str, feed: "_Feed", media_type: str) -> None:
        import obstore

        sending = asyncio.ensure_future(
            obstore.put_async(
                self._store,
                path,
                feed,
                attributes={"Content-Type": media_type},
                use_multipart=True,
                chunk_size=PART_BYTES,
                max_concurrency=1,
            )
        )
        try:
            with _store_errors(feed):
                await asyncio.shield(sending)
        except asyncio.CancelledError:
            # A cancelled upload would leave its parts in the bucket. One whose pieces raise is aborted by obstore.
            feed.stop()
            await asyncio.wait((sending,))
            with suppress(Exception):
                sending.result()
            raise

    async def put_small(self, path: str, data: bytes, media_type: str) -> None:
        """Store an object in one request."""
        with _store_errors():
            if self._folder is not None:
                await atomic_files.write(self._folder, path, _once(data))
                return
            import obstore

            await obstore.put_async(
                self._store, path, data, attributes={"Content-Type": media_type}, use_multipart=False
            )

    async def get_small(self, path: str) -> bytes | None:
        """A whole object of at most MAX_SMALL_BYTES; None where it is missing or larger."""
        found = await self._get(self._small, path, {})
        if found is None or found.size > MAX_SMALL_BYTES:
            return None
        return b"".join([piece async for piece in found.pieces])

    async def get(self, path: str, start: int = 0, stop: int | None = None) -> Stream | None:
        """Stream the bytes of an object from `start` to before `stop`; None where it is missing. `start` must be less
        than its size."""
        whole = start == 0 and stop is None
        part: Any = {} if whole else {"range": (start, stop) if stop is not None else {"offset": start}}
        return await self._get(self._store, path, part)

    async def _get(self, store: "ObjectStore", path: str, options: Any) -> Stream | None:
        import obstore

        with _store_errors(), suppress(FileNotFoundError):
            found = await obstore.get_async(store, path, options=options)
            return Stream(found.meta["size"], _pieces(found))
        return None

    async def size(self, path: str) -> int | None:
        """The size of an object in bytes; None where it is missing."""
        import obstore

        with _store_errors(), suppress(FileNotFoundError):
            return (await obstore.head_async(self._small, path))["size"]
        return None

    async def folders(self, path: str = "") -> list[str]:
        """The folders directly below a path, sorted, without hidden ones. Symbolic links are not followed."""
        import obstore

        if self._is_link(path):
            return []
        with _store_errors():
            found = await obstore.list_with_delimiter_async(self._store, path or None)
            names = (name for name in found["common_prefixes"] if not name.startswith("."))
            return sorted(name for name in names if not self._is_link(name))

    def _is_link(self, path: str) -> bool:
        return self._folder is not None and bool(path) and (self._folder / path).is_symlink()

    async def files(self, path: str) -> list[str]:
        """The paths of all objects below a path, unordered."""
        import obstore

        with _store_errors():
            return [entry["path"] async for entries in obstore.list(self._store, path) for entry in entries]

    async def delete(self, paths: Sequence[str]) -> None:
        """Delete objects. Missing ones are ignored."""
        import obstore

        if not paths:
            return
        with _store_errors():
            try:
                await obstore.delete_async(self._store, list(paths))
            except FileNotFoundError:
                for path in paths:
                    with suppress(FileNotFoundError):
                        await obstore.delete_async(self._store, path)

    async def sign(self, path: str, seconds: float) -> str | None:
        """A signed link to an object, valid for `seconds`; None where the store or its credential cannot sign."""
        import obstore
        from obstore.store import AzureStore, GCSStore, S3Store

        if not isinstance(self._store, AzureStore | GCSStore | S3Store):
            return None
        with suppress(StoreError), _store_errors():
            return await obstore.sign_async(self._store, "GET", path, timedelta(seconds=seconds))
        return None


class _Feed:
    """Pieces for an upload. The store awaits each of them in a separate asyncio task. `stop` ends them from outside.
    `error` is what the pieces raised, to tell it from errors of the store."""

    def __init__(self, pieces: AsyncIterable[bytes]) -> None:
        self._pieces = aiter(pieces)
        self._next: asyncio.Future[bytes] | None = None
        self._stopped = False
        self.error: Exception | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._stopped:
            raise StoreError("stopped")
        self._next = asyncio.ensure_future(_anext(self._pieces))
        try:
            await asyncio.wait((self._next,))
            return self._next.result()
        except asyncio.CancelledError:
            self._next.cancel()
            # The source of the pieces can clean up only once no call of it is pending.
            await asyncio.wait((self._next,))
            if not self._stopped:
                raise
            raise StoreError("stopped") from None
        except StopAsyncIteration:
            raise
        except Exception as error:
            self.error = error
            raise

    def stop(self) -> None:
        self._stopped = True
        if self._next is not None:
            self._next.cancel()


async def _anext(pieces: AsyncIterator[bytes]) -> bytes:
    return await anext(pieces)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _pieces(found: Any) -> AsyncGenerator[bytes, None]:
    with _store_errors():
        async for piece in found.stream(PIECE_BYTES):
            yield bytes(piece)


@contextmanager
def _store_errors(feed: _Feed | None = None) -> Iterator[None]:
    """Convert errors of the store to StoreError. Errors of the pieces of `feed` propagate unchanged."""
    try:
        yield
    except Exception as error:
        if feed is not None and feed.error is not None:
            raise feed.error from None
        if isinstance(error, StoreError):
            raise
        raise StoreError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """The first line of an error, without obstore's backtrace. A URL's query is masked: it may be a signature."""
    line = next(iter(str(error).splitlines()), "") or type(error).__name__
    return _QUERY.sub("?…", line)[:_LONGEST_REASON]
