"""Cases a, b, e, g and h: how many requests a server answers, beside nginx as a plain reverse proxy and LiteLLM."""

import re
from dataclasses import replace

from tests.bench import litellm, wire
from tests.bench.load import CONNECTIONS
from tests.bench.race import GATEWAY, LITELLM, NGINX, Contender, Target, measured, race, ratio, rows
from tests.bench.requests import UNIQUE, Requests
from tests.bench.stand import KEY, Stand, bearer
from tests.bench.table import Row

TASK = "/v1/videos/tasks/"
SUBMIT = Requests(("/v1/videos/generations",), bearer(KEY), "POST", '{"model":"wan2.6-t2v","prompt":"a cat"}')

REPEATED_IDS = 100
_MANY_CONNECTIONS = 512
_MIN_SHARE = 0.8
"""Live polls at _MANY_CONNECTIONS, as a share of those at CONNECTIONS."""
_NATIVE_SHARE = 0.9
"""Submits and polls through the upstream's own API, as a share of those through /v1/videos."""
_SDK_HEADERS = {**bearer(KEY), "X-DashScope-Async": "enable"}
_SDK_BODY = '{"model":"wan2.6-t2v","parameters":{},"input":{"prompt":"a cat","function":"video-synthesis"}}'
_WORKERS = 2
_METRICS_REQUESTS = 100

_GATEWAY_KEY = "gw-bench-0123456789abcdef"
_MANAGED = {
    "GATEWAY_KEYS": f"bench:{_GATEWAY_KEY}",
    "GATEWAY_SECRET": "the benchmark's own secret, known to everybody",
    "DASHSCOPE_API_KEY": KEY,
}
LIVE = {"POLL_FRESHNESS": "0", "DASHSCOPE_QPS": "0"}
"""Every poll asks the upstream, however often that is."""

LIVE_POLLS = Requests((TASK + UNIQUE,), bearer(KEY))
_RUNNING = b'"status":"processing"'
_COUNTED = re.compile(rb"^gateway_request_duration_seconds_count\{[^}]*/healthz[^}]*\} ([0-9.e+]+)$", re.MULTILINE)


def live_polls(stand: Stand) -> list[Row]:
    """Every poll of another task, each with one call of the upstream."""
    target = Target(nginx=0.045, aim=0.1, litellm=35)
    with stand.gateway(LIVE) as gateway:
        contenders = [
            *_nginx(stand, Requests((wire.TASKS_PATH + UNIQUE,), bearer(KEY)), b'"RUNNING"'),
            Contender(GATEWAY, gateway, LIVE_POLLS, _RUNNING),
            *_litellm_polls(stand),
        ]
        return rows("a", "live polls", contenders, race(stand, contenders), target)


def many_connections(stand: Stand) -> list[Row]:
    """Live polls over 32 connections and over 512, and the ratio of the two rates."""
    few, many = (f"{GATEWAY}, {count} connections" for count in (CONNECTIONS, _MANY_CONNECTIONS))
    with stand.gateway(LIVE) as gateway:
        contenders = [
            Contender(few, gateway, LIVE_POLLS, _RUNNING),
            Contender(many, gateway, LIVE_POLLS, _RUNNING, connections=_MANY_CONNECTIONS),
        ]
        found = race(stand, contenders)
        made = rows("h", "live polls", contenders, found, None)
    rates = {name: [each.rate for each in measurements] for name, measurements in found.items()}
    share = ratio(rates, many, few) or 0.0
    row = replace(
        made[1],
        besides=f"{share:.2f} × {CONNECTIONS} connections",
        target=f"≥ {_MIN_SHARE:g} × {CONNECTIONS} connections, no errors",
        verdict="ok" if share >= _MIN_SHARE and not made[1].errors else "below",
    )
    return [made[0], row]


def repeated_polls(stand: Stand) -> list[Row]:
    """A hundred running tasks, asked for in turn; then by signed ids, of tasks that a gateway key has submitted."""
    with stand.gateway() as gateway, stand.gateway(_MANAGED) as managed:
        submit = replace(SUBMIT, paths=("/v1/videos",), headers=bearer(_GATEWAY_KEY))
        ids = stand.submit(managed.port, submit, REPEATED_IDS, "id")
        by_signed = Requests(tuple(f"/v1/videos/{id}" for id in ids), bearer(_GATEWAY_KEY))
        at_nginx = tuple(wire.TASKS_PATH + wire.running_id() for _ in range(REPEATED_IDS))
        signed = Contender(f"{GATEWAY}, signed ids", managed, by_signed, b'"in_progress"', known=True)
        contenders = [
            *_nginx(stand, Requests(at_nginx, bearer(KEY)), b'"RUNNING"'),
            Contender(GATEWAY, gateway, repeated(), _RUNNING, known=True),
            *_litellm_polls(stand),
        ]
        found = race(stand, [*contenders, signed])
        target = Target(nginx=0.25, aim=0.4)
        return [
            *rows("b", "repeated polls", contenders, found, target),
            *rows("b2", "repeated polls", [signed], found, target),
        ]


