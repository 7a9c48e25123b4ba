"""The sandbox's own pages."""

import httpx

from providers.sandbox.app import create_sandbox
from providers.sandbox.directives import DIRECTIVES
from providers.sandbox.state import Ledger


async def test_front_page_says_what_it_is(http: httpx.AsyncClient) -> None:
    text = (await http.get("/")).text
    assert text.startswith("video-gateway sandbox")
    assert text.count("\n") == 1


async def test_directives_are_served(http: httpx.AsyncClient) -> None:
    assert len((await http.get("/_sandbox/outcomes")).json()) == len(DIRECTIVES)


async def test_what_nobody_serves_is_not_found(http: httpx.AsyncClient) -> None:
    assert (await http.get("/mweb/v1/something_else")).status_code == 404
    assert (await http.get("/elsewhere/")).status_code == 404


def test_every_sandbox_has_its_own_ledger() -> None:
    first, second = create_sandbox().state.sandbox, create_sandbox().state.sandbox
    assert isinstance(first, Ledger)
    assert first is not second
