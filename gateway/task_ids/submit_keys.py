"""Submit keys (idempotency keys of upstream submits) and the MAC keys that sign them and the public task ids."""

import hashlib
import hmac
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gateway.accounts.callers import Caller
from gateway.task_ids import signed
from providers.contract.accounts import Account, public_tag

_HEAD_BYTES = 10
_MAC_BYTES = 6


class MacKeys:
    """The MAC keys by caller and account. `secrets` are the keys of the configuration: the first one signs, all of them
    verify. `process_key` signs for gateway keys where there are no secrets."""

    def __init__(self, secrets: Sequence[bytes], process_key: bytes) -> None:
        self._secrets = tuple(secrets)
        self._process_key = process_key

    def of(self, caller: Caller, account: Account) -> tuple[bytes, ...]:
        """The keys for an account's tasks, the signing one first. A pass-through caller also has the key derived from
        its credential, so that ids are valid on every gateway without any configuration."""
        if caller.managed:
            return self._secrets or (self._process_key,)
        return (*self._secrets, signed.derived_key(account.credential))


@dataclass(frozen=True, slots=True)
class SubmitKeys:
    """The submit keys of one submit, a UUID for each account: deterministic in `seed` and the same on every replica.

    The last six bytes are a MAC over the owner. They identify the owner where an upstream lists the key.
    """

    mac_keys: MacKeys
    caller: Caller
    seed: str

    @property
    def order_key(self) -> str:
        """The key of the order in which accounts are tried."""
        return f"{self.caller.owner}\0{self.seed}"

    def of(self, account: Account) -> Iterator[str]:
        """The keys for an account. The first one is sent. An earlier submit may have sent one of the others, which
        come from older secrets and from the tag of the account before it had a name."""
        accounts = (account, replace(account, name="")) if account.name else (account,)
        for tag in dict.fromkeys(map(public_tag, accounts)):
            head = bytearray(hashlib.sha256(f"{self.caller.owner}\0{tag}\0{self.seed}".encode()).digest()[:_HEAD_BYTES])
            head[6] = head[6] & 0x0F | 0x40
            head[8] = head[8] & 0x3F | 0x80
            for key in self.mac_keys.of(self.caller, account):
                yield str(uuid.UUID(bytes=bytes(head) + _mac(bytes(head), self.caller, key)))


def is_own_submit_key(mac_keys: MacKeys, caller: Caller, account: Account, submit_key: str) -> bool:
    """True for a submit key that a gateway with these MAC keys derived for this caller."""
    try:
        data = uuid.UUID(submit_key).bytes
    except ValueError:
        return False
    head, mac = data[:_HEAD_BYTES], data[_HEAD_BYTES:]
    genuine = False
    for key in mac_keys.of(caller, account):
        genuine |= hmac.compare_digest(_mac(head, caller, key), mac)
    return genuine


def _mac(head: bytes, caller: Caller, key: bytes) -> bytes:
    return hashlib.blake2b(head + caller.owner.encode(), key=key, digest_size=_MAC_BYTES).digest()
