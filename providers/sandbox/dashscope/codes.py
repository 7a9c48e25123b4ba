"""DashScope's error codes: HTTP status, message, and the errors of keys with a directive."""


class Refused(Exception):  # noqa: N818
    """A call is refused with this code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


STATUS: dict[str, int] = {
    "Arrearage": 400,
    "DataInspectionFailed": 400,
    "IPInfringementSuspect": 400,
    "InvalidParameter": 400,
    "InvalidParameter.DataInspection": 400,
    "InvalidFile.AspectRatio": 400,
    "InvalidFile.DownloadFailed": 400,
    "InvalidFile.Duration": 400,
    "InvalidFile.Format": 400,
    "InvalidFile.Resolution": 400,
    "InvalidFile.Size": 400,
    "InvalidURL": 400,
    "InvalidURL.ConnectionRefused": 400,
    "InvalidURL.Timeout": 400,
    "UnsupportedOperation": 400,
    "InvalidApiKey": 401,
    "NOT AUTHORIZED": 401,
    "AccessDenied": 403,
    "AccessDenied.Unpurchased": 403,
    "AllocationQuota.FreeTierOnly": 403,
    "Model.AccessDenied": 403,
    "Workspace.AccessDenied": 403,
    "ModelNotFound": 404,
    "NotFound": 404,
    "WorkSpaceNotFound": 404,
    "Conflict": 409,
    "Throttling": 429,
    "Throttling.AllocationQuota": 429,
    "Throttling.BurstRate": 429,
    "Throttling.RateQuota": 429,
    "CommodityNotPurchased": 429,
    "PrepaidBillOverdue": 429,
    "PostpaidBillOverdue": 429,
    "InternalError": 500,
    "InternalError.Algo.DataInspectionFailed": 400,
    "InternalError.Algo.InvalidParameter": 400,
    "InternalError.Algo": 500,
    "InternalError.Timeout": 500,
    "InternalError.Upload": 500,
    "ModelServiceFailed": 500,
    "RequestTimeOut": 500,
    "ResponseTimeout": 500,
    "RewriteFailed": 500,
    "SystemError": 500,
    "ModelServingError": 503,
    "ModelUnavailable": 503,
}
"""Error code → HTTP status; a code without a row is 400."""

MESSAGES: dict[str, str] = {
    "AccessDenied": "Access denied.",
    "AccessDenied.Unpurchased": "Access to model denied. Please make sure you are eligible for using the model.",
    "Arrearage": "Access denied, please make sure your account is in good standing.",
    "DataInspectionFailed": "Input data may contain inappropriate content.",
    "InternalError": "An internal error has occured, please try again later.",
    "InternalError.Algo.DataInspectionFailed": "Input data may contain inappropriate content.",
    "InternalError.Algo.InvalidParameter": "<400> InternalError.Algo.InvalidParameter: Failed to download multimodal "
    "content",
    "InvalidFile.DownloadFailed": "Failed to download the input file.",
    "IPInfringementSuspect": "Input data is suspected of being involved in IP infringement.",
    "InvalidApiKey": "Invalid API-key provided.",
    "ModelNotFound": "Model not exist.",
    "Throttling.AllocationQuota": "Allocated quota exceeded, please increase your quota limit.",
    "Throttling.BurstRate": "Request rate increased too quickly.",
    "Throttling.RateQuota": "Requests rate limit exceeded, please try again later.",
}

CREDENTIAL_CODES = {
    "poor": ("Arrearage", MESSAGES["Arrearage"]),
    "banned": ("AccessDenied.Unpurchased", MESSAGES["AccessDenied.Unpurchased"]),
    "shark": ("Throttling.BurstRate", MESSAGES["Throttling.BurstRate"]),
    "limited": ("Throttling.AllocationQuota", MESSAGES["Throttling.AllocationQuota"]),
    # A key of a token plan, reported on 2026-09-14: same code as a busy model, but no retry helps before the week ends.
    "exhausted": ("Throttling.AllocationQuota", "token-plan 1-week quota has been exhausted"),
}
"""Directive in a key → (code, message) of its submits."""
