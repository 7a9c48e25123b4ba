"""What the site knows of its sessions and their tasks, and the credits that go with them."""

import hashlib
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from providers.sandbox.jimeng.tasks import Task
from providers.sandbox.outcomes import credential_word
from providers.sandbox.settings import SandboxSettings
from providers.sandbox.state import Books

Json = dict[str, Any]

GAIN, SPEND = 1, 2
"""`history_type` of a row of the credit log."""


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
        return user_id_of(self.session)

    @property
    def directive(self) -> str:
        """The word that its credential carries, "" without one."""
        return credential_word(self.session)


def user_id_of(session: str) -> str:
    """A number that a session's user has for good."""
    return str(int(hashlib.sha256(session.encode()).hexdigest()[:12], 16))


class Accounts:
    """The sessions seen so far, their tasks by history id, submit id and item id, and how often things were tried."""

    def __init__(self, settings: SandboxSettings, clock: Callable[[], float], books: Books) -> None:
        self._settings = settings
        self._clock = clock
        self._books = books
        self._by_session: dict[str, Account] = {}
        self.tasks: dict[str, Task] = {}
        self.submits: dict[tuple[str, str], Task] = {}
        self.items: dict[str, Task] = {}
        self.tries: Counter[tuple[str, str]] = Counter()
        self._settling = threading.Lock()
        books.settlers.append(self._settle_all)

    def of(self, session: str) -> Account:
        """The account of a session, with the credits of its failed tasks given back."""
        account = self._by_session.get(session)
        if account is None:
            credits = 0 if credential_word(session) == "poor" else self._settings.credits
            account = self._by_session[session] = Account(session, credits)
        self._settle(account)
        return account

    def keep(self, account: Account, task: Task) -> None:
        """Take a task in, and its credits."""
        self.tasks[task.history_id] = task
        self.submits[account.session, task.submit_id] = task
        self.items[task.item_id] = task
        account.tasks.append(task)
        account.running.append(task)
        account.gift_credit -= task.cost
        account.ledger.append(ledger_row(SPEND, task.cost, task.created, "视频生成", task))
        self._books.accepted("jimeng", account.session, task.cost)

    def cancel(self, account: Account, task: Task) -> None:
        """End a task now; its credits come back with it."""
        task.cancelled_at = self._clock()
        self._settle(account)

    def _settle(self, account: Account) -> None:
        """Give back the credits of the tasks that have failed by now. The lock: books are read from other threads."""
        now = self._clock()
        with self._settling:
            for task in [task for task in account.running if task.ended(now)]:
                account.running.remove(task)
                if task.refunded:
                    title = "取消生成返还" if task.cancelled_at is not None else "生成失败返还"
                    account.gift_credit += task.cost
                    account.ledger.append(ledger_row(GAIN, task.cost, task.ends_at, title, task))
                    self._books.refunded("jimeng", account.session, task.cost)

    def _settle_all(self) -> None:
        for account in list(self._by_session.values()):
            self._settle(account)


def ledger_row(kind: int, amount: int, at: float, title: str, task: Task | None = None) -> Json:
    """A row of the credit log; `amount` is above 0 for what was gained and for what was spent, `kind` tells which."""
    return {
        "history_id": task.history_id if task else uuid.uuid4().hex,
        "amount": amount,
        "create_time": int(at),
        "title": title,
        "submit_id": task.submit_id if task else "",
        "status": "Checked",
        "history_type": kind,
    }
