"""Where the archive lies: a folder, or a bucket at a cloud, behind a few calls that are the same for all.

An object is there as a whole or not at all, whatever happens to the process that writes it. What such a process leaves
in a bucket when it is killed, the parts of an upload, is seen by nobody, and is the bucket's own rule to clear away
(AbortIncompleteMultipartUpload).
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
"""The smallest that S3 takes. One is sent while the next one fills."""
PIECE_BYTES = 256 * 1024
"""Of what is read, more or less."""
LONGEST_SMALL_BYTES = 1024 * 1024

_LONGEST_REQUEST = timedelta(hours=12)
"""A reader may take its time; without this it has 30 seconds for a whole file."""
_SILENCE = timedelta(seconds=120)
_CONNECT = timedelta(seconds=10)
_SMALL_REQUEST = timedelta(seconds=8)
_RETRIES = 3
_RETRY_TIME = timedelta(seconds=30)

_MISSING = "the archive needs a package of its own: pip install 'video-gateway[archive]'"
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_QUERY = re.compile(r"\?\S*")
_LONGEST_REASON = 300


class StoreError(Exception):
    """The store cannot be used, or not just now. The text says in one line why, without a secret in it."""


class Stream(NamedTuple):
    """An object on its way. `size` is that of all of it. `pieces` raises StoreError when the store breaks off."""

    size: int
    pieces: AsyncGenerator[bytes, None]


class ArchiveStore:
    """Every call raises StoreError. Paths are relative, with `/` between their parts."""

    def __init__(self, store: "ObjectStore", folder: Path | None = None, small: "ObjectStore | None" = None) -> None:
        """`folder` is where a store of files lies, None for a bucket. `small` is the same store with less patience, for
        what somebody waits for."""
        self._store = store
        self._small = small or store
        self._folder = folder

    @classmethod
    def open(cls, url: str) -> Self:
        """The store at `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.

        A folder is made where there is none. For the others nothing is asked yet; credentials, the region and the
        endpoint are those of the environment, by the cloud's own names (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, …).
        """
        scheme = urlsplit(url).scheme
        if scheme not in SCHEMES:
            known = ", ".join(f"{name}://" for name in SCHEMES)
            raise StoreError(f"the archive's address has to begin with one of {known}")
        try:
            from obstore.store import LocalStore, from_url
        except ImportError:
            raise StoreError(_MISSING) from None
        with _told():
            if scheme == "file":
                folder = Path(unquote(urlsplit(url).path))
                if folder.exists() and not folder.is_dir():
                    raise StoreError(f"{folder} is a file, where a folder is wanted")
                local = LocalStore.from_url(url, automatic_cleanup=True, mkdir=True)
                return cls(local, local.prefix or Path("/"))
            options: Any = {"timeout": _LONGEST_REQUEST, "read_timeout": _SILENCE, "connect_timeout": _CONNECT}
            endpoint = next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), "")
            if scheme == "s3" and endpoint.startswith("http://"):
                options["allow_http"] = True
            retries: Any = {"max_retries": _RETRIES, "retry_timeout": _RETRY_TIME}
            small: Any = options | {"timeout": _SMALL_REQUEST, "read_timeout": _SMALL_REQUEST}
            return cls(
                from_url(url, client_options=options, retry_config=retries),
                small=from_url(url, client_options=small, retry_config=retries | {"max_retries": 1}),
            )

    async def put(self, path: str, pieces: AsyncIterable[bytes], media_type: str) -> None:
        """Store an object from pieces, in the place of what was there. It takes about two parts of memory.

        Nothing is stored when the pieces end in an error, which is passed on, or when the caller is cancelled.
        """
        if self._folder is not None:
            feed = _Feed(pieces)
            with _told(feed):
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
            with _told(feed):
                await asyncio.shield(sending)
        except asyncio.CancelledError:
            # Given up from outside the upload would stay in the bucket; ended by its pieces it is called off.
            feed.stop()
            await asyncio.wait((sending,))
            with suppress(Exception):
                sending.result()
            raise

    async def put_small(self, path: str, data: bytes, media_type: str) -> None:
        """Store an object at once."""
        with _told():
            if self._folder is not None:
                await atomic_files.write(self._folder, path, _once(data))
                return
            import obstore

            await obstore.put_async(
                self._store, path, data, attributes={"Content-Type": media_type}, use_multipart=False
            )

    async def get_small(self, path: str) -> bytes | None:
        """A whole object of at most LONGEST_SMALL_BYTES; None where there is none, or a larger one."""
        found = await self._get(self._small, path, {})
        if found is None or found.size > LONGEST_SMALL_BYTES:
            return None
        return b"".join([piece async for piece in found.pieces])

    async def get(self, path: str, start: int = 0, stop: int | None = None) -> Stream | None:
        """The bytes of an object from `start` to before `stop`, piece by piece as they are asked for; None where there
        is no such object. `start` has to lie inside of it."""
        whole = start == 0 and stop is None
        part: Any = {} if whole else {"range": (start, stop) if stop is not None else {"offset": start}}
        return await self._get(self._store, path, part)

    async def _get(self, store: "ObjectStore", path: str, options: Any) -> Stream | None:
        import obstore

        with _told(), suppress(FileNotFoundError):
            found = await obstore.get_async(store, path, options=options)
            return Stream(found.meta["size"], _pieces(found))
        return None

    async def size(self, path: str) -> int | None:
        """Bytes; None where there is no such object."""
        import obstore

        with _told(), suppress(FileNotFoundError):
            return (await obstore.head_async(self._small, path))["size"]
        return None

    async def folders(self, path: str = "") -> list[str]:
        """What lies directly below a path and has something below it, sorted; none of the store's own."""
        import obstore

        with _told():
            found = await obstore.list_with_delimiter_async(self._store, path or None)
            return sorted(name for name in found["common_prefixes"] if not name.startswith("."))

    async def files(self, path: str) -> list[str]:
        """Every object below a path, in no order."""
        import obstore

        with _told():
            return [entry["path"] async for entries in obstore.list(self._store, path) for entry in entries]

    async def delete(self, paths: Sequence[str]) -> None:
        """What is gone already is no error."""
        import obstore

        if not paths:
            return
        with _told():
            try:
                await obstore.delete_async(self._store, list(paths))
            except FileNotFoundError:
                for path in paths:
                    with suppress(FileNotFoundError):
                        await obstore.delete_async(self._store, path)

    async def sign(self, path: str, seconds: float) -> str | None:
        """A link to an object for whoever has it, for a while; None where the store, or its credential, has none."""
        import obstore
        from obstore.store import AzureStore, GCSStore, S3Store

        if not isinstance(self._store, AzureStore | GCSStore | S3Store):
            return None
        with suppress(StoreError), _told():
            return await obstore.sign_async(self._store, "GET", path, timedelta(seconds=seconds))
        return None


class _Feed:
    """Pieces for a store, which asks for each of them in a task of its own. They can be stopped from outside, and what
    they raise is kept apart from what the store raises."""

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
            # Who gives the pieces can only clean up once nobody waits for one.
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
    with _told():
        async for piece in found.stream(PIECE_BYTES):
            yield bytes(piece)


@contextmanager
def _told(feed: _Feed | None = None) -> Iterator[None]:
    """Whatever a store raises as a StoreError, but for what its pieces raised."""
    try:
        yield
    except Exception as error:
        if feed is not None and feed.error is not None:
            raise feed.error from None
        if isinstance(error, StoreError):
            raise
        raise StoreError(_reason(error)) from error


def _reason(error: Exception) -> str:
    """The first line; the store's own goes on with the parts of its program. A query may be a signature."""
    line = next(iter(str(error).splitlines()), "") or type(error).__name__
    return _QUERY.sub("?…", line)[:_LONGEST_REASON]