def submits(stand: Stand) -> list[Row]:
    """A submit of a few words, each a new task."""
    with stand.gateway() as gateway:
        contenders = [
            *_nginx(stand, replace(SUBMIT, paths=(wire.SUBMIT_PATH,)), b'"PENDING"'),
            Contender(GATEWAY, gateway, SUBMIT, b'"pending"'),
            *_litellm(stand, litellm.SUBMIT, b'"queued"'),
        ]
        return rows("e", "submits", contenders, race(stand, contenders), Target(nginx=0.03))


def native_entrance(stand: Stand) -> list[Row]:
    """The same submits and polls through the upstream's own API, and the ratio of the rates."""
    native_submit = Requests((wire.SUBMIT_PATH,), _SDK_HEADERS, "POST", _SDK_BODY)
    native_polls = Requests((wire.TASKS_PATH + UNIQUE,), bearer(KEY))
    native_repeated = Requests(tuple(wire.TASKS_PATH + wire.running_id() for _ in range(REPEATED_IDS)), bearer(KEY))
    made = []
    with stand.gateway(LIVE) as live, stand.gateway() as caching:
        for what, gateway, ours, native, expected, native_expected in (
            ("submits", live, SUBMIT, native_submit, b'"pending"', b'"PENDING"'),
            ("live polls", live, LIVE_POLLS, native_polls, _RUNNING, b'"RUNNING"'),
            ("repeated polls", caching, repeated(), native_repeated, _RUNNING, b'"RUNNING"'),
        ):
            known = gateway is caching
            contenders = [
                Contender(GATEWAY, gateway, ours, expected, known=known),
                Contender(f"{GATEWAY}, native", gateway, native, native_expected, known=known),
            ]
            found = race(stand, contenders)
            own, other = rows("n", what, contenders, found, None)
            rates = {name: [each.rate for each in measurements] for name, measurements in found.items()}
            share = ratio(rates, contenders[1].name, GATEWAY) or 0.0
            judged = replace(
                other,
                besides=f"{share:.2f} × /v1/videos",
                target=f"≥ {_NATIVE_SHARE:g} × /v1/videos, no errors",
                verdict="ok" if share >= _NATIVE_SHARE and not other.errors else "below",
            )
            made += [own, judged]
    return made


def two_workers(stand: Stand) -> list[Row]:
    """Polls and submits with two processes, on both cores, which they share with the load and the upstream."""
    made = []
    for case, what, requests, expected, environment, known in (
        ("g-a", "live polls", LIVE_POLLS, _RUNNING, LIVE, False),
        ("g-b", "repeated polls", repeated(), _RUNNING, {}, True),
        ("g-e", "submits", SUBMIT, b'"pending"', {}, False),
    ):
        with stand.gateway(environment, workers=_WORKERS) as gateway:
            contender = Contender(f"{GATEWAY}, {_WORKERS} workers", gateway, requests, expected, known)
            stand.ask(gateway.port, requests, expected)
            found = [measured(stand, contender) for _ in range(stand.plan.rounds)]
            made += rows(case, what, [contender], {contender.name: found}, None, _counted(stand, contender))
    return made


def repeated() -> Requests:
    """Polls of running tasks of this run."""
    return Requests(tuple(TASK + wire.running_id() for _ in range(REPEATED_IDS)), bearer(KEY))


def _nginx(stand: Stand, requests: Requests, expected: bytes) -> list[Contender]:
    return [Contender(NGINX, stand.proxy, requests, expected)] if stand.proxy else []


def _litellm(stand: Stand, requests: Requests, expected: bytes) -> list[Contender]:
    return [Contender(LITELLM, stand.litellm, requests, expected)] if stand.litellm else []


def _litellm_polls(stand: Stand) -> list[Contender]:
    """It remembers no state, so it is all one whether it is asked for the same tasks or for others."""
    if stand.litellm is None:
        return []
    polls = Requests(tuple(f"/v1/videos/{id}" for id in stand.litellm_ids), litellm.HEADERS)
    return _litellm(stand, polls, b'"in_progress"')


def _counted(stand: Stand, contender: Contender) -> str:
    """How many of a hundred requests /metrics knows of, whichever worker is asked for it."""
    port = contender.running.port

    def count() -> float:
        exposition = stand.ask(port, Requests(("/metrics",)), b"gateway_").body
        return sum(float(number) for number in _COUNTED.findall(exposition))

    before = count()
    for _ in range(_METRICS_REQUESTS):
        stand.ask(port, Requests(("/healthz",)))
    return f"/metrics saw {count() - before:.0f} of {_METRICS_REQUESTS} requests"
