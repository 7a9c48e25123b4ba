"""The site's sessions, their tasks and their credits."""

import hashlib
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from providers.sandbox.directives import credential_directive
from providers.sandbox.jimeng.tasks import Task
from providers.sandbox.settings import SandboxSettings
from providers.sandbox.state import Ledger

Json = dict[str, Any]

GAIN, SPEND = 1, 2
"""`history_type` of a row of the credit log."""


@dataclass(slots=True)
class Account:
    """One session. `running` holds the tasks whose end is not processed yet; `credit_log` rows are newest last."""

    session: str
    gift_credit: int
    tasks: list[Task] = field(default_factory=list)
    running: list[Task] = field(default_factory=list)
    credit_log: list[Json] = field(default_factory=list)
    received_on: str = ""

    @property
    def user_id(self) -> str:
        """A stable number of the session's user."""
        return user_id_of(self.session)

    @property
    def directive(self) -> str:
        """The directive in its credential, "" without one."""
        return credential_directive(self.session)


def user_id_of(session: str) -> str:
    """A stable number of a session's user."""
    return str(int(hashlib.sha256(session.encode()).hexdigest()[:12], 16))


class Accounts:
    """The sessions seen so far, their tasks by history id, submit id and item id, and the attempts counted."""

    def __init__(self, settings: SandboxSettings, clock: Callable[[], float], ledger: Ledger) -> None:
        self._settings = settings
        self._clock = clock
        self._ledger = ledger
        self._by_session: dict[str, Account] = {}
        self.tasks: dict[str, Task] = {}
        self.submits: dict[tuple[str, str], Task] = {}
        self.items: dict[str, Task] = {}
        self.attempts: Counter[tuple[str, str]] = Counter()
        self._refund_lock = threading.Lock()
        ledger.before_read.append(self._apply_all_refunds)

    def of(self, session: str) -> Account:
        """The account of a session, after the refunds of its failed tasks."""
        account = self._by_session.get(session)
        if account is None:
            credits = 0 if credential_directive(session) == "poor" else self._settings.credits
            account = self._by_session[session] = Account(session, credits)
        self._apply_refunds(account)
        return account

    def add(self, account: Account, task: Task) -> None:
        """Add a task and charge its credits."""
        self.tasks[task.history_id] = task
        self.submits[account.session, task.submit_id] = task
        self.items[task.item_id] = task
        account.tasks.append(task)
        account.running.append(task)
        account.gift_credit -= task.cost
        account.credit_log.append(credit_log_row(SPEND, task.cost, task.created, "视频生成", task))
        self._ledger.record_submit("jimeng", account.session, task.cost)

    def record_body(self, account: Account, body: Mapping[str, Any]) -> None:
        """Log the body of an accepted submit, its draft as an object."""
        draft = orjson.loads(body["draft_content"])
        self._ledger.record_body("jimeng", account.session, {**body, "draft_content": draft})

    def cancel(self, account: Account, task: Task) -> None:
        """End a task now and refund its credits."""
        task.cancelled_at = self._clock()
        self._apply_refunds(account)

    def _apply_refunds(self, account: Account) -> None:
        """Refund the tasks that have failed by now. The lock: the ledger is read from other threads."""
        now = self._clock()
        with self._refund_lock:
            for task in [task for task in account.running if task.ended(now)]:
                account.running.remove(task)
                if task.refunded:
                    title = "取消生成返还" if task.cancelled_at is not None else "生成失败返还"
                    account.gift_credit += task.cost
                    account.credit_log.append(credit_log_row(GAIN, task.cost, task.ends_at, title, task))
                    self._ledger.record_refund("jimeng", account.session, task.cost)

    def _apply_all_refunds(self) -> None:
        for account in list(self._by_session.values()):
            self._apply_refunds(account)


def credit_log_row(kind: int, amount: int, at: float, title: str, task: Task | None = None) -> Json:
    """A row of the credit log. `amount` is positive for gained and for spent credits, `kind` tells which."""
    return {
        "history_id": task.history_id if task else uuid.uuid4().hex,
        "amount": amount,
        "create_time": int(at),
        "title": title,
        "submit_id": task.submit_id if task else "",
        "status": "Checked",
        "history_type": kind,
    }
