"""Hand-made clients of the sandbox's wires: small, and independent of the providers."""

import hashlib
import json
import uuid
from typing import Any

import httpx

Json = dict[str, Any]

MODEL = "dreamina_seedance_40_pro"
BENEFIT = "dreamina_video_seedance_20_pro"
CLIP_BENEFIT = "dreamina_video_seedance_20_video_add"
GENERATE = "/mweb/v1/aigc_draft/generate"
REFERERS = {
    "/commerce/v1/benefits/user_credit": "https://jimeng.jianying.com/ai-tool/image/generate",
    "/commerce/v1/benefits/credit_receive": "https://jimeng.jianying.com/ai-tool/home",
}
VIDEO = "/services/aigc/video-generation/video-synthesis"
IMAGE = "/services/aigc/image2video/video-synthesis"


class Clock:
    """A clock that moves when told; unix seconds."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def tick(self, seconds: float) -> None:
        self.now += seconds


def image(uri: str) -> Json:
    """A frame image of a draft."""
    return {"type": "image", "id": "i", "source_from": "upload", "image_uri": uri, "uri": uri}


def draft(
    video_input: Json,
    *,
    key: str = MODEL,
    ratio: str = "16:9",
    features: tuple[str, ...] = (),
    since: str = "3.0.5",
    version: str = "3.3.28",
) -> Json:
    """`draft_content` before it becomes a text; `since` = both `min_version`s."""
    component = str(uuid.uuid4())
    params = {
        "video_gen_inputs": [{"min_version": since, **video_input}],
        "video_aspect_ratio": ratio,
        "seed": 7,
        "model_req_key": key,
        "priority": 0,
    }
    return {
        "type": "draft",
        "id": str(uuid.uuid4()),
        "min_version": since,
        "min_features": list(features),
        "version": version,
        "main_component_id": component,
        "component_list": [
            {
                "type": "video_base_component",
                "id": component,
                "generate_type": "gen_video",
                "abilities": {"type": "", "gen_video": {"text_to_video_params": params}},
            }
        ],
    }


def generate_body(
    prompt: str = "a cat",
    *,
    key: str = MODEL,
    benefit: str = BENEFIT,
    seconds: float = 5,
    resolution: str | None = "720p",
    ratio: str = "16:9",
    submit_id: str = "",
    aid: int = 513695,
    metrics: Json | None = None,
    **fields: Any,
) -> Json:
    """A whole generate body in frames mode; `fields` go into the video input."""
    video_input = {"prompt": prompt, "video_mode": 2, "fps": 24, "duration_ms": int(seconds * 1000), **fields}
    video_input |= {} if resolution is None else {"resolution": resolution}
    content = draft(video_input, key=key, ratio=ratio)
    return wrap(content, key=key, benefit=benefit, submit_id=submit_id, aid=aid, metrics=metrics)


def reference_body(
    materials: list[Json],
    metas: list[Json],
    *,
    metrics: Json | None = None,
    resolution: str = "720p",
    seconds: float = 5,
    features: tuple[str, ...] = ("AIGC_Video_UnifiedEdit",),
    since: str = "3.3.9",
    **how: Any,
) -> Json:
    """A whole generate body in reference mode, billed as with a clip where there is one."""
    unified = {"material_list": materials, "meta_list": metas}
    shape = {
        "prompt": "",
        "duration_ms": int(seconds * 1000),
        "resolution": resolution,
        "unified_edit_input": unified,
    }
    with_clip = any(one.get("material_type") == "video" for one in materials)
    how = {"key": MODEL, "benefit": CLIP_BENEFIT if with_clip else BENEFIT, **how}
    content = draft(shape, key=how["key"], features=features, since=since)
    return wrap(content, metrics={"functionMode": "omni_reference", **(metrics or {})}, **how)


def commerce(benefit: str, **more: Any) -> Json:
    """A price object."""
    return {
        "resource_sub_type": "aigc",
        "resource_id_type": "str",
        "resource_id": "generate_video",
        "benefit_type": benefit,
        **more,
    }


def wrap(
    content: Json,
    *,
    key: str = MODEL,
    benefit: str = BENEFIT,
    submit_id: str = "",
    aid: int = 513695,
    metrics: Json | None = None,
) -> Json:
    """A generate body around a draft."""
    info = commerce(benefit)
    return {
        "extend": {"root_model": key, "m_video_commerce_info": info, "m_video_commerce_info_list": [info]},
        "submit_id": submit_id or str(uuid.uuid4()),
        "metrics_extra": json.dumps(metrics or {"functionMode": "first_last_frames"}),
        "draft_content": json.dumps(content),
        "http_common_info": {"aid": aid},
    }


class JimengClient:
    """One session of Jimeng's web API. `session` "" sends no cookie."""

    def __init__(self, http: httpx.AsyncClient, session: str = "one", region: str = "cn") -> None:
        self.http = http
        self.session = session
        self.region = region
        self.query = {"aid": "513695" if region == "cn" else "513641", "region": region, "da_version": "3.3.28"}

    def headers(self, path: str, moment: str = "1790000000") -> dict[str, str]:
        text = f"9e2c|{path[-7:]}|7|8.4.0|{moment}||11ac"
        headers = {"Pf": "7", "Appvr": "8.4.0", "Device-Time": moment, "Sign-Ver": "1", "Loc": self.region.lower()}
        headers["Referer"] = REFERERS.get(path, "https://jimeng.jianying.com/ai-tool/generate?type=video")
        headers["Sign"] = hashlib.md5(text.encode()).hexdigest()
        if self.session:
            headers["Cookie"] = f"_tea_web_id=1; sid_tt={self.session}; sessionid={self.session}; is_staff_user=false"
        return headers

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        content = b"" if body is None else json.dumps(body).encode()
        query = {} if path.endswith("/user_credit") else self.query
        return await self.http.post(path, params=query, content=content, headers={**self.headers(path), **headers})

    async def call(self, path: str, body: Any = None) -> Json:
        answer = await self.post(path, body)
        assert answer.status_code == 200, answer.text
        envelope: Json = answer.json()
        assert {"ret", "errmsg"} <= envelope.keys()
        return envelope

    async def upload_token(self, scene: int = 2) -> Json:
        envelope = await self.call("/mweb/v1/get_upload_token", {"scene": scene})
        assert envelope["ret"] == "0", envelope
        data: Json = envelope["data"]
        return data

    async def generate(self, prompt: str = "a cat", **how: Any) -> Json:
        how.setdefault("aid", int(self.query.get("aid", "513695")))
        return await self.call(GENERATE, generate_body(prompt, **how))

    async def submit(self, prompt: str = "a cat", **how: Any) -> str:
        """The history id of an accepted task."""
        envelope = await self.generate(prompt, **how)
        assert envelope["ret"] == "0", envelope
        return str(envelope["data"]["aigc_data"]["history_record_id"])

    async def records(self, *ids: str, by: str = "history_ids") -> Json:
        envelope = await self.call("/mweb/v1/get_history_by_ids", {by: list(ids)})
        assert envelope["ret"] == "0", envelope
        data: Json = envelope["data"]
        return data

    async def credits(self) -> int:
        envelope = await self.call("/commerce/v1/benefits/user_credit", {})
        data = envelope["data"] if "data" in envelope else json.loads(envelope["response"])
        return sum(data["credit"].values())

    async def cancel(self, task: str) -> Json:
        return await self.call("/mweb/v1/aigc_draft/cancel_generate", {"history_id": task})


