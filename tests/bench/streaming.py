"""Case f: how fast a finished video gets to its client, and what it takes of memory."""

import statistics

from tests.bench import litellm, wire
from tests.bench.race import GATEWAY, LITELLM, NGINX, in_turn, ratio
from tests.bench.requests import Requests
from tests.bench.stand import KEY, Running, Stand, bearer
from tests.bench.table import Row, Verdict

_TIMES = 4
_MOST_SECONDS = 180.0
_TO_NGINX = 0.5
_GROWTH_MB = 40.0
_CLOSE = {"Connection": "close"}


def file(stand: Stand) -> list[Row]:
    """A file of 200 MB, several times one after the other."""
    stand.make_file()
    with stand.gateway() as gateway:
        asked: dict[str, tuple[Running, Requests]] = {}
        if stand.proxy:
            asked[NGINX] = stand.proxy, Requests((wire.FILE_PATH,), _CLOSE)
        content = f"/v1/videos/{wire.finished_id()}/content"
        asked[GATEWAY] = gateway, Requests((content,), bearer(KEY) | _CLOSE)
        if stand.litellm:
            asked[LITELLM] = (
                stand.litellm,
                Requests((_litellm_content(stand, stand.litellm),), litellm.HEADERS | _CLOSE),
            )
        before: dict[str, float] = {}
        for name, (running, _) in asked.items():
            running.server.forget_peak()
            before[name] = running.server.memory_mb()

        def speed(name: str) -> float:
            running, requests = asked[name]
            # LiteLLM takes a whole file into memory before it answers: once is enough to see that.
            times = 1 if name == LITELLM else _TIMES
            return statistics.median(stand.loads.download(running.port, requests, times, _MOST_SECONDS))

        speeds = in_turn(stand, {name: running for name, (running, _) in asked.items()}, speed)
        growth = {name: running.server.memory_mb("VmHWM") - before[name] for name, (running, _) in asked.items()}
        return [_row(name, speeds, growth[name], running) for name, (running, _) in asked.items()]


def _row(name: str, speeds: dict[str, list[float]], growth: float, running: Running) -> Row:
    what = f"a file of {wire.FILE_BYTES >> 20} MB"
    ours = name == GATEWAY
    to_nginx = ratio(speeds, name, NGINX) if ours else None
    verdict: Verdict = "n/a" if to_nginx is None else "ok"
    if growth > _GROWTH_MB or (to_nginx is not None and to_nginx < _TO_NGINX):
        verdict = "below"
    return Row(
        "f",
        what,
        name,
        rate=statistics.median(speeds[name]),
        unit="MB",
        memory_mb=running.server.memory_mb(),
        to_nginx=to_nginx,
        to_litellm=ratio(speeds, name, LITELLM) if ours else None,
        besides=f"{growth:+.0f} MB at its peak",
        target=f"≥ {_TO_NGINX:g} × nginx, growth ≤ {_GROWTH_MB:g} MB" if ours else "",
        verdict=verdict if ours else "",
        figures={"rates": speeds[name], "growth_mb": growth},
    )


def _litellm_content(stand: Stand, running: Running) -> str:
    """The path of a finished video's content."""
    id = stand.submit(running.port, litellm.SUBMIT, 1, "id")[0]
    return f"/v1/videos/{litellm.with_upstream_id(id, wire.finished_id())}/content"
