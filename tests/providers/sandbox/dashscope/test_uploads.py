"""Temporary files: a policy, a form, an `oss://` link bound to a key and a model."""

from typing import Any

import httpx
import pytest

from providers.sandbox.server import SandboxServer
from tests.providers.sandbox.clients import Clock, DashScopeClient, Json, refused
from tests.providers.sandbox.samples import mp4, png

MODEL = "wan2.6-i2v"
RESOLVE = {"X-DashScope-OssResourceResolve": "enable"}


async def policy(client: DashScopeClient, model: str = MODEL) -> Json:
    answer = await client.get(f"/uploads?action=getPolicy&model={model}")
    assert answer.status_code == 200, answer.text
    data: Json = answer.json()["data"]
    return data


def form(data: Json, **changed: str) -> dict[str, str]:
    fields = {
        "OSSAccessKeyId": data["oss_access_key_id"],
        "Signature": data["signature"],
        "policy": data["policy"],
        "key": f"{data['upload_dir']}/a.png",
        "x-oss-object-acl": data["x_oss_object_acl"],
        "x-oss-forbid-overwrite": data["x_oss_forbid_overwrite"],
        "success_action_status": "200",
    }
    return fields | changed


async def send(http: httpx.AsyncClient, data: Json, file: bytes = b"", **changed: str) -> httpx.Response:
    file = file or png()
    return await http.post(data["upload_host"], data=form(data, **changed), files={"file": ("a.png", file)})


async def test_sent_file_can_be_used(dashscope: DashScopeClient, http: httpx.AsyncClient, clock: Clock) -> None:
    data = await policy(dashscope)
    assert (data["expire_in_seconds"], data["upload_host"]) == (300, "http://upstream.test:81/oss")
    answer = await send(http, data)
    assert (answer.status_code, answer.content) == (200, b"")
    given = {"img_url": f"oss://{data['upload_dir']}/a.png"}
    assert (await dashscope.post(MODEL, given, headers=RESOLVE)).status_code == 200
    refused(await dashscope.post(MODEL, given), 400, "InvalidParameter.DataInspection")
    other = DashScopeClient(http, "sk-two")
    refused(await other.post(MODEL, given, headers=RESOLVE), 400, "InvalidParameter.DataInspection")
    refused(await dashscope.post("wan2.6-i2v-flash", given, headers=RESOLVE), 400, "InvalidParameter.DataInspection")
    strange = {"img_url": given["img_url"] + "x"}
    refused(await dashscope.post(MODEL, strange, headers=RESOLVE), 400, "InvalidParameter.DataInspection")
    clock.tick(48 * 3600 + 1)
    refused(await dashscope.post(MODEL, given, headers=RESOLVE), 400, "InvalidParameter.DataInspection")


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"Signature": "x"}, 403, "SignatureDoesNotMatch"),
        ({"OSSAccessKeyId": "x"}, 403, "SignatureDoesNotMatch"),
        ({"policy": "x"}, 403, "SignatureDoesNotMatch"),
        ({"key": "elsewhere/a.png"}, 403, "AccessDenied"),
        ({"key": "{folder}2/a.png"}, 403, "AccessDenied"),
        ({"key": "{folder}/"}, 403, "AccessDenied"),
    ],
)
async def test_forms_that_are_refused(
    dashscope: DashScopeClient, http: httpx.AsyncClient, changed: dict[str, str], status: int, code: str
) -> None:
    data = await policy(dashscope)
    changed = {name: value.format(folder=data["upload_dir"]) for name, value in changed.items()}
    answer = await send(http, data, png(), **changed)
    assert (answer.status_code, f"<Code>{code}</Code>" in answer.text) == (status, True)


async def test_policy_covers_what_is_below_its_folder(dashscope: DashScopeClient, http: httpx.AsyncClient) -> None:
    """As the conditions of an object store's policy do: they name a beginning of the key."""
    data = await policy(dashscope)
    key = f"{data['upload_dir']}/below/a.png"
    assert (await send(http, data, png(), key=key)).status_code == 200
    assert (await dashscope.post(MODEL, {"img_url": f"oss://{key}"}, headers=RESOLVE)).status_code == 200


async def test_policy_expires_and_a_file_is_sent_once(
    dashscope: DashScopeClient, http: httpx.AsyncClient, clock: Clock
) -> None:
    data = await policy(dashscope)
    await send(http, data)
    assert (await send(http, data)).status_code == 409
    clock.tick(300)
    answer = await send(http, data, key=f"{data['upload_dir']}/b.png")
    assert (answer.status_code, "Policy expired." in answer.text) == (403, True)


async def test_file_is_the_last_field(dashscope: DashScopeClient, http: httpx.AsyncClient) -> None:
    data = await policy(dashscope)
    assert (await http.post("/oss", data=form(data))).status_code == 400
    fields: list[Any] = [("file", ("a.png", b"png")), *((name, (None, value)) for name, value in form(data).items())]
    assert (await http.post("/oss", files=fields)).status_code == 400


async def test_policy_names_its_model(dashscope: DashScopeClient) -> None:
    refused(await dashscope.get("/uploads?action=getPolicy"), 400, "InvalidParameter")
    refused(await dashscope.get("/uploads?model=x"), 400, "InvalidParameter")


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (b"png", "InvalidFile.Format"),
        (mp4(), "InvalidFile.Format"),
        (png(239, 400), "InvalidFile.Resolution"),
        (png(padding=20 * 1024 * 1024), "InvalidFile.Size"),
        (png(text="#unsafe"), "DataInspectionFailed"),
        (png()[:20], "InvalidParameter.DataInspection"),
    ],
)
async def test_sent_file_is_looked_at_when_it_is_used(
    dashscope: DashScopeClient, http: httpx.AsyncClient, file: bytes, code: str
) -> None:
    data = await policy(dashscope)
    assert (await send(http, data, file)).status_code == 200
    given = {"img_url": f"oss://{data['upload_dir']}/a.png"}
    refused(await dashscope.post(MODEL, given, headers=RESOLVE), 400, code)


async def test_file_that_is_too_large_is_refused(dashscope: DashScopeClient, http: httpx.AsyncClient) -> None:
    data = await policy(dashscope)
    request = http.build_request("POST", data["upload_host"], data=form(data), files={"file": ("a.png", png())})
    request.headers["content-length"] = str(101 * 1024 * 1024)
    answer = await http.send(request)
    assert (answer.status_code, "<Code>EntityTooLarge</Code>" in answer.text) == (400, True)


async def test_directives_of_a_file_choose_its_upload_fault(wire: httpx.AsyncClient, server: SandboxServer) -> None:
    client = DashScopeClient(wire, "sk-file-troubles")
    data = await policy(client)
    with pytest.raises(httpx.TransportError):
        await send(wire, data, png(text="#lost-upload"))
    failing = png(text="#bad-upload #times=1 ")
    assert (await send(wire, data, failing)).status_code == 500
    assert (await send(wire, data, failing)).status_code == 200