class DashScopeClient:
    """One key of DashScope's native API."""

    def __init__(self, http: httpx.AsyncClient, key: str = "sk-one") -> None:
        self.http = http
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def post(
        self,
        model: str,
        given: Json,
        parameters: Json | None = None,
        path: str = VIDEO,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        body = {"model": model, "input": given, "parameters": parameters or {}}
        headers = {"X-DashScope-Async": "enable", **self.headers, **(headers or {})}
        return await self.http.post(f"/api/v1{path}", json=body, headers=headers)

    async def submit(
        self, prompt: str = "a cat", model: str = "wan2.6-t2v", given: Json | None = None, **how: Any
    ) -> str:
        """The id of an accepted task."""
        answer = await self.post(model, {"prompt": prompt, **(given or {})}, **how)
        assert answer.status_code == 200, answer.text
        assert answer.json()["output"]["task_status"] == "PENDING"
        return str(answer.json()["output"]["task_id"])

    async def get(self, path: str) -> httpx.Response:
        return await self.http.get(f"/api/v1{path}", headers=self.headers)

    async def task(self, task_id: str) -> Json:
        answer = await self.get(f"/tasks/{task_id}")
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        assert body["output"]["task_id"] == task_id
        assert body["request_id"]
        return body

    async def cancel(self, task_id: str) -> httpx.Response:
        return await self.http.post(f"/api/v1/tasks/{task_id}/cancel", headers=self.headers)


def refused(answer: httpx.Response, status: int, code: str, message: str = "") -> None:
    """DashScope's three fields, with this status and code, and `message` somewhere in its message."""
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), body
    assert body.keys() == {"code", "message", "request_id"}
    assert answer.headers["x-request-id"] == body["request_id"]
    assert message in body["message"]
