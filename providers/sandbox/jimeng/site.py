"""Jimeng's web API: `/mweb/v1`, `/commerce/v1` and `/passport`. Its uploads are beside it, in `jimeng_uploads`.

Every answer is HTTP 200 with `{"ret","errmsg","systime","logid","data"}`; `ret` other than "0" is the error.
A task's state is computed from the time since its submit, so nothing runs in the background.
"""

import hashlib
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from providers.sandbox.answers import refusal, troubled
from providers.sandbox.books import Books, session_of
from providers.sandbox.files import Files, base_of
from providers.sandbox.jimeng import records
from providers.sandbox.jimeng.catalogue import JimengModels
from providers.sandbox.jimeng.configuration import Configuration
from providers.sandbox.jimeng.draft import Refused, read_draft
from providers.sandbox.jimeng.envelopes import Envelopes
from providers.sandbox.jimeng.errors import GONE
from providers.sandbox.jimeng.errors import MESSAGES as MESSAGES_NOW
from providers.sandbox.jimeng.records import Json, Task
from providers.sandbox.jimeng.resources import Resource
from providers.sandbox.jimeng.tables import (
    AIDS,
    CREDENTIAL_RETS,
    EMPTY,
    FAILED,
    LOGIN,
    MESSAGES,
    NO_CREDITS,
    PARAMETER,
    REGIONS,
    SIGN,
    TOO_MANY,
    TOO_OFTEN,
    UNSAFE,
    Site,
)
from providers.sandbox.jimeng.uploads import SCENES, JimengUploads
from providers.sandbox.outcomes import Words, credential_word, read_words, without
from providers.sandbox.settings import SandboxSettings

_SAFETY_SCENE, _SAFETY_KEY = "image_face_ip", "benchmark_test_user_upload_image_input"
_DAY_ZONE = timedelta(hours=8)


@dataclass(slots=True)
class Account:
    """One session. `running` holds the tasks whose end has not been seen yet; `ledger` rows are newest last."""

    session: str
    gift_credit: int
    tasks: list[Task] = field(default_factory=list)
    running: list[Task] = field(default_factory=list)
    ledger: list[Json] = field(default_factory=list)
    received_on: str = ""

    @property
    def user_id(self) -> str:
        """A stable number for the session."""
        return str(int(hashlib.sha256(self.session.encode()).hexdigest()[:12], 16))


