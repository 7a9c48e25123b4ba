"""The site's calls around an upload: its keys, and the checks of uploaded files."""

from collections.abc import Callable
from typing import Any

import orjson
from starlette.types import ASGIApp

from providers.sandbox.jimeng.access import Call
from providers.sandbox.jimeng.catalogue import JimengModels
from providers.sandbox.jimeng.envelopes import Envelopes
from providers.sandbox.jimeng.errors import FAILED, GONE, PARAMETER, RISK, Refused, need
from providers.sandbox.jimeng.resources import Resource
from providers.sandbox.jimeng.upload_services import SCENES
from providers.sandbox.jimeng.uploads import JimengUploads
from providers.sandbox.media import Kind

Json = dict[str, Any]

_SAFETY_SCENE, _SAFETY_KEY = "image_face_ip", "benchmark_test_user_upload_image_input"
_AUDIT_SCENE = 2
_PASS, _REJECT = 1, 2
"""`audit_decision`."""

_AUDIT_KINDS: dict[int, tuple[str, Kind | None]] = {
    1: ("uri", "image"), 2: ("vid", "video"), 3: ("vid", "audio"), 4: ("subject_data_id", None),
}  # fmt: skip
"""`material_type` → the field of its id, and its kind; a subject is no upload."""


class Materials:
    """The upload calls of an account."""

    def __init__(self, models: JimengModels, uploads: JimengUploads, envelopes: Envelopes) -> None:
        self._models = models
        self._uploads = uploads
        self._envelopes = envelopes

    def calls(self) -> dict[str, Callable[[Call], ASGIApp]]:
        """Path → what answers it."""
        return {
            "/mweb/v1/get_upload_token": self._upload_token,
            "/mweb/v1/algo_proxy": self._safety_check,
            "/mweb/v1/imagex/submit_audit_job": self._audit_job,
            "/mweb/v1/execute_generate_audit": self._generate_audit,
        }

    def _find(self, call: Call, uri: object, kind: Kind) -> Resource:
        found = self._uploads.resource(call.account.session, uri) if isinstance(uri, str) else None
        if found is None or found.kind not in (None, kind):
            raise Refused(PARAMETER, "resource was not uploaded")
        return found

    def _upload_token(self, call: Call) -> ASGIApp:
        scene = call.body.get("scene")
        service = SCENES.get(scene) if isinstance(scene, int) and not isinstance(scene, bool) else None
        if service is None:
            raise Refused(PARAMETER, "scene")
        request = call.request
        host = request.headers.get("host", request.url.netloc)
        data = self._uploads.grant(call.account.session, call.named_site(), service, host, request.url.scheme)
        return self._envelopes.answer(data)

    def _safety_check(self, call: Call) -> ASGIApp:
        """The safety check of uploaded images, on the mainland site only. The content of `babi_param` is not checked:
        clients differ."""
        need(call.named_site() == "cn", "no such algorithm on this site")
        body = call.body
        try:
            babi = orjson.loads(call.request.query_params.get("babi_param", ""))
        except orjson.JSONDecodeError:
            babi = None
        known = (body.get("scene"), body.get("req_key")) == (_SAFETY_SCENE, _SAFETY_KEY)
        whole = all(isinstance(one, dict) for one in (babi, body.get("options"), body.get("req_params")))
        need(known and whole, "scene, req_key, options, req_params or babi_param")
        files = body.get("file_list")
        if not isinstance(files, list) or not files or not all(isinstance(one, dict) for one in files):
            raise Refused(PARAMETER, "file_list")
        for found in [self._find(call, one.get("file_uri"), "image") for one in files]:
            if found.unsafe:
                raise Refused(RISK, message="risk not pass")
            need(not found.shaky, "", FAILED)
        return self._envelopes.answer({"algo_result": {}, "resp_data": "{}"})

    def _audit_job(self, call: Call) -> ASGIApp:
        """Accepts images for an audit, without a verdict. The response's body is not captured; in Singapore `ret` was
        empty."""
        uris = call.body.get("uri_list")
        if not isinstance(uris, list) or not uris:
            raise Refused(PARAMETER, "uri_list")
        for uri in uris:
            self._find(call, uri, "image")
        return self._envelopes.answer({}, "0" if call.site == "cn" else "", "success")

    def _generate_audit(self, call: Call) -> ASGIApp:
        """A verdict on each material, in order; `ret` is "0" with a reject too (2026-10-02)."""
        body, materials = call.body, call.body.get("material_list")
        need(body.get("scene") == _AUDIT_SCENE, "scene")
        need(self._models.find(str(body.get("model_key")), call.named_site()), "", GONE)
        if not isinstance(materials, list) or not materials:
            raise Refused(PARAMETER, "material_list")
        return self._envelopes.answer({"result_list": [self._verdict(call, one) for one in materials]})

    def _verdict(self, call: Call, material: object) -> Json:
        number = material.get("material_type") if isinstance(material, dict) else None
        row = _AUDIT_KINDS.get(number) if isinstance(number, int) else None
        if row is None or not isinstance(material, dict):
            raise Refused(PARAMETER, "material_type")
        field, kind = row
        unsafe = kind is not None and self._find(call, material.get(field), kind).unsafe
        need(kind is not None or material.get(field), field)
        return {
            "audit_decision": _REJECT if unsafe else _PASS,
            "reason_detail": "material not pass" if unsafe else "",
        }
