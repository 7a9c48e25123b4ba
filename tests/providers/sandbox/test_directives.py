"""Every word of the table does what the table says, over a real connection."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from providers.sandbox.directives import (
    CHAT,
    DIRECTIVES,
    credential_directive,
    read_directives,
    read_file_directives,
    table,
    without,
)
from providers.sandbox.server import SandboxServer
from tests.providers.sandbox.clients import MODEL, DashScopeClient, JimengClient, Json, generate_body

IDS = "/mweb/v1/get_history_by_ids"


class Sender:
    """Submits and asks for status on one upstream, whatever comes back."""

    def __init__(self, wire: httpx.AsyncClient, server: SandboxServer, upstream: str, name: str) -> None:
        self.upstream = upstream
        self.server = server
        self.ledger = server.sandbox
        self.credential = name if upstream == "jimeng" else f"sk-{name}"
        self.jimeng = JimengClient(wire, self.credential)
        self.dashscope = DashScopeClient(wire, self.credential)

    async def send(self, prompt: str) -> httpx.Response:
        if self.upstream == "dashscope":
            return await self.dashscope.post("wan2.6-t2v", {"prompt": prompt})
        return await self.jimeng.post("/mweb/v1/aigc_draft/generate", generate_body(prompt))

    async def submit(self, prompt: str) -> str:
        client = self.dashscope if self.upstream == "dashscope" else self.jimeng
        return await client.submit(prompt)

    async def poll(self, task: str) -> httpx.Response:
        if self.upstream == "dashscope":
            return await self.dashscope.get(f"/tasks/{task}")
        return await self.jimeng.post(IDS, {"history_ids": [task]})

    async def state(self, task: str) -> object:
        body = (await self.poll(task)).json()
        if self.upstream == "dashscope":
            return body["output"]["task_status"]
        return body["data"][task]["status"] if task in body["data"] else None

    async def ended(self, task: str) -> object:
        await asyncio.sleep(0.06)
        return await self.state(task)

    @property
    def accepted(self) -> int:
        return self.ledger.submits(self.upstream, self.credential)

    def code(self, answer: httpx.Response) -> str:
        return str(answer.json()["code" if self.upstream == "dashscope" else "ret"])


@pytest.fixture(params=["jimeng", "dashscope"])
def sender(request: pytest.FixtureRequest, wire: httpx.AsyncClient, server: SandboxServer) -> Sender:
    return Sender(wire, server, request.param, f"words{abs(hash(request.node.name))}")


Check = Callable[[Sender, str], Awaitable[None]]


def by(sender: Sender, jimeng: object, dashscope: object) -> object:
    return jimeng if sender.upstream == "jimeng" else dashscope


def accepted_and(check: Callable[[Awaitable[httpx.Response]], Awaitable[None]], accepted: int) -> Check:
    async def run(sender: Sender, directive: str) -> None:
        await check(sender.send(f"a cat #{directive}"))
        assert sender.accepted == accepted

    return run


async def breaks(call: Awaitable[httpx.Response]) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await call


async def hangs(call: Awaitable[httpx.Response]) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(call, 0.15)


async def is_html(call: Awaitable[httpx.Response]) -> None:
    assert (await call).headers["content-type"].startswith("text/html")


async def is_empty(call: Awaitable[httpx.Response]) -> None:
    answer = await call
    assert (answer.status_code, answer.content) == (200, b"")


async def is_half(call: Awaitable[httpx.Response]) -> None:
    answer = await call
    assert answer.headers["content-type"] == "application/json"
    with pytest.raises(ValueError):
        answer.json()


async def is_late(call: Awaitable[httpx.Response]) -> None:
    started = asyncio.get_running_loop().time()
    assert (await call).json()
    assert asyncio.get_running_loop().time() - started >= 0.09


def status(code: int) -> Callable[[Awaitable[httpx.Response]], Awaitable[None]]:
    async def check(call: Awaitable[httpx.Response]) -> None:
        assert (await call).status_code == code

    return check


async def is_without_id(call: Awaitable[httpx.Response]) -> None:
    answer = await call
    assert answer.status_code == 200
    assert "task_id" not in answer.text


def refused(jimeng: str, dashscope: str) -> Check:
    async def run(sender: Sender, directive: str) -> None:
        assert sender.code(await sender.send(f"a cat #{directive}")) == by(sender, jimeng, dashscope)
        assert sender.accepted == 0

    return run


def refused_without_a_task(code: str, key: str) -> Check:
    async def run(sender: Sender, directive: str) -> None:
        if sender.upstream == "dashscope":
            return
        body = (await sender.send(f"a cat #{directive}")).json()
        assert (body["ret"], body["data"]["aigc_data"]) == ("0", None)
        assert (body["data"]["fail_code"], body["data"]["fail_starling_key"]) == (code, key)
        assert body["data"]["fail_starling_message"] or key == "a_new_key"
        assert sender.accepted == 0

    return run


async def refused_for_its_benefit(sender: Sender, directive: str) -> None:
    if sender.upstream == "dashscope":
        return
    body = (await sender.send(f"a cat #{directive}")).json()
    assert (body["ret"], body["errmsg"], sender.accepted) == ("1006", "invalid parameter", 0)


async def has_a_short_id(sender: Sender, directive: str) -> None:
    if sender.upstream == "jimeng":
        assert len(await sender.submit(f"a cat #{directive}")) == 14


def polled(check: Callable[[Awaitable[httpx.Response]], Awaitable[None]]) -> Check:
    async def run(sender: Sender, directive: str) -> None:
        task = await sender.submit(f"a cat #{directive}")
        await check(sender.poll(task))
        assert sender.accepted == 1

    return run


def poll_refused(jimeng: str, dashscope: str) -> Check:
    async def run(sender: Sender, directive: str) -> None:
        answer = await sender.poll(await sender.submit(f"a cat #{directive}"))
        assert sender.code(answer) == by(sender, jimeng, dashscope)

    return run


def stays(jimeng: object, dashscope: object) -> Check:
    async def run(sender: Sender, directive: str) -> None:
        assert await sender.ended(await sender.submit(f"a cat #{directive}")) == by(sender, jimeng, dashscope)

    return run


async def still_runs(sender: Sender, directive: str) -> None:
    assert await sender.ended(await sender.submit(f"a cat #{directive}")) not in (50, "SUCCEEDED")


async def stays_queued(sender: Sender, directive: str) -> None:
    task = await sender.submit(f"a cat #{directive}")
    assert await sender.ended(task) == by(sender, 20, "PENDING")
    if sender.upstream == "jimeng":
        assert (await sender.poll(task)).json()["data"][task]["queue_info"]["queue_idx"] == 8


async def reports_a_state(sender: Sender, directive: str) -> None:
    state = by(sender, 77, "PRE-PROCESSING")
    assert await sender.ended(await sender.submit(f"a cat #stuck #{directive}={state}")) == state


async def lapses(sender: Sender, directive: str) -> None:
    task = await sender.submit(f"a cat #{directive}")
    await asyncio.sleep(0.12)
    assert await sender.state(task) == by(sender, None, "UNKNOWN")
    await asyncio.sleep(0.1)
    assert await sender.state(task) == by(sender, 50, "SUCCEEDED")


async def has_no_url(sender: Sender, directive: str) -> None:
    task = await sender.submit(f"a cat #{directive}")
    assert await sender.ended(task) == by(sender, 50, "SUCCEEDED")
    assert "mp4?" not in (await sender.poll(task)).text


async def has_no_best_quality(sender: Sender, directive: str) -> None:
    if sender.upstream == "dashscope":
        return
    task = await sender.submit(f"a cat #{directive}")
    await asyncio.sleep(0.06)
    item = (await sender.jimeng.records(task))[task]["item_list"][0]["common_attr"]["id"]
    assert (await sender.jimeng.call("/mweb/v1/get_local_item_list", {"item_id_list": [item]}))["ret"] == "2002"


async def cannot_be_cancelled(sender: Sender, directive: str) -> None:
    task = await sender.submit(f"a cat #pending #{directive}")
    if sender.upstream == "dashscope":
        assert (await sender.dashscope.cancel(task)).json()["code"] == "UnsupportedOperation"
    else:
        assert (await sender.jimeng.cancel(task))["ret"] == "1000"


async def takes_the_model_away(sender: Sender, directive: str) -> None:
    if sender.upstream == "dashscope":
        return
    assert sender.code(await sender.send(f"a cat #{directive}")) == "2061"
    try:
        assert sender.code(await sender.send("a cat")) == "2061"
    finally:
        sender.server.jimeng_models.restore(MODEL)
    assert sender.code(await sender.send("a cat")) == "0"


async def has_the_older_form(sender: Sender, directive: str) -> None:
    if sender.upstream == "dashscope":
        return
    task = await sender.submit(f"a cat #{directive}")
    await asyncio.sleep(0.06)
    video = (await sender.jimeng.records(task))[task]["item_list"][0]["video"]
    assert (video["video_model"], video["transcoded_video"].keys()) == ("", {"360p", "720p"})


def fails_with(code: object, key: str) -> Check:
    async def run(sender: Sender, directive: str) -> None:
        if sender.upstream == "dashscope":
            return
        task = await sender.submit(f"a cat #{directive}")
        await asyncio.sleep(0.06)
        record = (await sender.jimeng.records(task))[task]
        assert (record["status"], record["fail_code"], record["fail_starling_key"]) == (30, code, key)

    return run


async def appears_later(sender: Sender, directive: str) -> None:
    if sender.upstream == "dashscope":
        return
    with SandboxServer() as slow:
        async with httpx.AsyncClient(base_url=slow.url) as wire:
            client = JimengClient(wire)
            assert await client.records(await client.submit(f"a cat #{directive}")) == {}


def links(check: Callable[[Awaitable[httpx.Response]], Awaitable[None]]) -> Check:
    async def run(sender: Sender, directive: str) -> None:
        task = await sender.submit(f"a cat #{directive}")
        await asyncio.sleep(0.06)
        body: Json = (await sender.poll(task)).json()
        if sender.upstream == "dashscope":
            url = body["output"]["video_url"]
        else:
            url = body["data"][task]["item_list"][0]["video"]["transcoded_video"]["720p"]["video_url"]
        await check(sender.jimeng.http.get(url))

    return run


async def once(sender: Sender, directive: str) -> None:
    assert (await sender.send(f"a cat #status=503 #{directive}=1")).status_code == 503
    assert (await sender.send(f"a cat #status=503 #{directive}=1")).status_code == 200
    assert (await sender.send("another cat #status=503 #times=1")).status_code == 503


async def once_polled(sender: Sender, directive: str) -> None:
    task = await sender.submit(f"a cat #poll-500 #{directive}=1")
    assert [(await sender.poll(task)).status_code for _ in range(2)] == [500, 200]


CHECKS: dict[str, tuple[str, Check]] = {
    "refuse": ("refuse=Arrearage", refused("Arrearage", "Arrearage")),
    "throttle": ("throttle", refused("1057", "Throttling.RateQuota")),
    "refuse-inside": ("refuse-inside=2048", refused_without_a_task("2048", "web_fail2generate_copyright_block")),
    "refuse-key": ("refuse-key=a_new_key", refused_without_a_task("", "a_new_key")),
    "refuse-sentence": ("refuse-sentence", refused_without_a_task("", "")),
    "refuse-benefit": ("refuse-benefit", refused_for_its_benefit),
    "status": ("status=502", accepted_and(status(502), 0)),
    "retire": ("retire", takes_the_model_away),
    "redirect": ("redirect", accepted_and(status(302), 0)),
    "html-before": ("html-before", accepted_and(is_html, 0)),
    "lost-before": ("lost-before", accepted_and(breaks, 0)),
    "hang-before": ("hang-before", accepted_and(hangs, 0)),
    "lost": ("lost", accepted_and(breaks, 1)),
    "status-after": ("status-after=500", accepted_and(status(500), 1)),
    "html": ("html", accepted_and(is_html, 1)),
    "empty": ("empty", accepted_and(is_empty, 1)),
    "noid": ("noid", accepted_and(is_without_id, 1)),
    "halfjson": ("halfjson", accepted_and(is_half, 1)),
    "cut": ("cut", accepted_and(breaks, 1)),
    "drip": ("drip", accepted_and(is_late, 1)),
    "hang": ("hang", accepted_and(hangs, 1)),
    "delay": ("delay=0.1", accepted_and(is_late, 1)),
    "fail": ("fail=2003", stays(30, "FAILED")),
    "fail-number": ("fail-number=2038", fails_with(2038, "web_text_violates_community_guidelines_toast")),
    "fail-key": ("fail-key=ErrMessage_APP_OutputVideoRisk", fails_with("", "ErrMessage_APP_OutputVideoRisk")),
    "slow": ("slow", still_runs),
    "seconds": ("seconds=5", stays(20, "PENDING")),
    "pending": ("pending", stays_queued),
    "stuck": ("stuck", stays(20, "RUNNING")),
    "state": ("state", reports_a_state),
    "nourl": ("nourl", has_no_url),
    "form": ("form=transcoded", has_the_older_form),
    "nohd": ("nohd", has_no_best_quality),
    "short-id": ("short-id", has_a_short_id),
    "lag": ("lag", appears_later),
    "vanish": ("vanish", stays(None, "UNKNOWN")),
    "lapse": ("lapse #seconds=0.2", lapses),
    "nocancel": ("nocancel", cannot_be_cancelled),
    "poll-status": ("poll-status=503", polled(status(503))),
    "poll-500": ("poll-500", polled(status(500))),
    "poll-429": ("poll-429", poll_refused("1057", "Throttling.RateQuota")),
    "poll-refuse": ("poll-refuse=1015", poll_refused("1015", "1015")),
    "poll-html": ("poll-html", polled(is_html)),
    "poll-empty": ("poll-empty", polled(is_empty)),
    "poll-halfjson": ("poll-halfjson", polled(is_half)),
    "poll-lost": ("poll-lost", polled(breaks)),
    "poll-drip": ("poll-drip", polled(is_late)),
    "poll-hang": ("poll-hang", polled(hangs)),
    "link-expired": ("link-expired", links(status(403))),
    "link-404": ("link-404", links(status(404))),
    "link-500": ("link-500", links(status(500))),
    "link-cut": ("link-cut", links(breaks)),
    "times": ("times", once),
    "poll-times": ("poll-times", once_polled),
}


def test_every_directive_has_a_check() -> None:
    rows = [row for row in DIRECTIVES if row.stage not in ("credential", "file") and row.upstreams != CHAT]
    assert list(CHECKS) == [row.directive for row in rows]


@pytest.mark.parametrize("directive", CHECKS)
async def test_directive(sender: Sender, directive: str) -> None:
    written, check = CHECKS[directive]
    await check(sender, written)


async def test_fault_of_one_task_affects_the_batch(wire: httpx.AsyncClient) -> None:
    client = JimengClient(wire, "batch")
    tasks = [await client.submit("a cat"), await client.submit("a cat #poll-500")]
    assert (await client.post(IDS, {"history_ids": tasks})).status_code == 500
    assert (await client.post(IDS, {"history_ids": tasks[:1]})).status_code == 200
    queue = "/mweb/v1/get_history_queue_info"
    assert (await client.post(queue, {"history_ids": tasks})).status_code == 500


async def test_directives_combine(wire: httpx.AsyncClient) -> None:
    client = DashScopeClient(wire, "sk-sum")
    with pytest.raises(httpx.RemoteProtocolError):
        await client.submit("a cat #lost #fail=InternalError.Timeout, please")
    await asyncio.sleep(0.06)
    row = (await client.get("/tasks")).json()["data"][0]
    assert row["status"] == "FAILED"
    assert (await client.task(row["task_id"]))["output"]["code"] == "InternalError.Timeout"


def test_reading_directives() -> None:
    assert read_directives("a #cat, #slow. #fail=-4! #status=200 #status=x #delay #seconds=1.5 #state") == {
        "slow": "", "fail": "-4", "seconds": "1.5", "state": "SUSPENDED",
    }  # fmt: skip
    assert read_directives("#LOST # lost lost") == {}
    assert without({"lost": "", "slow": "", "status": "500"}, "refusal", "answer") == {"slow": ""}


def test_reading_the_directives_of_a_file() -> None:
    assert read_file_directives(b"\x89PNG#unsafe\x00#lost-uploads #slow") == {"unsafe": "", "lost-upload": ""}
    assert read_file_directives(b"#bad-upload#times=2") == {"bad-upload": "", "times": "2"}
    assert read_file_directives(b"#times=2 unsafe") == {}
    assert read_directives("a cat #unsafe #lost-upload") == {}


def test_reading_credentials() -> None:
    assert credential_directive("sk-poor-1") == "poor"
    assert credential_directive("sk-poorly") == credential_directive("") == ""
    assert [credential_directive(f"x-{word}") for word in ("elsewhere", "relogin", "noproof", "peak", "noregion")] == [
        "elsewhere", "relogin", "noproof", "peak", "noregion",
    ]  # fmt: skip


def test_table_can_be_printed() -> None:
    rows = table()
    assert len({row["pattern"] for row in rows}) == len(rows) == len(DIRECTIVES)
    assert {"#fail=CODE", "#status=500", "#times=N", "#lost", "poor"} <= {row["pattern"] for row in rows}
    assert all(row["does"] and row["upstreams"] for row in rows)
