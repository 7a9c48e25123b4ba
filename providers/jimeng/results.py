"""Choose the best result link of an item, from an ordered table of the fields with links. Pure.

Records and the response of the best-quality call hold the same items. An earlier source in the table wins; within a
source the largest frame wins, then the highest bitrate.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from urllib.parse import parse_qs, urlsplit

from providers.contract.tasks import Result, TaskState
from providers.jimeng.site.lenient_json import (
    dig,
    integer,
    json_text,
    known_time,
    link_text,
    number,
    number_text,
    string,
)

ITEM_ID_PATHS = (("item_id",), ("id",), ("local_item_id",), ("common_attr", "id"))
"""Fields with the item's id for the best-quality call."""

_COVER_PATHS = (("common_attr", "cover_url"), ("video", "cover_url"))
_MODEL_PATHS = (("video", "video_model"), ("common_attr", "video_model"))
_TRANSCODED_PATHS = (("common_attr", "transcoded_video"), ("video", "transcoded_video"))
_LINK_PATHS = (("video", "play_url"), ("video", "download_url"), ("video", "url"))
_LINK_LIST_PATHS = (("common_attr", "item_urls"), ("item_urls",))

_MOST_LINKS = 100
"""Links read of one field of an item."""
_MOST_ITEMS = 1000
"""Items read of one response, which has as many as a query has ids."""

_UNENCRYPTED = ("", "none", "0", "false")
"""`encryption_method` of an unencrypted stream. The site does not give the key of an encrypted one."""

_DEFINITIONS = {"origin": 100_000, "4k": 2160, "2k": 1440}
"""Definition → lines of the frame; others, such as `480p`, contain the number."""
_LINES = re.compile(r"(\d{3,4})[pi]", re.ASCII | re.IGNORECASE)
_WIDEST = 16 / 9


@dataclass(frozen=True, slots=True)
class Link:
    """A link of an item with its attributes; 0 or None for what the site does not tell."""

    url: str
    width: int = 0
    height: int = 0
    definition: str = ""
    bitrate: float = 0.0
    milliseconds: float | None = None
    expires_at: int | None = None

    @property
    def quality(self) -> tuple[float, float]:
        """Pixels per frame, estimated from the definition if there is no size, then bits per second."""
        if self.width > 0 and self.height > 0:
            return float(self.width * self.height), self.bitrate
        lines = _DEFINITIONS.get(self.definition.lower()) or _lines(self.definition)
        return lines * lines * _WIDEST, self.bitrate


def links_of(item: Any) -> Iterator[tuple[int, Link]]:
    """Every usable link of an item with the index of its source, 0 being the best."""
    for rank, source in enumerate(_SOURCES):
        for link in source(item):
            yield rank, link


def _streams(item: Any) -> Iterator[Link]:
    """`video_model`: JSON text with the streams without a watermark, their links in base64.

    Raw answer of 2026-02-11 on the mainland site; clients of 2026-09-30 take their downloads from it.
    """
    for path in _MODEL_PATHS:
        model = json_text(dig(item, *path))
        streams = dig(model, "video_list")
        if not isinstance(streams, dict):
            continue
        for stream in islice(streams.values(), _MOST_LINKS):
            if number_text(dig(stream, "encryption_method")).lower() not in _UNENCRYPTED:
                continue
            url = link_text(dig(stream, "main_url")) or link_text(dig(stream, "backup_url_1"))
            if not url:
                continue
            seconds = known_time(dig(model, "video_duration"))
            yield Link(
                url,
                integer(dig(stream, "vwidth")) or 0,
                integer(dig(stream, "vheight")) or 0,
                string(dig(stream, "definition")),
                number(dig(stream, "bitrate")) or 0.0,
                seconds * 1000 if seconds else None,
                integer(dig(stream, "url_expire")) or integer(dig(model, "url_expire")),
            )


