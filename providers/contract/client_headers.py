"""Request headers of clients that an upstream understands. All others stay at the gateway."""

import re
from collections.abc import Mapping
from typing import NamedTuple

_PRINTABLE = re.compile(r"[\x20-\x7e]{1,256}")


class ClientHeaders(NamedTuple):
    """The headers that are passed on as they come. `of_account` are those that name a part of the account, such as a
    workspace: they are passed on with an account of the client only."""

    names: tuple[str, ...] = ()
    of_account: tuple[str, ...] = ()

    def of(self, headers: Mapping[str, str], *, managed: bool) -> dict[str, str]:
        """Those of a request, with printable values. `headers` are looked up in any case; with `managed` the account is
        not the client's."""
        names = self.names if managed else (*self.names, *self.of_account)
        return {name: value for name in names if _PRINTABLE.fullmatch(value := headers.get(name, ""))}


NO_CLIENT_HEADERS = ClientHeaders()
