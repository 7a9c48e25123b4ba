"""Client-facing messages, in Chinese and English: what happened, why, what to do now."""

from gateway.core.limit_messages import LIMIT_ERRORS
from providers.contract.localized_text import LocalizedText

ERRORS: dict[str, LocalizedText] = {  # The HTTP contract fixes the Chinese of those marked "fixed".
    "no_credential": LocalizedText(  # fixed
        "未提供认证令牌",
        "Missing credential: send `Authorization: Bearer <key>`",
    ),
    "invalid_api_key": LocalizedText(  # fixed
        "API认证失败，请检查配置", "Authentication failed: check the key or the configuration"
    ),
    "unknown_key": LocalizedText(
        "凭证无效：此网关只接受自己签发的密钥，请向网关管理员索取",
        "Invalid key: this gateway accepts only its own keys. Ask its administrator for one",
    ),
    "proxy_not_accepted": LocalizedText(
        "此网关不接受凭证中的代理，请去掉代理前缀",
        "This gateway does not accept a proxy in the credential: remove the proxy prefix",
    ),
    "invalid_credential_format": LocalizedText(
        "凭证格式无效，应为 {credentials}", "Invalid credential format: use {credentials}"
    ),
    "too_many_credentials": LocalizedText(
        "凭证过多：每个请求最多 {limit} 个", "Too many credentials: at most {limit} per request"
    ),
    "no_response": LocalizedText("上游没有响应", "The upstream did not respond"),
    "cancel_unconfirmed": LocalizedText(
        "取消请求已发出，但未收到确认，请查询任务状态或重新取消",
        "The cancel request was sent but not confirmed: check the task status, or cancel again",
    ),
    "no_account_for_provider": LocalizedText(
        "没有可用于 {provider} 的凭证，请在 Authorization 中加入该平台的凭证，或选择其他模型",
        "No credential for {provider}: add one to the Authorization header, or choose another model",
    ),
    "not_in_region": LocalizedText(
        "该账号所属站点不提供模型 {model}，可用站点：{regions}",
        "Model {model} is not available on the account's site. Available on: {regions}",
    ),
    "model_not_found": LocalizedText(
        "模型 {model} 不存在，可用模型见 GET /v1/models", "Model {model} does not exist: see GET /v1/models"
    ),
    "model_not_offered": LocalizedText(
        "该账号所属站点目前不提供模型 {model}，可用模型见 GET /v1/models",
        "The account's site does not currently offer model {model}: see GET /v1/models",
    ),
    "nearest_models": LocalizedText("{reason}；相近的可用模型：{nearest}", "{reason}; closest models: {nearest}"),
    "task_not_found": LocalizedText(  # fixed
        "任务不存在或已过期", "The task does not exist, has expired, or belongs to another credential"
    ),
    "not_found": LocalizedText("路径不存在，接口文档见 /docs", "Path not found: see /docs"),
    "native_not_found": LocalizedText(
        "路径不存在；本网关提供的 {title} 接口：{paths}",
        "Path not found. What this gateway has of {title}'s API: {paths}",
    ),
    "uploads_of_other_account": LocalizedText(
        "素材所属的账号已不可用：请重新上传素材后再提交",
        "The files were uploaded for an account that is not available here: upload them again, then submit",
    ),
    "uploads_not_for_model": LocalizedText(
        "模型 {model} 不能使用上传到 {title} 的文件，请改用 https 链接或 data: 链接",
        "Model {model} cannot use files that are uploaded to {title}: pass an https or a data: URL",
    ),
    "method_not_allowed": LocalizedText(
        "该路径不支持 {method} 方法，请改用 {allowed}；接口文档见 /docs",
        "Method {method} is not allowed on this path: use {allowed}; see /docs",
    ),
    "content_policy_violation": LocalizedText(
        "内容违规，请修改提示词或素材", "The content violates the upstream's policy: change the prompt or the inputs"
    ),
    "account_restricted": LocalizedText("账号受限", "The account is restricted"),
    "insufficient_quota": LocalizedText("积分不足", "Not enough credits"),
    "too_few_credits": LocalizedText(
        "积分不足以生成该视频（剩余 {credits}）；更便宜的视频仍可提交：请缩短时长、降低分辨率、更换模型或充值",
        "Not enough credits for this video ({credits} left). Cheaper ones are accepted: choose a shorter duration, a "
        "lower resolution or another model, or add credits",
    ),
    "too_many_watchers": LocalizedText(
        "实时订阅过多：同一凭证最多同时订阅 {limit} 个任务，请先关闭其他订阅，或改用查询接口",
        "Too many event streams: at most {limit} tasks can be watched with one credential. Close others, or poll",
    ),
    "too_many_watchers_in_all": LocalizedText(
        "网关的实时订阅已满，请稍后再试，或改用查询接口",
        "The gateway has no room for more event streams: try again later, or poll",
    ),
    "too_many_subscriptions": LocalizedText(
        "每个连接最多订阅 {limit} 个任务，请另开连接",
        "One connection can watch at most {limit} tasks: open another connection for more",
    ),
    "authorized_already": LocalizedText(
        "订阅期间不能更换凭证，请另开连接",
        "The credential cannot change while tasks are watched: open another connection",
    ),
    "invalid_wait": LocalizedText(
        "wait 应为 0 到 {limit} 之间的秒数", "`wait` must be a number of seconds from 0 to {limit}"
    ),
    "invalid_socket_message": LocalizedText(
        '消息格式无效，应为 JSON 对象，如 {"subscribe": ["任务 ID"]}',
        'Invalid message: send a JSON object such as {"subscribe": ["task id"]}',
    ),
    "upgrade_required": LocalizedText(
        "该路径只接受 WebSocket 连接，接口文档见 /docs", "This path accepts WebSocket connections only: see /docs"
    ),
    "rate_limit_exceeded": LocalizedText("请求过于频繁，请稍后再试", "Too many requests: try again later"),
    "owner_not_asked": LocalizedText(
        "请求中的凭证和任务 ID 过多，未查询该任务属于哪个凭证：请减少凭证或任务 ID，或改用提交任务时返回的 ID，"
        "也可稍后再试",
        "Too many credentials and task IDs to look up whose task this is: send fewer of them, or the ID that the "
        "submit returned, or try again later",
    ),
    "account_paused": LocalizedText(
        "{reason}。该账号已暂停使用，约 {eta}后恢复，请届时再试",
        "{reason}. The account is paused for about {eta}: try again then",
    ),
    "account_without_credits": LocalizedText(
        "{reason}。该账号已暂停使用，约 {eta}后恢复；充值或领取积分后，调用 POST /token/points 或 /token/check "
        "可立即恢复",
        "{reason}. The account is paused for about {eta}. After adding credits, call POST /token/points or "
        "/token/check to resume it immediately",
    ),
    "accounts_unavailable": LocalizedText(
        "{total} 个账号暂时都不可用：{states}。请在约 {eta}后再试",
        "None of the {total} accounts can be used right now: {states}. Try again in about {eta}",
    ),
    "no_usable_accounts": LocalizedText(
        "{total} 个账号都不可用：{states}。请充值、领取积分、重新登录或添加账号",
        "None of the {total} accounts can be used: {states}. Top up, claim credits, log in again or add accounts",
    ),
    "all_accounts_paused": LocalizedText(
        "全部 {total} 个账号都已被管理员暂停，请联系网关管理员恢复",
        "All {total} accounts are paused: ask the gateway's administrator to resume one",
    ),
    "proxy_unreachable": LocalizedText(
        "无法通过账号的代理连接上游，请求未发出，请检查代理后重试",
        "Cannot connect to the upstream through the account's proxy. Nothing was sent: check the proxy, then try again",
    ),
    "accounts_replaced": LocalizedText(
        "网关的上游账号刚刚更换，本次请求未发出，请重试",
        "The gateway's upstream accounts just changed. Nothing was sent: try again",
    ),
    "not_sent_in_time": LocalizedText(
        "等待账号或上游的时间过长，本次未提交，也未扣费，请重试",
        "Waiting for an account or the upstream took too long. Nothing was submitted or charged: try again",
    ),
    "no_accounts": LocalizedText(
        "网关尚未配置上游账号，请联系网关管理员",
        "The gateway has no upstream accounts: ask its administrator to add one",
    ),
    "no_accounts_for_language": LocalizedText(
        "网关尚未配置可用于该对话或向量模型的账号（{providers}），请联系网关管理员，或选择其他模型",
        "The gateway has no account for this chat or embedding model ({providers}): ask its administrator to add one, "
        "or choose another model",
    ),
    "model_paused": LocalizedText(
        "{reason}。该账号约 {eta}后可再次使用此模型", "{reason}. The account can use this model again in about {eta}"
    ),
    "model_not_a_text": LocalizedText(
        "model 应为字符串，可用模型见 GET /v1/models", "`model` must be a text: see GET /v1/models"
    ),
    "call_failed": LocalizedText("上游没有返回可用的响应，请重试", "The upstream gave no usable response: try again"),
    "answer_interrupted": LocalizedText(
        "上游在返回途中中断，以上内容不完整，请重新请求",
        "The upstream broke off: what it sent so far is incomplete. Send the request again",
    ),
    "paused_by_operator": LocalizedText("已由管理员暂停", "Paused by the administrator"),
    "zero_weight": LocalizedText("配置文件中 weight = 0", "weight is 0 in the configuration file"),
    "max_running_reached": LocalizedText("运行中的任务已达 max_running", "The account has reached max_running"),
    "accounts_not_entitled": LocalizedText(
        "{total} 个账号都无权使用该模型，请选择其他模型，或在官网开通",
        "None of the {total} accounts has access to this model: choose another one, or enable it on the upstream's "
        "site",
    ),
    "check_not_supported": LocalizedText(
        "该平台不支持检查登录状态，只有提交任务时才能得知",
        "This upstream cannot check a login: only a submit shows whether it is valid",
    ),
    "credits_not_reported": LocalizedText("该平台不支持查询积分", "This upstream does not report credits"),
    "no_daily_credits": LocalizedText("该平台没有可领取的积分", "This upstream has no credits to claim"),
    "operator_only": LocalizedText(
        "仅限网关管理员：请使用 GATEWAY_ADMIN_KEY；未设置时只能从本机访问",
        "Administrators only: use GATEWAY_ADMIN_KEY or, if it is not set, send the request from the gateway's own "
        "machine",
    ),
    "account_not_found": LocalizedText(
        "没有名为 {name} 的账号，账号列表见 GET /v1/accounts", "Account {name} does not exist: see GET /v1/accounts"
    ),
    "invalid_request": LocalizedText("上游拒绝了请求参数", "The upstream rejected the request parameters"),
    "not_cancellable": LocalizedText(
        "任务无法取消：上游不支持取消，或任务已开始或已结束",
        "The task cannot be cancelled: the upstream does not support it, or the task has started or ended",
    ),
    "cancelled": LocalizedText("任务已取消", "The task was cancelled"),
    "generation_failed": LocalizedText("生成失败，请重试", "Generation failed: try again"),
    "upstream_error": LocalizedText(
        "上游返回了无法识别的响应，请稍后再试", "The upstream returned an unexpected response: try again later"
    ),
    "upstream_unavailable": LocalizedText(
        "无法连接上游，请求未发出，请稍后重试", "Cannot connect to the upstream. Nothing was sent: try again later"
    ),
    "stopping": LocalizedText("网关正在停止，请稍后重试", "The gateway is shutting down: try again later"),
    "upload_failed": LocalizedText(
        "素材上传到上游失败，任务未创建，也未扣费，请重试",
        "Uploading an input to the upstream failed. No task was created and nothing was charged: try again",
    ),
    "submission_unconfirmed": LocalizedText(
        "提交结果未知：请求已发出，但未收到确认，可能已扣费。请先在官网查看，不要直接重试",
        "The request was sent but not confirmed, and may have been charged. Check the upstream's site before you retry",
    ),
    "internal_error": LocalizedText(
        "网关内部错误，请附上 request_id 反馈", "Internal gateway error: report it with the request_id"
    ),
    "too_large": LocalizedText(
        "请求体过大，上限为 {limit}；图片和视频请改用 https:// 地址，"
        "或在支持表单（multipart/form-data）的接口以文件上传，其上限更高",
        "The request body is too large: the limit is {limit}. Give pictures and videos as https:// URLs, or, where the "
        "path takes forms (multipart/form-data), as files, which have a higher limit",
    ),
    "too_many_values": LocalizedText(
        "请求体中的字段和数组元素过多，上限约为 {limit} 个，请拆分为多个请求",
        "The request body has too many fields and list items: the limit is about {limit}. Split it into several "
        "requests",
    ),
    "form_too_large": LocalizedText("表单过大，上限为 {limit}", "The form is too large: the limit is {limit}"),
    "invalid_json": LocalizedText("请求体不是有效的 JSON 对象", "The request body is not a valid JSON object"),
    "headers_too_large": LocalizedText(
        "请求行和请求头过大或过多，请减少请求头",
        "The request line and headers are too large or too many: send fewer headers",
    ),
    "request_timeout": LocalizedText(
        "请求发送得太慢，连接已关闭，请重试",
        "The request arrived too slowly and the connection is closed: try again",
    ),
    "too_many_connections": LocalizedText(
        "连接数已达上限，请稍后重试",
        "All connections are in use: try again later",
    ),
    "not_utf8": LocalizedText(
        "请求体必须是 UTF-8 编码；请改用 UTF-8，且不要在 Content-Type 中声明其他 charset",
        "The request body must be UTF-8: encode it so, and declare no other charset in Content-Type",
    ),
    "invalid_form": LocalizedText("请求体不是有效的表单", "The request body is not a valid form"),
    "archive_unavailable": LocalizedText(
        "上游已没有该任务，存档又暂时无法访问，请稍后重试",
        "The upstream no longer has this task, and the archive is temporarily unavailable: try again later",
    ),
    "archive_not_searched": LocalizedText(
        "请求中的凭证和任务 ID 过多，未在存档中查找该任务：请减少凭证或任务 ID 的数量，或改用提交任务时返回的 ID",
        "Too many credentials and task IDs to look this task up in the archive: send fewer of them, or the ID that the "
        "submit returned",
    ),
    "unknown_input": LocalizedText(
        "图片、视频和音频请放入这些字段：{fields}",
        "Images, clips and sounds go into these fields: {fields}",
    ),
    "invalid_status_filter": LocalizedText(
        "status 只支持 unfinished；查询指定任务请用 ids=…", "status must be unfinished; to query given tasks, use ids=…"
    ),
    "too_many_files": LocalizedText("文件过多，最多 {limit} 个", "Too many files: at most {limit}"),
    "unsupported_media_type": LocalizedText(
        "不支持该 Content-Type，请使用 application/json 或 multipart/form-data",
        "Unsupported Content-Type: use application/json or multipart/form-data",
    ),
    "file_too_large": LocalizedText(
        "{param}：文件过大，上限为 {limit}", "{param}: the file is too large: the limit is {limit}"
    ),
    "range_not_satisfiable": LocalizedText("请求的范围超出文件大小", "The requested range is outside the file"),
    "url_not_fetchable": LocalizedText(
        "{param}：无法下载该链接，请提供公网可访问的 https:// 链接，或直接上传文件",
        "{param}: the URL cannot be fetched: use a public https:// URL, or upload the file",
    ),
    "too_many_downloads": LocalizedText(
        "{param}：网关正在下载的文件过多，请稍后重试，或直接上传文件",
        "{param}: the gateway is downloading too many files: try again later, or upload the file",
    ),
    "url_http_error": LocalizedText(
        "{param}：链接的服务器返回 HTTP {status}，请提供无需登录即可下载的 https:// 链接，或直接上传文件",
        "{param}: the URL's server returned HTTP {status}: use an https:// URL that needs no login, or upload the file",
    ),
    "url_compressed": LocalizedText(
        "{param}：链接的服务器返回了压缩内容（Content-Encoding），请提供未压缩文件的 https:// 链接，或直接上传文件",
        "{param}: the URL's server returned compressed content (Content-Encoding): use an https:// URL of the "
        "uncompressed file, or upload the file",
    ),
    "url_download_interrupted": LocalizedText(
        "{param}：链接的服务器中断了下载，请重试，或直接上传文件",
        "{param}: the URL's server closed the connection during the download: try again, or upload the file",
    ),
    "url_download_timeout": LocalizedText(
        "{param}：{seconds} 秒内未能下载完成，请换用更快的链接或更小的文件，或直接上传文件",
        "{param}: the download took more than {seconds} s: use a faster URL or a smaller file, or upload the file",
    ),
    "url_too_large": LocalizedText(
        "{param}：链接的文件过大，上限为 {limit}，请换用更小的文件",
        "{param}: the file at the URL is too large: the limit is {limit}. Use a smaller file",
    ),
    "invalid_data_url": LocalizedText(
        "{param}：data: 链接不是有效的 base64，格式应为 data:image/png;base64,…",
        "{param}: the data: URL is not valid base64. Expected format: data:image/png;base64,…",
    ),
    "idempotency_mismatch": LocalizedText(
        "该 Idempotency-Key 已用于不同的请求，请换用新的 key",
        "This Idempotency-Key was already used for a different request: use a new key",
    ),
    "not_ready": LocalizedText("视频尚未生成完成，请稍后再试", "The video is not finished: try again later"),
    "task_failed": LocalizedText("任务失败，没有可下载的视频", "The task failed: there is no video"),
    "no_thumbnail": LocalizedText("该视频没有封面", "This video has no thumbnail"),
    "not_supported": LocalizedText("不支持该操作", "This operation is not supported"),
    "file_expired": LocalizedText(
        "文件已过期，上游不再提供下载", "The file has expired: the upstream no longer provides it"
    ),
    "file_unavailable": LocalizedText(
        "暂时无法从上游下载文件，请稍后重试",
        "The file cannot be downloaded from the upstream right now: try again later",
    ),
    "file_download_rejected": LocalizedText(
        "上游拒绝了文件下载，链接可能已过期；请稍后重试，或到上游网站下载",
        "The upstream refused the download; its link may have expired. Try again later, or download the file from "
        "the upstream's site",
    ),
    "file_is_no_media": LocalizedText(
        "上游的链接返回的不是视频或图片文件，请稍后重新查询任务并重试",
        "The upstream's link leads to something other than a video or an image: poll the task and try again later",
    ),
    "link_not_allowed": LocalizedText(
        "上游给出的链接指向网关不允许访问的地址；如果该主机由你们自己运行，请管理员把其网段加入 upstream_networks",
        "The upstream's link leads to an address that this gateway does not connect to. If the host is your own, its "
        "administrator can add its network to upstream_networks",
    ),
    "remix_needs_picture": LocalizedText(
        "模型 {model} 需要图片，而原任务的图片没有保存；请用 POST /v1/videos 重新提交并附上图片",
        "Model {model} needs a picture, and that of the original task was not stored: submit a new task with POST "
        "/v1/videos and attach the picture",
    ),
    "characters_not_supported": LocalizedText(
        "没有上游支持角色（characters），请改用参考图", "No upstream supports characters: use reference images instead"
    ),
    "task_model_unknown": LocalizedText(
        "无法确定该任务使用的模型，请用 POST /v1/videos 重新提交",
        "The model of this task is unknown: submit a new task with POST /v1/videos",
    ),
    "operation_not_supported_by_model": LocalizedText(
        "模型 {model} 不支持该操作，或没有可用于它的凭证；支持该操作的模型：{able}，请使用相应平台的凭证",
        "Model {model} does not support this operation, or there is no credential for it: use {able}, with a "
        "credential of that provider",
    ),
    "webhook_url_not_allowed": LocalizedText(
        "webhook 地址必须是公网可访问的 https:// 地址，且不含用户名和密码；内网地址须由网关管理员加入 webhook_networks",
        "a webhook needs a public https:// URL without user name and password; the gateway's administrator can allow "
        "an internal network with webhook_networks",
    ),
    "too_many_webhooks": LocalizedText(
        "网关待发送的 webhook 已达上限 {limit} 个。本次未提交，也未扣费：请稍后重试，或不填 webhook 地址，改为轮询",
        "The gateway has reached its limit of {limit} pending webhooks. Nothing was submitted or charged: try again "
        "later, or submit without a webhook and poll the task",
    ),
    "too_many_webhooks_of_caller": LocalizedText(
        "您待发送的 webhook 已达上限 {limit} 个。本次未提交，也未扣费：请等已有任务结束，或不填 webhook 地址，改为轮询",
        "You have reached the limit of {limit} pending webhooks. Nothing was submitted or charged: wait until earlier "
        "tasks end, or submit without a webhook and poll the task",
    ),
    "webhook_http_error": LocalizedText(
        "接收方返回 HTTP {status}，应返回 2xx", "The receiver answered HTTP {status}: it must answer 2xx"
    ),
    "webhook_redirect": LocalizedText(
        "接收方返回重定向（HTTP {status}），webhook 不跟随重定向：请直接填写最终地址",
        "The receiver answered with a redirect (HTTP {status}), which webhooks do not follow: use the final URL",
    ),
    "webhook_timeout": LocalizedText(
        "接收方未在 {seconds} 秒内响应：请先返回 2xx，再处理事件",
        "The receiver did not answer within {seconds} s: answer 2xx first, then process the event",
    ),
    "webhook_disallowed": LocalizedText(
        "该地址解析为网关不允许连接的 IP；如果是内网主机，请把其网段加入 webhook_networks",
        "The host resolves to an address that this gateway does not connect to. If it is your own, add its network to "
        "webhook_networks",
    ),
    "webhook_unknown_host": LocalizedText(
        "无法解析接收方的域名，请检查地址", "The receiver's host name does not resolve: check the URL"
    ),
    "webhook_tls_failed": LocalizedText(
        "与接收方的 TLS 握手失败，请检查其证书", "The TLS handshake with the receiver failed: check its certificate"
    ),
    "webhook_unreachable": LocalizedText(
        "无法连接接收方，或连接中途断开，请检查其地址、端口和防火墙",
        "The receiver refused or closed the connection: check its host, port and firewall",
    ),
    "ids_required": LocalizedText("请用 ids=… 指定任务，最多 {limit} 个", "Specify tasks with ids=…, at most {limit}"),
    **LIMIT_ERRORS,
}

TIMED_OUT = LocalizedText("生成超时，请重试", "Generation is taking too long: try again")  # fixed
QUERY_FAILED = LocalizedText("查询失败: {reason}", "Status query failed: {reason}")  # fixed
