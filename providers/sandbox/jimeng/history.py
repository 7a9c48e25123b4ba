"""The calls that tell of tasks: by id, by page, their queue, their best files."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp

from providers.sandbox.answers import with_fault
from providers.sandbox.files import Files, base_of
from providers.sandbox.jimeng import records, results
from providers.sandbox.jimeng.access import Call
from providers.sandbox.jimeng.accounts import Accounts
from providers.sandbox.jimeng.envelopes import Envelopes
from providers.sandbox.jimeng.errors import EMPTY, FAILED, PARAMETER, TOO_OFTEN, Refused, need
from providers.sandbox.jimeng.tasks import Task
from providers.sandbox.settings import SandboxSettings
from providers.sandbox.state import Ledger

Json = dict[str, Any]


class History:
    """Answers of the accounts' own tasks; another's is absent."""

    def __init__(
        self,
        settings: SandboxSettings,
        clock: Callable[[], float],
        accounts: Accounts,
        ledger: Ledger,
        files: Files,
        envelopes: Envelopes,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._accounts = accounts
        self._ledger = ledger
        self._files = files
        self._envelopes = envelopes

    def calls(self) -> dict[str, Callable[[Call], ASGIApp]]:
        """Path → what answers it."""
        return {
            "/mweb/v1/get_history_by_ids": self._by_ids,
            "/mweb/v1/get_history_records": self._records,
            "/mweb/v1/get_history_queue_info": self._queue_info,
            "/mweb/v1/get_local_item_list": self._local_items,
            "/mweb/v1/get_history": self._page,
        }

    def _asked(self, call: Call, *fields: str) -> dict[str, Task]:
        """The visible tasks of this session among the ids of these fields, by the id as asked."""
        ids: list[str] = []
        for field in fields:
            given = call.body.get(field) or []
            need(isinstance(given, list), f"{field} is not a list")
            ids += [str(one) for one in given]
        need(1 <= len(ids) <= self._settings.ids_per_call, f"between 1 and {self._settings.ids_per_call} ids")
        found: dict[str, Task] = {}
        now, session = self._clock(), call.account.session
        for one in ids:
            task = self._accounts.submits.get((session, one)) or self._accounts.tasks.get(one)
            self._ledger.record_poll(task.history_id if task else one, session, task.owner if task else "")
            if task and task.owner == session and task.visible(now):
                found[one] = task
        return found

    def _polled(self, found: dict[str, Task], answer: Response) -> ASGIApp:
        """The response to a status call with the faults of its tasks: a fault of one task affects the batch."""
        attempts = self._accounts.attempts
        for task in found.values():
            attempts[task.history_id, "poll"] += 1
            directives = task.directives
            if "poll-times" in directives and attempts[task.history_id, "poll"] > float(directives["poll-times"]):
                continue
            if "poll-refuse" in directives or "poll-429" in directives:
                return self._envelopes.refuse(Refused(directives.get("poll-refuse") or TOO_OFTEN))
            faulty = with_fault(directives, answer, self._settings.drip_seconds, "poll-")
            if faulty is not answer:
                return faulty
        return answer

    def _record(self, call: Call, task: Task) -> Json:
        return records.record(task, self._clock(), base_of(call.request), self._files)

    def _by_ids(self, call: Call) -> ASGIApp:
        found = self._asked(call, "history_ids", "submit_ids")
        data = {one: self._record(call, task) for one, task in found.items()}
        return self._polled(found, self._envelopes.answer(data))

    def _records(self, call: Call) -> ASGIApp:
        """The call that older programs change to after some polls: the same records in a list."""
        found = self._asked(call, "history_record_ids")
        data = {"history_records": [self._record(call, task) for task in found.values()]}
        return self._polled(found, self._envelopes.answer(data))

    def _queue_info(self, call: Call) -> ASGIApp:
        found = self._asked(call, "history_ids")
        now = self._clock()
        data = {one: records.queue_entry(task, now) for one, task in found.items()}
        return self._polled(found, self._envelopes.answer(data))

    def _local_items(self, call: Call) -> ASGIApp:
        ids = call.body.get("item_id_list")
        if not isinstance(ids, list) or not ids:
            raise Refused(PARAMETER, "item_id_list")
        download = call.body.get("is_for_video_download") is True
        now, items = self._clock(), []
        for task in (self._accounts.items.get(str(one)) for one in ids):
            if task is None or task.owner != call.account.session or not task.has_video(now):
                continue
            if "nohd" in task.directives:
                raise Refused(FAILED)
            items.append(results.item(task, base_of(call.request), self._files, download=download))
        return self._envelopes.answer({"item_list": items})

    def _page(self, call: Call) -> ASGIApp:
        if not call.body:
            raise Refused(EMPTY)
        count, offset = call.body.get("count"), call.body.get("offset", 0)
        if not isinstance(count, int) or not 1 <= count <= 100:
            raise Refused(PARAMETER, "count")
        try:
            start = int(offset)
        except (TypeError, ValueError):
            raise Refused(PARAMETER, "offset") from None
        now = self._clock()
        newest_first = [task for task in reversed(call.account.tasks) if task.visible(now)]
        page = newest_first[start : start + count]
        data = {
            "records_list": [self._record(call, task) for task in page],
            "has_more": start + len(page) < len(newest_first),
            "next_offset": start + len(page),
        }
        return self._envelopes.answer(data)
