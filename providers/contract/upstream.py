"""What every provider has, whatever it makes: a name, regions and the format of its credentials."""

from typing import Protocol

from providers.contract.accounts import Account


class Upstream(Protocol):
    """A provider makes videos (`provider.Provider`), serves language models (`language.LanguageProvider`), or both."""

    @property
    def name(self) -> str:
        """The name in ids, accounts and `provider` fields: `jimeng`, `dashscope`."""

    @property
    def regions(self) -> frozenset[str]:
        """The values that `Account.region` may have."""

    def account_from(self, credential: str, *, named: bool = False) -> Account | None:
        """The account of a credential as clients send it; None if it cannot be one of this upstream's.

        With `named` the caller has prefixed this provider's name: then the credential's usual prefix is not required.
        """
