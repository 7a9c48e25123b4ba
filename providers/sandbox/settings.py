"""What can be set on the embedded upstream. Times in seconds; tests use thousandths of one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """One upstream's character. Every field has the value that feels like the real service, only faster."""

    task_seconds: float = 8.0
    """Submit to finished video. A quarter is queue, a half generation, the last quarter finishing touches."""

    slow_factor: float = 10.0
    """How much longer a task with `#slow` in its prompt takes."""

    visible_after: float = 1.0
    """Jimeng: a record can be asked for only this long after its submit, since the store lags behind."""

    link_seconds: int = 86_400
    """Lifetime of a result link. Whole seconds: the expiry stands in the link as unix time."""

    keep_seconds: float = 86_400.0
    """DashScope: a task older than this is answered as UNKNOWN."""

    credits: int = 66
    """Jimeng: credits of a session seen for the first time, and the size of the daily grant."""

    cost: int = 10
    """Jimeng: credits a task takes at submit. A failed generation gives them back."""

    max_running: int = 2
    """Jimeng: unfinished tasks of a session; one more is refused with ret 1010."""

    ids_per_call: int = 50
    """Jimeng: ids in one status call; more are refused with ret 1000."""

    known_uris: frozenset[str] = frozenset()
    """Jimeng: `image_uri`s and `vid`s that count as uploaded by every session, and as whatever kind is asked
    for. Any other that a session has not uploaded itself is refused with ret 1000."""

    upload_seconds: float = 3600.0
    """Jimeng: lifetime of the keys for an upload, and of an upload that is begun and not committed."""

    running_per_model: int = 5
    """DashScope: running tasks of a key and model; further ones wait as PENDING. Older models run fewer."""

    queries_per_second: int = 20
    """DashScope: status queries, lists and cancels of a key, each counted on its own. 0 = no limit."""

    submits_per_second: int = 0
    """DashScope: submits of a key and model (the service: 5 for most models). 0 = no limit."""

    download_seconds: float = 5.0
    """DashScope: how long a submit may take to fetch one input from this machine (the service: 60 s)."""

    refuse_async_queries: bool = False
    """DashScope: status queries that carry `X-DashScope-Async` are refused with 403 AccessDenied, as one user of the
    service reported in September 2026. Against it stands litellm 1.110 (November 2026), which sends the header with
    every synchronous query: the reading that lets it through is the default."""

    list_page_max: int = 100
    """DashScope: largest `page_size` of the list. Nothing documents it; 100 is the most that a public client asks
    for."""

    list_page_cap: int = 0
    """DashScope: rows of a page of the list, whatever larger `page_size` is asked for: `page_size` and `total_page` of
    the answer tell. 0 = no cap."""

    list_lag: float = 0.0
    """DashScope: the list shows every task as it was so long ago, and not yet those submitted since."""

    draw_clips: bool = False
    """Draw a clip for each task that takes a second or longer, if ffmpeg is installed. Else the links lead to a shipped
    clip in the shape asked for."""

    drip_seconds: float = 4.0
    """How long an answer with `#drip` takes from its first byte to its last."""

    log_size: int = 1000
    """Requests kept for `/_sandbox/log`."""
