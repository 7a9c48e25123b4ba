"""The operations on credentials and accounts, and those of the gateway itself."""

from gateway.api.openapi.operation import (
    ACCOUNT,
    LANGUAGE,
    NO_CACHE,
    ListOf,
    Operation,
    OperationGroup,
)
from gateway.api.schemas import requests, responses, usage

TOKENS = OperationGroup(
    "Credentials",
    "Check credentials, read and receive their credits.",
    (
        Operation(
            "post",
            "/token/check",
            "checkToken",
            "Check the login of the bearer's credential, of several one row each; the admin key means all accounts",
            {200: (responses.TokenLive, ListOf(responses.TokenChecked))},
            body=requests.TokenRequest,
            body_required=False,
            parameters=(LANGUAGE,),
            error_statuses=(400, 401, 403, 413, 429, 502),
        ),
        Operation(
            "post",
            "/token/points",
            "readTokenPoints",
            "The credits of each of the bearer's credentials, at most two minutes old",
            {200: ListOf(responses.TokenPoints)},
            parameters=(NO_CACHE, LANGUAGE),
            error_statuses=(401,),
        ),
        Operation(
            "post",
            "/token/receive",
            "receiveTokenCredits",
            "Receive the daily credits of each of the bearer's credentials",
            {200: ListOf(responses.TokenReceived)},
            parameters=(LANGUAGE,),
            error_statuses=(401,),
        ),
    ),
)

USAGE = OperationGroup(
    "Usage",
    "What gateway keys use, and their limits.",
    (
        Operation(
            "get",
            "/v1/usage",
            "getUsage",
            "What the gateway key uses, its limits and what is left; with the admin key, of all keys",
            {200: (usage.KeyUsageObject, usage.KeyUsageList)},
            parameters=(LANGUAGE,),
            error_statuses=(401, 404),
        ),
    ),
)

OPERATOR = OperationGroup(
    "Accounts",
    "For the operator: the managed accounts.",
    (
        Operation(
            "get",
            "/v1/accounts",
            "listAccounts",
            "The status of the managed accounts: with the admin key, or from loopback if none is set",
            {200: responses.AccountList},
            parameters=(LANGUAGE,),
            error_statuses=(401,),
        ),
        Operation(
            "post",
            "/v1/accounts/{name}/check",
            "checkAccount",
            "Check the login of an account",
            {200: responses.AccountChecked},
            parameters=(ACCOUNT, LANGUAGE),
            error_statuses=(401, 403, 404, 429, 501, 502),
        ),
        Operation(
            "post",
            "/v1/accounts/{name}/points",
            "readAccountCredits",
            "The credits of an account, at most two minutes old",
            {200: responses.AccountCredits},
            parameters=(ACCOUNT, NO_CACHE, LANGUAGE),
            error_statuses=(401, 403, 404, 429, 501, 502),
        ),
        Operation(
            "post",
            "/v1/accounts/{name}/receive",
            "receiveAccountCredits",
            "Receive the daily credits of an account",
            {200: responses.AccountReceived},
            parameters=(ACCOUNT, LANGUAGE),
            error_statuses=(401, 403, 404, 429, 501, 502),
        ),
        Operation(
            "post",
            "/v1/accounts/{name}/pause",
            "pauseAccount",
            "Pause an account: it takes no submits until it is resumed or the gateway restarts",
            {200: responses.AccountAction},
            parameters=(ACCOUNT, LANGUAGE),
            error_statuses=(401, 404),
        ),
        Operation(
            "post",
            "/v1/accounts/{name}/resume",
            "resumeAccount",
            "End the pause of an account and clear its failures",
            {200: responses.AccountAction},
            parameters=(ACCOUNT, LANGUAGE),
            error_statuses=(401, 404),
        ),
        Operation(
            "post",
            "/v1/webhooks/test",
            "testWebhook",
            "Send a signed sample event to a URL",
            {200: responses.WebhookAttempt},
            body=requests.WebhookTestRequest,
            parameters=(LANGUAGE,),
            error_statuses=(400, 401, 413),
        ),
    ),
)

SERVICE = OperationGroup(
    "Service",
    "Health, metrics and this document.",
    (
        Operation("get", "/healthz", "getHealth", "Liveness check", {200: responses.Health}, authorized=False),
        Operation(
            "get",
            "/readyz",
            "getReadiness",
            "Readiness check: 503 once the gateway has begun to stop",
            {200: responses.Readiness, 503: responses.Readiness},
            authorized=False,
        ),
        Operation(
            "get", "/ping", "ping", "Liveness check: responds with `pong`", {200: "text/plain"}, authorized=False
        ),
        Operation(
            "get",
            "/metrics",
            "getMetrics",
            "Metrics for Prometheus, for loopback or the admin key",
            {200: "text/plain"},
            error_statuses=(401,),
            authorized=False,
        ),
        Operation("get", "/openapi.json", "getOpenapi", "This document", {200: "application/json"}, authorized=False),
        Operation("get", "/docs", "getDocs", "This document as a web page", {200: "text/html"}, authorized=False),
    ),
)
