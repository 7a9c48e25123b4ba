"""The records of accounts, in memory: of all managed accounts, and of a limited number of pass-through callers' ones.

A caller may send any number of credentials that its upstream rejects. They must not push out the records of accounts
that work, so an account is known once its upstream has accepted its credential, and the unknown ones are evicted first.
The caches of other parts, which have entries for each account, follow `is_known` as well.
"""

import hashlib

from cachetools import LRUCache

from gateway.accounts.lease import AccountRecord
from gateway.core.segmented_lru import SegmentedLRU
from providers.contract.accounts import Account

MAX_PASS_THROUGH_RECORDS = 10_000
"""Limit of the cached records of pass-through callers' accounts that are known."""
MAX_UNKNOWN_RECORDS = 1000
"""Limit of those that are not."""

_MAX_ACCEPTED = 20_000


class AccountRecords:
    """Account records by account id."""

    def __init__(self) -> None:
        self.managed: dict[str, AccountRecord] = {}
        self._accepted: LRUCache[str, bool] = LRUCache(_MAX_ACCEPTED)
        self._pass_through: SegmentedLRU[str, AccountRecord] = SegmentedLRU(
            MAX_PASS_THROUGH_RECORDS,
            MAX_UNKNOWN_RECORDS,
            lambda account_id, record: record.submitted > 0 or account_id in self._accepted,
        )

    def get(self, id: str) -> AccountRecord | None:
        return self.managed.get(id) or self._pass_through.get(id)

    def add(self, id: str, record: AccountRecord) -> AccountRecord:
        """Add the record of an account that is not managed, and return it."""
        self._pass_through[id] = record
        return record

    def replace_managed(self, managed: dict[str, AccountRecord]) -> list[AccountRecord]:
        """Replace the records of the managed accounts. Those of removed accounts, which are returned, stay cached: a
        later reload may add an account again."""
        removed = {id: record for id, record in self.managed.items() if id not in managed}
        for id in managed:
            self._pass_through.pop(id)
        self.managed = managed
        for id, record in removed.items():
            self.accept(id)
            self._pass_through[id] = record
        return list(removed.values())

    def accept(self, id: str) -> None:
        """Note that the upstream accepted the credential of an account."""
        if id not in self.managed:
            self._accepted[id] = True

    def is_known(self, id: str) -> bool:
        """True for a managed account, and for one whose credential was accepted."""
        if id in self.managed or id in self._accepted:
            return True
        record = self._pass_through.get(id)
        return record is not None and record.submitted > 0

    def __contains__(self, id: object) -> bool:
        return id in self.managed or id in self._pass_through

    def __len__(self) -> int:
        return len(self.managed) + len(self._pass_through)


def login_digest(account: Account) -> bytes:
    """A digest of the credential, to detect a replacement."""
    login = "\0".join((account.region, account.credential, account.cookie or ""))
    return hashlib.sha256(login.encode("utf-8", "surrogateescape")).digest()
