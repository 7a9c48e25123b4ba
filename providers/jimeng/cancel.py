"""The outcome of a cancel, from the site's answer and the task's record afterwards. Pure.

Captured 2026-03-10 on the mainland site: an accepted cancel is ret "0", and the record then has status 30 with
你已取消生成，积分已返还. The site's answer to a rejected cancel was never captured.
"""

from providers.contract.errors import Blame, ErrorKind, ProviderError
from providers.contract.localized_text import LocalizedText
from providers.contract.tasks import Phase, TaskState
from providers.jimeng.history import NoEnvelopeError
from providers.jimeng.site.errors import SIGNATURE_REFUSED

_CALL_MISSING_STATUSES = (404, 405)
_TRANSPORT_KINDS = frozenset({ErrorKind.UNREACHABLE, ErrorKind.ANSWER_LOST})

REASONS: dict[Phase, LocalizedText] = {
    Phase.QUEUED: LocalizedText(
        "网站没有取消该任务，任务仍在排队", "The site did not cancel the task: it is still queued"
    ),
    Phase.PROCESSING: LocalizedText(
        "任务已开始生成，网站只能取消排队中的任务",
        "The task is being generated, and the site only cancels queued tasks",
    ),
    Phase.POST_PROCESSING: LocalizedText(
        "任务已生成，正在后期处理，无法取消",
        "The task is generated and in post-processing: it is too late to cancel it",
    ),
    Phase.FINALIZING: LocalizedText(
        "任务已生成，正在提取视频，无法取消",
        "The task is generated and its link is being fetched: it is too late to cancel it",
    ),
    Phase.COMPLETED: LocalizedText("任务已完成，无法取消", "The task has completed: it is too late to cancel it"),
    Phase.FAILED: LocalizedText("任务已失败，无需取消", "The task has failed: there is nothing to cancel"),
}
"""Why a task was not cancelled, by its state afterwards."""

_REJECTED = LocalizedText("网站拒绝取消该任务", "The site refused to cancel the task")


def rejects_cancel(error: ProviderError) -> bool:
    """True if the site rejects cancelling this task; False for an error of the account, signature or connection."""
    if isinstance(error, NoEnvelopeError):
        # Not every site has the call.
        return error.status in _CALL_MISSING_STATUSES
    if error.kind.blame is Blame.ACCOUNT or error.kind in _TRANSPORT_KINDS:
        return False
    return error.code != SIGNATURE_REFUSED


def cancel_error(after: TaskState | ProviderError, rejection: ProviderError | None) -> ProviderError | None:
    """None if the task is cancelled, else why it is not.

    `after` is the state of the task read after the cancel, or why it could not be read; `rejection` is the site's
    error, None if it accepted the cancel. Without a readable record, as of a very new task, the site's answer decides.
    """
    if isinstance(after, TaskState):
        if after.error is not None and after.error.kind is ErrorKind.CANCELLED:
            return None
        return _not_cancellable(REASONS[after.phase], rejection)
    if after.kind.blame is Blame.ACCOUNT:
        return after
    if rejection is None:
        return None
    return after if after.kind is ErrorKind.TASK_NOT_FOUND else _not_cancellable(_REJECTED, rejection)


def _not_cancellable(message: LocalizedText, rejection: ProviderError | None) -> ProviderError:
    if rejection is None:
        return ProviderError(ErrorKind.NOT_CANCELLABLE, message=message)
    return ProviderError(ErrorKind.NOT_CANCELLABLE, code=rejection.code, message=message, detail=rejection.detail)