def _transcoded(item: Any) -> Iterator[Link]:
    """`transcoded_video`: a map by definition; `origin` alone until 2026-02, `360p` and `720p` seen on 2026-09-20."""
    for path in _TRANSCODED_PATHS:
        streams = dig(item, *path)
        if not isinstance(streams, dict):
            continue
        for definition, stream in islice(streams.items(), _MOST_LINKS):
            url = link_text(dig(stream, "video_url"))
            if url:
                yield Link(
                    url,
                    integer(dig(stream, "width")) or 0,
                    integer(dig(stream, "height")) or 0,
                    string(definition),
                    milliseconds=known_time(dig(stream, "duration_ms")),
                )


def _plain(item: Any) -> Iterator[Link]:
    """Links without a size. The first one is taken."""
    for path in _LINK_PATHS:
        url = link_text(dig(item, *path))
        if url:
            yield Link(url)
    for list_path in _LINK_LIST_PATHS:
        urls = dig(item, *list_path)
        for url in map(link_text, urls[:_MOST_LINKS] if isinstance(urls, list) else ()):
            if url:
                yield Link(url)


_SOURCES: tuple[Callable[[Any], Iterator[Link]], ...] = (_streams, _transcoded, _plain)


@dataclass(frozen=True, slots=True)
class Choice:
    """The best link of an item. `rank` orders choices of the same video: larger is better."""

    result: Result
    rank: tuple[int, tuple[float, float]]


def choose(item: Any) -> Choice | None:
    """The best link of an item as a result, None if the item has no usable link."""
    links = list(links_of(item))
    if not links:
        return None
    source, best = max(links, key=lambda ranked: _rank(*ranked))
    known = [best, *(link for _, link in links)]
    same = (link for link in known if link.definition == best.definition)
    sized = next((link for link in same if link.width > 0 and link.height > 0), best)
    milliseconds = next((link.milliseconds for link in known if link.milliseconds), None)
    milliseconds = milliseconds or known_time(dig(item, "video", "duration_ms"))
    seconds = milliseconds / 1000 if milliseconds else known_time(dig(item, "video", "duration"))
    result = Result(
        url=best.url,
        cover_url=next((url for path in _COVER_PATHS if (url := link_text(dig(item, *path)))), None),
        expires_at=best.expires_at or _expiry(best.url),
        width=sized.width or None,
        height=sized.height or None,
        duration=seconds if seconds and seconds > 0 else None,
    )
    return Choice(result, _rank(source, best))


def best_choices(data: Any) -> dict[str, Choice]:
    """The best link of each item id in the response of the best-quality call."""
    found: dict[str, Choice] = {}
    for name in ("item_list", "local_item_list"):
        items = dig(data, name)
        for item in items[:_MOST_ITEMS] if isinstance(items, list) else ():
            choice = choose(item)
            if choice is None:
                continue
            for path in ITEM_ID_PATHS:
                key = number_text(dig(item, *path))
                if key:
                    found.setdefault(key, choice)
    return found


def with_better(state: TaskState, known: Choice | None, better: Choice) -> TaskState:
    """The state with the link of the best-quality call, unless the record's own is better.

    On a tie the call's link wins: that of a record is a preview at a fraction of the bitrate. Attributes that it lacks
    are kept from the record.
    """
    if state.result is None or (known is not None and known.rank > better.rank):
        return state
    before, best = state.result, better.result
    result = replace(
        best,
        cover_url=best.cover_url or before.cover_url,
        width=best.width or before.width,
        height=best.height or before.height,
        duration=best.duration or before.duration,
    )
    return replace(state, result=result)


def _rank(source: int, link: Link) -> tuple[int, tuple[float, float]]:
    return -source, link.quality


def _lines(definition: str) -> int:
    match = _LINES.fullmatch(definition.strip())
    return int(match[1]) if match else 0


def _expiry(link: str) -> int | None:
    """When a signed link expires, in unix seconds, from its query."""
    try:
        query = parse_qs(urlsplit(link).query)
    except ValueError:
        return None
    for name in ("x-expires", "Expires", "expires"):
        expiry = integer(query.get(name, [""])[0])
        if expiry:
            return expiry
    return None