class Jimeng:
    """The site: its sessions, its tasks and its calls."""

    def __init__(self, settings: SandboxSettings, clock: Callable[[], float], books: Books, files: Files) -> None:
        self.models = JimengModels()
        self._configuration = Configuration(self.models, Envelopes(clock))
        self._settings = settings
        self._clock = clock
        self._books = books
        self._files = files
        self._uploads = JimengUploads(settings, clock)
        self._accounts: dict[str, Account] = {}
        self._tasks: dict[str, Task] = {}
        self._submits: dict[tuple[str, str], Task] = {}
        self._items: dict[str, Task] = {}
        self._tries: Counter[tuple[str, str]] = Counter()
        self._settling = threading.Lock()
        books.settlers.append(self._settle_all)

    def routes(self) -> list[Route]:
        """All calls; every one of the site asks for a session and a signature, those of the uploads for their keys."""
        calls: dict[str, Callable[[Request, Account, Json], ASGIApp]] = {
            "/mweb/v1/aigc_draft/generate": self._generate,
            "/mweb/v1/get_history_by_ids": self._history_by_ids,
            "/mweb/v1/get_history_queue_info": self._queue_info,
            "/mweb/v1/get_local_item_list": self._local_items,
            "/mweb/v1/get_history": self._history,
            "/mweb/v1/get_upload_token": self._upload_token,
            "/mweb/v1/algo_proxy": self._safety_check,
            "/commerce/v1/benefits/user_credit": self._credit,
            "/commerce/v1/benefits/user_credit_history": self._credit_history,
            "/commerce/v1/benefits/credit_receive": self._credit_receive,
            "/passport/account/info/v2": self._account_info,
        }
        own = [Route(path, self._guarded(call), methods=["POST"]) for path, call in calls.items()]
        return own + self._configuration.routes() + self._uploads.routes()

    def _guarded(self, call: Callable[[Request, Account, Json], ASGIApp]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> ASGIApp:
            text = await request.body()
            try:
                session = self._session(request)
                _check_sign(request)
                body = orjson.loads(text) if text else {}
                if not isinstance(body, dict):
                    raise Refused(PARAMETER, "body is not an object")
                return call(request, self._account(session), body)
            except orjson.JSONDecodeError:
                return self._refuse(PARAMETER, "body is not JSON")
            except Refused as refused:
                return self._refuse(refused.ret, refused.detail)

        return endpoint

    def _session(self, request: Request) -> str:
        session = session_of(request.headers)
        if not session or credential_word(session) == "expired":
            raise Refused(LOGIN, "login error")
        return session

    def _account(self, session: str) -> Account:
        account = self._accounts.get(session)
        if account is None:
            credits = 0 if credential_word(session) == "poor" else self._settings.credits
            account = self._accounts[session] = Account(session, credits)
        self._settle(account)
        return account

    def _settle(self, account: Account) -> None:
        """Give back the credits of the tasks that have failed by now. The lock: books are read from other threads."""
        now = self._clock()
        with self._settling:
            for task in [task for task in account.running if task.ended(now)]:
                account.running.remove(task)
                if task.fail_code:
                    row = records.ledger_row(task.cost, task.ends_at, "生成失败返还", task.submit_id)
                    account.gift_credit += task.cost
                    account.ledger.append(row)
                    self._books.refunded("jimeng", account.session, task.cost)

    def _settle_all(self) -> None:
        for account in list(self._accounts.values()):
            self._settle(account)

    def _answer(self, data: Any, ret: str = "0", message: str = "") -> Response:
        now = self._clock()
        body = {
            "ret": ret,
            "errmsg": message or MESSAGES.get(ret, "unknown error"),
            "systime": str(int(now)),
            "logid": datetime.fromtimestamp(now, UTC).strftime("%Y%m%d%H%M%S") + secrets.token_hex(9).upper(),
            "data": data,
        }
        return Response(orjson.dumps(body), media_type="application/json")

    def _refuse(self, ret: str, detail: str = "") -> Response:
        message = MESSAGES.get(ret, "refused")
        return self._answer(None, ret, f"{message}: {detail}" if detail and detail != message else message)

    def _generate(self, request: Request, account: Account, body: Json) -> ASGIApp:
        draft = read_draft(body, request.query_params, _site(request), self._resources_of(account))
        words = self._submit_words(account, draft.prompt)
        if "retire" in words:
            self.models.retire(draft.model_key, _site(request))
        if self.models.find(draft.model_key, _site(request)) is None:
            return self._answer(None, GONE, MESSAGES_NOW[GONE])
        if blocked := CREDENTIAL_RETS.get(credential_word(account.session)):
            raise Refused(blocked, "")
        if refused := refusal(words, self._refuse, TOO_OFTEN, "1019"):
            return refused
        now = self._clock()
        task = self._submits.get((account.session, draft.submit_id))
        if task is None:
            if len(account.running) >= self._settings.max_running:
                raise Refused(TOO_MANY, "")
            if account.gift_credit < self._settings.cost:
                raise Refused(NO_CREDITS, "")
            task = records.new_task(draft, words, account.session, _site(request), now, self._settings)
            while task.history_id in self._tasks:
                task = records.new_task(draft, words, account.session, _site(request), now, self._settings)
            self._keep(account, task)
        aigc_data = None if "noid" in words else records.submit_data(task, now)
        return troubled(words, self._answer({"aigc_data": aigc_data}), self._settings.drip_seconds)

    def _resources_of(self, account: Account) -> Callable[[str], Resource | None]:
        return lambda uri: self._uploads.resource(account.session, uri)

    def _submit_words(self, account: Account, prompt: str) -> Words:
        words = read_words(prompt)
        if "times" not in words:
            return words
        self._tries[account.session, prompt] += 1
        spent = self._tries[account.session, prompt] > float(words["times"])
        return without(words, "refusal", "answer") if spent else words

    def _keep(self, account: Account, task: Task) -> None:
        self._tasks[task.history_id] = task
        self._submits[account.session, task.submit_id] = task
        self._items[task.item_id] = task
        account.tasks.append(task)
        account.running.append(task)
        account.gift_credit -= task.cost
        account.ledger.append(records.ledger_row(-task.cost, task.created, "视频生成", task.submit_id))
        self._books.accepted("jimeng", account.session, task.cost)

    def _asked(self, account: Account, body: Json) -> dict[str, Task]:
        """The visible tasks of this session among the ids asked for, by the id as asked."""
        history_ids, submit_ids = body.get("history_ids") or [], body.get("submit_ids") or []
        if not isinstance(history_ids, list) or not isinstance(submit_ids, list):
            raise Refused(PARAMETER, "ids are not a list")
        ids = [str(one) for one in [*history_ids, *submit_ids]]
        if not ids or len(ids) > self._settings.ids_per_call:
            raise Refused(PARAMETER, f"between 1 and {self._settings.ids_per_call} ids")
        found: dict[str, Task] = {}
        now = self._clock()
        for one in ids:
            task = self._submits.get((account.session, one)) or self._tasks.get(one)
            self._books.polled(task.history_id if task else one, account.session, task.owner if task else "")
            if task and task.owner == account.session and task.visible(now):
                found[one] = task
        return found

    def _polled(self, found: dict[str, Task], answer: Response) -> ASGIApp:
        """The answer to a status call as the words of the tasks in it have it: one task's trouble is the batch's."""
        for task in found.values():
            self._tries[task.history_id, "poll"] += 1
            words = task.words
            if "poll-times" in words and self._tries[task.history_id, "poll"] > float(words["poll-times"]):
                continue
            if "poll-refuse" in words or "poll-429" in words:
                return self._refuse(words.get("poll-refuse") or TOO_OFTEN)
            spoiled = troubled(words, answer, self._settings.drip_seconds, "poll-")
            if spoiled is not answer:
                return spoiled
        return answer

    def _history_by_ids(self, request: Request, account: Account, body: Json) -> ASGIApp:
        found = self._asked(account, body)
        now, base = self._clock(), base_of(request)
        data = {one: records.record(task, now, base, self._files) for one, task in found.items()}
        return self._polled(found, self._answer(data))

    def _queue_info(self, request: Request, account: Account, body: Json) -> ASGIApp:
        found = self._asked(account, body)
        now = self._clock()
        return self._polled(found, self._answer({one: task.queue_info(now) for one, task in found.items()}))

    def _local_items(self, request: Request, account: Account, body: Json) -> ASGIApp:
        ids = body.get("item_id_list")
        if not isinstance(ids, list) or not ids:
            raise Refused(PARAMETER, "item_id_list")
        name = "best.mp4" if body.get("is_for_video_download") is True else "preview.mp4"
        now, base, items = self._clock(), base_of(request), []
        for task in (self._items.get(str(one)) for one in ids):
            if task is None or task.owner != account.session or not task.has_video(now):
                continue
            if "nohd" in task.words:
                raise Refused("2002", "")
            items.append(records.item(task, base, self._files, name))
        return self._answer({"item_list": items})

    def _history(self, request: Request, account: Account, body: Json) -> ASGIApp:
        if not body:
            raise Refused(EMPTY, "")
        count, offset = body.get("count"), body.get("offset", 0)
        if not isinstance(count, int) or not 1 <= count <= 100:
            raise Refused(PARAMETER, "count")
        try:
            start = int(offset)
        except (TypeError, ValueError):
            raise Refused(PARAMETER, "offset") from None
        now, base = self._clock(), base_of(request)
        newest_first = [task for task in reversed(account.tasks) if task.visible(now)]
        page = newest_first[start : start + count]
        data = {
            "records_list": [records.record(task, now, base, self._files) for task in page],
            "has_more": start + len(page) < len(newest_first),
            "next_offset": start + len(page),
        }
        return self._answer(data)

    def _upload_token(self, request: Request, account: Account, body: Json) -> ASGIApp:
        scene = body.get("scene")
        service = SCENES.get(scene) if isinstance(scene, int) and not isinstance(scene, bool) else None
        if service is None:
            raise Refused(PARAMETER, "scene")
        host = request.headers.get("host", request.url.netloc)
        return self._answer(self._uploads.grant(account.session, _site(request), service, host))

    def _safety_check(self, request: Request, account: Account, body: Json) -> ASGIApp:
        """Of pictures that were uploaded, before they are used; the Chinese site alone has it."""
        if _site(request) != "cn":
            raise Refused(PARAMETER, "no such algorithm on this site")
        try:
            babi = orjson.loads(request.query_params.get("babi_param", ""))
        except orjson.JSONDecodeError:
            babi = None
        options, params, files = body.get("options"), body.get("req_params"), body.get("file_list")
        asked = (body.get("scene"), body.get("req_key")) == (_SAFETY_SCENE, _SAFETY_KEY)
        if not (asked and all(isinstance(one, dict) for one in (babi, options, params))):
            raise Refused(PARAMETER, "scene, req_key, options, req_params or babi_param")
        if not isinstance(files, list) or not files or not all(isinstance(one, dict) for one in files):
            raise Refused(PARAMETER, "file_list")
        for found in [self._uploads.resource(account.session, str(one.get("file_uri"))) for one in files]:
            if found is None or found.kind not in (None, "image"):
                raise Refused(PARAMETER, "resource was not uploaded")
            if found.unsafe or found.shaky:
                raise Refused(UNSAFE if found.unsafe else FAILED, "")
        return self._answer({"algo_result": {}, "resp_data": "{}"})

    def _credit(self, request: Request, account: Account, body: Json) -> ASGIApp:
        credit = {"gift_credit": account.gift_credit, "purchase_credit": 0, "vip_credit": 0}
        return self._answer({"credit": credit, "expiring_credits": [], "credits_detail": None})

    def _credit_history(self, request: Request, account: Account, body: Json) -> ASGIApp:
        try:
            count, start = int(body.get("count", 20)), int(body.get("cursor", "0"))
        except (TypeError, ValueError):
            raise Refused(PARAMETER, "count or cursor") from None
        rows = account.ledger[::-1]
        page = rows[start : start + count]
        data = {
            "total_credit": account.gift_credit,
            "records": page,
            "new_cursor": str(start + len(page)),
            "has_more": start + len(page) < len(rows),
        }
        return self._answer(data)

    def _credit_receive(self, request: Request, account: Account, body: Json) -> ASGIApp:
        if not isinstance(body.get("time_zone"), str) or not body["time_zone"]:
            raise Refused(PARAMETER, "time_zone")
        now = self._clock()
        today = (datetime.fromtimestamp(now, UTC) + _DAY_ZONE).date().isoformat()
        quota = 0 if account.received_on == today else self._settings.credits
        if quota:
            account.received_on = today
            account.gift_credit += quota
            account.ledger.append(records.ledger_row(quota, now, "每日赠送", ""))
        return self._answer({"receive_quota": quota, "cur_total_credits": account.gift_credit})

    def _account_info(self, request: Request, account: Account, body: Json) -> ASGIApp:
        user_id = account.user_id
        data = {"user_id": int(user_id), "user_id_str": user_id, "name": f"user{user_id[:6]}"}
        return self._answer(data)


def _check_sign(request: Request) -> None:
    """`Sign` is the md5 of "9e2c|", the path's last seven characters, Pf, Appvr and Device-Time, "||11ac"."""
    headers, path = request.headers, request.url.path
    moment = headers.get("device-time", "")
    if not (moment.isascii() and moment.isdigit()):
        raise Refused(SIGN, "device time")
    text = f"9e2c|{path[-7:]}|{headers.get('pf', '')}|{headers.get('appvr', '')}|{moment}||11ac"
    if hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() != headers.get("sign", ""):
        raise Refused(SIGN, "sign")


def _site(request: Request) -> Site:
    """The site a generate call is for: `region`, with the `aid` that belongs to it."""
    query = request.query_params
    aid = query.get("aid", "")
    region = query.get("region", "").lower()
    site = REGIONS.get(region)
    if site is None and not region:
        site = "cn" if aid == AIDS["cn"] else "us" if aid == AIDS["us"] else None
    if site is None or (aid and aid != AIDS[site]):
        raise Refused(PARAMETER, "region or aid")
    return site
