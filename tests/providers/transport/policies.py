"""A policy for tests: a set of addresses, and host names that may be looked up."""

from dataclasses import dataclass, field


@dataclass
class ListedAddresses:
    """Allows the addresses in `allowed`. `asked` are the addresses of sockets that it was asked for."""

    allowed: frozenset[str] = frozenset()
    forbidden_hosts: frozenset[str] = frozenset()
    asked: list[str] = field(default_factory=list)

    def permits_host(self, host: str, port: int) -> bool:
        return host not in self.forbidden_hosts

    def allows(self, address: str) -> bool:
        self.asked.append(address)
        return address in self.allowed


LOOPBACK = frozenset({"127.0.0.1", "::1"})
