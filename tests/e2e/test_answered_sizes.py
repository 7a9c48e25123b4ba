"""The `size` of answers to an image-to-video: what is known, on both surfaces."""

import httpx
import pytest

from tests.e2e.conftest import bearer
from tests.e2e.generations import JIMENG, SUBMIT
from tests.pictures import data_url, picture

PORTRAIT = picture(width=360, height=640)


@pytest.mark.parametrize(
    ("body", "size"),
    [
        ({"model": "wan2.6-i2v"}, "1080x1920"),
        ({"model": "wan2.6-i2v", "size": "720x1280"}, "720x1280"),
        ({"model": "wan2.6-i2v", "size": "1280x720"}, "720x1280"),
        ({"model": "wan2.7-i2v", "size": "1280x720"}, "720x1280"),
        ({"model": "happyhorse-1.1-i2v", "size": "720x1280"}, "720x1280"),
        ({"model": "wan2.5-i2v-preview", "provider_options": {"resolution": "480P"}}, ""),
        ({"model": JIMENG}, "720x1280"),
    ],
)
@pytest.mark.parametrize("form", [False, True])
def test_portrait_picture_is_answered_as_a_portrait(
    client: httpx.Client, session: str, key: str, body: dict[str, object], size: str, form: bool
) -> None:
    headers = bearer(session if body["model"] == JIMENG else key)
    body = body | {"prompt": "x #seconds=0.6"}
    if form and "provider_options" not in body:
        files = {"input_reference": ("a.png", PORTRAIT, "image/png")}
        answer = client.post("/v1/videos", data=body, files=files, headers=headers)
    else:
        answer = client.post("/v1/videos", json=body | {"image_url": data_url(PORTRAIT)}, headers=headers)
    assert (answer.status_code, answer.json()["size"]) == (200, size), answer.text
    assert client.get(f"/v1/videos/{answer.json()['id']}", headers=headers).json()["size"] == size


def test_picture_at_an_address_is_answered_with_what_was_asked(client: httpx.Client, key: str) -> None:
    body = {"model": "wan2.6-i2v", "prompt": "x #pending", "image_url": "https://host.example/a.png"}
    for size in ("", "720x1280"):
        answer = client.post("/v1/videos", json=body | ({"size": size} if size else {}), headers=bearer(key))
        assert (answer.status_code, answer.json()["size"]) == (200, size)


def test_id_of_the_generations_surface_carries_the_same(client: httpx.Client, key: str) -> None:
    body = {"model": "wan2.6-i2v", "prompt": "x #pending", "image_url": data_url(PORTRAIT), "resolution": "720p"}
    id = client.post(SUBMIT, json=body, headers=bearer(key, f"{key}2")).json()["task_id"]
    assert client.get(f"/v1/videos/{id}", headers=bearer(key, f"{key}2")).json()["size"] == "720x1280"
