"""A credential with the word `quoting` is quoted in the messages of both upstreams."""

import httpx
import pytest

from tests.providers.sandbox.clients import DashScopeClient, JimengClient, generate_body


def quoted(text: str, credential: str) -> bool:
    return credential[-4:] in text or credential[:10].upper() in text


@pytest.mark.parametrize(
    "key", ["sk-q7w8zkx4-quoting-u3p6", "sk-q7w8zkx4-quoting-poor-u3p6", "sk-q7w8-expired-quoting-u3p6"]
)
async def test_dashscope_quotes_the_key(wire: httpx.AsyncClient, key: str) -> None:
    client = DashScopeClient(wire, key)
    for _ in range(5):
        answer = await client.post("wan2.6-t2v", {"prompt": "a cat #refuse=InternalError"})
        assert answer.status_code >= 400
        assert quoted(answer.json()["message"], key)


@pytest.mark.parametrize("session", ["q7w8zkx4-quoting-u3p6", "q7w8-quoting-expired-u3p6", "q7w8-quoting-banned-u3p6"])
async def test_jimeng_quotes_the_session(wire: httpx.AsyncClient, session: str) -> None:
    client = JimengClient(wire, session)
    answer = (await client.post("/mweb/v1/aigc_draft/generate", generate_body("a cat #refuse=1000"))).json()
    assert answer["ret"] != "0"
    assert quoted(answer["errmsg"], session)


async def test_plain_text_is_quoted_too(wire: httpx.AsyncClient) -> None:
    key = "sk-q7w8zkx4-quoting-u3p6"
    answer = await DashScopeClient(wire, key).post("wan2.6-t2v", {"prompt": "a cat #status=502"})
    assert (answer.status_code, quoted(answer.text, key)) == (502, True)


async def test_other_credentials_are_not_quoted(wire: httpx.AsyncClient) -> None:
    answer = await DashScopeClient(wire, "sk-quotings").post("wan2.6-t2v", {"prompt": "a cat #refuse=InternalError"})
    assert answer.json()["message"] == "An internal error has occured, please try again later."
