"""Which calls of the upstreams break on a route. An upstream without such calls has no such route."""

from collections.abc import Mapping

from tests.faults.catalog import Upstream
from tests.faults.rows import Target

Targets = Mapping[Upstream, Target]

SUBMIT: Targets = {
    "jimeng": Target(("/mweb/v1/aigc_draft/generate",)),
    "dashscope": Target(("/api/v1/services/",)),
}
SUBMIT_AND_LOOK_UP: Targets = {"jimeng": Target(("/mweb/v1/aigc_draft/generate", "/mweb/v1/get_history_by_ids"))}
QUERY: Targets = {
    "jimeng": Target(("/mweb/v1/get_history_by_ids",)),
    "dashscope": Target(("/api/v1/tasks/",), "GET"),
}
FILES: Targets = {"jimeng": Target(("/files/",)), "dashscope": Target(("/files/",))}
PICTURES: Targets = {"jimeng": Target(("/files/pictures/",))}
"""DashScope fetches addresses itself."""
UPLOAD: Targets = {"jimeng": Target(("/upload/v1/",)), "dashscope": Target(("/oss",), "POST")}
UPLOAD_KEYS: Targets = {
    "jimeng": Target(("/mweb/v1/get_upload_token",)),
    "dashscope": Target(("/api/v1/uploads",)),
}
UPLOAD_ADDRESS: Targets = {"jimeng": Target(("/imagex",))}
LIST: Targets = {"jimeng": Target(("/mweb/v1/get_history?",)), "dashscope": Target(("/api/v1/tasks?",))}
CANCEL: Targets = {
    "jimeng": Target(("/mweb/v1/aigc_draft/cancel_generate",)),
    "dashscope": Target(("/api/v1/tasks/",), "POST"),
}
CHECK: Targets = {
    "jimeng": Target(("/passport/", "/commerce/v1/benefits/user_credit")),
    "dashscope": Target(("/api/v1/tasks?",)),
}
POINTS: Targets = {"jimeng": Target(("/commerce/v1/benefits/user_credit",))}
RECEIVE: Targets = {"jimeng": Target(("/commerce/v1/benefits/credit_receive",))}
STORE: Targets = {"jimeng": Target(("/",)), "dashscope": Target(("/",))}


def only(targets: Targets, upstream: Upstream) -> Targets:
    """Those of one upstream."""
    return {upstream: targets[upstream]}
