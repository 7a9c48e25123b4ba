"""Names of models as clients write them."""

import httpx
import pytest

from providers.sandbox.server import SandboxServer
from tests.e2e.conftest import bearer
from tests.e2e.generations import JIMENG, SUBMIT, error_of

SURFACES = pytest.mark.parametrize("path", [SUBMIT, "/v1/videos"])


@SURFACES
@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("Jimeng-Video-3.0-Fast", JIMENG),
        ("DREAMINA_IC_GENERATE_VIDEO_MODEL_VGFM_3.0_fast", JIMENG),
        ("Wan2.6-T2V", "wan2.6-t2v"),
        ("minimax/minimax-h3", "MiniMax/MiniMax-H3"),
        ("HappyHorse-1.1-T2V", "happyhorse-1.1-t2v"),
    ],
)
def test_case_of_a_name_does_not_matter(
    client: httpx.Client, session: str, key: str, path: str, name: str, model: str
) -> None:
    answer = client.post(
        path, json={"model": name, "prompt": "x", "ratio": "16:9"}, headers=bearer(f"jimeng:{session}", key)
    )
    assert (answer.status_code, answer.json()["model"]) == (200, model), answer.text
    assert client.get(f"/v1/models/{name}", headers=bearer(f"jimeng:{session}", key)).status_code == 200


@SURFACES
@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("jimeng-video-seedance-2.0-pro", "jimeng-video-seedance-2.0"),
        ("seedance-2.0-fast", "jimeng-video-seedance-2.0-fast"),
    ],
)
def test_unknown_name_is_answered_with_three_others(
    client: httpx.Client, session: str, path: str, name: str, nearest: str
) -> None:
    answer = client.post(path, json={"model": name, "prompt": "x"}, headers=bearer(session))
    message = error_of(answer, 404, "model_not_found")["message"]
    assert nearest in message
    assert message.count("jimeng-video-") - name.count("jimeng-video-") >= 3


def test_edit_with_an_unknown_model_names_others_too(client: httpx.Client, key: str) -> None:
    body = {"model": "video-edit", "prompt": "x", "video": {"url": "https://host.example/v.mp4"}}
    answer = client.post("/v1/videos/edits", json=body, headers=bearer(key))
    assert "happyhorse-1.0-video-edit" in error_of(answer, 404, "model_not_found")["message"]


@pytest.mark.parametrize(
    ("model", "prompt", "lengths"),
    [
        ("happyhorse-1.1-t2v", "猫" * 3000, ("6000", "5000")),
        ("wan2.7-t2v", "猫" * 6000, ("6000", "5000")),
        ("wan3.0-video", "猫" * 20_001, ("20001", "20000")),
        ("wan2.6-t2v", "猫" * 1501, ("1501", "1500")),
        ("wan2.2-t2v-plus", "猫" * 801, ("801", "800")),
        ("kling/kling-v3-video-generation", "猫" * 3000, ("3000", "2500")),
        ("vidu/viduq3-pro_text2video", "猫" * 5001, ("5001", "5000")),
        ("pixverse/pixverse-v5.6-t2v", "猫" * 2049, ("2049", "2048")),
        ("MiniMax/MiniMax-H3", "猫" * 7001, ("7001", "7000")),
    ],
)
def test_prompt_that_is_too_long_is_refused_with_both_numbers(
    client: httpx.Client, upstream: SandboxServer, key: str, model: str, prompt: str, lengths: tuple[str, str]
) -> None:
    answer = client.post(SUBMIT, json={"model": model, "prompt": prompt, "ratio": "16:9"}, headers=bearer(key))
    error = error_of(answer, 400, "invalid_value")
    assert error["param"] == "prompt"
    assert all(length in error["message"] for length in lengths)
    assert upstream.sandbox.submits("dashscope", key) == 0


@pytest.mark.parametrize("body", [{"resolution": "480P"}, {"size": "832x480"}])
@pytest.mark.parametrize("path", [SUBMIT, "/v1/videos"])
def test_happy_horse_makes_480p(
    client: httpx.Client, upstream: SandboxServer, key: str, path: str, body: dict[str, str]
) -> None:
    answer = client.post(path, json={"model": "happyhorse-1.1-t2v", "prompt": "x"} | body, headers=bearer(key))
    assert answer.status_code == 200, answer.text
    [sent] = upstream.sandbox.bodies("dashscope", key)
    assert sent["parameters"]["resolution"] == "480P"
